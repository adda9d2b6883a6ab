"""ONNX's operators that slide a window: convolution, pooling and LRN.

Their sizes equal ONNX Runtime's. Where runtimes disagree about auto_pad, it is refused.
"""

from ..layers import (
    LRN,
    AvgPool2d,
    Conv2d,
    ConvTranspose2d,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool2d,
    MaxPoolIndices,
)
from .onnx_node import Unread


def _conv(b, n):
    x, w, bias = _image(b, n), b.constant(n, 1), b.constant(n, 2)
    kernel = _kernel_of(n, w)
    groups = n.int("group", 1)
    stride, dilation = _steps(n)
    pad = _pads(n, x, kernel, stride, dilation)
    channels = w.shape[1] * groups, w.shape[0]
    layer = Conv2d(*channels, kernel, stride, pad, dilation, groups, bias=bias is not None)
    return b.add(n, layer, [x], **_params(w, bias))


def _conv_transpose(b, n):
    x, w, bias = _image(b, n), b.constant(n, 1), b.constant(n, 2)
    kernel = _kernel_of(n, w)
    groups = n.int("group", 1)
    stride, dilation = _steps(n)
    pad, more = _transposed_pads(n, x, kernel, stride, dilation)
    channels = w.shape[0], w.shape[1] * groups
    layer = ConvTranspose2d(*channels, kernel, stride, pad, more, dilation, groups, bias=bias is not None)
    return b.add(n, layer, [x], **_params(w, bias))


def _max_pool(b, n):
    x, kernel = _image(b, n), _pool_kernel(n)
    stride, dilation = _steps(n, dilated=n.opset >= 10)
    ceil_mode = n.opset >= 10 and n.flag("ceil_mode", 0)
    order = "column" if n.opset >= 8 and n.flag("storage_order", 0) else "row"
    pad = _inside(n, _pads(n, x, kernel, stride, dilation), kernel)
    out = [b.add(n, MaxPool2d(kernel, stride, pad, dilation, ceil_mode), [x])]
    if n.opset >= 8 and n.wants(1):
        layer = MaxPoolIndices(kernel, stride, pad, dilation, ceil_mode, order)
        out.append(Unread(b.add(n, layer, [x], part="indices").node, "positions, which are integers"))
    return out


def _average_pool(b, n):
    x, kernel = _image(b, n), _pool_kernel(n)
    stride, dilation = _steps(n, dilated=n.opset >= 19)
    ceil_mode = n.opset >= 10 and n.flag("ceil_mode", 0)
    padded = n.flag("count_include_pad", 0)
    pad = _inside(n, _pads(n, x, kernel, stride, dilation), kernel)
    layer = AvgPool2d(kernel, stride, pad, ceil_mode=ceil_mode, count_include_pad=padded, dilation=dilation)
    return b.add(n, layer, [x])


def _global(layer):
    return lambda b, n: b.add(n, layer(), [_image(b, n)])


def _lrn(b, n):
    size = n.int("size")
    if size % 2 == 0:
        raise n.error(f"size {size} is even, and it is not agreed which side is longer")
    layer = LRN(size, n.float("alpha", 1e-4), n.float("beta", 0.75), n.float("bias", 1.0))
    return b.add(n, layer, [_image(b, n)])


OPERATORS = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": _global(GlobalAvgPool),
    "GlobalMaxPool": _global(GlobalMaxPool),
    "LRN": _lrn,
}


def _image(b, n):
    x = b.data(n, 0)
    _two_axes(n, len(x.shape) - 2)
    return x


def _two_axes(n, axes):
    if axes != 2:
        raise n.error(f"{axes}-D: only images, which are 2-D, can be computed")


def _kernel_of(n, w):
    if w is None:
        raise n.error("has no weights")
    _two_axes(n, len(w.shape) - 2)
    kernel = w.shape[2:]
    if (said := n.ints("kernel_shape", kernel)) != kernel:
        raise n.error(f"kernel_shape is {said}, its weights' {kernel}")
    return kernel


