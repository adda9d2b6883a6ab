"""What of Caffe's layers is refused, and that the error says which layer it is and why."""

import pytest
from caffe_cases import BN, FC, GAMMA, MEAN, VAR, B, D, W, build, draw, one
from net_files import LARGEST, STOCHASTIC, WITHIN_CHANNEL, caffe_layer

from minicnn.errors import FormatError


def bad(type, blobs=(), bottom="data", **params):
    return [caffe_layer("bad", type, bottom, blobs=blobs, **params)]


CONV = {"num_output": 4, "kernel_h": 3, "kernel_w": 2}
REFUSED = {
    "'Mvn'": (bad("Mvn"), "this layer is not supported"),
    "slice": (bad("Slice"), "this layer is not supported"),
    "crop": (bad("Crop", bottom=["data", "data"]), "this layer is not supported"),
    "no name": ([caffe_layer("", "ReLU", "data", "out")], "it has no name"),
    "two inputs": (bad("ReLU", bottom=["data", "data"]), "it reads 2 and writes 1 blobs"),
    "two outputs": ([caffe_layer("bad", "ReLU", "data", ["a", "b"])], "it reads 1 and writes 2 blobs"),
    "nothing made it": (bad("ReLU", bottom="other"), "it reads 'other', which no layer before it makes"),
    "a field nobody knows": (bad("Convolution", (W, B), convolution_param={**CONV, "odd": 1}), "convolution_param"),
    "a message nobody knows": (bad("ReLU", odd_param={}), "what (odd_param|number 150) means is not known"),
    "no kernel": (bad("Convolution", (W, B), convolution_param={"num_output": 4}), "kernel_size is given 0 times"),
    "half a kernel": (bad("Pooling", pooling_param={"kernel_h": 2}), "expected kernel_size, or both kernel_h and"),
    "three axes": (bad("Convolution", (W, B), convolution_param={**CONV, "stride": [1, 1, 1]}), "given 3 times"),
    "another axis": (bad("Convolution", (W, B), convolution_param={**CONV, "axis": 2}), "channels at axis 1"),
    "rows": (
        one("Flatten", name="a") + bad("Convolution", (W, B), "a", convolution_param=CONV),
        "only images",
    ),
    "no weights": (bad("Convolution", convolution_param=CONV), "0 arrays of weights, expected 2"),
    "no bias": (bad("Convolution", (W,), convolution_param=CONV), "1 arrays of weights, expected 2"),
    "bias too long": (
        bad("Convolution", (W, draw(5)), convolution_param=CONV),
        r"1 have shape \(5\), .* \(4\)",
    ),
    "other filters": (
        bad("Convolution", (W, B), convolution_param={**CONV, "num_output": 5}),
        r"weights 0 have shape \(4,3,3,2\), expected \(5,\?,3,2\)",
    ),
    "no filters": (bad("Convolution", (W[:0], B[:0]), convolution_param={**CONV, "num_output": 0}), "must be an int"),
    "groups": (bad("Convolution", (W, B), convolution_param={**CONV, "group": 3}), "groups"),
    "no groups": (bad("Deconvolution", (D, B[:2]), convolution_param={**CONV, "num_output": 2, "group": 0}), "groups"),
    "deconv groups": (bad("Deconvolution", (D,), convolution_param={**CONV, "group": 3}), "3 does not divide"),
    "channels": (bad("Convolution", (W[:, :2], B), convolution_param=CONV), "x has C=3, w expects 2"),
    "too large a window": (bad("Pooling", pooling_param={"kernel_size": 9}), "OH=|does not fit"),
    "told twice": (bad("Pooling", pooling_param=[{"kernel_size": 2}, {"stride": 2}]), "pooling_param is there twice"),
    "stochastic": (bad("Pooling", pooling_param={"pool": STOCHASTIC, "kernel_size": 2}), "stochastic"),
    "global, and a window": (bad("Pooling", pooling_param={"global_pooling": True, "kernel_size": 2}), "and a window"),
    "pad over the window": (bad("Pooling", pooling_param={"kernel_size": 2, "pad": 2}), r"pad \(2, 2\)"),
    "an empty last window": (bad("Pooling", pooling_param={"kernel_size": 1, "stride": 2}), "may hold nothing"),
    "an inner product of rows": (bad("InnerProduct", (FC,), inner_product_param={"axis": 2}), "axis 2: only whole"),
    "lrn inside": (bad("LRN", lrn_param={"norm_region": WITHIN_CHANNEL}), "WITHIN_CHANNEL is not supported"),
    "lrn even": (bad("LRN", lrn_param={"local_size": 4}), "local_size 4 is even"),
    "relu": (bad("ReLU", relu_param={"negative_slope": -0.5}), "slope must be a number above 0, not -0.5"),
    "prelu": (bad("PReLU", (GAMMA,), prelu_param={"channel_shared": True}), "channel_shared, and 3 slopes"),
    "dropout": (bad("Dropout", dropout_param={"dropout_ratio": 1.0}), "p must be a probability"),
    "dropout that scales": (bad("Dropout", dropout_param={"scale_train": False}), "scale_train false"),
    "largest of two": (bad("Eltwise", bottom=["data", "data"], eltwise_param={"operation": LARGEST}), "operation MAX"),
    "sum of one": (bad("Eltwise"), "SUM of 1 blobs"),
    "factors": (bad("Eltwise", bottom=["data", "data"], eltwise_param={"coeff": [1.0]}), "with 1 coefficients"),
    "bn": (bad("BatchNorm", (MEAN, VAR)), "2 arrays of weights, expected 3"),
    "bn of two sizes": (bad("BatchNorm", (MEAN, VAR[:2], [1])), "3 means and 2 variances"),
    "bn and scale": (BN + bad("Scale", (B,), "bn"), r"shape \(4\), expected \(3\)"),
    "scale": (bad("Scale", (GAMMA, B), scale_param={"bias_term": True}), r"scales \(3,\) and biases \(4,\)"),
    "scale of the batch": (bad("Scale", (GAMMA,), scale_param={"axis": 0}), "1 axes from axis 0 on"),
    "scale past the end": (bad("Scale", (draw(6, 6),), scale_param={"axis": 3, "num_axes": 2}), "2 axes from axis 3"),
    "scale by three": (bad("Scale", bottom=["data"] * 3), "with 3 blobs"),
    "flatten": (bad("Flatten", flatten_param={"end_axis": 2}), "axes 1 to 2 of 4"),
    "reshape": (bad("Reshape", reshape_param={"shape": {"dim": [6]}, "axis": 1, "num_axes": 1}), "num_axes 1 of 4"),
    "reshape to other numbers": (bad("Reshape", reshape_param={"shape": {"dim": [0, 7]}}), "cannot be reshaped"),
    "concat": (one("Flatten", name="a") + bad("Concat", bottom=["data", "a"]), "must be alike"),
}


@pytest.mark.parametrize("form", ["caffemodel", "prototxt"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case, form, tmp_path):
    layers, reason = REFUSED[case]
    with pytest.raises(FormatError, match=reason) as caught:
        build(tmp_path, layers, form, input="data", input_dim=(1, 3, 6, 6))
    named = f"layer '{layers[-1]['name']}' ({layers[-1]['type']}): "
    assert named in str(caught.value) or case == "told twice"
    assert caught.value.file == str(tmp_path / ("net.prototxt" if form == "prototxt" else "net.caffemodel"))
