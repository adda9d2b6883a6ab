"""What a gradient check found."""

from typing import NamedTuple

from .kernels.shapes import show


class Row(NamedTuple):
    """One gradient: dx, dw, db ..."""

    name: str
    size: int  # of the array
    checked: int  # entries, or random directions where the array is too large for each of its entries
    kinks: int  # those skipped because the forward has no derivative there
    error: float  # the largest relative error
    where: str  # the index of it
    backward: float  # what backward says there
    numeric: float  # what the differences say

    def ok(self, tol):
        """Nothing checked is no success, unless there was nothing to check."""
        return self.error <= tol and (self.checked > 0 or self.size == 0)


class Report(NamedTuple):
    """The rows of one check; `ok` is the verdict, `print` shows the table."""

    title: str
    tol: float
    rows: list

    @property
    def ok(self):
        return all(row.ok(self.tol) for row in self.rows)

    @property
    def kinks(self):
        """How many entries were skipped."""
        return sum(row.kinks for row in self.rows)

    def __str__(self):
        table = [("", "largest error", "at", "backward", "numeric", "checked", "kinks", "")]
        for row in self.rows:
            numbers = (f"{row.error:.1e}", row.where, f"{row.backward:.6g}", f"{row.numeric:.6g}")
            numbers = numbers if row.checked else ("-",) * 4
            table.append((row.name, *numbers, str(row.checked), str(row.kinks), self._verdict(row)))
        widths = [max(map(len, column)) for column in zip(*table)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip() for cells in table]
        return "\n".join([f"{self.title}: {'ok' if self.ok else 'FAILED'} (relative error <= {self.tol:g})", *lines])

    def _verdict(self, row):
        if row.ok(self.tol):
            return "ok"
        return "WRONG" if row.checked else "NOT CHECKED"


def index(flat, shape):
    """A flat index as the table writes it."""
    at = []
    for size in reversed(shape):
        flat, i = divmod(flat, size)
        at.append(int(i))
    return show(reversed(at))
