"""Everything in an ONNX graph that is refused, with the node and the operator in the error."""

import numpy as np
import pytest
from onnx_files import attribute, graph, model, node, tensor
from weight_files import field_bytes, field_int

from minicnn.errors import FormatError
from minicnn.weights import onnx

ONES = np.ones(3, np.float32)
CONSTANTS = [
    tensor("w", np.ones((4, 3, 3, 3), np.float32)),
    tensor("wt", np.ones((3, 2, 3, 3), np.float32)),
    tensor("w1", np.ones((4, 3, 3), np.float32)),
    tensor("w3", np.ones((4, 3, 3, 3, 3), np.float32)),
    tensor("c", ONES),
    tensor("one", np.float32(1)),
    tensor("true", np.array(True)),
    tensor("shape", np.int64([1, -1])),
    tensor("empty", np.int64([0, 0])),
    tensor("pads", np.int64([0, 0, 1, 1])),
    tensor("twice", np.int64([1, 1])),
    tensor("large", np.int64([2**20, 2**20])),
    tensor("many", np.int64(range(30))),
]


def refuse(tmp_path, data, reason):
    (tmp_path / "net.onnx").write_bytes(data)
    with pytest.raises(FormatError, match=reason) as caught:
        onnx.read(tmp_path / "net.onnx")
    assert str(tmp_path / "net.onnx") in str(caught.value)


