"""Nets out of files of every kind."""

import json
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_zoo
from tiny_zoo import CAFFE, META, TORCH, B, W
from weight_files import safetensors_file

import minicnn
from minicnn import Net
from minicnn.errors import FormatError, MissingFileError, UnknownNameError, UsageError
from minicnn.layers import Conv2d, Linear, ReLU
from minicnn.weights import formats, graph_json, native, store
from minicnn.weights.checkpoint import Checkpoint, Graph


def save(path, w=W, meta=META):
    native.save(path, tiny_zoo.net(meta, w))
    return path


def state_is(net, w=W):
    state = net.state_dict()
    np.testing.assert_array_equal(state["conv.w"], w)
    np.testing.assert_array_equal(state["conv.b"], B)


def foreign(path, tensors):
    """Somebody else's safetensors file."""
    header, data = {}, b""
    for name, array in tensors.items():
        end = len(data) + array.nbytes
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), end]}
        data += array.tobytes()
    path.write_bytes(safetensors_file(json.dumps(header), data))
    return path


# Our own files


def test_load(places):
    save(places[0] / "tiny.safetensors")
    net = minicnn.load("tiny")
    assert net.frozen and net.meta == META
    state_is(net)
    with pytest.raises(ValueError, match="read-only"):
        net.state_dict()["conv.w"][:] = 0


def test_weights_that_do_not_fit(places):
    save(places[0] / "tiny.safetensors", w=W[:1])
    reason = r"tiny.safetensors: its tensors are not those of its nodes: conv.w.*\(1,3,3,3\).*\(2,3,3,3\)"
    with pytest.raises(FormatError, match=reason):
        store.load("tiny")


def test_a_tensor_that_is_missing(places):
    path = places[0] / "tiny.safetensors"
    header = {
        "__metadata__": {"graph": graph_json.to_json(tiny_zoo.net())},
        "conv.w": {"dtype": "F32", "shape": list(W.shape), "data_offsets": [0, W.nbytes]},
    }
    path.write_bytes(safetensors_file(json.dumps(header), W.tobytes()))
    with pytest.raises(FormatError, match=r"missing conv.b"):
        store.load("tiny")


def test_nan_is_refused_unless_asked_for(places):
    bad = W.copy()
    bad[0, 0, 0, :2] = np.nan, np.inf
    save(places[0] / "tiny.safetensors", w=bad)
    with pytest.raises(FormatError, match=r"'conv.w': 2 of 54 values are NaN or infinite"):
        store.load("tiny")
    assert np.isnan(store.load("tiny", allow_nonfinite=True).state_dict()["conv.w"]).sum() == 1


def test_peak_memory_is_about_twice_the_file(tmp_path):
    path = tmp_path / "net.safetensors"
    minicnn.save(Net([(f"fc{i}", Linear(1024, 1024, bias=False)) for i in range(4)]).init(seed=0), path)
    tracemalloc.start()
    try:
        minicnn.load(path)
        assert tracemalloc.get_traced_memory()[1] < 2.2 * path.stat().st_size
    finally:
        tracemalloc.stop()


def test_a_part_of_a_net(places):
    net = store.load(save(places[0] / "tiny.safetensors"), upto="conv")
    assert [node.name for node in net.nodes] == ["conv"] and net.frozen
    with pytest.raises(UnknownNameError, match="no node 'konv'"):
        store.load("tiny", upto="konv")


# Weights for a net of the zoo


def test_weights_for_a_named_architecture(zoo, source):
    net = store.load(source(CAFFE), arch="tiny")
    assert net.frozen and net.meta.channel_order == "BGR" and net.meta.source == "net.caffemodel"
    state_is(net)
    net = store.load(source(TORCH, "x"), "tiny")
    assert (net.meta.channel_order, net.meta.range, net.meta.licence) == ("RGB", 1.0, "free")
    state_is(net)


def test_weights_that_do_not_say_of_which_net(zoo, source, tmp_path):
    for path in (source(TORCH, "net.pth"), foreign(tmp_path / "x.safetensors", {"conv.w": W})):
        with pytest.raises(FormatError, match=r"does not say of which net: convert it once .*--arch NAME"):
            store.load(path)
    with pytest.raises(UnknownNameError, match="no architecture 'tini'; did you mean tiny"):
        store.load(path, "tini")


