"""Linear classifiers: the lecture's numbers, the multiples against a search, and training on a few photos."""

import numpy as np
import pytest

import minicnn
from minicnn import Net
from minicnn.errors import MissingFileError, UsageError
from minicnn.layers import Flatten, Linear, ReLU, Softmax
from minicnn.meta import Meta
from minicnn.vis import METHODS, linear
from minicnn.vis.linear import example, first_right, multiples
from minicnn.vis.nets.softmax_pixels import accuracy, is_linear, train_softmax
from minicnn.vis.progress import StoppedEarly

CLASSES = ("ant", "bee", "cat")


def _net(weights, bias):
    """scores = W x + b on 2x2 pixels of three colours, x = (I - 0.2) / 0.5."""
    meta = Meta("none", (3, 2, 2), "BGR", 1.0, (0.2,) * 3, (0.5,) * 3, "squash", 2, CLASSES)
    net = Net([("flat", Flatten()), ("fc", Linear(12, len(weights))), ("prob", Softmax())], meta=meta)
    net = net.astype("float64")
    net.load_state_dict({"fc.w": weights, "fc.b": bias})
    return net


def test_the_lectures_example():
    x, w, moved, products = example()
    assert x.tolist() == [2, -1, 3, -2, 2, 2, 1, -4, 5, 1]
    assert w.tolist() == [-1, -1, 1, -1, 1, -1, 1, 1, -1, 1]
    assert moved.tolist() == [1.5, -1.5, 3.5, -2.5, 2.5, 1.5, 1.5, -3.5, 4.5, 1.5]
    assert (w * x).sum() == -3 and products.sum() == 2
    assert 1 / (1 + np.exp(3)) == pytest.approx(0.0474, abs=5e-5) and 1 / (1 + np.exp(-2)) == pytest.approx(
        0.88, abs=2e-3
    )


def test_the_multiples_against_a_search():
    rng = np.random.default_rng(0)
    scores, templates = rng.standard_normal((40, 4)), rng.normal([1.5, 0, 0], 1, (4, 3))
    found = multiples(scores, templates)
    assert np.isinf(found).any() and np.isfinite(found).mean() > 0.5
    grid = np.linspace(0, 60, 60_001)
    for n in range(40):
        for k in range(4):
            # Adding a * W_k to the image adds a * W W_k to the scores.
            along = scores[n] + grid[:, None] * (templates @ templates[k])
            first = np.flatnonzero(along.argmax(axis=1) == k)
            if len(first):
                assert found[n, k] == pytest.approx(grid[first[0]], abs=2e-3)
            else:
                assert np.isinf(found[n, k]) or found[n, k] > 59.9


def test_multiples_by_hand():
    # Class 1 is 3 behind class 0 and gains 2 * 2 - 0 = 4 on it: 3/4. Class 2's template is class 0's, half as long:
    # it gains 1/4 - 1/2 < 0.
    templates = np.array([[1.0, 0], [0, 2], [0.5, 0]])
    np.testing.assert_allclose(multiples(np.array([[3.0, 0, 0]]), templates), [[0, 0.75, np.inf]])


def test_an_image_mixed_with_every_class():
    rng = np.random.default_rng(1)
    weights, bias = rng.standard_normal((3, 12)), rng.standard_normal(3)
    net, x = _net(weights, bias), rng.uniform(-0.4, 1.6, (4, 3, 2, 2))
    found = linear(net, x)
    # I = 0.2 + 0.5 x, so that in I the weights are twice as large.
    np.testing.assert_allclose(found.templates.reshape(3, 12), 2 * weights, rtol=1e-6)
    assert found.classifier is net and found.accuracy is None
    for k in range(3):
        scores = net(found.mixed[:, k], until="fc")
        assert (scores.argmax(axis=1) == k).all()
        others = np.delete(scores, k, axis=1).max(axis=1)
        was = net(x, until="fc")
        behind = np.delete(was, k, axis=1).max(axis=1) - was[:, k]
        # Only a hair in front, where it was behind: 1 % of the way.
        far = behind > 0
        assert (scores[far, k] - others[far] < 0.011 * (behind[far] + 30)).all()
        added = (found.mixed[:, k] - x) / 2
        np.testing.assert_allclose(
            found.distortions[:, k], np.sqrt(np.square(added).mean(axis=(1, 2, 3))), rtol=1e-5, atol=1e-7
        )
        np.testing.assert_allclose(added[~far], 0, atol=1e-12)
        along = added.reshape(4, 12) @ weights[k] / np.linalg.norm(weights[k])
        np.testing.assert_allclose(along, np.linalg.norm(added.reshape(4, 12), axis=1), rtol=1e-9, atol=1e-12)


def test_the_multiple_is_the_smallest():
    rng = np.random.default_rng(2)
    net, x = _net(rng.standard_normal((3, 12)), np.zeros(3)), rng.uniform(-0.4, 1.6, (5, 3, 2, 2))
    found = linear(net, x)
    for k in range(3):
        less = x + 0.98 * (found.mixed[:, k] - x)
        moved = found.distortions[:, k] > 0
        assert moved.any() and (net(less, until="fc").argmax(axis=1)[moved] != k).all()


