"""Whatever is wrong with the input: one line on stderr, nothing on stdout, the right exit code, no traceback."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import minicnn
from minicnn import build, kernels
from minicnn.cli.main import main


@pytest.fixture
def digit(tmp_path):
    path = tmp_path / "digit.png"
    Image.new("L", (28, 28), 7).save(path)
    return str(path)


@pytest.fixture
def fails(capsys):
    """Runs a command line that is to fail; returns the one line."""

    def check(code, *argv):
        assert main([str(word) for word in argv]) == code
        out, err = capsys.readouterr()
        lines = [line for line in err.splitlines() if not line.startswith(("net: ", "preprocessing: "))]
        assert out == "" and len(lines) == 1 and lines[0].startswith("minicnn: "), err
        return lines[0].removeprefix("minicnn: ")

    return check


def _process(*argv, env=None):
    command = [sys.executable, "-m", "minicnn", *argv]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **(env or {})})


@pytest.mark.parametrize(
    "argv, said",
    [
        ([], "say which command first"),
        (["gradchek"], "no command 'gradchek'; did you mean gradcheck?"),
        (["--bakcend"], "say which command first"),
        (["vis"], "say which method first"),
        (["vis", "salincy"], "no method 'salincy'; did you mean saliency?"),
        (["models", "imprt"], "no action 'imprt'; did you mean import?"),
        (["gradcheck", "cond2d"], "no layer 'cond2d'; did you mean conv2d"),
        (["gradcheck", "--sed", "1"], "no option '--sed'; did you mean --seed"),
        (["gradcheck", "--seed", "one"], "invalid int value: 'one'"),
        (["gradcheck", "relu", "--backend", "nunba"], "no backend 'nunba'; did you mean numba?"),
        (["doctor", "now"], "takes no further argument 'now'"),
        (["models", "info"], "required: NAME_OR_FILE"),
        (["models", "import", "x.pth", "--arch", "googlent"], "no architecture 'googlent'; did you mean googlenet"),
    ],
)
def test_usage(fails, argv, said):
    assert said in fails(2, *argv)


@pytest.mark.parametrize(
    "unit, said",
    [
        ("relu_conv11", "no node or class 'relu_conv11'; did you mean relu_conv1"),
        ("thre", "no node or class 'thre'"),
        ("12", "12"),
        ("conv1:99", "channel 99 of 0 to 19"),
        ("conv1:2:50,0", "row 50 of 0 to 23"),
        ("conv1:two", "expected layer, layer:channel or layer:channel:y,x"),
    ],
)
def test_unknown_units_are_usage(fails, digit, tmp_path, unit, said):
    assert said in fails(2, "vis", "saliency", digit, "--unit", unit, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unknown_class_name_suggests_the_nearest(fails, digit, tmp_path):
    from dataclasses import replace

    net = build("lenet_relu", seed=0)
    names = ("tench", "goldfish", "shark", "ray", "cock", "hen", "ostrich", "finch", "junco", "robin")
    net.meta = replace(net.meta, classes=names)
    minicnn.save(net, tmp_path / "birds.safetensors")
    line = fails(2, "vis", "saliency", digit, "--unit", "goldfisch", "--model", tmp_path / "birds.safetensors")
    assert "did you mean goldfish" in line


def test_backend_that_cannot_run(fails, digit, monkeypatch):
    monkeypatch.setitem(kernels.BACKENDS, "cuda", ".absent")
    assert "backend 'cuda' is not available" in fails(3, "predict", digit, "--backend", "cuda")


def test_backend_of_the_environment():
    done = _process("gradcheck", "relu", env={"MINICNN_BACKEND": "abacus"})
    assert (done.returncode, done.stdout) == (3, "") and "unknown backend 'abacus'" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    done = _process("gradcheck", "relu", env={"MINICNN_BACKEND": "numpy"})
    assert done.returncode == 0 and "numpy backend" in done.stdout


def test_missing_image(fails):
    assert "cannot read /no/such/cat.jpg: no such file" in fails(4, "predict", "/no/such/cat.jpg")


def test_image_that_is_none(fails, tmp_path):
    path = tmp_path / "notes.png"
    path.write_text("not a picture")
    assert "notes.png" in fails(4, "predict", path)


def test_truncated_image(fails, tmp_path):
    path = tmp_path / "cut.png"
    Image.effect_noise((200, 200), 50).save(path)
    path.write_bytes(path.read_bytes()[:5000])
    assert "cut.png" in fails(4, "predict", path)


def test_nan_in_the_image(fails, tmp_path):
    path = tmp_path / "nan.tiff"
    Image.fromarray(np.full((30, 30), np.nan, np.float32)).save(path)
    assert "nan.tiff" in fails(4, "predict", path)


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "RGBA"])
def test_one_pixel_is_an_image(tmp_path, capsys, mode):
    path = tmp_path / "dot.png"
    Image.new(mode, (1, 1)).save(path)
    assert main(["predict", str(path), "-q"]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 6 and err == ""


@pytest.mark.parametrize("command", [["vis", "filters"], ["demo"]])
def test_output_folder_that_cannot_be_written(fails, tmp_path, command):
    """Below a regular file, where not even the superuser can make a folder."""
    (tmp_path / "file").write_text("")
    assert "cannot write" in fails(4, *command, "-q", "--out", tmp_path / "file" / "out")


@pytest.mark.parametrize("name, near", [("mnist-lenett", "mnist-lenet"), ("squeezenet1.1", "squeezenet1_1")])
def test_misspelt_net(fails, digit, name, near):
    assert f"no net {name!r}; did you mean {near}" in fails(2, "predict", digit, "--model", name)


def test_missing_weight_file(fails, digit):
    assert "cannot read none.caffemodel" in fails(4, "predict", digit, "--model", "none.caffemodel")


def test_missing_weights_of_a_known_net(fails, digit, monkeypatch, tmp_path):
    monkeypatch.setenv("MINICNN_CACHE_DIR", str(tmp_path))
    line = fails(4, "predict", digit, "--model", "googlenet")
    assert "no weights 'googlenet'" in line and str(tmp_path) in line


def test_truncated_weights(fails, digit, tmp_path):
    net = build("lenet_relu", seed=0)
    path = tmp_path / "cut.safetensors"
    minicnn.save(net, path)
    path.write_bytes(path.read_bytes()[:-1000])
    assert "cut.safetensors" in fails(4, "predict", digit, "--model", path)


@pytest.mark.data
def test_truncated_caffemodel(fails, data_dir, tmp_path):
    path = tmp_path / "cut.caffemodel"
    path.write_bytes((data_dir / "weights" / "lenet_iter_10000.caffemodel").read_bytes()[:100_000])
    line = fails(4, "models", "import", path, "--arch", "lenet", "--out", tmp_path)
    assert "cut.caffemodel" in line


def test_weights_of_another_shape(fails, digit, tmp_path):
    net = build("lenet_relu", seed=0)
    net["conv1"].layer.params["w"] = np.zeros((20, 1, 3, 3), np.float32)
    minicnn.save(net, tmp_path / "odd.safetensors")
    line = fails(4, "predict", digit, "--model", tmp_path / "odd.safetensors")
    assert "conv1.w" in line and "(20,1,3,3)" in line and "(20,1,5,5)" in line


def test_nan_in_the_weights(fails, digit, tmp_path):
    net = build("lenet_relu", seed=0)
    net.state_dict()["conv1.b"][3] = np.nan
    minicnn.save(net, tmp_path / "nan.safetensors")
    assert "conv1.b" in fails(4, "predict", digit, "--model", tmp_path / "nan.safetensors")


def test_verbose_shows_the_traceback(capsys):
    assert main(["predict", "/no/such/cat.jpg", "-v"]) == 4
    err = capsys.readouterr().err
    assert "Traceback" in err and err.splitlines()[-1].startswith("minicnn: cannot read")


def test_interrupted(monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("minicnn.cli.commands.doctor._report", interrupt)
    assert main(["doctor"]) == 130
    assert capsys.readouterr().err == "minicnn: interrupted\n"


def test_nobody_reads_the_output():
    """Stdout is a pipe whose other end is closed before a word is written."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "minicnn", "--help"], stdout=write, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_error_in_a_process_of_its_own():
    done = _process("predict", "/no/such")
    assert done.returncode == 4 and done.stdout == ""
    assert done.stderr.splitlines()[-1] == "minicnn: cannot read /no/such: no such file"
    assert "Traceback" not in done.stderr
