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
    monkeypatch.setattr(mnist_lenet, "_SHIFT", 0)  # where a bar is says which class it is
    monkeypatch.setattr(mnist_lenet, "_GROWTH", 0)
    images, labels = _bars(320, seed=0)
    net = mnist_lenet.train(images, labels, epochs=6, seed=1)
    assert mnist_lenet.accuracy(net, *_bars(100, seed=1)) > 0.8
    first, second = (mnist_lenet.train(images[:128], labels[:128], epochs=1, seed=2).state_dict() for _ in range(2))
    for key, w in first.items():
        np.testing.assert_array_equal(w, second[key])


def _moved(monkeypatch, images, turn=0.0, growth=0.0, shift=0.0):
    for name, value in (("_TURN", turn), ("_GROWTH", growth), ("_SHIFT", shift)):
        monkeypatch.setattr(mnist_lenet, name, value)
    return mnist_lenet.moved(images, np.random.default_rng(0))


def test_images_move_over_black_by_no_more_than_is_said(monkeypatch):
    images = np.zeros((300, 28, 28), np.uint8)
    images[:, 9:12, 19:22] = 255  # centred at row 10, column 20
    assert (_moved(monkeypatch, images) == images).all()
    moved = _moved(monkeypatch, images, shift=2).astype(float)
    rows, columns = np.arange(28)[:, None], np.arange(28)
    y, x = ((moved * at).sum((1, 2)) / moved.sum((1, 2)) for at in (rows, columns))
    assert abs(y - 10).max() <= 2.01 and abs(x - 20).max() <= 2.01
    assert np.ptp(y) > 3.5 and np.ptp(x) > 3.5
    np.testing.assert_allclose(moved.sum((1, 2)), 9 * 255, rtol=0.02)


def test_images_turn_about_their_middle_and_grow(monkeypatch):
    images = np.zeros((300, 28, 28), np.uint8)
    images[:, 13:15, 4:24] = 255  # a lying bar, 20 long and 2 thick, in the middle
    area = _moved(monkeypatch, images, growth=0.15).astype(float).sum((1, 2)) / (255 * 40)
    assert 0.6 < area.min() < 0.8 and 1.2 < area.max() < 1.45  # from 0.85 to 1.15, squared; thin bars are coarse
    turned = _moved(monkeypatch, images, turn=0.2)
    heights = [np.ptp(np.nonzero(image > 100)[0]) + 1 for image in turned]
    assert min(heights) == 2 and max(heights) >= 5  # 2 + 20 * sin(0.2) = 6 with round ends
    np.testing.assert_allclose(turned[:, 13:15, 13:15], 255, atol=60)  # the middle stays, but for soft edges


def test_to_input_by_hand():
    x = mnist_lenet.to_input(np.array([[[0, 255]]], np.uint8))
    assert x.dtype == np.float32 and x.shape == (1, 1, 1, 2)
    np.testing.assert_allclose(x.ravel(), [0, 1 / 0.3081], rtol=1e-6)


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
