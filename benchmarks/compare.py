"""Figures beside those of another run: what `minicnn bench --json` printed then."""

import json

from ..errors import FormatError
from ..files import read_whole

_KEY = ("work", "rung", "case", "net", "batch")


def read(path):
    """{row's key: its milliseconds} of a document that `minicnn bench --json` printed.

    Raises MissingFileError, and FormatError for anything else.
    """
    try:
        document = json.loads(read_whole(path))
        return {_key(row): float(row["ms"]) for row in document["results"]}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise FormatError(path, "it is not what `minicnn bench --json` prints") from error


def add(rows, old):
    """The rows with "old_ms" and "to_old", new time / old time; None where the other run has no such row."""
    for row in rows:
        before = old.get(_key(row))
        yield row | {"old_ms": before, "to_old": before and row["ms"] / before}


def _key(row):
    return tuple(row.get(name) for name in _KEY)
