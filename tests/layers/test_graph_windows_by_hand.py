"""Windows of imported graphs on numbers small enough to work out by hand."""

import math

import numpy as np
import pytest

import naive
from minicnn.kernels.errors import ShapeError
from minicnn.layers import AvgPool2d, ConvTranspose2d, GlobalMaxPool, MaxPool2d, MaxPoolIndices

inf, nan = math.inf, math.nan


def run(layer, *xs, dout):
    out, cache = layer.forward(*(np.array(x, "float64") for x in xs))
    return out, layer.backward_input(np.array(dout, "float64"), cache)


def image(*rows):
    return np.array([[rows]], "float64")


def same(found, wanted):
    np.testing.assert_array_equal(found, wanted)


# Transposed convolution ----------------------------------------------------------------------------------------------


def deconvolution(w, b=None, **options):
    w = np.array(w, "float64")
    groups = options.get("groups", 1)
    layer = ConvTranspose2d(w.shape[0], w.shape[1] * groups, w.shape[2:], bias=b is not None, **options)
    layer.params = {"w": w} if b is None else {"w": w, "b": np.array(b, "float64")}
    return layer


def test_a_deconvolution_spreads_every_pixel(backend):
    layer = deconvolution([[[[1, 2, 3]]]], [0.5], stride=2)
    out, cache = layer.forward(image([1.0, 10.0]))
    same(out, image([1.5, 2.5, 13.5, 20.5, 30.5]))
    dx, grads = layer.backward(image([1.0, 10.0, 100.0, 1000.0, 10_000.0]), cache)
    same(dx, image([321.0, 32_100.0]))
    same(grads["w"], image([1001.0, 10_010.0, 100_100.0]))
    same(grads["b"], [11_111.0])


def test_output_padding_first_takes_back_what_pad_cut_off(backend):
    x, w = image([1.0, 10.0]), [[[[1, 2, 3]]]]
    pad = (0, 0, 1, 1)
    same(deconvolution(w, stride=2, pad=pad).forward(x)[0], image([2.0, 13.0, 20.0]))
    same(deconvolution(w, stride=2, pad=pad, output_padding=(0, 1)).forward(x)[0], image([2.0, 13.0, 20.0, 30.0]))
    # What x does not reach is the bias alone, in two more columns and one more row.
    layer = deconvolution(w, [0.5], stride=2, pad=pad, output_padding=(1, 3))
    out, cache = layer.forward(x)
    same(out, image([2.5, 13.5, 20.5, 30.5, 0.5, 0.5], [0.5] * 6))
    dx, grads = layer.backward(np.ones(out.shape), cache)
    same(dx, image([5.0, 6.0]))
    same(grads["b"], [12.0])
    assert layer.out_shape((1, 1, 1, 2)) == (1, 1, 2, 6)


def test_a_deconvolution_is_the_backward_of_a_convolution(backend):
    rng = np.random.default_rng(0)
    w, x = rng.standard_normal((4, 3, 2, 3)), rng.standard_normal((2, 4, 3, 4))
    stride, pad, dilation, groups = (2, 3), (1, 0, 2, 1), (2, 1), 2
    layer = deconvolution(w, stride=stride, pad=pad, dilation=dilation, groups=groups)
    out, cache = layer.forward(x)
    assert out.shape == (2, 6, 6, 9)
    geometry = (stride, pad, dilation, groups)
    np.testing.assert_allclose(out, naive.conv2d_backward_input(x, w, out.shape, *geometry), atol=1e-12)
    dout = rng.standard_normal(out.shape)
    dx, grads = layer.backward(dout, cache)
    np.testing.assert_allclose(dx, naive.conv2d_forward(dout, w, None, *geometry), atol=1e-12)
    np.testing.assert_allclose(grads["w"], naive.conv2d_backward_weight(x, dout, w.shape, *geometry), atol=1e-12)


def test_what_a_deconvolution_draws_keeps_the_variance():
    for options in ({"stride": 2, "groups": 1}, {"stride": 1, "groups": 4}):
        layer = ConvTranspose2d(64, 16, 4, pad=3, **options).init(1)
        x = np.random.default_rng(0).standard_normal((2, 64, 12, 12), dtype=np.float32)
        assert layer.forward(x)[0].var() == pytest.approx(2, rel=0.1)
        assert not layer.params["b"].any() and layer.params["w"].dtype == np.float32


# Pooling -------------------------------------------------------------------------------------------------------------


