"""`minicnn models`: what is there, where more can be had, and whether it is whole."""

import hashlib
import json
import re

import numpy as np
import pytest
import tiny_zoo
from PIL import Image
from tiny_zoo import CAFFE, TORCH, B, W
from weight_files import safetensors_file
from weight_server import page, running

import minicnn
import minicnn.zoo
from minicnn.cli.main import main
from minicnn.weights import native, store
from minicnn.zoo.file import File

SHA256 = hashlib.sha256(TORCH).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache; returns the folder of weights in it."""
    monkeypatch.setenv("MINICNN_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("MINICNN_WEIGHTS", "MINICNN_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "weights"


@pytest.fixture
def run(capsys):
    """Runs a command line; returns (exit code, stdout, stderr)."""

    def call(*argv):
        code = main([str(word) for word in argv])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def server(monkeypatch):
    """A server that has the file of the zoo's only net, "tiny"."""
    with running() as server:
        caffe = File(f"{server.url}/tiny.caffemodel", "caffe", sha1=hashlib.sha1(CAFFE).hexdigest(), size=2_000_000)
        files = (File(f"{server.url}/tiny.pth", "torch", sha256=SHA256[:8], top1=71.5), caffe)
        monkeypatch.setattr(minicnn.zoo, "_entries", lambda: {"tiny": tiny_zoo.entry(files)})
        server.pages = {"/tiny.pth": page(TORCH), "/tiny.caffemodel": page(CAFFE)}
        yield server


# fetch


def test_fetch(run, server, cache):
    path = cache / f"tiny-{SHA256[:8]}.safetensors"
    code, out, err = run("models", "fetch", "tiny")
    assert (code, out) == (0, f"{path}\n")
    assert "tiny: tiny.pth from 127.0.0.1" in err and "licence: free" in err and "%" not in err  # no bar: no terminal
    assert run("models", "fetch", "tiny", "-q") == (0, f"{path}\n", "")
    assert json.loads(run("models", "fetch", "tiny", "--json")[1]) == {"files": [{"name": "tiny", "file": str(path)}]}
    assert [asked for asked, _ in server.asked] == ["/tiny.pth"]
    assert store.load("tiny").meta.channel_order == "RGB"


def test_fetch_the_other_format(run, server, cache):
    code, out, _ = run("models", "fetch", "tiny", "--format", "caffe")
    assert code == 0 and store.load(out.strip()).meta.channel_order == "BGR"
    assert run("models", "fetch", "tiny", "--format", "keras")[0] == 2


def test_fetch_that_fails(run, server, cache, monkeypatch):
    server.pages = {}
    code, out, err = run("models", "fetch", "tiny")
    last = err.splitlines()[-1]
    assert (code, out) == (4, "") and "404" in last and f"{server.url}/tiny.pth (sha256 {SHA256[:8]}...)" in last
    monkeypatch.setenv("MINICNN_OFFLINE", "1")
    code, out, err = run("models", "fetch", "tiny", "-q")
    assert (code, out) == (4, "") and len(err.splitlines()) == 1 and "MINICNN_OFFLINE forbids" in err
    code, _, err = run("models", "fetch", "tinny")
    assert code == 2 and "no architecture 'tinny'; did you mean tiny" in err
    assert run("models", "fetch")[0] == 2


def test_what_is_not_there_can_be_fetched(run, server):
    code, _, err = run("predict", "photo.jpg", "--model", "tiny")
    assert code == 4 and "download them: minicnn models fetch tiny" in err


# verify


def test_verify(run, cache):
    net = minicnn.build("lenet", seed=0)
    minicnn.save(net, cache / "mine.safetensors")
    code, out, _ = run("models", "verify")
    assert code == 0
    found = {line.split()[0]: line.split()[1] for line in out.splitlines()[1:]}
    assert found == dict.fromkeys(["mine", "mnist-lenet", "shapes", "cifar10", "cifar10-robust"], "ok")
    data = bytearray((cache / "mine.safetensors").read_bytes())
    data[-1] ^= 1
    (cache / "mine.safetensors").write_bytes(data)
    code, out, _ = run("models", "verify")
    assert code == 4 and "damaged: its content is not what was written" in out
    code, out, _ = run("models", "verify", "--json")
    files = {file["name"]: file for file in json.loads(out)["files"]}
    assert code == 4 and files["mnist-lenet"]["ok"] and not files["mine"]["ok"] and "damaged" in files["mine"]["fault"]
    assert run("models", "verify", "mnist-lenet")[0] == 0
    assert run("models", "verify", cache / "mine.safetensors")[0] == 4


def test_verify_what_was_not_written_here(run, cache):
    cache.mkdir(parents=True)
    (cache / "theirs.safetensors").write_bytes(safetensors_file("{}", b""))
    (cache / "empty.safetensors").write_bytes(b"")
    code, out, _ = run("models", "verify")
    assert code == 4 and "it was not minicnn that wrote it" in out and re.search(r"mnist-lenet +ok", out)


def test_verify_what_is_not_there(run):
    code, out, err = run("models", "verify", "mnist-lennet")
    assert (code, out) == (2, "") and "did you mean mnist-lenet" in err
    assert run("models", "verify", "none.safetensors")[0] == 4
    assert run("models", "verify", "googlenet")[0] == 4


# list and info


def test_list(run, server):
    out = run("models", "list")[1]
    first, second = out.splitlines()[1:3]
    assert first.split() == ["tiny", "torch", "71.5", "a", "convolution"] and second.split() == ["caffe", "2"]
    found = json.loads(run("models", "list", "--json")[1])["architectures"]
    assert found[0]["files"][0] == {
        "url": f"{server.url}/tiny.pth",
        "format": "torch",
        "hash": f"sha256 {SHA256[:8]}...",
        "bytes": None,
        "top1": 71.5,
    }


