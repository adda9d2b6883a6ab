"""The ONNX reader on small nets made by hand: names, outputs, constants, sizes."""

import numpy as np
import pytest
from onnx_files import good_model, model, node, tensor
from weight_files import field_bytes, field_int

from minicnn import Net, kernels
from minicnn.errors import FormatError
from minicnn.weights import formats, onnx

W = np.linspace(-1, 1, 54, dtype=np.float32).reshape(2, 3, 3, 3)
NUMBERS = np.float32([-2.5, 0, 0.5, 3])


@pytest.fixture
def read(tmp_path):
    def read(data):
        (tmp_path / "net.onnx").write_bytes(data)
        return onnx.read(tmp_path / "net.onnx")

    return read


@pytest.fixture
def run(read):
    """(the net, its output for an image) of a model's bytes."""

    def run(data, x):
        checkpoint = read(data)
        net = Net(checkpoint.graph.nodes, checkpoint.graph.input)
        net.load_state_dict(checkpoint.tensors)
        with kernels.use("numpy"):
            return net, net(np.asarray(x, np.float32))

    return run


def names(checkpoint):
    return [name for name, _, _ in checkpoint.graph.nodes]


# The file


def test_a_whole_net_is_found_by_its_first_bytes(tmp_path):
    (tmp_path / "net").write_bytes(good_model())
    checkpoint = formats.read(tmp_path / "net")
    assert checkpoint.format == "onnx" and checkpoint.meta is None
    assert checkpoint.graph.input == "x" and checkpoint.graph.input_size == (3, 6, 6)
    assert names(checkpoint) == [
        *("pad", "conv", "bn", "relu", "pool", "mean", "brain_4d", "scaled"),
        *("both", "dropped", "flat", "kept", "fc", "double", "sum", "prob"),
    ]
    net = Net(checkpoint.graph.nodes, checkpoint.graph.input)
    net.load_state_dict(checkpoint.tensors)  # every parameter, and nothing else
    assert {a.dtype for a in checkpoint.tensors.values()} == {np.dtype("float32")}


def test_the_good_model_computes_what_its_operators_say(run):
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float32)
    net, out = run(good_model(), x)
    numbers = np.linspace(-1, 1, 64, dtype=np.float32)
    w, padded = numbers[:54].reshape(2, 3, 3, 3), np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    conv = np.zeros((2, 2, 3, 3))
    for i in range(3):
        for j in range(3):
            conv[:, :, i, j] = np.einsum("nckl,fckl->nf", padded[:, :, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3], w)
    bn = np.float32([1, 2]).reshape(1, 2, 1, 1)
    relu = np.maximum(bn * (conv + numbers[:2].reshape(1, 2, 1, 1) - bn) / np.sqrt(bn + 1e-3) + bn, 0)
    windows = np.stack([relu[:, :, i : i + 2, j : j + 2] for i in (0, 1) for j in (0, 1)])
    pool = windows.max(axis=(-2, -1)).transpose(1, 2, 0).reshape(2, 2, 2, 2)
    areas = {(i, j): relu[:, :, i : i + 2, j : j + 2].mean(axis=(2, 3)) for i in (0, 2) for j in (0, 2)}
    mean = np.stack(list(areas.values()), axis=-1).reshape(2, 2, 2, 2)
    flat = np.concatenate([pool, mean], axis=1).reshape(2, 16)  # brain holds ones and zeros
    flat[:, 12:] = 0
    half = numbers.astype(np.float16).astype(np.float64)
    scores = 0.5 * flat @ half.reshape(4, 16).T + half[:4] + numbers[:4]
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    np.testing.assert_allclose(out, e / e.sum(axis=1, keepdims=True), rtol=1e-4)
    assert net["bn"].layer.momentum == pytest.approx(0.2) and net["bn"].layer.eps == pytest.approx(1e-3)


@pytest.mark.parametrize("head", [b"", b"\x08", b"\x08\x07", b"\x08\x00\x12\x01a", b"\x08\x07\x07", b"\n\x03\x12"])
def test_other_files_are_no_onnx(head):
    assert not onnx.sniff(head)
    assert not onnx.sniff(b"\x08\x07\x12\0\0\0\0\0{")  # safetensors


