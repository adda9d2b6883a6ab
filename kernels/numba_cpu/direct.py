"""Direct convolution: any kernel, stride, padding, dilation and number of groups; see `correlate.py`."""

import itertools

from .correlate import correlate
from .pointwise import pointwise
from .taps import backward_taps, forward_taps


def forward(x, w, b, stride, pad, dilation, groups, out):
    if _is_pointwise(w, stride, pad):
        pointwise(x, w, b, groups, False, out)
    else:
        correlate(x, w, b, forward_taps(w.shape[2:], stride, pad, dilation), groups, False, out, (0, 0), (1, 1))


def backward_input(dout, w, stride, pad, dilation, groups, dx):
    """One correlation of dout for each remainder of the stride: the pixels of dx that the same taps reach."""
    if _is_pointwise(w, stride, pad):
        pointwise(dout, w, None, groups, True, dx)
        return
    for remainder in itertools.product(range(stride[0]), range(stride[1])):
        taps, start = backward_taps(w.shape[2:], stride, pad, dilation, remainder)
        if start[0] >= dx.shape[2] or start[1] >= dx.shape[3]:
            continue
        if taps is None:
            dx[:, :, start[0] :: stride[0], start[1] :: stride[1]] = 0
        else:
            correlate(dout, w, None, taps, groups, True, dx, start, stride)


def _is_pointwise(w, stride, pad):
    return w.shape[2:] == (1, 1) and stride == (1, 1) and not any(pad)