def test_info_says_what_is_published(run, server):
    out = run("models", "info", "tiny")[1]
    assert f"published      {server.url}/tiny.pth, sha256 {SHA256[:8]}..., 71.5 % right\n" in out
    assert f"published      {server.url}/tiny.caffemodel, sha1 " in out and ", 2 MB\n" in out
    assert "none: architecture only" in out
    found = json.loads(run("models", "info", "tiny", "--json")[1])
    assert [file["format"] for file in found["published"]] == ["torch", "caffe"] and found["weights"] is None


def test_info_of_a_net_without_preprocessing(run, tmp_path):
    native.save(tmp_path / "net.safetensors", tiny_zoo.net(meta=None))
    code, out, _ = run("models", "info", tmp_path / "net.safetensors")
    rows = [line.split("  ", 1) for line in out.splitlines()[2:]]
    assert code == 0 and [name for name, _ in rows] == ["node", "conv", "relu"]
    assert rows[1][1].startswith("Conv2d(3, 2, ") and rows[1][1].endswith("  data") and rows[2][1].endswith("  conv")
    found = json.loads(run("models", "info", tmp_path / "net.safetensors", "--json")[1])
    assert found["meta"] is None and found["layers"][0] == {
        "name": "conv",
        "layer": repr(tiny_zoo.net()["conv"].layer),
        "inputs": "data",
    }
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    code, _, err = run("predict", tmp_path / "photo.png", "--model", tmp_path / "net.safetensors")
    assert code == 4 and "this net has no meta" in err


# import


def test_import_with_all_its_options(run, server, tmp_path):
    (tmp_path / "net.caffemodel").write_bytes(CAFFE)
    (tmp_path / "words.txt").write_text("cat\ndog\n")
    options = "--channel-order RGB --range 1 --mean 0.1,0.2,0.3 --std 2 --resize crop --resize-to 12 --input-size 9x10"
    more = f"--interpolation bicubic --labels {tmp_path}/words.txt --name mine --out {tmp_path}/out"
    code, out, err = run(
        "models", "import", tmp_path / "net.caffemodel", "--arch", "tiny", *f"{options} {more}".split()
    )
    assert (code, out, err) == (0, f"{tmp_path}/out/mine.safetensors\n", "")
    meta = store.load(out.strip()).meta
    assert (meta.channel_order, meta.range, meta.mean, meta.std) == ("RGB", 1, (0.1, 0.2, 0.3), (2, 2, 2))
    assert (meta.input_size, meta.resize, meta.resize_to) == ((3, 9, 10), "crop", 12)
    assert (meta.interpolation, meta.classes) == ("bicubic", ("cat", "dog"))


def test_import_a_part(run, server, tmp_path):
    header = {
        "conv.weight": {"dtype": "F32", "shape": list(W.shape), "data_offsets": [0, W.nbytes]},
        "conv.bias": {"dtype": "F32", "shape": [2], "data_offsets": [W.nbytes, W.nbytes + B.nbytes]},
    }
    path = tmp_path / "part.safetensors"
    path.write_bytes(safetensors_file(json.dumps(header), W.tobytes() + B.tobytes()))
    argv = ("models", "import", path, "--arch", "tiny", "--upto", "conv", "--out", tmp_path, "--name", "part")
    assert run(*argv)[0] == 4  # whose preprocessing?
    assert run(*argv, "--format", "caffe")[0] == 0
    assert [node.name for node in store.load(path).nodes] == ["conv"]


@pytest.mark.parametrize(
    "options, said",
    [
        ("--arch tiny --mean a,b", "argument --mean: 'a,b': expected numbers with commas between"),
        ("--arch tiny --input-size 3x4x5", "argument --input-size: '3x4x5': expected a size as in 224 or 224x320"),
        ("--arch tiny --resize squish", "no way 'squish'; did you mean squash"),
        ("--arch tiny --channel-order GBR", "no order 'GBR'"),
        ("--arch tiny --prototxt x", "is the architecture tiny: say one of the two"),
        ("--arch tinny", "no architecture 'tinny'; did you mean tiny"),
    ],
)
def test_import_that_is_asked_for_wrongly(run, server, tmp_path, options, said):
    (tmp_path / "net.caffemodel").write_bytes(CAFFE)
    code, out, err = run("models", "import", tmp_path / "net.caffemodel", "--out", tmp_path / "out", *options.split())
    assert (code, out) == (2, "") and said in err and len(err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_predict_says_all_that_it_did_to_the_picture(run, server, tmp_path):
    from weight_files import legacy_blob

    (tmp_path / "net.caffemodel").write_bytes(CAFFE)
    mean = np.broadcast_to(np.reshape([110, 120, 130], (3, 1, 1)), (3, 8, 8)).astype(np.float32)
    (tmp_path / "mean.binaryproto").write_bytes(legacy_blob(mean, (1, 3, 8, 8)))
    options = f"--arch tiny --mean-image {tmp_path}/mean.binaryproto --interpolation nearest --out {tmp_path} --name m"
    assert run("models", "import", tmp_path / "net.caffemodel", *options.split())[0] == 0
    Image.new("RGB", (9, 9)).save(tmp_path / "photo.png")
    _, _, err = run("predict", tmp_path / "photo.png", "--model", tmp_path / "m.safetensors")
    size, values = "both sides to 10 (nearest), centre 8x8", "pixel / 255 * 255 - mean image (about 110, 120, 130)"
    assert f"preprocessing: BGR; {size}; ({values}) / (1, 1, 1)\n" in err
    assert "mean_image     <mean image 3x8x8>" in run("models", "info", tmp_path / "m.safetensors")[1]
