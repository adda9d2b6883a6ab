"""Many pictures looked at one after the other, and what part of each a unit sees."""
