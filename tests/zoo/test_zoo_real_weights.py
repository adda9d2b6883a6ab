"""Real weights: photos are recognised, two files of one net agree, and PyTorch computes the same."""

from functools import cache

import numpy as np
import pytest

from minicnn import zoo
from minicnn.meta import Meta
from minicnn.vis.image import preprocess, read_image
from minicnn.weights import formats

pytestmark = pytest.mark.data

FILES = {
    "bvlc_googlenet.caffemodel": "googlenet",
    "squeezenet_v1.1.caffemodel": "squeezenet1_1",
    "squeezenet1_1.pth": "squeezenet1_1",
}


@pytest.fixture(scope="module")
def load(data_dir):
    @cache
    def load(file):
        entry = zoo.entry(FILES[file])
        checkpoint = formats.read(data_dir / "weights" / file)
        net = entry.build()
        net.load_state_dict(entry.map_names(checkpoint.format, checkpoint.tensors))
        net.meta = Meta(architecture=entry.name, **entry.preprocess[checkpoint.format])
        return net

    return load


@pytest.fixture(scope="module")
def photos(data_dir):
    """[(photo, number of its class)]: the file's name begins with its synset."""
    lines = (data_dir / "labels" / "synset_words.txt").read_text().splitlines()
    number = {line.split()[0]: i for i, line in enumerate(lines)}
    files = sorted((data_dir / "images" / "imagenet").iterdir())
    assert len(lines) == 1000 and len(files) == 100
    return [(read_image(file), number[file.name.split("_")[0]]) for file in files]


@pytest.mark.parametrize("file, least", list(zip(FILES, (74, 60, 60))))
def test_photos_are_recognised(load, photos, file, least):
    net, right = load(file), 0
    for i in range(0, 100, 10):
        x = np.concatenate([preprocess(photo, net.meta) for photo, _ in photos[i : i + 10]])
        right += int((net(x).argmax(axis=1) == [label for _, label in photos[i : i + 10]]).sum())
    assert right >= least


def test_two_files_of_one_net_agree(load, photos):
    """torchvision's file is Caffe's with the preprocessing folded into conv1."""
    caffe, torch = load("squeezenet_v1.1.caffemodel"), load("squeezenet1_1.pth")
    same_photo = {"input_size": (3, 224, 224), "resize": "squash", "resize_to": 224}
    scores = []
    for net in (caffe, torch):
        meta = Meta(**{**vars(net.meta), **same_photo})
        x = np.concatenate([preprocess(photo, meta) for photo, _ in photos[:10]])
        scores.append(net(x, until=net.scores))
    assert np.abs(scores[0] - scores[1]).max() <= 1e-3 * np.abs(scores[0]).max()


@pytest.mark.oracle
@pytest.mark.parametrize("file", FILES)
def test_the_same_as_pytorch_on_photos(load, photos, file):
    pytest.importorskip("torch")
    from compare_with_twin import GRADIENT, LOGITS, differ

    import twins_nets

    for dtype, some in (("float32", photos[::45]), ("float64", photos[:1])):
        net = load(file).astype(dtype)
        for photo, label in some:
            dscores = np.eye(1000, dtype=dtype)[[label]]
            x = preprocess(photo, net.meta).astype(dtype)
            difference = differ(net, getattr(twins_nets, FILES[file]), x, dscores=dscores)
            assert difference.scores <= LOGITS[dtype]
            assert difference.gradient <= GRADIENT[dtype]
            # A photo has even patches, whose windows tie exactly: there may be a few in float64 too.
            assert difference.others <= 1e-5 * difference.sides