@pytest.mark.parametrize("names", [("conv.w", "conv.b"), ("conv.weight", "conv.bias")])
def test_safetensors_with_our_names(zoo, tmp_path, names):
    path = foreign(tmp_path / "x.safetensors", dict(zip(names, (W, B))))
    for format, order in (("torch", "RGB"), ("caffe", "BGR")):
        net = store.load(path, "tiny", format=format)
        assert net.meta.channel_order == order
        state_is(net)
    with pytest.raises(FormatError, match=r"do not tell whose preprocessing it wants: say caffe or torch"):
        store.load(path, "tiny")
    with pytest.raises(UsageError, match="in the form of caffe or torch, not keras"):
        store.load(path, "tiny", format="keras")


def test_safetensors_with_torchs_names(zoo, tmp_path):
    path = foreign(tmp_path / "x.safetensors", {"features.0.weight": W, "features.0.bias": B})
    net = store.load(path, "tiny")
    assert net.meta.channel_order == "RGB"
    state_is(net)
    with pytest.raises(UsageError, match="in the form of torch, not caffe"):
        store.load(path, "tiny", format="caffe")


def test_safetensors_whose_names_look_like_ours_and_are_torchs(tmp_path):
    """A residual net's first convolution is conv1 here and there; the others are not called alike."""
    from minicnn import zoo

    net = zoo.build("resnet18", seed=0)
    state = {key: np.asarray(value) for key, value in net.state_dict().items()}
    theirs = zoo.entry("resnet18").sources["torch"](net)
    assert theirs["conv1.w"] == "conv1.weight"
    path = foreign(tmp_path / "x.safetensors", {theirs[key]: value for key, value in state.items()})
    loaded = store.load(path, "resnet18").state_dict()
    assert all(np.array_equal(loaded[key], state[key]) for key in state)


@pytest.mark.parametrize(
    "tensors, reason",
    [
        ({"conv.w": W}, "'conv.b': is not in the file: not the weights of tiny"),
        ({"conv.w": W, "conv.b": B, "c2.w": W}, "'c2.w': is in the file, but not in the net: not the weights of tiny"),
        ({"features.0.weight": W}, "'features.0.bias': is not in the file: not the weights of tiny"),
        ({"conv.w": W[:1], "conv.b": B}, r"not the weights of tiny: conv.w.*\(1,3,3,3\).*\(2,3,3,3\)"),
        ({"conv.w": np.full_like(W, np.inf), "conv.b": B}, "'conv.w': 54 of 54 values are NaN or infinite"),
    ],
)
def test_safetensors_that_do_not_fit(zoo, tmp_path, tensors, reason):
    with pytest.raises(FormatError, match=reason):
        store.load(foreign(tmp_path / "x.safetensors", tensors), "tiny", format="torch")


def test_a_file_may_hold_a_part_of_the_net(tmp_path):
    from minicnn import zoo

    state = {key: value for key, value in zoo.build("lenet", seed=0).state_dict().items() if key.startswith("conv")}
    path = foreign(tmp_path / "x.safetensors", state)
    net = store.load(path, "lenet", upto="pool2")
    assert net.nodes[-1].name == "pool2" and net.meta.classes == ()
    assert all(np.array_equal(net.state_dict()[key], state[key]) for key in state)
    with pytest.raises(FormatError, match=r"'ip1.w': is not in the file"):
        store.load(path, "lenet")
    assert store.load(path, "lenet", upto="conv1").nodes[-1].name == "conv1"  # what it holds beyond is left


def test_a_part_with_torchs_names(tmp_path):
    w, b = np.ones((64, 3, 3, 3), np.float32), np.zeros(64, np.float32)
    net = store.load(
        foreign(tmp_path / "x.safetensors", {"features.0.weight": w, "features.0.bias": b}), "vgg11", upto="pool1"
    )
    assert list(net.state_dict()) == ["conv1_1.w", "conv1_1.b"] and net.meta.channel_order == "RGB"
    with pytest.raises(FormatError, match=r"'features.0.bias': is not in the file"):
        store.load(foreign(tmp_path / "y.safetensors", {"features.0.weight": w}), "vgg11", upto="pool1")


