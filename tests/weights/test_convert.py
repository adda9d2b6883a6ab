"""Other people's files into minicnn's own form, with what is known of their preprocessing, or said."""

import hashlib

import numpy as np
import pytest
import tiny_zoo
from tiny_zoo import CAFFE, FIELDS, META, TORCH, B, W
from weight_files import blob, caffemodel, layer_v2, legacy_blob

from minicnn.errors import FormatError, MinicnnError, UnknownNameError, UsageError
from minicnn.mean_image import MeanImage
from minicnn.meta import Meta
from minicnn.vis.image import preprocess
from minicnn.weights import formats, native, store
from minicnn.weights.convert import import_file, read_classes


def test_import_caffe(zoo, source, tmp_path):
    sha256 = hashlib.sha256(CAFFE).hexdigest()
    out = import_file(source(CAFFE), "tiny", tmp_path / "out", changes={"licence": "BSD"})
    assert out == tmp_path / "out" / f"tiny-{sha256[:8]}.safetensors"
    got = formats.read(out)
    assert got.tensors.keys() == {"conv.w", "conv.b"}
    np.testing.assert_array_equal(got.tensors["conv.w"], W)
    assert got.meta == Meta(**FIELDS, architecture="tiny", source="net.caffemodel", licence="BSD", sha256=sha256)
    assert store.load(out).meta == got.meta


def test_import_torch_with_classes_and_a_name(zoo, source, tmp_path):
    labels = source("n01440764 tench, Tinca tinca\n\nn01443537\tcafé\r\n".encode(), "words.txt")
    out = import_file(source(TORCH, "x"), "tiny", tmp_path, "mine", classes=labels, changes={"mean": [1, 2, 3]})
    meta = formats.read(out).meta
    assert out.name == "mine.safetensors"
    assert (meta.channel_order, meta.range, meta.mean, meta.licence) == ("RGB", 1.0, (1, 2, 3), "free")
    assert meta.classes == ("tench, Tinca tinca", "café")


def test_import_our_own_form_keeps_what_it_says(zoo, tmp_path):
    native.save(tmp_path / "a.safetensors", tiny_zoo.net())
    path = import_file(tmp_path / "a.safetensors", None, tmp_path, name="b", changes={"licence": "x"})
    meta = formats.read(path).meta
    assert (meta.architecture, meta.mean, meta.licence) == ("tiny", META.mean, "x")
    assert meta.sha256 == hashlib.sha256((tmp_path / "a.safetensors").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "layer, more, reason",
    [
        (("c", "Convolution", blob(W)), {}, "'c.1': is not in the file: not the weights of tiny"),
        (("c", "Convolution", blob(W[:1]), blob(B)), {}, r"conv.w.*\(1,3,3,3\).*\(2,3,3,3\)"),
        (
            ("c", "Convolution", blob(np.full_like(W, np.inf)), blob(B)),
            {},
            "'conv.w': 54 of 54 values are NaN or infinite",
        ),
        (("c", "Convolution", blob(W), blob(B)), {"range": -1}, "range is -1"),
    ],
)
def test_what_cannot_be_imported_leaves_nothing(zoo, source, tmp_path, layer, more, reason):
    path = source(caffemodel(layer_v2(*layer)))
    with pytest.raises(FormatError, match=reason):
        import_file(path, "tiny", tmp_path / "out", changes=more)
    assert not (tmp_path / "out").exists()


def test_nan_can_be_imported_if_asked_for(zoo, source, tmp_path):
    path = source(caffemodel(layer_v2("c", "Convolution", blob(W * np.float32("nan")), blob(B))))
    out = import_file(path, "tiny", tmp_path, allow_nonfinite=True)
    assert np.isnan(formats.read(out).tensors["conv.w"]).all()


def test_class_names_of_another_net(zoo, source, tmp_path):
    path, labels = source(CAFFE), source(b"one\ntwo\nthree", "words.txt")
    with pytest.raises(FormatError, match=r"not the weights of tiny with 3 classes: conv.w.*\(2,3,3,3\).*\(3,3,3,3\)"):
        import_file(path, "tiny", tmp_path, classes=labels)


def test_a_net_of_other_classes_than_the_published_one(zoo, source, tmp_path):
    path = source(caffemodel(layer_v2("c", "Convolution", blob(W[:1]), blob(B[:1]))))
    out = import_file(path, "tiny", tmp_path, classes=source(b"only\n", "words.txt"))
    assert store.load(out).meta.classes == ("only",)