def test_templates_without_images():
    found = linear(_net(np.eye(3, 12), np.zeros(3)))
    assert found.mixed is None and found.templates.shape == (3, 3, 2, 2)
    names = [name for name, _ in METHODS["linear"].picture(found, None)]
    assert names == ["example", "templates"]


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([("flat", Flatten()), ("fc", Linear(4, 2))], True),
        ([("flat", Flatten()), ("fc", Linear(4, 2)), ("prob", Softmax())], True),
        ([("flat", Flatten()), ("fc", Linear(4, 2)), ("fc2", Linear(2, 2))], False),
        ([("flat", Flatten()), ("relu", ReLU()), ("fc", Linear(4, 2))], False),
        ([("flat", Flatten()), ("fc", Linear(4, 2)), ("relu", ReLU())], False),
        ([("flat", Flatten())], False),
    ],
)
def test_which_nets_are_linear(nodes, expected):
    assert is_linear(Net(nodes)) is expected


def test_the_example_alone():
    net = minicnn.build("lenet_relu", seed=0)
    found = linear(net)
    assert found.classifier is None
    [(name, table)] = METHODS["linear"].picture(found, net)
    assert name == "example" and table.mode == "RGB" and np.asarray(table).min() < 60


def _stripes(count, seed):
    """Three classes: brighter above, brighter in the middle, and neither; the rest is noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 160, (count, 3, 6, 6))
    images[labels == 0, :, :3] += 60
    images[labels == 1, :, :, 2:4] += 60
    return images.astype(np.uint8), labels


def test_training_finds_the_classes():
    net = train_softmax(*_stripes(300, 0), CLASSES, epochs=6, progress=False)
    images, labels = _stripes(99, 1)
    assert accuracy(net, images, labels) > 0.9
    assert net.meta.classes == CLASSES and is_linear(net)
    same = train_softmax(*_stripes(300, 0), CLASSES, epochs=6, progress=False)
    np.testing.assert_array_equal(net["fc"].layer.params["w"], same["fc"].layer.params["w"])
    templates = net["fc"].layer.params["w"].reshape(3, 3, 6, 6)
    assert templates[0, :, :3].mean() > templates[0, :, 3:].mean() + 0.005
    chosen = first_right(net, images, labels)
    assert labels[chosen].tolist() == [0, 1, 2] and chosen[0] < 9


def test_decay_holds_the_templates_down(monkeypatch):
    sizes = []
    for decay in (0.0, 5.0):
        monkeypatch.setattr("minicnn.vis.nets.softmax_pixels.DECAY", decay)
        net = train_softmax(*_stripes(300, 0), CLASSES, epochs=20, progress=False)
        sizes.append(np.linalg.norm(net["fc"].layer.params["w"]))
    assert sizes[1] < 0.9 * sizes[0]


def test_first_right_by_hand():
    # The score of class k is pixel k: two of the images are wrong.
    net = _net(np.eye(3, 12), np.zeros(3))
    net = net.astype("float32")
    images = np.zeros((5, 3, 2, 2), np.uint8)
    labels = np.array([1, 1, 0, 2, 1])
    for n, answer in enumerate([0, 1, 2, 2, 1]):
        images[n, 2].flat[answer] = 255  # blue is the first channel of a net that reads BGR
    assert first_right(net, images, labels) == [1, 3]


def test_a_folder_of_cifar10(tmp_path):
    """In the binary version's form: a label, 1024 reds, greens, blues."""
    rng = np.random.default_rng(5)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        labels = np.arange(20) % 10
        pixels = rng.integers(0, 40, (20, 3072)) + labels[:, None] * 20
        (tmp_path / f"{name}.bin").write_bytes(np.concatenate([labels[:, None], pixels], axis=1).astype(np.uint8))
    net = minicnn.build("lenet_relu", seed=0)
    found = linear(net, folder=str(tmp_path), epochs=2, progress=False)
    assert found.templates.shape == (10, 3, 32, 32) and 0 < found.accuracy <= 1
    assert found.images.shape[1:] == (3, 32, 32) and found.mixed.shape == (len(found.images), 10, 3, 32, 32)
    made = METHODS["linear"].picture(found, net)
    assert [name for name, _ in made] == ["example", "templates", "mixed"]
    assert made[2][1].width == 2 + 10 * 98


def test_interrupted_training_leaves_the_classifier_so_far(monkeypatch):
    from minicnn.train.trainer import Trainer

    steps, inner = [], Trainer.train_step

    def interrupted(self, x, labels):
        steps.append(1)
        if len(steps) == 3:
            raise KeyboardInterrupt
        return inner(self, x, labels)

    monkeypatch.setattr(Trainer, "train_step", interrupted)
    with pytest.warns(StoppedEarly, match="linear: interrupted"):
        net = train_softmax(*_stripes(300, 0), CLASSES, epochs=2, progress=False)
    assert np.abs(net["fc"].layer.params["w"]).max() > 0


def test_what_cannot_be(tmp_path):
    net = minicnn.build("lenet_relu", seed=0)
    with pytest.raises(UsageError, match="photos are for a net that is linear itself"):
        linear(net, np.zeros((1, 1, 28, 28), np.float32))
    with pytest.raises(UsageError, match="epochs is 0, expected 1 or more"):
        linear(net, epochs=0)
    with pytest.raises(MissingFileError, match="no CIFAR-10"):
        linear(net, folder=str(tmp_path))


@pytest.mark.data
def test_a_few_photos_of_cifar10(data_dir):
    """A hundred photos a class are enough for more than twice as often right as by chance."""
    from minicnn.train.folders import Folders

    pictures = Folders(data_dir / "cifar10" / "test.zip")
    images, labels = pictures.batch([i for i in range(10_000) if i % 1000 < 120])
    pictures.close()
    train = np.arange(len(labels)) % 120 < 100
    net = train_softmax(images[train], labels[train], pictures.classes, epochs=8, progress=False)
    assert accuracy(net, images[~train], labels[~train]) > 0.2
    assert accuracy(net, images[train], labels[train]) > 0.35
