import hashlib
import json
import os
from dataclasses import replace

import numpy as np
import pytest
from weight_files import (
    blob,
    caffemodel,
    layer_v2,
    ordered_dict,
    pickled,
    safetensors_file,
    tensor,
    torch_zip,
)

import minicnn.assets
import minicnn.zoo
from minicnn import Net
from minicnn.errors import FormatError, MissingFileError, UnknownNameError
from minicnn.layers import Conv2d, ReLU
from minicnn.meta import Meta
from minicnn.weights import formats, graph_json, native, store
from minicnn.zoo.base import Entry

W = np.arange(54, dtype=np.float32).reshape(2, 3, 3, 3)
B = np.array([0.5, -0.5], np.float32)
CAFFE = caffemodel(layer_v2("c", "Convolution", blob(W), blob(B)), layer_v2("loss1", "InnerProduct", blob(W[0, 0])))
META = Meta("tiny", (3, 8, 8), "BGR", 255.0, (104, 117, 123), (1, 1, 1), "squash", 10)
STRINGS = {f: getattr(META, f) for f in ("input_size", "channel_order", "range", "mean", "std", "resize", "resize_to")}


@pytest.fixture
def zoo(monkeypatch):
    """A zoo of one net, "tiny": a convolution called conv with one filter a class."""
    torch = {"conv.w": "features.0.weight", "conv.b": "features.0.bias"}
    tiny = Entry(
        name="tiny",
        nodes=lambda classes: [("conv", Conv2d(3, classes, 3)), ("relu", ReLU())],
        preprocess={"caffe": STRINGS, "torch": {**STRINGS, "channel_order": "RGB", "range": 1.0}},
        sources={"caffe": lambda net: {"conv.w": "c.0", "conv.b": "c.1"}, "torch": lambda net: torch},
        about="",
        reference="",
        licence="free",
        classes=2,
        ignored=("loss1",),
    )
    monkeypatch.setattr(minicnn.zoo, "_entries", lambda: {"tiny": tiny})


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Empty folders: two of MINICNN_WEIGHTS, and the cache."""
    folders = [tmp_path / "one", tmp_path / "two", tmp_path / "cache" / "weights"]
    for folder in folders:
        folder.mkdir(parents=True)
    monkeypatch.setenv("MINICNN_WEIGHTS", os.pathsep.join(map(str, folders[:2])))
    monkeypatch.setenv("MINICNN_CACHE_DIR", str(tmp_path / "cache"))
    return folders


def tiny_net(meta=META):
    net = Net([("conv", Conv2d(3, 2, 3)), ("relu", ReLU())], meta=meta)
    net.load_state_dict({"conv.w": W, "conv.b": B})
    return net


def save(path, w=W, meta=META):
    """The net tiny; w may be of a wrong shape or have NaN in it."""
    net = tiny_net(meta)
    net["conv"].layer.params["w"] = w
    native.save(path, net)
    return path


# Finding


def test_names_and_their_order(places):
    one, two, cache = places
    files = [
        cache / "net.safetensors",
        two / "net-0123abcd.safetensors",
        two / "net.safetensors",
        one / "net.safetensors",
    ]
    for file in files:
        file.write_bytes(b"")
        assert store.find("net") == file
    assert store.find("net-0123abcd") == two / "net-0123abcd.safetensors"


def test_names_that_only_look_alike(places):
    for name in ("net2-0123abcd", "net-0123abc", "net-0123abcg", "net-x-0123abcd", "a-net"):
        (places[0] / f"{name}.safetensors").write_bytes(b"")
    (places[0] / "net-0123abcd.caffemodel").write_bytes(b"")
    with pytest.raises(MissingFileError, match="no weights 'net' in"):
        store.find("net")
    assert store.find("net-x") == places[0] / "net-x-0123abcd.safetensors"


def test_two_of_a_name_in_one_folder(places):
    for digits in ("0123abcd", "11111111"):
        (places[0] / f"net-{digits}.safetensors").write_bytes(b"")
    with pytest.raises(MissingFileError, match=r"'net' may be net-0123abcd or net-11111111 in .*one: say which"):
        store.find("net")
    assert store.find("net-11111111") == places[0] / "net-11111111.safetensors"
    assert {"net-0123abcd", "net-11111111"} <= store.available().keys()


def test_paths(places, monkeypatch):
    monkeypatch.chdir(places[0])
    for name in ("file", "file.pth"):
        (places[0] / name).write_bytes(b"")
        assert store.find(name) == store.find(name).relative_to(".")
    (places[0] / "dots.1.safetensors").write_bytes(b"")
    assert store.find("dots.1") == places[0] / "dots.1.safetensors"
    for path in ("none.caffemodel", "folder/none", places[1] / "none"):
        with pytest.raises(MissingFileError, match=f"cannot read {path}: no such file"):
            store.find(path)


def test_what_is_missing_says_where_it_looked(places):
    (places[1] / "vgg16-0123abcd.safetensors").write_bytes(b"")
    with pytest.raises(MissingFileError) as caught:
        store.find("googlenet")
    text = str(caught.value)
    for part in (
        *map(str, places),
        "there are",
        "vgg16",
        f"minicnn models import FILE --arch googlenet --out {places[2]}",
    ):
        assert part in text
    assert "\n" not in text


def test_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("MINICNN_CACHE_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert store.cache_folder() == tmp_path / ".cache" / "minicnn" / "weights"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert store.cache_folder() == tmp_path / "xdg" / "minicnn" / "weights"
    monkeypatch.setenv("MINICNN_CACHE_DIR", str(tmp_path / "own"))
    assert store.cache_folder() == tmp_path / "own" / "weights"


def test_what_ships_is_looked_at_last(monkeypatch):
    monkeypatch.delenv("MINICNN_WEIGHTS", raising=False)
    assert [str(folder) for folder in store.folders()[1:]] == [os.path.dirname(minicnn.assets.__file__)]


# Loading


def test_load(places):
    save(places[0] / "tiny.safetensors")
    net = store.load("tiny")
    assert net.frozen and net.meta == META
    state = net.state_dict()
    np.testing.assert_array_equal(state["conv.w"], W)
    np.testing.assert_array_equal(state["conv.b"], B)
    with pytest.raises(ValueError, match="read-only"):
        state["conv.w"][:] = 0


def test_weights_that_do_not_fit(places):
    save(places[0] / "tiny.safetensors", w=W[:1])
    with pytest.raises(
        FormatError, match=r"tiny.safetensors: its tensors are not those of its nodes: conv.w.*\(1,3,3,3\).*\(2,3,3,3\)"
    ):
        store.load("tiny")


def test_a_tensor_that_is_missing(places):
    path = places[0] / "tiny.safetensors"
    header = {
        "__metadata__": {"graph": graph_json.to_json(tiny_net())},
        "conv.w": {"dtype": "F32", "shape": list(W.shape), "data_offsets": [0, W.nbytes]},
    }
    path.write_bytes(safetensors_file(json.dumps(header), W.tobytes()))
    with pytest.raises(FormatError, match=r"missing conv.b"):
        store.load("tiny")


def test_nan_is_refused_unless_asked_for(places):
    bad = W.copy()
    bad[0, 0, 0, :2] = np.nan, np.inf
    save(places[0] / "tiny.safetensors", w=bad)
    with pytest.raises(FormatError, match=r"'conv.w': 2 of 54 values are NaN or infinite"):
        store.load("tiny")
    assert np.isnan(store.load("tiny", allow_nonfinite=True).state_dict()["conv.w"]).sum() == 1


def test_other_frameworks_files_are_not_loaded(zoo, tmp_path):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(CAFFE)
    with pytest.raises(FormatError, match=r"convert it once: minicnn models import .*net.caffemodel --arch"):
        store.load(path)


# Importing


@pytest.fixture
def source(tmp_path):
    def source(data, name="net.caffemodel"):
        (tmp_path / name).write_bytes(data)
        return tmp_path / name

    return source


def test_import_caffe(zoo, source, tmp_path):
    sha256 = hashlib.sha256(CAFFE).hexdigest()
    out = store.import_file(source(CAFFE), "tiny", tmp_path / "out", licence="BSD")
    assert out == tmp_path / "out" / f"tiny-{sha256[:8]}.safetensors"
    got = formats.read(out)
    assert got.tensors.keys() == {"conv.w", "conv.b"}
    np.testing.assert_array_equal(got.tensors["conv.w"], W)
    assert got.meta == Meta(**STRINGS, architecture="tiny", source="net.caffemodel", licence="BSD", sha256=sha256)
    assert store.load(out).meta == got.meta


def test_import_torch_with_classes_and_a_name(zoo, source, tmp_path):
    state = ordered_dict({"features.0.weight": tensor("0", (2, 3, 3, 3)), "features.0.bias": tensor("1", (2,))})
    data = torch_zip(pickled(state), {"0": W.tobytes(), "1": B.tobytes()})
    labels = source("n01440764 tench, Tinca tinca\n\nn01443537\tcafé\r\n".encode(), "words.txt")
    out = store.import_file(source(data, "x"), "tiny", tmp_path, name="mine", classes=labels, mean=[1, 2, 3])
    meta = formats.read(out).meta
    assert out.name == "mine.safetensors"
    assert (meta.channel_order, meta.range, meta.mean, meta.licence) == ("RGB", 1.0, (1, 2, 3), "free")
    assert meta.classes == ("tench, Tinca tinca", "café")


def test_import_our_own_form_keeps_what_it_says(zoo, tmp_path):
    path = save(tmp_path / "a.safetensors")
    meta = formats.read(store.import_file(path, "tiny", tmp_path, name="b", licence="x")).meta
    assert (meta.mean, meta.licence) == (META.mean, "x")


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
        (("c", "Convolution", blob(W), blob(B)), {"colour": 1}, "unexpected keyword argument 'colour'"),
    ],
)
def test_what_cannot_be_imported_leaves_nothing(zoo, source, tmp_path, layer, more, reason):
    path = source(caffemodel(layer_v2(*layer)))
    with pytest.raises(FormatError, match=reason):
        store.import_file(path, "tiny", tmp_path / "out", **more)
    assert not (tmp_path / "out").exists()


def test_nan_can_be_imported_if_asked_for(zoo, source, tmp_path):
    path = source(caffemodel(layer_v2("c", "Convolution", blob(W * np.float32("nan")), blob(B))))
    out = store.import_file(path, "tiny", tmp_path, allow_nonfinite=True)
    assert np.isnan(formats.read(out).tensors["conv.w"]).all()


def test_class_names_of_another_net(zoo, source, tmp_path):
    path, labels = source(CAFFE), source(b"one\ntwo\nthree", "words.txt")
    with pytest.raises(FormatError, match=r"not the weights of tiny with 3 classes: conv.w.*\(2,3,3,3\).*\(3,3,3,3\)"):
        store.import_file(path, "tiny", tmp_path, classes=labels)


def test_a_net_of_other_classes_than_the_published_one(zoo, source, tmp_path):
    path = source(caffemodel(layer_v2("c", "Convolution", blob(W[:1]), blob(B[:1]))))
    out = store.import_file(path, "tiny", tmp_path, classes=source(b"only\n", "words.txt"))
    assert store.load(out).meta.classes == ("only",)


def test_a_net_that_the_zoo_does_not_have(zoo, source, places):
    with pytest.raises(UnknownNameError, match="no architecture 'tini'; did you mean tiny"):
        store.import_file(source(CAFFE), "tini", places[0])


def test_a_file_of_our_own_needs_no_zoo(zoo, places):
    save(places[0] / "tiny.safetensors", meta=replace(META, architecture="tini"))
    assert store.load("tiny").meta.architecture == "tini"


def test_class_names_that_are_no_text(tmp_path):
    (tmp_path / "words").write_bytes(b"\xff\xfe")
    with pytest.raises(FormatError, match="not UTF-8"):
        store.read_classes(tmp_path / "words")


@pytest.mark.data
def test_real_class_names(data_dir):
    names = store.read_classes(data_dir / "labels" / "synset_words.txt")
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
    net = store.load(store.import_file(data_dir / "weights" / file, arch, tmp_path, classes=labels))
    published = formats.read(data_dir / "weights" / file).tensors
    assert sorted(a.tobytes() for a in net.state_dict().values()) == sorted(a.tobytes() for a in published.values())
    assert net.frozen and net.meta.classes[1] == "goldfish, Carassius auratus"
    assert net.meta.channel_order == ("RGB" if file.endswith("pth") else "BGR")


@pytest.mark.data
def test_files_of_another_net(data_dir, tmp_path):
    with pytest.raises(
        FormatError, match=r"bvlc_googlenet.caffemodel: tensor '.*': is .*: not the weights of squeezenet1_1"
    ):
        store.import_file(data_dir / "weights" / "bvlc_googlenet.caffemodel", "squeezenet1_1", tmp_path)
