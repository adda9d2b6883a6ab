"""Whether the weight files on this machine are still what was written."""

from typing import NamedTuple

from ..errors import FormatError, MissingFileError
from . import native, places


class Verdict(NamedTuple):
    """What became of one file.

    name   as `load` takes it
    path   of the file
    fault  what is wrong with it, or None
    """

    name: str
    path: object
    fault: str | None


def verify(names=()):
    """[Verdict] of files by name or path; of all that have a name unless some are given.

    Each file is read whole and its hash compared with the one that it records, so that a single changed bit shows.
    Raises MissingFileError for a name or a path that is not there.
    """
    files = {str(name): places.find(name) for name in names} or places.available()
    return [Verdict(name, path, _fault(path)) for name, path in files.items()]


def _fault(path):
    try:
        if native.content_is_whole(path):
            return None
        return "damaged: its content is not what was written; remove it, then fetch or import it again"
    except FormatError as error:
        return error.reason
    except MissingFileError as error:
        return str(error)
