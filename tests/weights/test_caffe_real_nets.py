"""Published caffemodels, from the layers that they list themselves and from the prototxt files they came with."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image

from minicnn import zoo
from minicnn.net import Net
from minicnn.weights import caffe, caffe_graph

pytestmark = pytest.mark.data

# The caffemodel, the prototxt, the zoo's net, and the image's size as the caffemodel has it.
NETS = {
    "googlenet": ("bvlc_googlenet", "bvlc_googlenet", (3, 224, 224)),
    "squeezenet1_1": ("squeezenet_v1.1", "squeezenet_v1.1", (3, 227, 227)),
    "cifar10_quick": ("cifar10_quick_iter_5000", "cifar10_quick", None),
    "lenet": ("lenet_iter_10000", "lenet", None),
}


def read(data_dir, name, form):
    model, text, _ = NETS[name]
    folder = data_dir / "weights"
    found = caffe_graph.read(
        folder / f"{model}.caffemodel", folder / f"{text}.prototxt" if form == "prototxt" else None
    )
    net = Net(found.graph.nodes, found.graph.input)
    net.load_state_dict(found.tensors)
    return found, net


def of_the_zoo(data_dir, name):
    net = zoo.build(name)
    tensors = caffe.read(data_dir / "weights" / f"{NETS[name][0]}.caffemodel").tensors
    net.load_state_dict(zoo.entry(name).map_names("caffe", tensors))
    return net


@pytest.mark.parametrize("form", ["caffemodel", "prototxt"])
@pytest.mark.parametrize("name", NETS)
def test_the_net_is_the_zoos(data_dir, name, form):
    found, net = read(data_dir, name, form)
    other = of_the_zoo(data_dir, name)
    assert found.graph.input_size == (other.meta.input_size if form == "prototxt" else NETS[name][2])
    x = np.random.default_rng(0).normal(0, 60, (1, *other.meta.input_size)).astype(np.float32)
    scores, expected = net(x), other(x)
    assert scores.shape == expected.shape and abs(scores - expected).max() <= 1e-5
    assert (
        abs(net(x, until=net.scores) - other(x, until=other.scores)).max()
        <= 1e-5 * abs(other(x, until=other.scores)).max()
    )
    # All names but those of flattening, which Caffe does without a layer.
    assert {n.name for n in net.nodes} ^ {n.name for n in other.nodes} <= {
        "pool5/flatten",
        "pool5/drop_7x7_s1/flatten",
    }
    assert net.state_dict().keys() == other.state_dict().keys()


@pytest.mark.oracle
@pytest.mark.parametrize("form", ["caffemodel", "prototxt"])
@pytest.mark.parametrize("name", ["cifar10_quick", "googlenet"])
def test_the_same_as_pytorch(data_dir, name, form):
    torch = pytest.importorskip("torch")
    import twins_nets

    _, net = read(data_dir, name, form)
    meta = zoo.build(name).meta
    x = np.random.default_rng(1).normal(0, 60, (2, *meta.input_size)).astype(np.float32)
    weights = {}
    for key, array in caffe.read(data_dir / "weights" / f"{NETS[name][0]}.caffemodel").tensors.items():
        layer, _, number = key.rpartition(".")
        weights[f"{layer}.{'wb'[int(number)]}"] = torch.from_numpy(array)
    p = twins_nets.Weights(net)
    p.update(weights)
    with torch.no_grad():
        expected = getattr(twins_nets, name)(torch.from_numpy(x), p).softmax(dim=1).numpy()
    assert abs(net(x) - expected).max() <= 1e-5


@pytest.mark.parametrize("form", ["caffemodel", "prototxt"])
def test_small_photos_are_recognised(data_dir, form):
    """Caffe's example reports about 75 %, of the photos before JPEG."""
    _, net = read(data_dir, "cifar10_quick", form)
    classes = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    right = 0
    with zipfile.ZipFile(data_dir / "cifar10" / "test.zip") as photos:
        for label, kind in enumerate(classes):
            files = [f"test/{kind}/{i:04}.jpg" for i in range(100)]
            pixels = [np.asarray(Image.open(io.BytesIO(photos.read(f))).convert("RGB"), np.float32) for f in files]
            x = np.stack(pixels).transpose(0, 3, 1, 2) - np.float32([125.36, 122.85, 113.39])[:, None, None]
            right += int((net(np.ascontiguousarray(x)).argmax(axis=1) == label).sum())
    print(f"{right} of 1000")
    assert right >= 700


def test_what_the_files_tell_of_the_preprocessing(data_dir):
    def told(name):
        return caffe_graph.preprocessing(data_dir / "weights" / f"{NETS[name][0]}.caffemodel")

    assert told("googlenet") == {"input_size": (3, 224, 224)}
    lenet = zoo.build("lenet").meta
    assert told("lenet") == {key: getattr(lenet, key) for key in ("channel_order", "range", "mean", "std")}
    assert told("cifar10_quick")["mean_file"] == "examples/cifar10/mean.binaryproto"