# (the operator, its inputs, its attributes, the opset, what is said); the image is (1, 3, 6, 6)
NODES = [
    ("Resize", "x", {}, 13, r"node 'n' \(Resize\): the operator is not supported"),
    ("Relu", "nothing", {}, 13, r"node 'n' \(Relu\): reads 'nothing', which no node before it makes"),
    ("Relu", "y", {}, 13, "reads 'y', which no node before it makes"),
    ("Relu", "", {}, 13, "has no input 0"),
    ("Relu", "x x", {}, 13, "2 inputs, of which opset 13 reads 1"),
    ("Relu", "x", {"alpha": 1.0}, 13, "attribute alpha, which opset 13 does not have here"),
    ("Sum", "", {}, 13, "has no inputs"),
    # Windows
    ("Conv", "c w", {"auto_pad": "SAME_LOWER"}, 13, r"node 'n' \(Conv\): -1-D: only images"),
    ("Conv", "x w1", {}, 13, r"node 'n' \(Conv\): 1-D: only images"),
    ("Conv", "x w3", {}, 13, "3-D: only images"),
    ("Conv", "x", {}, 13, "has no weights"),
    ("Conv", "x x", {}, 13, "'x' must be a constant, and is computed from the image"),
    ("Conv", "x w", {"kernel_shape": [5, 5]}, 13, r"kernel_shape is \(5, 5\), its weights' \(3, 3\)"),
    ("Conv", "x w", {"group": 3}, 13, "groups=3 divides not"),
    ("Conv", "x w", {"group": 2}, 13, r"does not fit what it reads, \(1,3,6,6\): x has C=3, w expects 6"),
    ("Conv", "x w", {"strides": [1]}, 13, "strides has 1 numbers, expected 2"),
    ("Conv", "x w", {"strides": [0, 1]}, 13, r"strides and dilations .* expected numbers above 0"),
    ("Conv", "x w", {"strides": 2}, 13, "attribute strides is of type 2, expected 7"),
    ("Conv", "x w", {"strides": [2**31, 1]}, 13, "strides is 2147483648: too large"),
    ("Conv", "x w", {"pads": [1, 1, -1, 1]}, 13, "pad must be an int >= 0"),
    ("Conv", "x w", {"dilations": [4, 4]}, 13, "does not fit an image 6x6"),
    ("Conv", "x w", {"auto_pad": "SAME"}, 13, "auto_pad 'SAME'"),
    ("Conv", "x w", {"auto_pad": "VALID", "pads": [1, 1, 1, 1]}, 13, "auto_pad VALID and pads at once"),
    ("Conv", "x w", {"auto_pad": "SAME_UPPER", "dilations": [2, 1]}, 13, "with dilations .* disagree"),
    ("Conv", "x w", {"auto_pad": "SAME_UPPER", "strides": [6, 1]}, 13, "window 3 with stride 6: .* disagree"),
    ("Conv", "x w c", {}, 13, r"shape \(3\), expected \(4\)"),
    ("ConvTranspose", "x w", {}, 13, "does not fit what it reads"),
    ("ConvTranspose", "x wt", {"auto_pad": "SAME_LOWER", "strides": [4, 4]}, 13, "smaller than the stride"),
    ("ConvTranspose", "x wt", {"output_shape": [9]}, 13, r"output_shape \(9,\)"),
    ("ConvTranspose", "x wt", {"output_shape": [6, 6], "pads": [1, 1, 1, 1]}, 13, "output_shape .* with pads"),
    ("MaxPool", "x", {}, 13, "has no kernel_shape"),
    ("MaxPool", "x", {"kernel_shape": [2]}, 13, "1-D: only images"),
    ("MaxPool", "x", {"kernel_shape": [2, 2, 2]}, 13, "3-D: only images"),
    ("MaxPool", "x", {"kernel_shape": [2, 2], "pads": [2, 0, 0, 0]}, 13, r"pads .* as large as the window \(2, 2\)"),
    ("MaxPool", "x", {"kernel_shape": [2**30, 2**30], "pads": [2**30 - 1] * 4}, 13, "a shape of more than"),
    ("MaxPool", "x", {"kernel_shape": [2, 2], "ceil_mode": 1}, 9, "attribute ceil_mode, which opset 9 does not"),
    ("MaxPool", "x", {"kernel_shape": [2, 2], "ceil_mode": 2}, 10, "ceil_mode is 2, expected 0 or 1"),
    ("AveragePool", "x", {"kernel_shape": [2, 2], "dilations": [2, 2]}, 18, "attribute dilations, which opset 18"),
    ("LRN", "x", {"size": 4}, 13, "size 4 is even"),
    ("LRN", "x", {}, 13, "has no size"),
    ("LRN", "x", {"size": 3, "bias": 0.0}, 13, "k must be a number above 0"),
    # Numbers
    ("LeakyRelu", "x", {"alpha": -1.0}, 13, "slope must be a number above 0"),
    ("LeakyRelu", "x", {"alpha": float("nan")}, 13, "alpha is nan"),
    ("PRelu", "x", {}, 13, "has no slopes"),
    ("PRelu", "x x", {}, 13, "must be a constant"),
    ("PRelu", "x w", {}, 13, "does not fit"),
    ("Clip", "x", {"min": 0.0}, 11, "attribute min, which opset 11"),
    ("Clip", "x one", {}, 10, "2 inputs, of which opset 10 reads 1"),
    ("Clip", "x c", {}, 13, r"'c' has shape \(3\), expected one number"),
    ("Clip", "x x", {}, 13, "must be a constant"),
    ("Softmax", "x", {"axis": 4}, 13, "axis 4 of 4"),
    ("BatchNormalization", "x c c c", {}, 13, "lacks one of scale, B, mean and var"),
    ("BatchNormalization", "x c c c c", {"spatial": 0}, 7, "spatial is 0"),
    ("BatchNormalization", "x c c c c", {"spatial": 1}, 9, "attribute spatial, which opset 9"),
    ("BatchNormalization", "x c c c c", {"training_mode": 1}, 14, "training_mode is 1"),
    ("BatchNormalization", "x c c c w", {}, 13, "expected"),
    ("BatchNormalization", "x c c c c", {"epsilon": 0.0}, 13, "eps must be a number above 0"),
    ("Dropout", "x one", {}, 13, "p must be a probability"),
    ("Dropout", "x - true", {}, 13, "training_mode is true"),
    ("Dropout", "x", {"ratio": 0.1}, 12, "attribute ratio, which opset 12"),
    ("Add", "x", {}, 13, "has no input 1"),
    ("Add", "x c", {}, 13, r"does not fit what it reads, \(1,3,6,6\) and \(3\)"),
    ("Add", "x shape", {}, 13, "integers where a net computes"),
    ("Gemm", "x c", {}, 13, r"B has shape \(3,\), expected a matrix"),
    ("ReduceMean", "x", {"axes": [4]}, 13, "axis 4 of 4"),
    ("ReduceMean", "x", {"axes": [1, -3]}, 13, "name one twice"),
    ("ReduceMean", "x", {"axes": [1]}, 18, "attribute axes, which opset 18"),
    # Axes
    ("Concat", "x x", {}, 13, "has no axis"),
    ("Concat", "x c", {"axis": 1}, 13, "does not fit"),
    ("Pad", "x", {}, 13, "has no pads"),
    ("Pad", "x pads", {}, 13, r"4 pads for the axes \[0, 1, 2, 3\]"),
    ("Pad", "x x", {}, 13, "must be a constant"),
    ("Pad", "x pads - twice", {}, 18, "4 pads for the axes"),
    ("Pad", "x pads - twice", {}, 13, r"4 pads for the axes \[0, 1, 2, 3\]"),
    ("Pad", "x pads", {"mode": "wrap"}, 19, "mode 'wrap': constant, reflect, edge are supported"),
    ("Pad", "x", {"pads": [0] * 7}, 10, "7 pads"),
    ("Flatten", "x", {"axis": 5}, 13, "axis 5 of 4"),
    ("Reshape", "x", {}, 13, "has no shape"),
    ("Reshape", "x x", {}, 13, "'x' must be a constant, and is computed from the image"),
    ("Reshape", "x pads", {}, 13, "does not fit"),
    ("Reshape", "c pads", {}, 13, "node 'n'"),
    ("Reshape", "x empty", {"allowzero": 1}, 14, "without elements"),
    ("Reshape", "x shape", {"allowzero": 0}, 13, "attribute allowzero, which opset 13"),
    ("Transpose", "x", {"perm": [0, 1, 1, 2]}, 13, "is no order of 4 axes"),
    ("Squeeze", "x", {"axes": [1]}, 12, "does not fit"),
    ("Squeeze", "x twice", {}, 13, "name one twice"),
    ("Unsqueeze", "x", {}, 12, "has no axes"),
    ("Unsqueeze", "x", {}, 13, "has no axes"),
    ("Unsqueeze", "x twice", {}, 13, "name one twice"),
    ("Unsqueeze", "x many", {}, 13, "34 axes, at most 32"),
    ("Slice", "x pads pads", {}, 13, "'x' must be a constant, and is computed from the image"),
    ("Slice", "pads", {}, 13, "does not fit its constants"),
    ("Slice", "pads twice twice shape twice twice", {}, 13, "does not fit its constants"),
    ("Slice", "pads shape twice pads", {}, 13, "does not fit its constants"),
    ("Slice", "pads shape shape twice", {}, 13, "axis 1 of 1"),
    ("Cast", "x", {"to": 1}, 13, "'x' must be a constant"),
    ("Cast", "pads", {"to": 8}, 13, "to type 8, which minicnn does not compute with"),
    ("ConstantOfShape", "x", {}, 13, "'x' must be a constant"),
    ("ConstantOfShape", "", {}, 13, "shape .* at most 64 numbers"),
    ("ConstantOfShape", "shape", {}, 13, "at most 64 numbers"),
    ("ConstantOfShape", "large", {}, 13, "at most 64 numbers"),
    ("ConstantOfShape", "pads", {"value": tensor("", ONES)}, 13, "all the same"),
    ("Concat", "pads pads", {"axis": 1}, 13, "does not fit its constants"),
    ("Constant", "", {}, 13, "attributes none, expected one of value"),
    ("Constant", "", {"value_int": 1, "value_float": 1.0}, 13, "expected one of"),
    ("Constant", "", {"value_string": "a"}, 13, "attributes value_string, expected"),
    ("Constant", "", {"value": 1}, 13, "attribute value is of type 2, expected 4"),
]


