"""Makers of files that describe whole nets: Caffe's in both of their forms, and ConvNetJS' snapshots.

Caffe's messages are written as dicts, {"name": "conv1", "type": "Convolution", "convolution_param": {...}}; a layer's
arrays stand under "blobs". Nothing here uses minicnn; the numbers are caffe.proto's.
"""

import json
import struct

import numpy as np
from weight_files import blob, field_bytes, field_int, legacy_blob, varint

# Caffe


class Word(str):
    """A constant: its name in a prototxt, its number in a caffemodel."""

    def __new__(cls, name, number):
        word = super().__new__(cls, name)
        word.number = number
        return word


MAX, AVE, STOCHASTIC = Word("MAX", 0), Word("AVE", 1), Word("STOCHASTIC", 2)
PROD, SUM, LARGEST = Word("PROD", 0), Word("SUM", 1), Word("MAX", 2)
CEIL, FLOOR = Word("CEIL", 0), Word("FLOOR", 1)
ACROSS_CHANNELS, WITHIN_CHANNEL = Word("ACROSS_CHANNELS", 0), Word("WITHIN_CHANNEL", 1)
TRAIN, TEST = Word("TRAIN", 0), Word("TEST", 1)


def _fields(text, **inner):
    """{name: number, or (number, {...}) for a message} from "name number, name number"."""
    fields = {name: int(number) for name, number in (pair.split() for pair in text.split(","))}
    return {name: (number, inner[name]) if name in inner else number for name, number in fields.items()}


_RULE = _fields("phase 1, min_level 2, max_level 3, stage 4, not_stage 5")
_SHAPE = _fields("dim 1")
_PARAMETERS = {
    "transform_param": _fields("scale 1, mirror 2, crop_size 3, mean_file 4, mean_value 5"),
    "concat_param": _fields("concat_dim 1, axis 2"),
    "convolution_param": _fields(
        "num_output 1, bias_term 2, pad 3, kernel_size 4, group 5, stride 6, weight_filler 7, pad_h 9, pad_w 10, "
        "kernel_h 11, kernel_w 12, stride_h 13, stride_w 14, engine 15, axis 16, dilation 18, odd 99",
        weight_filler=_fields("type 1, value 2"),
    ),
    "data_param": _fields("source 1, scale 2, mean_file 3, batch_size 4, crop_size 5"),
    "dropout_param": _fields("dropout_ratio 1, scale_train 2"),
    "dummy_data_param": _fields("num 2, channels 3, height 4, width 5, shape 6", shape=_SHAPE),
    "eltwise_param": _fields("operation 1, coeff 2"),
    "image_data_param": _fields("source 1, scale 2, batch_size 4, crop_size 5"),
    "inner_product_param": _fields("num_output 1, bias_term 2, axis 5, transpose 6"),
    "lrn_param": _fields("local_size 1, alpha 2, beta 3, norm_region 4, k 5"),
    "memory_data_param": _fields("batch_size 1, channels 2, height 3, width 4"),
    "pooling_param": _fields(
        "pool 1, kernel_size 2, stride 3, pad 4, kernel_h 5, kernel_w 6, stride_h 7, stride_w 8, pad_h 9, pad_w 10, "
        "global_pooling 12, round_mode 13"
    ),
    "relu_param": _fields("negative_slope 1"),
    "softmax_param": _fields("axis 2"),
    "prelu_param": _fields("channel_shared 2"),
    "reshape_param": _fields("shape 1, axis 2, num_axes 3", shape=_SHAPE),
    "flatten_param": _fields("axis 1, end_axis 2"),
    "batch_norm_param": _fields("use_global_stats 1, moving_average_fraction 2, eps 3"),
    "elu_param": _fields("alpha 1"),
    "bias_param": _fields("axis 1, num_axes 2"),
    "scale_param": _fields("axis 1, num_axes 2, bias_term 4"),
    "input_param": _fields("shape 1", shape=_SHAPE),
}


def _layer(text, parameters, **inner):
    inner |= {"include": _RULE, "exclude": _RULE}
    fields = _fields(text, **inner)
    return fields | {name: (number, _PARAMETERS[name]) for name, number in _fields(parameters).items()}