def test_places_of_maxima_by_rows_and_by_columns(backend):
    x = np.zeros((2, 2, 3, 4))
    x[1, 1, 2, 1] = x[0, 1, 0, 3] = 1.0
    for order, offset in (("row", 2 * 4 + 1), ("column", 1 * 3 + 2)):
        out, _ = MaxPoolIndices((3, 2), stride=1, order=order).forward(x)
        assert out.dtype == np.int64 and out.shape == (2, 2, 1, 3)
        # Where all is 0 the first in row-major order is it, whatever the order of counting.
        same(out[0, 0, 0], [0, 1, 2] if order == "row" else [0, 3, 6])
        same(out[1, 1, 0], [36 + offset, 36 + offset, 36 + (2 if order == "row" else 6)])
    assert out[0, 1, 0].tolist() == [12, 12 + 3, 12 + 9]


def test_places_are_those_of_the_maxima(backend):
    x = np.random.default_rng(0).permutation(180).reshape(2, 3, 5, 6).astype("float64")
    window = {"kernel": (2, 3), "stride": (1, 2), "pad": (1, 0, 1, 1), "dilation": (2, 1), "ceil_mode": True}
    out, _ = MaxPoolIndices(**window).forward(x)
    pooled, _ = MaxPool2d(**window).forward(x)
    same(x.ravel()[out], pooled)
    by_columns, _ = MaxPoolIndices(**window, order="column").forward(x)
    same(x.swapaxes(2, 3).ravel()[by_columns], pooled)


def test_places_of_what_is_no_ordinary_number(backend):
    x = image([-inf, -inf, 1.0, nan])
    layer = MaxPoolIndices((1, 2), stride=2, pad=(0, 0, 2, 2))
    out, cache = layer.forward(x)
    assert out.tolist() == [[[[-1, 0, 3, -1]]]]  # -1: nothing but padding
    same(layer.backward_input(np.ones(out.shape), cache), np.zeros(x.shape))
    with pytest.raises(ShapeError, match="dout"):
        layer.backward_input(np.ones(3), cache)
    empty, _ = layer.forward(np.zeros((0, 2, 1, 4), "float32"))
    assert empty.shape == (0, 2, 1, 4) and empty.dtype == np.int64


def test_a_dilated_average(backend):
    x = image([1.0, 2.0, 3.0, 4.0, 5.0])
    out, dx = run(AvgPool2d((1, 2), stride=1, dilation=3), x, dout=image([2.0, 4.0]))
    same(out, image([2.5, 3.5]))
    same(dx, image([1.0, 2.0, 0.0, 1.0, 2.0]))
    for count_include_pad, wanted in ((True, [0.5, 1.0, 2.0, 3.0, 4.0, 2.0, 2.5]), (False, [1, 2, 2, 3, 4, 4, 5])):
        layer = AvgPool2d((1, 2), 1, (0, 0, 2, 2), count_include_pad=count_include_pad, dilation=(1, 2))
        same(layer.forward(x)[0], image(wanted))
    # Of the last window, which only ceil_mode has, one cell exists.
    same(AvgPool2d((1, 2), 2, ceil_mode=True, dilation=2).forward(x[..., :4])[0], image([2.0, 3.0]))
    same(AvgPool2d((1, 2), 2, dilation=2).forward(x[..., :4])[0], image([2.0]))


def test_a_dilated_average_of_what_is_no_ordinary_number(backend):
    x = np.ones((1, 2, 9, 9))
    x[0, 0, 4, 4], x[0, 1, 0, 0] = nan, inf
    out, _ = AvgPool2d(3, stride=1, dilation=2).forward(x)
    # Only the windows that read it: those whose corner is 0, 2 or 4 before it.
    reads = np.zeros((5, 5), bool)
    reads[::2, ::2] = True
    same(np.isnan(out[0, 0]), reads)
    same(out[0, 0][~reads], np.ones(16))
    assert out[0, 1, 0, 0] == inf and np.isfinite(out[0, 1].ravel()[1:]).all()


def test_an_undilated_average_is_the_kernels(backend):
    """dilation 1 and a dilation that no window of one cell sees agree."""
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 6))
    one, two = (AvgPool2d((1, 3), 2, (0, 1), dilation=(d, 1)).forward(x)[0] for d in (1, 2))
    np.testing.assert_allclose(one, two, rtol=1e-14)
    assert AvgPool2d((1, 3), 2, (0, 1)).forward(x)[0].tolist() == one.tolist()


def test_global_maximum_goes_to_the_first(backend):
    out, dx = run(GlobalMaxPool(), image([1.0, 3.0], [3.0, 2.0]), dout=image([5.0]))
    same(out, image([3.0]))
    same(dx, image([0.0, 5.0], [0.0, 0.0]))
    out, dx = run(GlobalMaxPool(), image([-inf, -inf]).repeat(2, axis=1), dout=np.ones((1, 2, 1, 1)))
    same(dx, np.array([1.0, 0.0, 1.0, 0.0]).reshape(1, 2, 1, 2))
    out, dx = run(GlobalMaxPool(), image([9.0, nan, nan]), dout=image([5.0]))
    same(out, image([nan]))
    same(dx, image([0.0, 5.0, 0.0]))
