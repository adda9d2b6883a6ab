"""ConvNetJS' layers as ours: what it computes stands in karpathy/convnetjs, src/convnet_layers_*.js."""

from math import prod

import numpy as np

from .. import layers


def _input(b, d):
    b.start(d)


def _conv(b, d):
    b.to_image()
    sy, sx, C = d.integer("sy", d.values.get("sx")), d.integer("sx"), b.shape[1]
    made = layers.Conv2d(C, d.integer("out_depth"), (sy, sx), d.integer("stride"), d.integer("pad", 0, least=0))
    b.add(b.name("conv"), made, d.parameters(sy, sx, C))


def _fc(b, d):
    C, H, W = b.image_shape()
    params = d.parameters(1, 1, C * H * W)
    # Its filters run over the Vol that they read, channels innermost; ours channels outermost.
    w = params["w"].reshape(-1, H, W, C).transpose(0, 3, 1, 2)
    params["w"] = np.ascontiguousarray(w).reshape(len(w), -1)
    b.to_rows()
    b.add(b.name("fc"), layers.Linear(C * H * W, len(w)), params)


def _pool(b, d):
    b.to_image()
    sy, sx, pad = d.integer("sy", d.values.get("sx")), d.integer("sx"), d.integer("pad", 0, least=0)
    if pad >= min(sy, sx):
        raise d.error(f"pad {pad} is not smaller than the window {sx}x{sy}")
    b.add(b.name("pool"), layers.MaxPool2d((sy, sx), d.integer("stride"), pad))


def _lrn(b, d):
    b.to_image()
    n, alpha = d.integer("n"), d.number_of("alpha")
    if n % 2 == 0:  # its window then has n + 1 channels, and their sum is still divided by n
        n, alpha = n + 1, alpha * (n + 1) / n
    b.add(b.name("lrn"), layers.LRN(n, alpha, d.number_of("beta"), d.number_of("k")))


def _dropout(b, d):
    # ConvNetJS leaves what it keeps as it is in training, and takes everything times 1 - p afterwards; our layer
    # divides in training instead. So times 1 - p always.
    name, p = b.name("dropout"), d.number_of("drop_prob")
    b.add(name, layers.Dropout(p))
    if p:
        keep = {"value": np.array([1 - p], np.float32)}
        b.add(f"{name}/keep", layers.Constant((1,)), keep, reads=())
        b.add(f"{name}/scaled", layers.Multiply(), reads=(name, f"{name}/keep"))


def _maxout(b, d):
    # The largest of each group of neighbouring channels: a max-pool over (groups, group_size, positions).
    name, size, shape = b.name("maxout"), d.integer("group_size"), b.shape
    C, H, W = b.image_shape()
    groups = C // size
    if groups < 1:
        raise d.error(f"group_size {size} for {C} channels")
    if C % size:  # those that are left over are not looked at
        b.add(f"{name}/whole", layers.Pad(((0, 0), (0, -(C % size)), *((0, 0),) * (len(shape) - 2))))
    b.add(f"{name}/groups", layers.Reshape((0, groups, size, H * W)))
    b.add(f"{name}/max", layers.MaxPool2d((size, 1)))
    b.add(name, layers.Reshape((0, groups, *shape[2:])))


def _softmax(b, d):
    if len(b.shape) == 4 and b.shape[1] > 1 and prod(b.shape[2:]) > 1:  # all numbers of an image, in their order
        b.add(f"{b.before}/hwc", layers.Transpose((0, 2, 3, 1)))
    b.to_rows()
    name = b.name("softmax")
    b.add("prob" if name == "softmax1" else name, layers.Softmax())


def _activation(layer):
    def add(b, d):
        b.add(b.name(d.type), layer())

    return add


def _nothing(b, d):
    """Losses that hand on what they read."""


LAYERS = {
    "input": _input,
    "conv": _conv,
    "fc": _fc,
    "pool": _pool,
    "relu": _activation(layers.ReLU),
    "sigmoid": _activation(layers.Sigmoid),
    "tanh": _activation(layers.Tanh),
    "maxout": _maxout,
    "dropout": _dropout,
    "lrn": _lrn,
    "softmax": _softmax,
    "svm": _nothing,
    "regression": _nothing,
}