_LAYER_V2 = _layer(
    "name 1, type 2, bottom 3, top 4, loss_weight 5, param 6, include 8, exclude 9, phase 10, odd_param 150",
    "transform_param 100, concat_param 104, convolution_param 106, data_param 107, dropout_param 108, "
    "dummy_data_param 109, eltwise_param 110, image_data_param 115, inner_product_param 117, lrn_param 118, "
    "memory_data_param 119, pooling_param 121, relu_param 123, softmax_param 125, prelu_param 131, reshape_param 133, "
    "flatten_param 135, batch_norm_param 139, elu_param 140, bias_param 141, scale_param 142, input_param 143",
    param=_fields("lr_mult 3"),
    odd_param={},
)
_LAYER_V1 = _layer(
    "bottom 2, top 3, name 4, type 5, blobs_lr 7, include 32, exclude 33, loss_weight 35",
    "concat_param 9, convolution_param 10, data_param 11, dropout_param 12, image_data_param 15, "
    "inner_product_param 17, lrn_param 18, pooling_param 19, memory_data_param 22, eltwise_param 24, "
    "dummy_data_param 26, relu_param 30, transform_param 36, softmax_param 39",
)
V1_TYPES = _fields(
    "Accuracy 1, Concat 3, Convolution 4, Data 5, Dropout 6, EuclideanLoss 7, Flatten 8, HDF5Data 9, ImageData 12, "
    "InnerProduct 14, LRN 15, Pooling 17, ReLU 18, Sigmoid 19, Softmax 20, SoftmaxWithLoss 21, Split 22, TanH 23, "
    "Eltwise 25, Power 26, MemoryData 29, DummyData 32, Slice 33, Silence 36, Deconvolution 39"
)
V1_NAMES = {"SoftmaxWithLoss": "SOFTMAX_LOSS", "LRN": "LRN", "ReLU": "RELU", "TanH": "TANH", "HDF5Data": "HDF5_DATA"}
_NET = _fields("input 3, input_dim 4, input_shape 8", input_shape=_SHAPE)


def caffe_layer(name, type, bottom=(), top=None, blobs=(), **params):
    """A layer of version 2, whose output has its own name unless given."""
    top = [name] if top is None else top
    bottom, top = ([blob] if isinstance(blob, str) else list(blob) for blob in (bottom, top))
    return {"name": name, "type": type, "bottom": bottom, "top": top, "blobs": blobs, **params}


def caffe_model(layers, version=2, **net):
    """The bytes of a caffemodel; of version 1 with arrays in their legacy form."""
    out = field_bytes(1, "made") + _message(net, _NET)
    for layer in layers:
        fields = {key: value for key, value in layer.items() if key != "blobs"}
        arrays = layer.get("blobs", ())
        if version == 1:
            fields["type"] = Word("", V1_TYPES[fields["type"]])
            data = b"".join(field_bytes(6, legacy_blob(a, (1,) * (4 - np.ndim(a)) + np.shape(a))) for a in arrays)
            out += field_bytes(2, _message(fields, _LAYER_V1) + data)
        else:
            data = b"".join(field_bytes(7, blob(np.float32(a))) for a in arrays)
            out += field_bytes(100, _message(fields, _LAYER_V2) + data)
    return out


def _message(values, numbers):
    out = b""
    for name, value in values.items():
        number = numbers[name]
        number, inner = number if isinstance(number, tuple) else (number, None)
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, dict):
                out += field_bytes(number, _message(one, inner))
            elif isinstance(one, Word):
                out += field_int(number, one.number)
            elif isinstance(one, str):
                out += field_bytes(number, one)
            elif isinstance(one, float):
                out += varint(number << 3 | 5) + struct.pack("<f", one)
            else:
                out += field_int(number, int(one))
    return out


def caffe_text(layers, version=2, **net):
    """The text of a prototxt."""
    text = ['name: "made"', *_lines(net, "")]
    for layer in layers:
        fields = {key: value for key, value in layer.items() if key != "blobs"}
        if version == 1:
            name = V1_NAMES.get(fields["type"], "".join(f"_{c}" if c.isupper() else c for c in fields["type"])[1:])
            fields["type"] = Word(name.upper(), 0)
        text += ["layers {" if version == 1 else "layer {", *_lines(fields, "  "), "}"]
    return "\n".join(text) + "\n"


def _lines(values, before):
    for name, value in values.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, dict):
                yield f"{before}{name} {{"
                yield from _lines(one, before + "  ")
                yield f"{before}}}"
            elif isinstance(one, bool):
                yield f"{before}{name}: {str(one).lower()}"
            else:
                yield f"{before}{name}: {one if isinstance(one, (Word, int, float)) else json.dumps(one)}"


# ConvNetJS


def vol(array, indexed=False):
    """array: (sy, sx, depth). indexed: as JavaScript writes its typed arrays."""
    w = [None if np.isnan(v) else float(v) for v in np.ravel(array)]
    w = {str(i): v for i, v in enumerate(w)} if indexed else w
    sy, sx, depth = np.shape(array)
    return {"sx": sx, "sy": sy, "depth": depth, "w": w}


def convnetjs_layer(type, out, indexed=False, filters=None, biases=None, **options):
    """out: (sy, sx, depth); filters: (F, sy, sx, depth)."""
    layer = {"out_depth": out[2], "out_sx": out[1], "out_sy": out[0], "layer_type": type, **options}
    if filters is not None:
        layer["filters"] = [vol(f, indexed) for f in filters]
        layer["biases"] = vol(np.reshape(biases, (1, 1, -1)), indexed)
    return layer


def convnetjs_snapshot(*layers):
    return json.dumps({"layers": layers}).encode()