# Names


@pytest.mark.parametrize(
    "outputs, own, expected",
    [
        ("conv1_1 conv1_2 pool_1 y_1", {}, ["conv1", "conv1_2", "pool", "y"]),
        ("conv1_1 conv1_2 pool y_1", {}, ["conv1_1", "conv1_2", "pool", "y_1"]),
        ("a b y_1", {"a": "first", "b": "y"}, ["first", "y", "y_2"]),
        ("a b c", {"a": "/f/f.0/Relu", "b": "x:0", "c": "/"}, ["f/f.0/Relu", "x_0", "node"]),
        ("a b c", {"a": "n", "b": "n", "c": "n_2"}, ["n", "n_2", "n_2_2"]),
        ("a b", {"a": "x", "b": "bell\x07"}, ["x_2", "bell_"]),
        ("a", {"a": "n" * 300}, ["n" * 200]),
    ],
)
def test_names(outputs, own, expected, read):
    """Relu after Relu; own: the nodes that have a name of their own, by their outputs."""
    outputs = outputs.split()
    nodes = [node("Relu", a, b, own.get(b, "")) for a, b in zip(["x", *outputs], outputs)]
    assert names(read(model(nodes, outputs=[(outputs[-1], None)]))) == expected


def test_constants_keep_their_tensors_name_and_are_one_node(read):
    nodes = [node("Mul", "x scale:0", "a", "m"), node("Add", "a scale:0", "y", "s")]
    checkpoint = read(model(nodes, [tensor("scale:0", np.float32(2))]))
    assert names(checkpoint) == ["scale_0", "m", "s"]
    assert [inputs for _, _, inputs in checkpoint.graph.nodes] == [(), ("x", "scale_0"), ("m", "scale_0")]


def test_an_operator_that_becomes_several_layers(read):
    x = [("x", (3, 4))]
    nodes = [node("Gemm", "x w c", "y", "fc", transA=1, beta=2.0)]
    constants = [tensor("w", W.ravel()[:6].reshape(3, 2)), tensor("c", W.ravel()[:4].reshape(4, 1))]
    checkpoint = read(model(nodes, constants, inputs=x))
    assert names(checkpoint) == ["fc/A", "fc/product", "c", "fc/beta", "fc/C", "fc"]
    assert set(checkpoint.tensors) == {"fc/product.w", "c.value", "fc/beta.value"}


# Outputs


@pytest.mark.parametrize(
    "outputs, expected",
    [
        (["b"], ["a", "b"]),
        (["b", "a"], ["a", "b"]),
        (["c", "b"], ["a", "b", "c"]),
        (["a", "b"], ["a", "b", "a_2"]),
        (["side", "b"], ["a", "b", "side"]),
        (["x"], ["a", "b", "x_2"]),
        (["k"], ["a", "b", "k"]),
    ],
)
def test_the_first_output_is_the_last_node_and_the_others_are_there(outputs, expected, run):
    nodes = [node("Relu", "x", "a", "a")]
    nodes += [node("Sigmoid", "x", "side", "side")] if "side" in outputs else []
    nodes += [node("Tanh", "a", "b", "b")]
    nodes += [node("Sigmoid", "b", "c", "c")] if "c" in outputs else []
    data = model(nodes, [tensor("k", NUMBERS)], outputs=[(o, None) for o in outputs], inputs=[("x", (1, 4))])
    net, out = run(data, [NUMBERS])
    assert [n.name for n in net.nodes] == expected
    relu = np.maximum(NUMBERS, 0)
    known = {"x": [NUMBERS], "k": NUMBERS, "a": [relu], "b": [np.tanh(relu)], "side": [1 / (1 + np.exp(-NUMBERS))]}
    known["c"] = 1 / (1 + np.exp(-np.tanh([relu])))
    np.testing.assert_allclose(out, known[outputs[0]], rtol=1e-6)
    for name in outputs[1:]:
        with kernels.use("numpy"):
            np.testing.assert_allclose(net(np.float32([NUMBERS]), until=name), known[name], rtol=1e-6)