def _pool_kernel(n):
    kernel = n.ints("kernel_shape")
    _two_axes(n, len(kernel))
    return kernel


def _steps(n, dilated=True):
    steps = n.ints("strides", (1, 1), length=2), n.ints("dilations", (1, 1), length=2) if dilated else (1, 1)
    if min(map(min, steps)) < 1:
        raise n.error(f"strides and dilations {steps}, expected numbers above 0")
    return steps


def _params(w, bias):
    return {"w": w.floats()} if bias is None else {"w": w.floats(), "b": bias.floats()}


def _given_pads(n):
    """(auto_pad, the pads in our order: top, bottom, left, right)."""
    auto, (top, left, bottom, right) = n.text("auto_pad", "NOTSET"), n.ints("pads", (0, 0, 0, 0), length=4)
    if auto not in ("NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"):
        raise n.error(f"auto_pad {auto!r}")
    if auto != "NOTSET" and any((top, left, bottom, right)):
        raise n.error(f"auto_pad {auto} and pads at once")
    return auto, (top, bottom, left, right)


def _pads(n, x, kernel, stride, dilation):
    auto, pads = _given_pads(n)
    if not auto.startswith("SAME"):
        return pads
    if dilation != (1, 1):
        raise n.error(f"auto_pad {auto} with dilations {dilation}: runtimes disagree about it")
    totals = [_same_total(n, auto, *axis) for axis in zip(x.shape[2:], kernel, stride)]
    return _split(totals, upper=auto == "SAME_UPPER")


def _same_total(n, auto, size, kernel, stride):
    """What must be padded along one axis for ceil(size / stride) windows."""
    if stride == 1:
        return kernel - 1
    if size is None:
        raise n.error(f"auto_pad {auto} needs the image's size, which the file leaves open")
    total = (-(-size // stride) - 1) * stride + kernel - size
    if total < -1:  # one that is left over at the end is never read
        raise n.error(f"auto_pad {auto} of a window {kernel} with stride {stride}: runtimes disagree about it")
    return max(total, 0)


def _split(totals, upper):
    """(top, bottom, left, right): an odd one goes to the end, or to the beginning."""
    (top, left), ends = [t // 2 for t in totals], [t - t // 2 for t in totals]
    pads = (top, ends[0], left, ends[1])
    return pads if upper else (pads[1], pads[0], pads[3], pads[2])


def _inside(n, pads, kernel):
    if any(pad >= k for pad, k in zip(pads, (kernel[0], kernel[0], kernel[1], kernel[1]))):
        raise n.error(f"pads {pads} as large as the window {kernel}")
    return pads


def _transposed_pads(n, x, kernel, stride, dilation):
    """(pads, output_padding) from what says them: pads, auto_pad or the output's size."""
    auto, pads = _given_pads(n)
    more = n.ints("output_padding", (0, 0), length=2)
    wanted = n.ints("output_shape", ())
    if not wanted and not auto.startswith("SAME"):
        return pads, more
    if not wanted:
        # size * stride is wanted of (size - 1) * stride + reach
        totals = [m + (k - 1) * d + 1 - s for m, k, d, s in zip(more, kernel, dilation, stride)]
        if min(totals) < 0:
            raise n.error(f"auto_pad {auto} of a window smaller than the stride: runtimes disagree about it")
        return _split(totals, upper=auto == "SAME_UPPER"), more
    if len(wanted) != 2 or any(pads):
        raise n.error(f"output_shape {wanted} with pads {pads}")
    if None in x.shape[2:]:
        raise n.error("output_shape needs the image's size, which the file leaves open")
    totals = [
        (size - 1) * s + m + (k - 1) * d + 1 - out
        for size, s, m, k, d, out in zip(x.shape[2:], stride, more, kernel, dilation, wanted)
    ]
    more = tuple(m + max(-total, 0) for m, total in zip(more, totals))
    return _split([max(total, 0) for total in totals], upper=auto == "SAME_UPPER"), more
