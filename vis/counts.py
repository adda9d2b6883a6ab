"""Refusing a count of nothing, where a method needs one or more."""

from ..errors import UsageError


def at_least_one(**counts):
    """Raises UsageError, with its name, for a count below 1."""
    for name, count in counts.items():
        if not count >= 1:
            raise UsageError(f"{name} is {count}, expected 1 or more")
