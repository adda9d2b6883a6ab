"""Nets that others wrote to ONNX files: they compute what ONNX Runtime does, and can be looked into as the zoo's."""

import numpy as np
import pytest

from minicnn import Net, vis, zoo
from minicnn.meta import Meta
from minicnn.train.idx import read_mnist
from minicnn.vis.image import preprocess, read_image
from minicnn.weights import formats
from minicnn.zoo.base import caffe_input

pytestmark = pytest.mark.data

SQUEEZENET, MNIST = "SqueezeNet_fp16.onnx", "mnist.onnx"


@pytest.fixture(scope="module")
def load(data_dir):
    def load(file):
        checkpoint = formats.read(data_dir / "weights" / file)
        net = Net(checkpoint.graph.nodes, checkpoint.graph.input)
        net.load_state_dict(checkpoint.tensors)
        return net, checkpoint

    return load


@pytest.fixture(scope="module")
def photos(data_dir):
    """Three photos as SqueezeNet wants them, (3, 3, 224, 224)."""
    files = sorted((data_dir / "images" / "imagenet").iterdir())[::40]
    meta = Meta(architecture="squeezenet1_1", **caffe_input(224))
    return np.concatenate([preprocess(read_image(file), meta) for file in files])


def off(ours, theirs):
    """The largest difference, relative to the largest value."""
    assert ours.shape == theirs.shape
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


def test_mnist_is_recognised(load, data_dir):
    """White digits on black, 0 to 255; the file says batches of one, and takes any."""
    images, labels = read_mnist(data_dir / "mnist", "t10k")
    net, checkpoint = load(MNIST)
    assert checkpoint.graph.input_size == (1, 28, 28)
    x = images[:, None].astype(np.float32)
    right = sum(int((net(x[i : i + 500]).argmax(axis=1) == labels[i : i + 500]).sum()) for i in range(0, 10_000, 500))
    print(f"mnist.onnx: {right} of 10000")
    assert right >= 9800


@pytest.mark.oracle
def test_mnist_computes_what_onnx_runtime_does(load, data_dir):
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(str(data_dir / "weights" / MNIST))
    images, _ = read_mnist(data_dir / "mnist", "t10k")
    x = images[:20, None].astype(np.float32)
    theirs = np.concatenate([session.run(None, {"Input3": image[None]})[0] for image in x])
    assert off(load(MNIST)[0](x), theirs) < 1e-4


@pytest.mark.oracle
def test_squeezenet_computes_what_onnx_runtime_does(load, data_dir, photos):
    """Its numbers are float16, and ONNX Runtime rounds every image to that: it is asked for the same net in float32."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    model = onnx.load(data_dir / "weights" / SQUEEZENET)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.FLOAT
    del model.graph.value_info[:]
    for tensor in model.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))
    model.graph.output.append(onnx.helper.make_empty_tensor_value_info("pool10_1"))
    session = runtime.InferenceSession(model.SerializeToString())
    net, _ = load(SQUEEZENET)
    for photo in photos:
        probabilities, scores = session.run(None, {"data_0": photo[None]})
        assert off(net(photo[None]), probabilities) < 1e-4
        assert off(net(photo[None], until=net.scores), scores) < 1e-4


def test_squeezenet_has_the_zoos_names(load):
    net, checkpoint = load(SQUEEZENET)
    assert [n.name for n in net.nodes[:7]] == [
        *("conv1", "conv1_2", "pool1", "fire2/squeeze1x1", "fire2/squeeze1x1_2", "fire2/expand1x1"),
        "fire2/expand1x1_2",
    ]
    assert [n.name for n in net.nodes[-4:]] == ["conv10", "conv10_2", "pool10", "softmaxout"]
    assert net.scores == "pool10" and checkpoint.graph.input_size == (3, 224, 224)
    twin = zoo.build("squeezenet1_1")
    assert twin.load_state_dict(checkpoint.tensors) == ([], [])


@pytest.mark.parametrize("unit", [130, "fire5/expand3x3:10", "fire9/concat:3"])
@pytest.mark.parametrize("method", [vis.gradient, vis.deconvnet, vis.guided_backprop], ids=lambda m: m.__name__)
def test_squeezenet_can_be_looked_into_as_the_zoos(method, unit, load, photos):
    """The graph from the file and the zoo's own, with the same weights."""
    net, checkpoint = load(SQUEEZENET)
    twin = zoo.build("squeezenet1_1")
    twin.load_state_dict(checkpoint.tensors)
    x = photos[:1]
    ours, theirs = method(net, x, unit), method(twin, x, unit)
    assert np.abs(theirs).max() > 1e-6
    assert off(ours, theirs) < 1e-4
