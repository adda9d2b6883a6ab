"""Every layer of Keras' that is read, against its definition as plain loops over (N, H, W, C)."""

import keras_naive as naive
import numpy as np
import pytest
import tfjs_files as files

from minicnn import Net
from minicnn.errors import FormatError
from minicnn.weights import tfjs

RNG = np.random.default_rng(0)


def draw(*shape):
    return RNG.uniform(-1, 1, shape).astype(np.float32)


@pytest.fixture
def run(tmp_path):
    """Writes a model and its weights, reads them, and runs the net on x; x and what returns are as Keras has them."""

    def run(model, weights, x):
        checkpoint = tfjs.read(files.write(tmp_path, model, weights, shards=2))
        net = Net(checkpoint.graph.nodes, checkpoint.graph.input)
        net.load_state_dict(checkpoint.tensors)
        out = net(np.ascontiguousarray(x.transpose(0, 3, 1, 2)) if x.ndim == 4 else x)
        assert out.shape == tuple(net.summary((len(x), *np.moveaxis(x, -1, 1).shape[1:])).rows[-1].shape)
        return out.transpose(0, 2, 3, 1) if out.ndim == 4 else out

    return run


def close(got, wanted):
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-5)


WINDOWS = [  # size, kernel, stride, dilation
    ((7, 6), (3, 3), (1, 1), (1, 1)),
    ((7, 5), (3, 2), (2, 2), (1, 1)),
    ((8, 7), (2, 4), (3, 2), (1, 1)),
    ((5, 9), (1, 2), (2, 3), (1, 1)),
    ((9, 8), (3, 2), (1, 1), (2, 3)),
]


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("size, kernel, stride, dilation", WINDOWS)
class TestWindows:
    def test_convolutions(self, run, size, kernel, stride, dilation, padding):
        x = draw(2, *size, 4)
        said = {"kernel_size": list(kernel), "strides": list(stride), "dilation_rate": list(dilation)}
        said |= {"padding": padding, "data_format": "channels_last", "batch_input_shape": [None, *size, 4]}
        how = {"stride": stride, "dilation": dilation, "padding": padding}
        w, b = draw(*kernel, 2, 6), draw(6)
        made = files.layer("Conv2D", "c", filters=6, groups=2, activation="linear", **said)
        got = run(files.sequential(made), {"c/kernel": w, "c/bias": b}, x)
        close(got, naive.conv2d(x, w, b, groups=2, **how))

        w, b = draw(*kernel, 4, 2), draw(8)
        made = files.layer("DepthwiseConv2D", "d", depth_multiplier=2, **said)
        got = run(files.sequential(made), {"d/depthwise_kernel": w, "d/bias": b}, x)
        close(got, naive.depthwise_conv2d(x, w, b, **how))

        point = draw(1, 1, 8, 3)
        made = files.layer("SeparableConv2D", "s", filters=3, depth_multiplier=2, use_bias=False, **said)
        got = run(files.sequential(made), {"s/depthwise_kernel": w, "s/pointwise_kernel": point}, x)
        close(got, naive.separable_conv2d(x, w, point, **how))

    def test_pooling(self, run, size, kernel, stride, dilation, padding):
        x = draw(2, *size, 3) - 2  # below zero, so that padding would be seen
        said = {"pool_size": list(kernel), "strides": list(stride), "padding": padding}
        said |= {"data_format": "channels_last", "batch_input_shape": [None, *size, 3]}
        got = run(files.sequential(files.layer("MaxPooling2D", "p", **said)), {}, x)
        close(got, naive.pool2d(x, np.max, kernel, stride, padding))
        got = run(files.sequential(files.layer("AveragePooling2D", "p", **said)), {}, x)
        close(got, naive.pool2d(x, np.mean, kernel, stride, padding))

    def test_transposed_convolution(self, run, size, kernel, stride, dilation, padding):
        x, w, b = draw(2, 3, 4, 2), draw(*kernel, 3, 2), draw(3)
        made = files.layer("Conv2DTranspose", "t", filters=3, kernel_size=list(kernel), strides=list(stride),
                           padding=padding, output_padding=None, batch_input_shape=[None, 3, 4, 2])  # fmt: skip
        got = run(files.sequential(made), {"t/kernel": w, "t/bias": b}, x)
        close(got, naive.conv2d_transpose(x, w, b, stride, padding))


