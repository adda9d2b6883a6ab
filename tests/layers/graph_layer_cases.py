"""As layer_cases: random small layers of those that imported graphs need, and each written in PyTorch's functions."""

import pytest
from hypothesis import strategies as st
from layer_cases import any_shape

from minicnn.layers import Pad

torch = pytest.importorskip("torch")
F = torch.nn.functional


def pad(draw):
    shape, mode = any_shape(draw), draw(st.sampled_from(["constant", "reflect", "edge"]))
    pads = []
    for size in shape:
        crops = [draw(st.integers(0, (size - 1) // 2)) for _ in range(2)]
        most = size - sum(crops) - 1 if mode == "reflect" else 3
        pads.append(tuple(-crop if crop else draw(st.integers(0, most)) for crop in crops))
    value = draw(st.floats(-2, 2)) if mode == "constant" else 0.0
    return Pad(tuple(pads), mode, value), [shape]


def pad_twin(layer, params, buffers, train, x):
    if layer.mode == "constant":
        return F.pad(x, [p for pads in reversed(layer.pads) for p in pads], value=layer.value)
    for axis, (before, after) in enumerate(layer.pads):
        x = x.narrow(axis, max(-before, 0), x.shape[axis] - max(-before, 0) - max(-after, 0))
        last = x.shape[axis] - 1
        cells = torch.arange(-max(before, 0), last + 1 + max(after, 0))
        if layer.mode == "edge":
            cells = cells.clamp(0, last)
        else:
            cells = last - (last - cells.abs()).abs()
        x = x.index_select(axis, cells)
    return x


CASES = {
    "pad": (pad, pad_twin),
}
