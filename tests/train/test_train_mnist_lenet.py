"""The loop learns, repeats itself, and the net that ships is as good as its card says."""

import numpy as np
import pytest

import minicnn
from minicnn.train import mnist_lenet
from minicnn.train.idx import read_mnist


def _bars(count, seed):
    """A toy problem: class k is a bright bar at row 2 * k + 4, in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 10, count).astype(np.uint8)
    images = rng.integers(0, 60, (count, 28, 28)).astype(np.uint8)
    for image, k in zip(images, labels):
        image[2 * k + 4] = 250
    return images, labels


def test_loop_learns_and_repeats_itself(monkeypatch):
    monkeypatch.setattr(mnist_lenet, "WARM_UP", 10)
    monkeypatch.setattr(mnist_lenet, "_WIDEST_SHIFT", 0)
    images, labels = _bars(320, seed=0)
    net = mnist_lenet.train(images, labels, epochs=6, seed=1)
    assert mnist_lenet.accuracy(net, *_bars(100, seed=1)) > 0.8
    first, second = (mnist_lenet.train(images[:128], labels[:128], epochs=1, seed=2).state_dict() for _ in range(2))
    for key, w in first.items():
        np.testing.assert_array_equal(w, second[key])


def test_shifts_move_whole_images_over_black():
    images = np.zeros((200, 28, 28), np.uint8)
    images[:, 10, 20] = 255
    moved = mnist_lenet.shifted(images, np.random.default_rng(0))
    n, y, x = np.nonzero(moved)
    assert len(n) == 200 and set(y - 10) == set(x - 20) == {-2, -1, 0, 1, 2}


def test_to_input_by_hand():
    x = mnist_lenet.to_input(np.array([[[0, 255]]], np.uint8))
    assert x.dtype == np.float32 and x.shape == (1, 1, 1, 2)
    np.testing.assert_allclose(x.ravel(), [-0.1307 / 0.3081, (1 - 0.1307) / 0.3081], rtol=1e-6)


def test_the_net_that_ships_reads_what_the_loop_trained_on():
    """Its stated preprocessing and the loop's own are the same numbers."""
    from PIL import Image

    from minicnn.vis.image import preprocess

    pixels = np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)
    net = minicnn.load("mnist-lenet")
    np.testing.assert_allclose(
        preprocess(Image.fromarray(pixels), net.meta), mnist_lenet.to_input(pixels[None]), rtol=0, atol=1e-5
    )


@pytest.mark.data
def test_the_net_that_ships_is_right_on_99_percent(data_dir):
    images, labels = read_mnist(data_dir / "mnist", "t10k")
    assert len(images) == 10_000
    assert mnist_lenet.accuracy(minicnn.load("mnist-lenet"), images, labels) >= 0.99
