"""What each command does when all is well, and where a check fails."""

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

import minicnn
from minicnn.cli.digits import draw_digit
from minicnn.cli.main import main
from minicnn.cli.output import bar, table
from minicnn.weights import store


@pytest.fixture
def run(capsys):
    """Runs a command line; returns (exit code, stdout)."""

    def call(*argv):
        code = main([str(word) for word in argv])
        return code, capsys.readouterr().out

    return call


@pytest.fixture
def digit(tmp_path):
    path = tmp_path / "3.png"
    draw_digit(3).save(path)
    return path


def test_predict(run, digit):
    code, out = run("predict", digit)
    title, best, *_others = out.splitlines()
    assert code == 0 and title == str(digit)
    assert best.split()[-1] == "3" and best.split()[0].endswith("%") and "█" in best
    assert len(_others) == 4


def test_predict_says_which_preprocessing_it_applied(digit, capsys):
    main(["predict", str(digit)])
    err = capsys.readouterr().err
    assert "preprocessing: L; both sides to 28 (bilinear), centre 28x28; (pixel / 255 * 1 - (0)) / (0.3081)" in err
    main(["predict", str(digit), "-q"])
    assert capsys.readouterr().err == ""


def test_predict_json(run, digit):
    code, out = run("predict", digit, digit, "--json", "--backend", "numpy")
    found = json.loads(out)
    assert code == 0 and found["backend"] == "numpy" and len(found["results"]) == 2
    classes = found["results"][0]["classes"]
    assert classes[0]["class"] == 3 and classes[0]["name"] == "3"
    assert [c["probability"] for c in classes] == sorted((c["probability"] for c in classes), reverse=True)
    assert 0.5 < sum(c["probability"] for c in classes) <= 1.0001


def test_vis_writes_the_picture_and_what_made_it(run, digit, tmp_path):
    folder = tmp_path / "pictures"
    argv = ["vis", "guided_backprop", digit, "--unit", "conv2:7", "--out", folder, "--backend", "numpy"]
    code, out = run(*argv)
    assert code == 0 and out == f"{folder}/guided_backprop-conv2_7.png\n"
    with Image.open(out.strip()) as image:
        assert min(image.size) >= 28
    record = json.loads((folder / "run.json").read_text())
    assert record["minicnn"] == minicnn.__version__ and record["backend"] == "numpy"
    assert record["command"] == ["minicnn", *map(str, argv)] and record["files"] == ["guided_backprop-conv2_7.png"]
    assert record["weights"]["sha256"] == hashlib.sha256(store.find("mnist-lenet").read_bytes()).hexdigest()
    assert record["seconds"]["guided_backprop"] >= 0
    assert sorted(path.name for path in folder.iterdir()) == ["guided_backprop-conv2_7.png", "run.json"]


@pytest.mark.parametrize("method", ["filters", "activations", "gradient", "saliency", "deconvnet", "compare"])
def test_every_way_of_looking_runs(run, digit, tmp_path, method):
    image = [] if method == "filters" else [digit, "--unit", "conv2"]
    code, out = run("vis", method, *image, "--out", tmp_path / "out")
    assert code == 0
    with Image.open(out.strip()) as picture:
        assert picture.size > (1, 1)


def test_options_of_a_method_reach_its_function(run, tmp_path, monkeypatch):
    given = {}

    def class_model(net, unit, **options):
        given.update(options, unit=unit)
        return np.zeros((1, 1, 28, 28), np.float32)

    monkeypatch.setattr("minicnn.vis.class_model", class_model)
    assert run("vis", "class_model", "--unit", "3", "--steps", "5", "--out", tmp_path, "-q")[0] == 0
    assert given == {"unit": "3", "steps": 5, "progress": False}


def test_interrupted_ascent_keeps_its_picture(run, tmp_path, monkeypatch):
    import warnings

    from minicnn.vis.progress import StoppedEarly

    def class_model(net, unit, **options):
        warnings.warn("interrupted, this is the result so far", StoppedEarly, stacklevel=1)
        return np.zeros((1, 1, 28, 28), np.float32)

    monkeypatch.setattr("minicnn.vis.class_model", class_model)
    code, out = run("vis", "class_model", "--unit", "3", "--out", tmp_path)
    assert code == 130 and Image.open(out.strip()).size


def test_models_list(run):
    code, out = run("models", "list")
    assert code == 0 and "googlenet" in out and "mnist-lenet" in out
    found = json.loads(run("models", "list", "--json")[1])
    assert "vgg16" in {net["name"] for net in found["architectures"]}
    assert found["weights"]["mnist-lenet"].endswith("mnist-lenet.safetensors")


def test_models_info(run):
    out = run("models", "info", "mnist-lenet")[1]
    assert "431,080" in out and "conv1" in out and "MIT" in out
    found = json.loads(run("models", "info", "alexnet", "--json")[1])
    assert found["parameters"] == 61_100_840 and found["weights"] is None  # torchvision's published count


