"""The errors of files and names; those of kernels and layers stand in kernels/errors.py."""

from difflib import get_close_matches

from .kernels.errors import MinicnnError


class FormatError(MinicnnError, ValueError):
    """A weight file that is not what it says, or not what was asked for: file, tensor and reason."""

    def __init__(self, file, reason, tensor=None):
        self.file, self.reason, self.tensor = str(file), reason, tensor
        super().__init__(f"{file}: {f'tensor {tensor!r}: ' if tensor is not None else ''}{reason}")


class MissingFileError(MinicnnError, FileNotFoundError):
    """Weights, an image or data that are not where they were looked for; says where that was."""


class OutputError(MinicnnError, OSError):
    """A file that cannot be written; names it and says why."""


class ImageError(MinicnnError, ValueError):
    """A picture that cannot be read, or is too large; names the file."""


class UsageError(MinicnnError, ValueError):
    """Something asked for that cannot be: an argument, an option, a unit out of range; says what can."""


class UnknownNameError(MinicnnError, LookupError):
    """A node, class, net or method that does not exist; suggests the nearest names."""

    def __init__(self, kind, name, names):
        names = [str(n) for n in names]
        near = get_close_matches(str(name), names, n=3, cutoff=0.62)
        hint = f"did you mean {' or '.join(near)}?" if near else f"there are {_some(names)}"
        super().__init__(f"no {kind} {str(name)!r}; {hint}")


def _some(names, most=12):
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