def test_positions_of_maxima_are_an_output_that_nothing_reads(run):
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    pool = node("MaxPool", "x", "y i", "pool", kernel_shape=[2, 2], strides=[2, 2])
    data = model([pool], outputs=[("y", None), ("i", None)], inputs=[("x", x.shape)])
    net, out = run(data, x)
    assert out.ravel().tolist() == [5, 7, 13, 15] and net.nodes[-1].name == "pool"
    assert net(x, until="pool/indices").ravel().tolist() == [5, 7, 13, 15]
    with pytest.raises(FormatError, match=r"node 'n' \(Relu\): reads 'i', positions, which are integers"):
        run(model([pool, node("Relu", "i", "z", "n")], inputs=[("x", x.shape)]), x)


# Constants


def test_constants_are_moved_at_once(run):
    nodes = [
        node("Constant", "", "s", value=tensor("", np.int64([6, 9]))),
        node("Reshape", "w s", "flat"),
        node("Transpose", "flat", "turned", perm=[1, 0]),
        node("Unsqueeze", "turned", "deep", axes=[0]),
        node("Squeeze", "deep", "thin"),
        node("Identity", "thin", "same"),
        node("MatMul", "x same", "y", "fc"),
    ]
    x = np.arange(18, dtype=np.float32).reshape(2, 9)
    net, out = run(model(nodes, [tensor("w", W)], opset=12, inputs=[("x", (2, 9))]), x)
    assert [(n.name, type(n.layer).__name__) for n in net.nodes] == [("fc", "Linear")]
    np.testing.assert_allclose(out, x @ W.reshape(6, 9).T, rtol=1e-5)


def test_integers_are_moved_too(read):
    nodes = [node("Unsqueeze", "size", "s", axes=[0]), node("Reshape", "x s", "y")]
    graph = read(model(nodes, [tensor("size", np.int64(12))], opset=12, inputs=[("x", (3, 4))])).graph
    assert graph.nodes[0][1].config["shape"] == (12,)


def test_pads_that_an_exporter_computes(run):
    """PyTorch's chain: zeros behind the pads of the last axes, then pairs from the back, then begins and ends."""
    nodes = [
        node("ConstantOfShape", "four", "zeros", value=tensor("", np.int64([0]))),
        node("Concat", "given zeros", "all", axis=0),
        node("Reshape", "all pairs", "paired"),
        node("Slice", "paired back first zero back", "turned"),
        node("Transpose", "turned", "begins_ends", perm=[1, 0]),
        node("Reshape", "begins_ends back", "wide"),
        node("Cast", "wide", "pads", to=7),
        node("Pad", "x pads", "y", "pad"),
    ]
    integers = {"four": [4], "pairs": [-1, 2], "back": [-1], "zero": [0], "first": [-(2**63) + 1]}
    constants = [tensor(name, np.int64(value)) for name, value in integers.items()]
    constants.append(tensor("given", np.int32([1, 2, 0, 4])))
    x = np.ones((1, 3, 3, 2), np.float32)
    net, out = run(model(nodes, constants, inputs=[("x", x.shape)]), x)
    assert [n.name for n in net.nodes] == ["pad"]
    np.testing.assert_array_equal(out, np.pad(x, ((0, 0), (0, 0), (0, 4), (1, 2))))


def test_a_slice_without_steps(read):
    nodes = [node("Slice", "long", "s", starts=[1], ends=[99], axes=[-1]), node("Reshape", "x s", "y")]
    graph = read(model(nodes, [tensor("long", np.int64([7, 2, 6]))], opset=9, inputs=[("x", (3, 4))])).graph
    assert graph.nodes[0][1].config["shape"] == (2, 6)


@pytest.mark.parametrize(
    "attribute, expected",
    [
        ({"value": tensor("", NUMBERS)}, NUMBERS),
        ({"value_float": 2.5}, np.float32(2.5)),
        ({"value_floats": [1.0, 2.0, 3.0, 4.0]}, np.float32([1, 2, 3, 4])),
    ],
)
def test_constant_nodes(attribute, expected, read):
    nodes = [node("Constant", "", "c", **attribute), node("Add", "x c", "y")]
    np.testing.assert_array_equal(read(model(nodes, inputs=[("x", (1, 4))])).tensors["c.value"], expected)


