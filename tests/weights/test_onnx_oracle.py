"""Every ONNX operator in every version of it, against ONNX Runtime, with random attributes and shapes."""

import inspect

import numpy as np
import onnx_cases
import pytest
from onnx_cases import Draw

from minicnn import kernels
from minicnn.net import Net
from minicnn.weights import onnx as reader
from minicnn.weights import onnx_folding, onnx_graph

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.oracle

COUNT = 80  # uses of an operator
LATEST = 26  # that ONNX Runtime takes
# Sizes that a constant's, or the batch's own, must fit cannot stand open.
FIXED = ("Add", "Concat", "Div", "Gemm", "MatMul", "Mul", "PRelu", "Pad", "Reshape", "Squeeze", "Sub", "Sum")
OPERATORS = sorted(name for name, case in inspect.getmembers(onnx_cases, inspect.isfunction) if name[0].isupper())


def variants(operator):
    """[(first opset, last opset)] of every version of an operator from opset 7 on."""
    schemas = onnx.defs.get_all_schemas_with_history()
    first = sorted({max(s.since_version, 7) for s in schemas if s.name == operator and not s.domain})
    return [(a, b - 1) for a, b in zip(first, [*first[1:], LATEST + 1])]


def model_of(operator, shape, inputs, attributes, opset, outputs):
    names, constants = [], []
    for i, given in enumerate(inputs):
        if given is None or isinstance(given, str):
            names.append(given or "")
        else:
            names.append(f"c{i}")
            constants.append(onnx.numpy_helper.from_array(np.asarray(given), f"c{i}"))
    while not names[-1]:
        names.pop()
    h = onnx.helper
    image = h.make_tensor_value_info("x", onnx.TensorProto.FLOAT, shape)
    made = [h.make_empty_tensor_value_info(name) for name in outputs]
    node = h.make_node(operator, names, outputs, name="n", **attributes)
    graph = h.make_graph([node], "g", [image], made, constants)
    return h.make_model(graph, opset_imports=[h.make_opsetid("", opset)], ir_version=8).SerializeToString()


def run_theirs(data, x):
    """ONNX Runtime's outputs; None where it refuses."""
    options = runtime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    try:
        return runtime.InferenceSession(data, options, providers=["CPUExecutionProvider"]).run(None, {"x": x})
    except Exception:  # its classes are many
        return None


def net_of(path):
    checkpoint = reader.read(path)
    net = Net(checkpoint.graph.nodes, checkpoint.graph.input)
    net.load_state_dict(checkpoint.tensors)
    return net


def assert_close(ours, theirs, tolerance=1e-5):
    assert ours.shape == theirs.shape
    largest = max(np.abs(theirs).max(), 0.01)  # numbers of about 1 may cancel
    assert np.abs(ours - theirs).max() <= tolerance * largest


def opened(draw, shape, attributes):
    """The image's shape as the file says it: the batch open or not, the other sizes open where nothing needs them."""
    needed = attributes.get("auto_pad", "").startswith("SAME") or "output_shape" in attributes
    return [f"d{i}" if draw.int(0, 2) == 0 and (i == 0 or i > 1) and not needed else s for i, s in enumerate(shape)]


def test_every_operator_has_its_cases():
    of_constants = {"Constant", *onnx_folding.OPERATORS}
    assert {*OPERATORS, *of_constants} == set(onnx_graph._OPERATORS)


@pytest.mark.parametrize("operator", OPERATORS)
def test_operator(operator, tmp_path):
    path, done, tried = tmp_path / "net.onnx", 0, 0
    spans = variants(operator)
    while done < COUNT:
        first, last = spans[done % len(spans)]
        draw = Draw(tried, first)
        draw.opset = draw.int(first, last)
        shape, inputs, attributes = getattr(onnx_cases, operator)(draw)
        x, tried = draw.array(*shape), tried + 1
        if draw.int(0, 2) == 0:
            x = np.round(x)  # ties, and numbers at a kink
        outputs = ["y", "i"] if operator == "MaxPool" and draw.opset >= 8 and draw.int(0, 1) else ["y"]
        said = shape if operator in FIXED else opened(draw, shape, attributes)
        data = model_of(operator, said, inputs, attributes, draw.opset, outputs)
        theirs = run_theirs(data, x)
        assert tried < 4 * COUNT, "ONNX Runtime refuses nearly everything"
        if theirs is None or not theirs[0].size:  # all was cropped
            continue
        path.write_bytes(data)
        with kernels.use("numpy"):
            try:
                net = net_of(path)
                assert_close(net(x), theirs[0])
                if len(outputs) > 1:
                    np.testing.assert_array_equal(net(x, until="n/indices"), theirs[1])
            except Exception as error:
                what = [np.shape(i) if isinstance(i, np.ndarray) and i.ndim else i for i in inputs]
                raise AssertionError(f"opset {draw.opset}, x {shape} as {said}, {what}, {attributes}") from error
        done += 1
