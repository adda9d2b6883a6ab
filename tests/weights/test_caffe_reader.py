import numpy as np
import pytest
from weight_files import (
    blob,
    caffemodel,
    data_field,
    field_bytes,
    field_int,
    layer_v1,
    layer_v2,
    legacy_blob,
    legacy_fields,
    shape_field,
)

from minicnn.errors import FormatError, MissingFileError
from minicnn.weights import caffe, formats

W = np.arange(24, dtype=np.float32).reshape(4, 3, 2, 1)
B = np.array([1, 2, 3, 4], np.float32)
M = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def read(tmp_path):
    def read(data):
        (tmp_path / "net.caffemodel").write_bytes(data)
        return caffe.read(tmp_path / "net.caffemodel")

    return read


def same(array, expected):
    assert array.dtype == np.float32 and array.dtype.isnative
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("double", [True, False])
def test_version_2(read, packed, double):
    conv = layer_v2("conv", "Convolution", blob(W, packed, double), blob(B, packed, double))
    got = read(caffemodel(layer_v2("data", "Data"), conv, layer_v2("relu", "ReLU")))
    assert got.types == {"conv": "Convolution"} and list(got.tensors) == ["conv.0", "conv.1"]
    same(got.tensors["conv.0"], W)
    same(got.tensors["conv.1"], B)


def test_version_1_with_legacy_shapes(read):
    one = np.full((1, 1, 1, 3), 7, np.float32)  # a convolution's own ones stay
    got = read(
        caffemodel(
            layer_v1("conv", 4, legacy_blob(W, W.shape), legacy_blob(B, (1, 1, 1, 4))),
            layer_v1("thin", 4, legacy_blob(one, one.shape), legacy_blob([5], (1, 1, 1, 1))),
            layer_v1("fc", 14, legacy_blob(M, (1, 1, 2, 3)), legacy_blob([8, 9], (1, 1, 1, 2))),
            layer_v1("other", 26, legacy_blob([5], (1, 1, 1, 1))),
        )
    )
    assert got.types == {"conv": "Convolution", "thin": "Convolution", "fc": "InnerProduct", "other": "type 26"}
    same(got.tensors["conv.0"], W)
    same(got.tensors["conv.1"], B)
    same(got.tensors["thin.0"], one)
    same(got.tensors["thin.1"], [5])
    same(got.tensors["fc.0"], M)
    same(got.tensors["fc.1"], [8, 9])
    assert got.tensors["other.0"].shape == (1, 1, 1, 1)


def test_the_legacy_shape_beats_the_new_one_and_the_last_scalar_wins(read):
    data = shape_field((6,)) + field_int(4, 99) + legacy_blob(M, (1, 1, 2, 3))
    same(read(caffemodel(layer_v2("fc", "InnerProduct", data))).tensors["fc.0"], M)


def test_data_in_several_pieces(read):
    data = shape_field((2, 3)) + data_field([0, 1]) + data_field([2, 3, 4], packed=False) + data_field([5])
    same(read(caffemodel(layer_v2("fc", "InnerProduct", data))).tensors["fc.0"], M)


def test_gradients_are_ignored(read):
    data = blob(M) + field_bytes(6, bytes(24))
    same(read(caffemodel(layer_v2("fc", "InnerProduct", data))).tensors["fc.0"], M)