def test_a_net_that_the_zoo_does_not_have(zoo, source, places):
    with pytest.raises(UnknownNameError, match="no architecture 'tini'; did you mean tiny"):
        import_file(source(CAFFE), "tini", places[0])


def test_class_names_that_are_no_text(tmp_path):
    (tmp_path / "words").write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match="not UTF-8"):
        read_classes(tmp_path / "words")


@pytest.mark.data
def test_real_class_names(data_dir):
    names = read_classes(data_dir / "labels" / "synset_words.txt")
    assert len(names) == 1000 and names[0] == "tench, Tinca tinca" and names[2].startswith("great white shark")


@pytest.mark.data
@pytest.mark.parametrize(
    "file, arch",
    [
        ("bvlc_googlenet.caffemodel", "googlenet"),
        ("squeezenet_v1.1.caffemodel", "squeezenet1_1"),
        ("squeezenet1_1.pth", "squeezenet1_1"),
    ],
)
def test_real_files_into_the_zoo(data_dir, file, arch, tmp_path):
    labels = data_dir / "labels" / "synset_words.txt"
    net = store.load(import_file(data_dir / "weights" / file, arch, tmp_path, classes=labels))
    published = formats.read(data_dir / "weights" / file).tensors
    assert sorted(a.tobytes() for a in net.state_dict().values()) == sorted(a.tobytes() for a in published.values())
    assert net.frozen and net.meta.classes[1] == "goldfish, Carassius auratus"
    assert net.meta.channel_order == ("RGB" if file.endswith("pth") else "BGR")


@pytest.mark.data
def test_files_of_another_net(data_dir, tmp_path):
    with pytest.raises(
        FormatError, match=r"bvlc_googlenet.caffemodel: tensor '.*': is .*: not the weights of squeezenet1_1"
    ):
        import_file(data_dir / "weights" / "bvlc_googlenet.caffemodel", "squeezenet1_1", tmp_path)


# Preprocessing


def imported(path, tmp_path, arch="tiny", **more):
    return formats.read(import_file(path, arch, tmp_path, "out", **more)).meta


def test_what_is_said_of_images_takes_the_place_of_what_is_known(zoo, source, tmp_path):
    changes = {"mean": (7.0,), "std": (2.0, 3.0, 4.0), "input_size": (6, 10), "resize": "crop", "resize_to": 12}
    meta = imported(source(CAFFE), tmp_path, changes={**changes, "interpolation": "bicubic"})
    assert (meta.mean, meta.std, meta.input_size) == ((7, 7, 7), (2, 3, 4), (3, 6, 10))
    assert (meta.resize, meta.resize_to, meta.interpolation) == ("crop", 12, "bicubic")
    assert (meta.channel_order, meta.range) == ("BGR", 255)


MEAN = np.random.default_rng(0).uniform(100, 150, (3, 10, 11)).astype(np.float32)


def test_a_mean_image_goes_along_and_is_cut_to_the_input(zoo, source, tmp_path):
    proto = source(legacy_blob(MEAN, (1, 3, 10, 11)), "mean.binaryproto")
    meta = imported(source(CAFFE), tmp_path, mean_image=proto)
    middle = MEAN[:, 1:9, 1:9]  # 8 of 10 rows, and 8 of 11 columns: 1.5 on each side, and Caffe floors
    assert meta.mean_image == MeanImage(middle)
    np.testing.assert_allclose(meta.mean, middle.mean(axis=(1, 2)), rtol=1e-6)
    x = preprocess(np.full((10, 10, 3), (30, 20, 10), np.uint8), meta)
    np.testing.assert_allclose(x[0], np.reshape([10, 20, 30], (3, 1, 1)) - middle, atol=1e-5)
    small = source(legacy_blob(MEAN[:, :7], (1, 3, 7, 11)), "small.binaryproto")
    with pytest.raises(FormatError, match="7x11, smaller than the net's input 8x8"):
        imported(source(CAFFE), tmp_path, mean_image=small)


@pytest.fixture
def own(tmp_path):
    """A file of ours of a net of which nothing is known."""
    native.save(tmp_path / "own.safetensors", tiny_zoo.net(meta=None))
    return tmp_path / "own.safetensors"


def test_a_described_net_of_which_nothing_is_said(own, tmp_path):
    out = import_file(own, None, tmp_path / "out")
    assert out.name == f"own-{hashlib.sha256(own.read_bytes()).hexdigest()[:8]}.safetensors"
    assert store.load(out).meta is None


