"""Relevance: a unit's value shared out over what it was made of."""