def test_models_info_of_an_unknown_name(capsys):
    assert main(["models", "info", "googlenett"]) == 2
    assert "did you mean googlenet" in capsys.readouterr().err


@pytest.mark.data
def test_models_import_then_predict(run, data_dir, tmp_path, monkeypatch):
    code, out = run(
        "models", "import", data_dir / "weights" / "lenet_iter_10000.caffemodel", "--arch", "lenet", "--out", tmp_path
    )
    assert code == 0 and out.strip().endswith(".safetensors")
    monkeypatch.setenv("MINICNN_WEIGHTS", str(tmp_path))
    draw_digit(5).save(tmp_path / "5.png")
    found = json.loads(run("predict", tmp_path / "5.png", "--model", "lenet", "--json")[1])
    assert found["results"][0]["classes"][0]["class"] == 5


def test_gradcheck(run):
    code, out = run("gradcheck", "relu", "conv2d")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[1:5]] == [
        ["relu", "dx"],
        ["conv2d", "dx"],
        ["conv2d", "dw"],
        ["conv2d", "db"],
    ]
    assert json.loads(run("gradcheck", "relu", "--json", "--backend", "numpy")[1])["ok"] is True


def test_gradcheck_of_a_wrong_backward_fails(run, monkeypatch):
    from minicnn.kernels import reference

    right = reference.relu_backward
    monkeypatch.setattr(reference, "relu_backward", lambda dout, x: 1.01 * right(dout, x))
    code, out = run("gradcheck", "relu", "--backend", "numpy")
    assert code == 1 and "WRONG" in out
    code, out = run("gradcheck", "relu", "--backend", "numpy", "--json")
    assert code == 1 and json.loads(out)["ok"] is False


def test_doctor(run):
    code, out = run("doctor")
    assert code == 0 and minicnn.__version__ in out and "cuda" in out
    found = json.loads(run("doctor", "--json")[1])
    assert found["backends"]["numba"] == "available"
    assert (found["backends"]["cuda"] == "available") == ("card 0" in found["CUDA"])
    assert "mnist-lenet" in found["weights"] and set(found["packages"]) >= {"numpy", "numba", "pillow"}


def test_demo(run, tmp_path):
    """The pictures are many; that they are good is for eyes, that they are there and inside the page is for this."""
    code, out = run("demo", "--out", tmp_path / "demo")
    assert code == 0 and f"{tmp_path}/demo/index.html" in out and "WRONG" not in out
    pictures = {"predictions", "filters", "activations", "rules", "saliency", "classes"}
    pictures |= {"shapes", "shapes-rules", "occlusion", "cifar10-classes"}
    assert {path.stem for path in (tmp_path / "demo").glob("*.png")} == pictures
    page = (tmp_path / "demo" / "index.html").read_text()
    assert page.count("data:image/png;base64,") == len(pictures)
    assert "http://" not in page and "https://" not in page and 'src="data' in page
    record = json.loads((tmp_path / "demo" / "run.json").read_text())
    assert set(record["files"]) == {
        *(f"{name}.png" for name in pictures),
        *(f"digits/{k}.png" for k in range(10)),
        "shapes/star.png",
        "index.html",
    }


def test_demo_with_a_photo(run, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 70, 3)).astype(np.uint8)).save(tmp_path / "my.png")
    code, out = run("demo", "--out", tmp_path / "demo", "--photo", tmp_path / "my.png")
    assert code == 0 and f"{tmp_path}/demo/photo.png" in out and "--photo" not in out.splitlines()[-1]
    assert "Your photo" in (tmp_path / "demo" / "index.html").read_text()


def test_the_net_that_ships_reads_the_digits_that_the_demo_draws(run, tmp_path):
    for k in range(10):
        draw_digit(k).save(tmp_path / f"{k}.png")
    found = json.loads(run("predict", *(tmp_path / f"{k}.png" for k in range(10)), "--json")[1])
    assert [result["classes"][0]["class"] for result in found["results"]] == list(range(10))


def test_drawn_digits_are_centred_as_in_mnist():
    for k in range(10):
        pixels = np.asarray(draw_digit(k), np.float64)
        rows, columns = np.nonzero(pixels)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
        y, x = (np.average(np.arange(28) + 0.5, weights=pixels.sum(axis)) for axis in (1, 0))
        assert abs(y - 14) <= 0.6 and abs(x - 14) <= 0.6


def test_bar_and_table():
    assert bar(0, 4) == "    " and bar(1, 4) == "████" and bar(0.5, 4) == "██  "
    assert bar(1 / 32, 4) == "▏   " and bar(2, 4) == "████"
    assert table(["a", "bb"], [["ccc", 1]]) == "a    bb\nccc  1"