def test_a_described_net_of_which_all_is_said(own, source, tmp_path):
    labels = source(b"a\nb\n", "words.txt")
    changes = {"channel_order": "RGB", "range": 1.0, "input_size": (8, 9)}
    meta = imported(own, tmp_path, None, classes=labels, changes=changes)
    sha256 = hashlib.sha256(own.read_bytes()).hexdigest()
    expected = Meta("own", (3, 8, 9), "RGB", 1.0, (0, 0, 0), (1, 1, 1), "squash", 9, ("a", "b"))
    assert meta == Meta(**{**vars(expected), "source": "own.safetensors", "sha256": sha256})


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"range": 1.0}, "say channel_order, input_size too, or nothing of it"),
        ({"channel_order": "RGB"}, "say range, input_size too"),
        ({"channel_order": "RGB", "range": 1.0}, "say input_size too"),
    ],
)
def test_a_described_net_of_which_too_little_is_said(own, tmp_path, changes, reason):
    with pytest.raises(UsageError, match=reason):
        import_file(own, None, tmp_path / "out", changes=changes)


TRAINED = """
layer { name: "data" type: "%s" top: "data" transform_param { scale: 0.5 crop_size: 8 %s } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 2 kernel_size: 3 } }
"""


def test_what_a_caffe_net_tells_of_its_training_is_known(source, tmp_path):
    prototxt = source((TRAINED % ("ImageData", "mean_value: 104")).encode(), "train.prototxt")
    meta = imported(source(CAFFE), tmp_path, None, prototxt=prototxt)
    assert (meta.channel_order, meta.range, meta.mean, meta.std) == ("BGR", 127.5, (52, 52, 52), (1, 1, 1))
    assert (meta.architecture, meta.input_size, meta.resize, meta.resize_to) == ("net", (3, 8, 8), "squash", 8)
    assert imported(source(CAFFE), tmp_path, None, prototxt=prototxt, changes={"resize_to": 9}).resize_to == 9


def test_what_a_caffe_net_tells_may_be_too_little(source, tmp_path):
    prototxt = source((TRAINED % ("Data", "mean_value: 104")).encode(), "train.prototxt")
    assert imported(source(CAFFE), tmp_path, None, prototxt=prototxt) is None
    assert imported(source(CAFFE), tmp_path, None, prototxt=prototxt, changes={"channel_order": "RGB"}).range == 127.5
    prototxt = source((TRAINED % ("ImageData", 'mean_file: "a.binaryproto"')).encode(), "train.prototxt")
    assert imported(source(CAFFE), tmp_path, None, prototxt=prototxt) is None
    with pytest.raises(UsageError, match=r"say mean_image \(it was trained with 'a.binaryproto'\) too"):
        imported(source(CAFFE), tmp_path, None, prototxt=prototxt, changes={"resize_to": 9})
    proto = source(legacy_blob(MEAN, (1, 3, 10, 11)), "mean.binaryproto")
    meta = imported(source(CAFFE), tmp_path, None, prototxt=prototxt, mean_image=proto)
    assert meta.mean_image == MeanImage(MEAN[:, 1:9, 1:9])


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"mean": (1.0, 2.0)}, r"mean is \(1.0, 2.0\), expected one number a channel"),
        ({"input_size": (8,)}, "input_size is"),
        ({"input_size": (400, 400)}, "resize_to is 10, expected a size that is at least H and W"),
        ({"channel_order": "L"}, "channel_order is L"),
        ({"classes": ("a",)}, r"relu: 1 class names for an output of \(1,2,6,6\)"),
        ({"colour": 1}, "unexpected keyword argument 'colour'"),
    ],
)
def test_what_is_said_has_to_fit(zoo, source, tmp_path, changes, reason):
    with pytest.raises(MinicnnError, match=reason):
        import_file(source(CAFFE), "tiny", tmp_path / "out", changes=changes)
    assert not (tmp_path / "out").exists()


@pytest.mark.data
def test_the_mean_image_of_imagenet(data_dir, tmp_path):
    weights = data_dir / "weights"
    path = import_file(
        weights / "squeezenet_v1.1.caffemodel",
        "squeezenet1_1",
        tmp_path,
        mean_image=weights / "imagenet_mean.binaryproto",
    )
    meta = store.load(path).meta
    assert meta.mean_image.values.shape == meta.input_size
    assert meta.mean == pytest.approx((104, 117, 123), abs=3)  # Caffe's mean colour is the mean of this image