@pytest.mark.data
def test_real_weights_of_a_part(data_dir):
    path = data_dir / "weights" / "vgg16_conv1_1-conv3_3.safetensors"
    net = store.load(path, "vgg16", format="caffe", upto="conv3_3")
    assert net.nodes[-1].name == "conv3_3" and net.meta.mean == (103.939, 116.779, 123.68) and net.meta.classes == ()
    file = formats.read(path).tensors
    assert len(net.state_dict()) == len(file) == 14
    np.testing.assert_array_equal(net.state_dict()["conv3_3.w"], file["conv3_3.weight"])


# Files that describe their net


@pytest.fixture
def described(monkeypatch, source):
    """A file of a made-up format that describes a whole net."""

    def read(path):
        nodes = [("conv", Conv2d(3, 2, 3), ("image",)), ("out", ReLU(), ("conv",))]
        return Checkpoint("stub", {"conv.w": W, "conv.b": B}, graph=Graph(nodes, "image", (3, 8, 8)))

    stub = SimpleNamespace(FORMAT="stub", SUFFIXES=(".stub",), sniff=lambda head: head.startswith(b"STUB"), read=read)
    there = formats.formats()
    monkeypatch.setattr(formats, "formats", lambda: [stub, *there])
    return source(b"STUB", "net.stub")


def test_a_described_net(described):
    net = minicnn.load(described)
    assert net.frozen and net.meta is None and net.input == "image"
    assert [node.name for node in net.nodes] == ["conv", "out"]
    state_is(net)
    assert store.load(described, upto="conv").nodes[-1].name == "conv"


def test_a_described_net_needs_no_architecture(described, places):
    for path in (described, save(places[0] / "tiny.safetensors")):
        with pytest.raises(UsageError, match="describes its net itself: it takes no architecture"):
            store.load(path, arch="vgg16")
    with pytest.raises(UsageError, match="it takes no format"):
        store.load(described, format="torch")


PROTOTXT = """
name: "other"
input: "data"
input_shape { dim: 1 dim: 3 dim: 8 dim: 9 }
layer {
  name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 2 kernel_size: 3 pad: 1 }
}
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
"""


def test_caffe_describes_its_net(zoo, source):
    """Without an architecture the caffemodel's own layers are read, or a prototxt."""
    path, prototxt = source(CAFFE), source(PROTOTXT.encode(), "deploy.prototxt")
    net = store.load(path, prototxt=prototxt)
    assert [node.name for node in net.nodes] == ["c", "r"] and net["c"].layer.pad == (1, 1, 1, 1) and net.meta is None
    np.testing.assert_array_equal(net.state_dict()["c.w"], W)
    with pytest.raises(FormatError, match=r"net.caffemodel"):  # its layers do not say what they read
        store.load(path)
    assert store.load(path, arch="tiny").nodes[0].name == "conv"
    with pytest.raises(UsageError, match=r"described by .*deploy.prototxt or is the architecture tiny: say one"):
        store.load(path, arch="tiny", prototxt=prototxt)
    with pytest.raises(UsageError, match=r"a prototxt describes the net of a caffemodel, which .*net.pth is not"):
        store.load(source(TORCH, "net.pth"), prototxt=prototxt)


@pytest.mark.data
@pytest.mark.parametrize(
    "file, prototxt",
    [
        ("bvlc_googlenet.caffemodel", None),
        ("lenet_iter_10000.caffemodel", None),
        ("squeezenet_v1.1.caffemodel", "squeezenet_v1.1.prototxt"),
        ("SqueezeNet_fp16.onnx", None),
        ("mnist.onnx", None),
    ],
)
def test_real_described_nets_are_saved_and_loaded(data_dir, file, prototxt, tmp_path):
    net = store.load(data_dir / "weights" / file, prototxt=prototxt and data_dir / "weights" / prototxt)
    minicnn.save(net, tmp_path / "net.safetensors")
    again = minicnn.load(tmp_path / "net.safetensors")
    assert [repr(node) for node in again.nodes] == [repr(node) for node in net.nodes]
    ours, theirs = net.state_dict(), again.state_dict()
    assert ours.keys() == theirs.keys() and all(np.array_equal(ours[key], theirs[key]) for key in ours)


def test_a_path_that_is_not_there():
    with pytest.raises(MissingFileError, match=r"cannot read none.onnx: no such file"):
        store.load("none.onnx")
