"""The errors that every room raises, all derived from one `MinicnnError`."""


class MinicnnError(Exception):
    """Whatever minicnn itself refuses; its text is one clear line."""


class ShapeError(MinicnnError, ValueError):
    """Arrays or sizes that do not fit together; names the dimension, both values and both shapes."""


class DTypeError(MinicnnError, TypeError):
    """An array that is neither float32 nor float64, or two that should agree and do not."""


class BackendError(MinicnnError, RuntimeError):
    """A backend that is unknown or cannot run here; says why and what to install."""


class OutOfMemoryError(BackendError, MemoryError):
    """An array that the memory does not hold, a card's most often; says what was needed."""
