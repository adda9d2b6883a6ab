"""CIFAR-10's forms, from bytes written by hand; each form of the same photos gives the same arrays."""

import pickle
import struct
import warnings
import zipfile

import numpy as np
import pytest
from PIL import Image

from minicnn.errors import FormatError, MissingFileError, UsageError
from minicnn.train.cifar10 import CLASSES, read_binary, read_cifar10, read_pickle

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def photos(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, count)


def binary(images, labels):
    return b"".join(bytes([label]) + image.tobytes() for image, label in zip(images, labels))


def text(s):
    return b"U" + bytes([len(s)]) + s.encode("latin-1")


def array(pixels, kind="u1", by_column=b"\x89", shape=None, version=b"K\x01"):
    """As Python 2's cPickle and NumPy 1.x wrote it, protocol 2."""
    rows, columns = shape or (len(pixels), 3072)
    size = b"M" + struct.pack("<H", rows) + b"M" + struct.pack("<H", columns) + b"\x86"
    data = pixels.tobytes()
    return (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x64cnumpy\nndarray\nq\x65K\x00\x85q\x66U\x01bq\x67\x87q\x68R("
        + (version + size + b"cnumpy\ndtype\nq\x69" + text(kind) + b"q\x6aK\x00K\x01\x87Rq\x6b(K\x03U\x01|NNN")
        + (b"J\xff\xff\xff\xff" * 2 + b"K\x00tb" + by_column + b"T" + struct.pack("<I", len(data)) + data + b"tb")
    )


def batch(data, labels, extra=b""):
    body = b"(" + text("batch_label") + text("training batch 1 of 5") + text("labels") + b"](" + labels + b"e"
    return b"\x80\x02}" + body + text("data") + data + text("filenames") + b"](" + text("größe_s_1.png") + b"eu" + extra


def listed(labels):
    return b"".join(b"K" + bytes([label]) for label in labels)


def pickled(images, labels):
    return batch(array(images), listed(labels)) + b"."


def test_binary(tmp_path):
    images, labels = photos(3)
    (tmp_path / "f").write_bytes(binary(images, labels))
    found, which = read_binary(tmp_path / "f")
    assert found.dtype == np.uint8 and which.dtype == np.int64
    assert (found == images).all() and which.tolist() == labels.tolist()


def test_pickle(tmp_path):
    images, labels = photos(3)
    data = pickled(images, labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's old module name
        judge = pickle.loads(data, encoding="latin-1")
    assert (judge["data"] == images.reshape(3, -1)).all() and judge["labels"] == labels.tolist()

    (tmp_path / "f").write_bytes(data)
    found, which = read_pickle(tmp_path / "f")
    assert found.shape == (3, 3, 32, 32) and found.dtype == np.uint8 and which.dtype == np.int64
    assert (found == images).all() and which.tolist() == labels.tolist()


def test_pickle_by_columns(tmp_path):
    images, labels = photos(2)
    turned = np.frombuffer(images.reshape(2, -1).tobytes(order="F"), np.uint8)
    (tmp_path / "f").write_bytes(batch(array(turned, by_column=b"\x88", shape=(2, 3072)), listed(labels)) + b".")
    assert (read_pickle(tmp_path / "f")[0] == images).all()


IMAGES, LABELS = photos(2)


@pytest.mark.parametrize(
    "data, said",
    [
        (pickled(IMAGES, LABELS)[:-100], "truncated or damaged"),
        (pickled(IMAGES, LABELS)[:4000], "truncated or damaged"),
        (pickled(IMAGES, [3]), "2 images and 1 labels"),
        (pickled(IMAGES, [3, 10]), "labels that are not 0 to 9"),
        (batch(array(IMAGES), text("cat") + text("dog")) + b".", "labels that are not 0 to 9"),
        (batch(array(IMAGES, kind="O8"), listed(LABELS)) + b".", "dtype 'O8'"),
        (batch(array(IMAGES, shape=(3, 3072)), listed(LABELS)) + b".", r"shape \(3, 3072\) with 6144 bytes"),
        (batch(array(IMAGES, shape=(6, 1024)), listed(LABELS)) + b".", r"shape \(6, 1024\)"),
        (batch(array(IMAGES, version=b"K\x02"), listed(LABELS)) + b".", "not of bytes"),
        (batch(array(np.append(IMAGES, np.uint8(0)), shape=(2, 3072)), listed(LABELS)) + b".", "with 6145 bytes"),
        (batch(b"N", listed(LABELS)) + b".", "no array `data`"),
        (
            batch(b"cos\nsystem\n" + text("true") + b"\x85R", listed(LABELS)) + b".",
            "'os.system'.*nothing in it was run",
        ),
        (batch(b"cnumpy\nndarray\n)R", listed(LABELS)) + b".", "it calls numpy.ndarray"),
        (batch(array(IMAGES), listed(LABELS)) + b"Q.", "persistent id"),
        (batch(b"cnumpy\ndtype\n" + text("u1") + b"\x85RK\x01\x85b", b"") + b".", "not of single bytes"),
        (b"\x80\x02].", "a pickled list"),
        (b"", "truncated"),
        (pickle.dumps({"data": 1}, 4), "protocol 4"),
    ],
)
def test_bad_pickles(tmp_path, data, said):
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(FormatError, match=said):
        read_pickle(tmp_path / "f")


@pytest.mark.parametrize(
    "data, said",
    [
        (b"", "0 bytes"),
        (binary(IMAGES, LABELS)[:-1], "6145 bytes, expected a multiple of 3073"),
        (binary(IMAGES, [1, 10]), "label 10"),
    ],
)
def test_bad_binaries(tmp_path, data, said):
    (tmp_path / "f").write_bytes(data)
    with pytest.raises(FormatError, match=said):
        read_binary(tmp_path / "f")


def write_binary(folder, images, labels):
    for i in range(5):
        part = slice(2 * i, 2 * i + 2)
        (folder / f"data_batch_{i + 1}.bin").write_bytes(binary(images[part], labels[part]))
    (folder / "test_batch.bin").write_bytes(binary(images[:1], labels[:1]))


def write_pickles(folder, images, labels):
    for i in range(5):
        part = slice(2 * i, 2 * i + 2)
        (folder / f"data_batch_{i + 1}").write_bytes(pickled(images[part], labels[part]))
    (folder / "test_batch").write_bytes(pickled(images[:1], labels[:1]))


@pytest.mark.parametrize(
    "write, inside",
    [(write_binary, "."), (write_binary, "cifar-10-batches-bin"), (write_pickles, "cifar-10-batches-py")],
)
def test_batches_are_joined_in_order(tmp_path, write, inside):
    images, labels = photos(10)
    (tmp_path / inside).mkdir(exist_ok=True)
    write(tmp_path / inside, images, labels)
    found, which, classes = read_cifar10(tmp_path, "train")
    assert (found == images).all() and which.tolist() == labels.tolist() and list(classes) == NAMES
    assert len(read_cifar10(tmp_path, "test")[0]) == 1


def test_a_missing_batch_is_named(tmp_path):
    write_binary(tmp_path, *photos(10))
    (tmp_path / "data_batch_4.bin").unlink()
    with pytest.raises(MissingFileError, match="data_batch_4"):
        read_cifar10(tmp_path, "train")


def write_pictures(folder, images, size=(32, 32)):
    for name, image in zip(NAMES, images):
        (folder / name).mkdir(parents=True)
        Image.fromarray(image.transpose(1, 2, 0)).resize(size).save(folder / name / "0.png")


@pytest.mark.parametrize("zipped", [False, True])
def test_pictures(tmp_path, zipped):
    images, _ = photos(10)
    write_pictures(tmp_path / "test", images)
    if zipped:
        (tmp_path / "zipped").mkdir()
        with zipfile.ZipFile(tmp_path / "zipped" / "test.zip", "w") as archive:
            for path in sorted((tmp_path / "test").rglob("*.png"), reverse=True):
                archive.write(path, path.relative_to(tmp_path))
    found, labels, classes = read_cifar10(tmp_path / "zipped" if zipped else tmp_path, "test")
    assert (found == images).all() and labels.tolist() == list(range(10)) and classes == CLASSES


def test_pictures_of_something_else(tmp_path):
    images, _ = photos(10)
    write_pictures(tmp_path / "test", images, (33, 32))
    with pytest.raises(FormatError, match=r"airplane/0\.png has 33x32 pixels, expected 32x32"):
        read_cifar10(tmp_path, "test")
    (tmp_path / "test" / "truck").rename(tmp_path / "test" / "tractor")
    with pytest.raises(FormatError, match="tractor"):
        read_cifar10(tmp_path, "test")


def test_nothing_there(tmp_path):
    with pytest.raises(MissingFileError, match="no CIFAR-10 in"):
        read_cifar10(tmp_path, "train")
    with pytest.raises(UsageError, match="valid"):
        read_cifar10(tmp_path, "valid")


@pytest.mark.data
def test_the_real_test_set(data_dir):
    images, labels, classes = read_cifar10(data_dir / "cifar10", "test")
    assert images.shape == (10_000, 3, 32, 32) and images.dtype == np.uint8 and list(classes) == NAMES
    assert (labels == np.repeat(np.arange(10), 1000)).all() and labels.dtype == np.int64
    # Each photo by Pillow itself, at a few places; ships are blue.
    with zipfile.ZipFile(data_dir / "cifar10" / "test.zip") as archive:
        for i in (0, 1000, 5777, 9999):
            with archive.open(f"test/{NAMES[i // 1000]}/{i % 1000:04}.jpg") as file:
                assert (images[i] == np.asarray(Image.open(file).convert("RGB")).transpose(2, 0, 1)).all()
    red, _, blue = images[labels == NAMES.index("ship")].mean(axis=(0, 2, 3))
    assert blue > red + 5