def bad(*blobs, type_="InnerProduct"):
    return caffemodel(layer_v2("fc", type_, *blobs))


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "no layer with weights"),
        (caffemodel(layer_v2("data", "Data")), "no layer with weights"),
        (caffemodel(layer_v1("fc", 14, blob(M)))[:-1], "truncated"),
        (caffemodel(*[layer_v2("fc", "InnerProduct", blob(M))] * 2), "two layers are called 'fc'"),
        (caffemodel(field_bytes(2, field_bytes(1, b"\x0a\x01a"))), "version 0"),
        (caffemodel(field_int(100, 1)), "kind 0 where bytes"),
        (bad(shape_field((2, 4)) + data_field(M)), r"'fc.0': shape \(2, 4\) needs 32 bytes, the file has 24"),
        (bad(data_field(M)), r"shape \(\) needs 4 bytes, the file has 24"),
        (bad(shape_field((2, 3))), "needs 24 bytes, the file has 0"),
        (bad(shape_field((2, -3)) + data_field(M)), "size -3 in a shape"),
        (bad(shape_field((2**62, 2**62)) + data_field(M)), "more than 281474976710656 elements"),
        (bad(shape_field((0, 2**62)) + data_field(M)), "more than 281474976710656 elements"),
        (bad(shape_field((1,) * 33) + data_field([1])), "33 axes"),
        (bad(shape_field((2, 3)) + field_bytes(5, bytes(23))), "needs 24 bytes, the file has 23"),
        (bad(shape_field((2, 3)) + field_int(5, 1)), "'fc.0': kind 0 where numbers"),
        (bad(legacy_fields((2, 1, 1, 3)) + data_field(M)), r"'fc.0': shape \(2, 1, 1, 3\), expected 1"),
        (bad(blob(M), legacy_fields((1, 1, 2, 3)) + data_field(M)), r"'fc.1': shape \(1, 1, 2, 3\), expected 1"),
        (bad(legacy_fields((1, 1, 2)) + data_field(M)), r"shape \(1, 1, 2, 0\) needs 0 bytes, the file has 24"),
    ],
)
def test_bad_files(read, data, reason):
    with pytest.raises(FormatError, match=reason):
        read(data)


def test_doubles_too_large_become_inf(read):
    data = shape_field((1,)) + data_field([1e300], double=True)
    assert np.isinf(read(bad(data)).tensors["fc.0"]).all()


def test_mean_image(tmp_path):
    path, mean = tmp_path / "mean.binaryproto", np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    for data in (legacy_blob(mean, (1, 3, 2, 2)), blob(mean)):
        path.write_bytes(data)
        same(caffe.read_mean(path), mean)
    path.write_bytes(legacy_blob(mean, (3, 1, 2, 2)))
    with pytest.raises(FormatError, match=r"shape \(C, H, W\), this one \(3, 1, 2, 2\)"):
        caffe.read_mean(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(MissingFileError, match="no such file"):
        caffe.read(tmp_path / "none.caffemodel")


@pytest.mark.data
@pytest.mark.parametrize(
    "file, parameters, first",
    [
        ("bvlc_googlenet.caffemodel", 6_998_552, ("conv1/7x7_s2.0", (64, 3, 7, 7))),
        ("squeezenet_v1.1.caffemodel", 1_235_496, ("conv1.0", (64, 3, 3, 3))),
        ("lenet_iter_10000.caffemodel", 431_080, ("conv1.0", (20, 1, 5, 5))),
        ("cifar10_quick_iter_5000.caffemodel", 145_578, ("conv1.0", (32, 3, 5, 5))),
    ],
)
def test_real_files(data_dir, file, parameters, first):
    got = formats.read(data_dir / "weights" / file)
    assert got.format == "caffe"
    assert sum(array.size for array in got.tensors.values()) == parameters
    name, array = next(iter(got.tensors.items()))
    assert (name, array.shape) == first
    assert all(np.isfinite(a).all() and abs(a).max() < 100 for a in got.tensors.values())


@pytest.mark.data
def test_real_inner_products_have_two_axes(data_dir):
    for file, ip1 in (("lenet_iter_10000.caffemodel", (500, 800)), ("cifar10_quick_iter_5000.caffemodel", (64, 1024))):
        got = caffe.read(data_dir / "weights" / file)
        assert got.tensors["ip1.0"].shape == ip1 and got.tensors["ip1.1"].shape == ip1[:1]
        assert got.types["ip1"] == "InnerProduct"


@pytest.mark.data
def test_real_mean_image(data_dir):
    mean = caffe.read_mean(data_dir / "weights" / "imagenet_mean.binaryproto")
    assert mean.shape == (3, 256, 256) and mean.dtype == np.float32
    # Caffe's documents give these averages, in BGR.
    np.testing.assert_allclose(mean.mean(axis=(1, 2)), [104.0, 116.7, 122.7], atol=0.1)
