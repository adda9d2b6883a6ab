"""A zoo of one net, "tiny": a convolution called conv with one filter a class, and files of it."""

import numpy as np
from weight_files import blob, caffemodel, layer_v2, ordered_dict, pickled, tensor, torch_zip

from minicnn import Net
from minicnn.layers import Conv2d, ReLU
from minicnn.meta import Meta
from minicnn.zoo.base import Entry

W = np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3)
B = np.array([0.5, -0.5], np.float32)
CAFFE = caffemodel(layer_v2("c", "Convolution", blob(W), blob(B)), layer_v2("loss1", "InnerProduct", blob(W[0, 0])))
TORCH = torch_zip(
    pickled(ordered_dict({"features.0.weight": tensor("0", (2, 3, 3, 3)), "features.0.bias": tensor("1", (2,))})),
    {"0": W.tobytes(), "1": B.tobytes()},
)
FIELDS = {
    "input_size": (3, 8, 8),
    "channel_order": "BGR",
    "range": 255.0,
    "mean": (104, 117, 123),
    "std": (1, 1, 1),
    "resize": "squash",
    "resize_to": 10,
}
META = Meta(architecture="tiny", **FIELDS)


def entry(files=()):
    torch = {"conv.w": "features.0.weight", "conv.b": "features.0.bias"}
    return Entry(
        name="tiny",
        nodes=lambda classes: [("conv", Conv2d(3, classes, 3)), ("relu", ReLU())],
        preprocess={"caffe": FIELDS, "torch": {**FIELDS, "channel_order": "RGB", "range": 1.0}},
        sources={"caffe": lambda net: {"conv.w": "c.0", "conv.b": "c.1"}, "torch": lambda net: torch},
        about="a convolution",
        reference="",
        licence="free",
        classes=2,
        ignored=("loss1",),
        files=files,
    )


def net(meta=META, w=W):
    """The net tiny; w may be of a wrong shape or have NaN in it."""
    found = Net([("conv", Conv2d(3, 2, 3)), ("relu", ReLU())], meta=meta)
    found.load_state_dict({"conv.w": W, "conv.b": B})
    found["conv"].layer.params["w"] = w
    return found