@pytest.mark.parametrize("attribute, axes", [({"value_int": 0}, (0,)), ({"value_ints": [2, 0]}, (0, 2))])
def test_constant_nodes_of_integers(attribute, axes, read):
    nodes = [node("Constant", "", "c", **attribute), node("Unsqueeze", "x c", "y")]
    assert read(model(nodes, inputs=[("x", (1, 4))])).graph.nodes[0][1].config["axes"] == axes


# Operators of which a random use says too little


def test_a_mean_over_no_axes_may_be_none(read):
    def mean(**attributes):
        data = model([node("ReduceMean", "x none", "y", **attributes)], [tensor("none", np.int64([]))], opset=18)
        return type(read(data).graph.nodes[0][1]).__name__

    assert mean() == "Mean" and mean(noop_with_empty_axes=1) == "Identity"


def test_slopes_have_no_batch_axis(read):
    data = model([node("PRelu", "x slopes", "y", "p")], [tensor("slopes", np.ones((1, 3, 1, 1), np.float32))])
    assert read(data).tensors["p.w"].shape == (3, 1, 1)


def test_an_attribute_tells_its_type_by_what_it_holds(read):
    attribute = field_bytes(1, "axis") + field_int(3, 2)  # the first files said no type
    graph = read(model([node("Concat", "x x", "y") + field_bytes(5, attribute)])).graph
    assert graph.nodes[0][1].config == {"axis": 2}


# Sizes


@pytest.mark.parametrize("batch", [1, 4, "N", None])
def test_the_batch_is_left_free(batch, run):
    nodes = [
        node("Conv", "x w", "a", auto_pad="SAME_UPPER"),
        node("Reshape", "a s", "b"),
        node("MatMul", "b m", "y"),
    ]
    constants = [tensor("w", W), tensor("m", np.ones((72, 5), np.float32))]
    constants.append(tensor("s", np.int64([batch if isinstance(batch, int) else 1, 72])))
    _, out = run(model(nodes, constants, inputs=[("x", (batch, 3, 6, 6))]), np.ones((7, 3, 6, 6)))
    assert out.shape == (7, 5)


def test_sizes_that_the_file_leaves_open(read, run):
    nodes = [
        node("Conv", "x w", "a", auto_pad="SAME_LOWER"),
        node("MaxPool", "a", "b", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        node("Concat", "b b", "c", axis=-3),
        node("GlobalAveragePool", "c", "d"),
        node("Flatten", "d", "e"),
        node("Gemm", "e m", "f", alpha=3.0),
        node("Softmax", "f", "y", axis=-1),
    ]
    constants = [tensor("w", W), tensor("m", np.ones((4, 2), np.float32))]
    for shape in (("N", 3, "H", "W"), (None, 3, -1, 0)):
        data = model(nodes, constants, opset=12, inputs=[("x", shape)])
        assert read(data).graph.input_size is None
        for size in (9, 16):
            np.testing.assert_allclose(run(data, np.ones((2, 3, size, size)))[1], 0.5)


def test_a_padding_that_the_size_decides(read):
    def pads(kernel, stride, size, auto):
        data = model(
            [node("Conv", "x w", "y", auto_pad=auto, strides=[stride, stride])],
            [tensor("w", np.ones((1, 1, kernel, kernel), np.float32))],
            inputs=[("x", (1, 1, size, size))],
        )
        return read(data).graph.nodes[0][1].pad

    assert pads(3, 1, 5, "SAME_UPPER") == (1, 1, 1, 1)
    assert pads(2, 1, 5, "SAME_UPPER") == (0, 1, 0, 1) and pads(2, 1, 5, "SAME_LOWER") == (1, 0, 1, 0)
    assert pads(3, 2, 6, "SAME_UPPER") == (0, 1, 0, 1) and pads(3, 2, 7, "SAME_UPPER") == (1, 1, 1, 1)
    assert pads(1, 2, 6, "SAME_LOWER") == (0, 0, 0, 0) and pads(5, 2, 6, "VALID") == (0, 0, 0, 0)


def test_inputs_that_are_initializers_are_no_images(read):
    data = model([node("Add", "x c", "y")], [tensor("c", NUMBERS)], inputs=[("c", (4,)), ("x", (1, 4))])
    assert read(data).graph.input == "x"
