"""A small net of Caffe's, its layers one by one, for tests of how layers become a net."""

import numpy as np
from net_files import AVE, caffe_layer, caffe_model, caffe_text

from minicnn.weights import caffe_graph

_rng = np.random.default_rng(7)
W, B = _rng.standard_normal((4, 3, 3, 3)).astype(np.float32), _rng.standard_normal(4).astype(np.float32)
FC = _rng.standard_normal((5, 4)).astype(np.float32)
CONV = caffe_layer("conv", "Convolution", "data", blobs=(W, B), convolution_param={"num_output": 4, "kernel_size": 3})
RELU = caffe_layer("relu", "ReLU", "conv", "conv")
POOL = caffe_layer("pool", "Pooling", "conv", pooling_param={"pool": AVE, "global_pooling": True})
FULL = caffe_layer("fc", "InnerProduct", "pool", blobs=(FC,), inner_product_param={"num_output": 5, "bias_term": False})
SOFTMAX = caffe_layer("prob", "Softmax", "fc")
LOSS = caffe_layer("loss", "SoftmaxWithLoss", ["fc", "label"], loss_weight=[1.0])
NODES = ["conv", "relu", "pool", "pool/flatten", "fc"]
INPUT = {"input": "data", "input_dim": (1, 3, 8, 8)}
DATA = caffe_layer("images", "Data", (), ["data", "label"], data_param={"source": "somewhere", "batch_size": 4})


def data(type="Data", phase=None, **params):
    rules = {} if phase is None else {"include": {"phase": phase}}
    return caffe_layer("images", type, (), ["data", "label"], **rules, **params)


def read_in(folder, layers, form="caffemodel", function=caffe_graph.read, described=None, **net):
    """What `function` makes of the layers' files, in one of three forms.

    described  the layers of the prototxt where they are others than those with weights
    """
    (folder / "net.caffemodel").write_bytes(caffe_model(layers, 1 if form == "version 1" else 2, **net))
    if form != "prototxt":
        return function(folder / "net.caffemodel")
    (folder / "net.prototxt").write_text(caffe_text(described or layers, **net))
    return function(folder / "net.caffemodel", folder / "net.prototxt")
