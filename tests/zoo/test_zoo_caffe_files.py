"""Nets known from Caffe alone: imported from a file of Caffe's, beside PyTorch; and Caffe's own small ones, at work."""

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from weight_files import blob, caffemodel, layer_v1, layer_v2, legacy_blob

import minicnn
from minicnn.train.idx import read_mnist
from minicnn.vis.image import preprocess
from minicnn.weights import convert

# As the files of these nets list them: layers with weights, and the shapes of those.
FILES = {
    "cifar10_quick": {
        "conv1": (32, 3, 5, 5),
        "conv2": (32, 32, 5, 5),
        "conv3": (64, 32, 5, 5),
        "ip1": (64, 1024),
        "ip2": (10, 64),
    },
    "nin_imagenet": {
        "conv1": (96, 3, 11, 11),
        "cccp1": (96, 96, 1, 1),
        "cccp2": (96, 96, 1, 1),
        "conv2": (256, 96, 5, 5),
        "cccp3": (256, 256, 1, 1),
        "cccp4": (256, 256, 1, 1),
        "conv3": (384, 256, 3, 3),
        "cccp5": (384, 384, 1, 1),
        "cccp6": (384, 384, 1, 1),
        "conv4-1024": (1024, 384, 3, 3),
        "cccp7-1024": (1024, 1024, 1, 1),
        "cccp8-1024": (1000, 1024, 1, 1),
    },
    "zfnet": {
        "conv1": (96, 3, 7, 7),
        "conv2": (256, 96, 5, 5),
        "conv3": (384, 256, 3, 3),
        "conv4": (384, 384, 3, 3),
        "conv5": (256, 384, 3, 3),
        "fc6": (4096, 9216),
        "fc7": (4096, 4096),
        "fc8": (1000, 4096),
    },
}
VERSION_1 = ("cifar10_quick", "nin_imagenet")


@pytest.mark.oracle
@pytest.mark.parametrize("name", FILES)
def test_random_weights_from_a_caffemodel(name, tmp_path):
    pytest.importorskip("torch")
    from compare_with_twin import GRADIENT, LOGITS, differ

    import twins_nets

    arrays = draw(FILES[name])
    path = tmp_path / "random.caffemodel"
    path.write_bytes(file_of(arrays, version_1=name in VERSION_1))
    loaded = minicnn.load(convert.import_file(path, name, tmp_path))
    path.unlink()  # zfnet's has 250 MB
    assert loaded.meta.architecture == name and loaded.meta.range == 255
    net = minicnn.build(name)
    net.load_state_dict(loaded.state_dict())  # PyTorch complains of read-only arrays

    expected = {f"{layer}.{kind}": array for layer, pair in arrays.items() for kind, array in zip("wb", pair)}
    assert net.state_dict().keys() == expected.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(net.state_dict()[key], array)

    x = np.random.default_rng(4).standard_normal((1, *net.meta.input_size)).astype(np.float32)
    # Once more in float64 where that is quick: the other two have no layer that is not in it, or in alexnet_caffe.
    for dtype in ("float32", "float64") if name == "cifar10_quick" else ("float32",):
        difference = differ(net.astype(dtype), getattr(twins_nets, name), x.astype(dtype))
        assert difference.scores <= LOGITS[dtype]
        assert difference.gradient <= GRADIENT[dtype]
        assert difference.others <= (1e-5 * difference.sides if dtype == "float32" else 0)


def draw(shapes):
    """{layer: (weights, biases)}: He's, and biases that are not zero, where a misplaced one would not show."""
    rng = np.random.default_rng(1)
    arrays = {}
    for layer, shape in shapes.items():
        w = rng.standard_normal(shape, dtype=np.float32) * np.float32((2 / np.prod(shape[1:])) ** 0.5)
        arrays[layer] = w, rng.normal(0, 0.1, shape[0]).astype(np.float32)
    return arrays


def file_of(arrays, version_1):
    layers = []
    for name, (w, b) in arrays.items():
        if version_1:
            type_ = 4 if w.ndim == 4 else 14
            shape = w.shape if w.ndim == 4 else (1, 1, *w.shape)
            layers.append(layer_v1(name, type_, legacy_blob(w, shape), legacy_blob(b, (1, 1, 1, len(b)))))
        else:
            layers.append(layer_v2(name, "Convolution" if w.ndim == 4 else "InnerProduct", blob(w), blob(b)))
    return caffemodel(*layers)


@pytest.mark.data
def test_caffes_cifar10_net_recognises_small_photos(data_dir, tmp_path):
    file = data_dir / "weights" / "cifar10_quick_iter_5000.caffemodel"
    net = minicnn.load(convert.import_file(file, "cifar10_quick", tmp_path))
    right = 0
    with zipfile.ZipFile(data_dir / "cifar10" / "test.zip") as photos:
        for name in net.meta.classes:
            files = [f"test/{name}/{i:04}.jpg" for i in range(200)]
            x = np.concatenate([preprocess(Image.open(io.BytesIO(photos.read(f))), net.meta) for f in files])
            best = net(x).argmax(axis=1)
            right += sum(net.meta.classes[i] == name for i in best)
    assert right >= 0.70 * 2000


@pytest.mark.data
def test_caffes_lenet_reads_digits(data_dir, tmp_path):
    net = minicnn.load(convert.import_file(data_dir / "weights" / "lenet_iter_10000.caffemodel", "lenet", tmp_path))
    images, labels = read_mnist(data_dir / "mnist", "t10k")
    assert len(images) == 10_000
    np.testing.assert_allclose(
        preprocess(Image.fromarray(images[0]), net.meta)[0, 0], images[0] / 256, rtol=0, atol=1e-6
    )
    x = (images[:, None] / 256).astype(np.float32)
    best = np.concatenate([net(x[i : i + 500]).argmax(axis=1) for i in range(0, 10_000, 500)])
    assert (best == labels).mean() >= 0.98
