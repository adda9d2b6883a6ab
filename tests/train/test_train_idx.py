"""MNIST's file format, from bytes written by hand."""

import gzip

import numpy as np
import pytest

from minicnn.errors import FormatError, MissingFileError
from minicnn.train.idx import read_idx, read_mnist

# Two axes, 2 and 3, and six bytes: the header's numbers are big-endian.
GOOD = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 10, 11, 12, 13, 14, 255])


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_reads_by_hand(tmp_path, pack):
    (tmp_path / "f").write_bytes(pack(GOOD))
    found = read_idx(tmp_path / "f")
    assert found.dtype == np.uint8 and found.tolist() == [[10, 11, 12], [13, 14, 255]]


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "not an IDX file"),
        (b"PNG!" + GOOD, "not an IDX file"),
        (bytes([0, 0, 13, 1, 0, 0, 0, 0]), "type 0x0d"),
        (GOOD[:7], "truncated"),
        (GOOD[:-1], r"\(2, 3\) need 6 bytes of data, 5 are there"),
        (GOOD + b"x", "7 are there"),
        (bytes([0, 0, 8, 2]) + b"\xff" * 8, "need 18446744065119617025 bytes"),
        (gzip.compress(GOOD)[:-6], "damaged gzip"),
        (b"\x1f\x8bgarbage", "damaged gzip"),
    ],
)
def test_refuses(tmp_path, data, said):
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(FormatError, match=said):
        read_idx(tmp_path / "f")


def _idx(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def test_mnist_pairs_images_and_labels(tmp_path):
    images = np.arange(2 * 28 * 28, dtype=np.uint32).astype(np.uint8).reshape(2, 28, 28)
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(_idx(images))
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(_idx(np.array([3, 9], np.uint8))))
    found, labels = read_mnist(tmp_path, "t10k")
    assert (found == images).all() and labels.tolist() == [3, 9]

    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(_idx(np.array([3], np.uint8))))
    with pytest.raises(FormatError, match="do not fit"):
        read_mnist(tmp_path, "t10k")
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(_idx(np.array([3, 10], np.uint8))))
    with pytest.raises(FormatError, match="label 10"):
        read_mnist(tmp_path, "t10k")
    with pytest.raises(MissingFileError, match="train-images"):
        read_mnist(tmp_path, "train")