def one(type_, weights=None, shape=(4, 5, 3), **config):
    made = files.sequential(files.layer(type_, "a", batch_input_shape=[None, *shape], **config))
    return made, {f"a/{name}": array for name, array in (weights or {}).items()}, draw(2, *shape) * 4


def leaky(x, slope):
    return np.where(x > 0, x, slope * x)


G, B, M, V = draw(3), draw(3), draw(3), np.abs(draw(3))
NORM = {"gamma": G, "beta": B, "moving_mean": M, "moving_variance": V}
ALPHA, SHARED = draw(4, 5, 3), draw(1, 1, 3)
POINTWISE = {
    "ReLU": (one("ReLU", max_value=None, negative_slope=0.0, threshold=0.0), lambda x: np.maximum(x, 0)),
    "ReLU6": (one("ReLU", max_value=6.0), lambda x: np.clip(x, 0, 6)),
    "ReLU with a slope": (one("ReLU", negative_slope=0.25), lambda x: leaky(x, 0.25)),
    "LeakyReLU": (one("LeakyReLU", alpha=0.1), lambda x: leaky(x, 0.1)),
    "LeakyReLU's default": (one("LeakyReLU"), lambda x: leaky(x, 0.3)),
    "LeakyReLU of Keras 3": (one("LeakyReLU", negative_slope=0.2), lambda x: leaky(x, 0.2)),
    "LeakyReLU that is none": (one("LeakyReLU", alpha=0), lambda x: np.maximum(x, 0)),
    "ELU": (one("ELU", alpha=0.5), lambda x: np.where(x > 0, x, 0.5 * (np.exp(x) - 1))),
    "PReLU": (one("PReLU", {"alpha": ALPHA}), lambda x: leaky(x, ALPHA)),
    "PReLU shared": (one("PReLU", {"alpha": SHARED}, shared_axes=[1, 2]), lambda x: leaky(x, SHARED)),
    "PReLU of rows": (one("PReLU", {"alpha": G}, (3,)), lambda x: leaky(x, G)),
    "Softmax": (one("Softmax", axis=-1), naive.softmax),
    "Softmax of rows": (one("Softmax", shape=(7,), axis=[1]), naive.softmax),
    "Softmax down": (one("Softmax", axis=1), lambda x: np.moveaxis(naive.softmax(np.moveaxis(x, 1, -1)), -1, 1)),
    "Dropout": (one("Dropout", rate=0.4, noise_shape=None, seed=3), lambda x: x),
    "linear": (one("Activation", activation="linear"), lambda x: x),
    "relu": (one("Activation", activation="relu"), lambda x: np.maximum(x, 0)),
    "relu6": (one("Activation", activation="relu6"), lambda x: np.clip(x, 0, 6)),
    "sigmoid": (one("Activation", activation="sigmoid"), lambda x: 1 / (1 + np.exp(-x))),
    "tanh": (one("Activation", activation="tanh"), np.tanh),
    "elu": (one("Activation", activation="elu"), lambda x: np.where(x > 0, x, np.exp(x) - 1)),
    "softmax": (one("Activation", activation="softmax"), naive.softmax),
    "BatchNormalization": (
        one("BatchNormalization", NORM, epsilon=0.01, axis=[3], momentum=0.9, center=True, synchronized=False),
        lambda x: naive.batch_normalization(x, G, B, M, V, 0.01),
    ),
    "without gamma and beta": (
        one("BatchNormalization", {"moving_mean": M, "moving_variance": V}, center=False, scale=False),
        lambda x: naive.batch_normalization(x, 1, 0, M, V, 1e-3),
    ),
    "of rows": (
        one("BatchNormalization", NORM, (3,), axis=-1),
        lambda x: naive.batch_normalization(x, G, B, M, V, 1e-3),
    ),
    "Flatten": (one("Flatten", data_format="channels_last"), naive.flatten),
    "Flatten of rows": (one("Flatten", shape=(6,)), lambda x: x),
    "GlobalAveragePooling2D": (one("GlobalAveragePooling2D", keepdims=False), lambda x: x.mean(axis=(1, 2))),
    "GlobalMaxPooling2D": (one("GlobalMaxPooling2D", keepdims=True), lambda x: x.max(axis=(1, 2), keepdims=True)),
    "ZeroPadding2D": (one("ZeroPadding2D", padding=2), lambda x: np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))),
    "by two": (one("ZeroPadding2D", padding=[1, 2]), lambda x: np.pad(x, ((0, 0), (1, 1), (2, 2), (0, 0)))),
    "by four": (
        one("ZeroPadding2D", padding=[[0, 1], [2, 3]]),
        lambda x: np.pad(x, ((0, 0), (0, 1), (2, 3), (0, 0))),
    ),
    "Reshape to rows": (one("Reshape", target_shape=[60]), lambda x: x.reshape(2, 60)),
    "Reshape to an image": (one("Reshape", target_shape=[2, -1, 5]), lambda x: x.reshape(2, 2, 6, 5)),
    "Reshape of rows": (one("Reshape", shape=(24,), target_shape=[2, 3, 4]), lambda x: x.reshape(2, 2, 3, 4)),
    "Reshape to a pixel": (one("Reshape", shape=(24,), target_shape=[1, 1, None]), lambda x: x.reshape(2, 1, 1, 24)),
}