@pytest.mark.parametrize("op, inputs, attributes, opset, reason", NODES)
def test_nodes(op, inputs, attributes, opset, reason, tmp_path):
    refuse(tmp_path, model([node(op, inputs, "y", "n", **attributes)], CONSTANTS, opset=opset), reason)


RELU = node("Relu", "x", "y", "n")


@pytest.mark.parametrize(
    "data, reason",
    [
        (model([RELU], opset=6), "opset 6: 7 to 28 can be read"),
        (model([RELU], opset=29), "opset 29: 7 to 28"),
        (model([RELU], domain="com.microsoft"), "opset 1: 7 to 28"),
        (model([node("Relu", "x", "y", "n", "com.me")]), "the operator of the domain 'com.me' is not supported"),
        (model([RELU], more=field_bytes(25, b"")), "functions"),
        (model([RELU], more=field_bytes(7, graph([RELU]))), "two graphs"),
        (field_int(1, 7) + field_bytes(2, "me"), "no graph in it"),
        (model([RELU])[:-3], "truncated"),
        (model([RELU], more_in_graph=field_bytes(15, b"")), "sparse tensors"),
        (model([RELU], inputs=[]), "0 inputs"),
        (model([RELU], inputs=[("x", (1,)), ("z", (1,))]), r"2 inputs \(x, z\): a net has one image"),
        (model([RELU], inputs=[("x", None)]), "'x' does not say how many axes"),
        (model([RELU], inputs=[("x", ())]), "'x' does not say how many axes"),
        (model([RELU], inputs=[("x", (1, 3), 7)]), "'x' is of type 7, not of floating"),
        (model([RELU], inputs=[("x", (1, 2**60))]), "'x': a shape of more than"),
        (model([RELU], outputs=[]), "a graph without outputs"),
        (model([RELU], outputs=[("z", None)]), "the output 'z' is made by no node"),
        (model([RELU, RELU]), "makes 'y' a second time"),
        (model([node("Relu", "x", "x", "n")]), "makes 'x' a second time"),
        (model([node("Relu", "x", "", "n")]), r"node 'n' \(Relu\): 0 outputs, at most 1"),
        (model([node("Relu", "x", "y z", "n")]), "2 outputs, at most 1 are understood here"),
        (
            model([node("Dropout", "x", "a m", "n"), node("Add", "a m", "y", "add")]),
            r"node 'add' \(Add\): reads 'm', the mask of a dropout",
        ),
        (model([node("Dropout", "x", "y m", "n")], outputs=[("y", None), ("m", None)]), "output 'm' is the mask"),
        (model([node("BatchNormalization", "x c c c c", "y m v", "n")], CONSTANTS), "3 outputs, at most 1"),
        (model([node("If", "x", "y", "n") + field_bytes(5, b"\x0a\x01b\x32\x00")]), r"\(If\): the operator is not"),
        (model([node("Relu", "x", "y") + 2 * field_bytes(5, attribute("a", 1))]), "two attributes 'a'"),
        (model([node("Squeeze", "x", "y", "n")], inputs=[("x", ("N", 3, 1, 1))]), "without axes it needs all sizes"),
        (
            model(
                [node("Conv", "x w", "y", "n", auto_pad="SAME_UPPER", strides=[2, 2])],
                CONSTANTS,
                inputs=[("x", (1, 3, "H", 6))],
            ),
            r"node 'n' \(Conv\): auto_pad SAME_UPPER needs the image's size, which the file leaves open",
        ),
        (
            model(
                [node("Flatten", "x", "f"), node("MatMul", "f m", "y", "n")],
                [tensor("m", np.ones((48, 2), np.float32))],
                inputs=[("x", (1, 3, "H", "W"))],
            ),
            r"does not fit \(1,\?\), or needs a size that the file leaves open",
        ),
    ],
)
def test_models(data, reason, tmp_path):
    refuse(tmp_path, data, reason)


def test_constants_of_many_nodes_are_no_bomb(tmp_path):
    nodes = [node("Conv", "x w", f"y{i}", pads=[1, 1, 1, 1]) for i in range(300)]
    w = tensor("w", np.ones((256, 256, 3, 3), np.float16))
    data = model(nodes, [w], inputs=[("x", (1, 256, 6, 6))], outputs=[("y0", None)])
    refuse(tmp_path, data, "weights that many nodes share")


def test_a_net_of_very_many_nodes(tmp_path):
    nodes = [node("Relu", "x", f"y{i}") for i in range(10_001)]
    refuse(tmp_path, model(nodes, outputs=[("y0", None)]), "more than 10000 nodes")


def test_a_value_that_is_no_tensor(tmp_path):
    sequence = field_bytes(1, "x") + field_bytes(2, field_bytes(4, b""))
    refuse(tmp_path, model([RELU], inputs=[], more_in_graph=field_bytes(11, sequence)), "does not say how many axes")
