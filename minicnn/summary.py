"""The table of a net: shapes, parameters, multiply-adds, activation memory."""

from html import escape
from typing import Any, NamedTuple

from .kernels.shapes import show


class Row(NamedTuple):
    name: str
    layer: str
    shape: tuple
    params: int
    macs: int
    bytes: int


class Summary(NamedTuple):
    """What `net.summary()` returns: prints as a table, shows as HTML in a notebook.

    rows    one a node; shape is of its output; bytes that it takes on the tape
    params  parameters of the whole net; one layer used twice counts once
    macs    multiply-adds of one forward pass, biases not counted
    bytes   of all outputs on the tape
    """

    rows: list
    input_shape: tuple
    dtype: Any
    params: int
    macs: int
    bytes: int

    def cells(self):
        """Header, one line a node, total: all strings."""
        yield "node", "layer", "output", "parameters", "multiply-adds", "memory"
        for r in self.rows:
            yield r.name, r.layer, show(r.shape), f"{r.params:,}", f"{r.macs:,}", _size(r.bytes)
        yield "total", "", "", f"{self.params:,}", f"{self.macs:,}", _size(self.bytes)

    def __str__(self):
        lines = list(self.cells())
        widths = [max(len(line[i]) for line in lines) for i in range(6)]
        text = [
            "  ".join(c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths))).rstrip()
            for line in lines
        ]
        rule = "-" * max(map(len, text))
        image = f"image {show(self.input_shape)} {self.dtype}"
        return "\n".join([image, text[0], rule, *text[1:-1], rule, text[-1]])

    def _repr_html_(self):
        head, *body, total = self.cells()
        rows = [_html_row(head, "th"), *(_html_row(line, "td") for line in body), _html_row(total, "th")]
        return "<table>" + "".join(rows) + "</table>"


def summarise(net, shape):
    """The Summary of a net for an image of that shape; runs nothing."""
    shapes, rows = {net.input: tuple(shape)}, []
    owned = {id(layer) for layer in net.layers().values()}
    for node in net.nodes:
        inputs = [shapes[name] for name in node.inputs]
        out = shapes[node.name] = tuple(node.layer.out_shape(*inputs))
        params = sum(_product(s) for s in node.layer.param_shapes.values()) if id(node.layer) in owned else 0
        owned.discard(id(node.layer))
        size = _product(out) * net.dtype.itemsize
        rows.append(Row(node.name, repr(node.layer), out, params, node.layer.macs(*inputs), size))
    totals = (sum(getattr(r, field) for r in rows) for field in ("params", "macs", "bytes"))
    return Summary(rows, tuple(shape), net.dtype, *totals)


def _product(shape):
    total = 1
    for d in shape:
        total *= d
    return total


def _size(n):
    for unit in ("B", "kB", "MB", "GB"):
        if n < 1000 or unit == "GB":
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000


def _html_row(cells, tag):
    return "<tr>" + "".join(f"<{tag} style='text-align:left'>{escape(c)}</{tag}>" for c in cells) + "</tr>"