@pytest.mark.parametrize("case", POINTWISE)
def test_layers_without_a_window(case, run):
    (model, weights, x), definition = POINTWISE[case]
    close(run(model, weights, x), definition(x))


def test_dense_layers_and_their_activations(run):
    x, w, b = draw(3, 5), draw(5, 4), draw(4)
    for activation, definition in {"tanh": np.tanh, "softmax": naive.softmax, "linear": lambda s: s}.items():
        made = files.layer("Dense", "d", units=4, activation=activation, use_bias=True, batch_input_shape=[None, 5])
        close(run(files.sequential(made), {"d/kernel": w, "d/bias": b}, x), definition(naive.dense(x, w, b)))
    made = files.layer("Dense", "d", units=4, use_bias=False, batch_input_shape=[None, 5])
    close(run(files.sequential(made), {"d/kernel": w}, x), naive.dense(x, w))


MERGED = {
    "Add": lambda a, b, c: a + b + c,
    "Multiply": lambda a, b, c: a * b * c,
    "Concatenate": lambda a, b, c: np.concatenate([a, b, c], axis=-1),
}


@pytest.mark.parametrize("type_", MERGED)
@pytest.mark.parametrize("flat", [False, True])
def test_sums_products_and_joins(type_, flat, run):
    shape, x = (2, 3, 2), draw(2, 2, 3, 2)
    branches = [files.layer("Activation", name, ["image"], activation=name) for name in ("tanh", "elu", "relu")]
    ends = [branch["name"] for branch in branches]
    if flat:
        branches += [files.layer("Flatten", f"flat_{name}", [name]) for name in ends]
        ends = [f"flat_{name}" for name in ends]
    model = files.functional(files.image(*shape), *branches, files.layer(type_, "m", ends), output="m")
    parts = [np.tanh(x), np.where(x > 0, x, np.exp(x) - 1), np.maximum(x, 0)]
    close(run(model, {}, x), MERGED[type_](*[naive.flatten(p) for p in parts] if flat else parts))


def test_a_sum_of_rows_whose_images_differ(run):
    x = draw(2, 2, 3, 2)
    made = [
        files.layer("Reshape", "other", ["image"], target_shape=[2, 2, 3]),
        files.layer("Flatten", "a", ["image"]),
        files.layer("Flatten", "b", ["other"]),
        files.layer("Add", "sum", ["a", "b"]),
    ]
    close(run(files.functional(files.image(2, 3, 2), *made, output="sum"), {}, x), 2 * naive.flatten(x))


def test_joins_of_other_axes_and_differences(run):
    x = draw(2, 3, 2, 2)
    for axis in (1, 2, 3):
        made = [files.layer("ReLU", "r", ["image"]), files.layer("Concatenate", "m", ["image", "r"], axis=axis)]
        model = files.functional(files.image(3, 2, 2), *made, output="m")
        close(run(model, {}, x), np.concatenate([x, np.maximum(x, 0)], axis=axis))
    made = [files.layer("ReLU", "r", ["image"]), files.layer("Subtract", "m", ["r", "image"])]
    close(run(files.functional(files.image(3, 2, 2), *made, output="m"), {}, x), np.maximum(x, 0) - x)


def test_a_gate_of_one_pixel_a_channel(run):
    """As in squeeze-and-excitation: (N, 1, 1, C) times (N, H, W, C)."""
    x, w = draw(2, 3, 4, 2), draw(1, 1, 2, 2)
    made = [
        files.layer("GlobalAveragePooling2D", "pool", ["image"]),
        files.layer("Reshape", "pixel", ["pool"], target_shape=[1, 1, 2]),
        files.layer("Conv2D", "gate", ["pixel"], filters=2, kernel_size=1, activation="sigmoid", use_bias=False),
        files.layer("Multiply", "out", ["image", "gate"]),
    ]
    gate = 1 / (1 + np.exp(-naive.conv2d(x.mean(axis=(1, 2), keepdims=True), w)))
    close(run(files.functional(files.image(3, 4, 2), *made, output="out"), {"gate/kernel": w}, x), x * gate)


KERNEL = {"kernel": draw(3, 3, 3, 2), "bias": draw(2)}
REFUSED = {
    "channels_first": one("Conv2D", filters=2, kernel_size=3, data_format="channels_first"),
    "expected valid or same": one("Conv2D", filters=2, kernel_size=3, padding="causal"),
    "has no kernel_size": one("Conv2D", filters=2),
    "filters is -1": one("Conv2D", filters=-1, kernel_size=3),
    "strides is a list": one("Conv2D", filters=2, kernel_size=3, strides=[1, 2, 3]),
    "strides is True": one("Conv2D", filters=2, kernel_size=3, strides=True),
    "activation is 'gelu', expected linear or relu": one("Conv2D", KERNEL, filters=2, kernel_size=3, activation="gelu"),
    "groups=2 divides not both": one("Conv2D", filters=2, kernel_size=3, groups=2),
    "its weight 'kernel' is not in the file": one("Conv2D", filters=2, kernel_size=3),
    r"weight w has shape \(2,3,1,1\), expected \(2,3,3,3\)": one(
        "Conv2D", {"kernel": draw(1, 1, 3, 2)}, filters=2, kernel_size=3, use_bias=False
    ),
    "window 9x9 does not fit": one("Conv2D", filters=2, kernel_size=9),
    "reads rows, expected an image": one("MaxPooling2D", shape=(5,)),
    "reads an image; only rows": one("Dense", units=2),
    "Permute.: this layer is not supported": one("Permute", dims=[2, 1, 3]),
    "dilation_rate or output_padding": one("Conv2DTranspose", filters=2, kernel_size=3, output_padding=[1, 1]),
    "the option renorm is not understood": one(
        "BatchNormalization", {"moving_mean": M, "moving_variance": V}, center=False, scale=False, renorm=True
    ),
    "axis is not the last": one("BatchNormalization", axis=1),
    "has no axis": one("Softmax"),
    "axis 0, of 4 of which the first is the batch": one("Softmax", axis=0),
    "noise_shape": one("Dropout", rate=0.5, noise_shape=[None, 1, 1]),
    "a threshold": one("ReLU", threshold=1.0),
    "slope must be a number above 0": one("LeakyReLU", alpha=-1.0),
    "target_shape .7. has not the 60 elements": one("Reshape", target_shape=[7]),
    "only rows and images": one("Reshape", target_shape=[30, 2]),
    "of which one may be open": one("Reshape", target_shape=[-1, -1, 2]),
    "padding is a list, expected an int": one("ZeroPadding2D", padding=[1, 2, 3]),
    "weights that no layer reads, as a/bias": one("ReLU", {"bias": draw(3)}),
    "reads 1 inputs": one("Add"),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_is_not_read_is_refused(said, tmp_path):
    model, weights, _ = REFUSED[said]
    with pytest.raises(FormatError, match=said):
        tfjs.read(files.write(tmp_path, model, weights))
