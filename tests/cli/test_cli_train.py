"""`minicnn train` and `minicnn eval`: from a recipe to a net, its curves and its confusion matrix."""

import json
import sys
from pathlib import Path

import kill_run
import numpy as np
import pytest
from PIL import Image

import minicnn
from minicnn.cli.main import main
from minicnn.train.fingerprint import fingerprint
from minicnn.train.recipe import read_recipe

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.fixture
def recipe(tmp_path):
    path = tmp_path / "tiny.toml"
    path.write_text(kill_run.RECIPE)
    return path


def _train(recipe, out, *options):
    return main(["train", str(recipe), "--out", str(out), "--backend", "numpy", *options])


def test_train_writes_net_curves_and_record(recipe, tmp_path, capsys):
    out = tmp_path / "run"
    assert _train(recipe, out) == 0
    printed, err = capsys.readouterr()
    header, *rows, last = printed.splitlines()
    assert header.split() == ["epoch", "rate", "loss", "accuracy", "validation_accuracy", "images_per_s"]
    assert [row.split()[0] for row in rows] == ["1", "2"] and err == ""
    net = minicnn.load(out / "tiny.safetensors")
    assert net.meta.classes[0] == "arrow" and len(net.meta.classes) == 10
    assert net.meta.source == "minicnn train tiny.toml, seed 0"
    assert f"weights {fingerprint(net)}, seed 0" in last
    record = json.loads((out / "run.json").read_text())
    assert record["seed"] == 0 and record["fingerprint"] == fingerprint(net) and len(record["history"]) == 2
    names = {"best.safetensors", "curves.csv", "curves.png", "last.checkpoint", "run.json", "tiny.safetensors"}
    assert {path.name for path in out.iterdir()} == names


def test_train_again_does_nothing_and_another_seed_is_refused(recipe, tmp_path, capsys):
    out = tmp_path / "run"
    _train(recipe, out, "--json")
    first = json.loads(capsys.readouterr().out)
    _train(recipe, out, "--json")
    assert json.loads(capsys.readouterr().out)["history"] == first["history"]
    assert _train(recipe, out, "--seed", "3") == 2
    assert "holds another run: recipe is" in capsys.readouterr().err


def test_train_shows_a_bar_on_a_terminal_alone(recipe, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert _train(recipe, tmp_path / "quiet", "-q") == 0
    assert capsys.readouterr().err == ""
    assert _train(recipe, tmp_path / "run") == 0
    err = capsys.readouterr().err
    assert "epoch 2/2: 100%" in err and "loss " in err and "images/s" in err


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ('net = "shapes_vgg"', 'net = "shapes_vg"', 2, "did you mean shapes_vgg?"),
        ("epochs = 2", "epochs = 0", 4, "epochs is 0"),
        ("epochs = 2", "", 4, "lacks epochs"),
        ("batch = 4", "batch = 4\nbach = 5", 2, "did you mean batch?"),
        ("items = 28", "itens = 28", 2, "did you mean items?"),
        ('name = "Adam"', 'name = "Adma"', 2, "did you mean Adam"),
        ('name = "Adam"', 'name = "Adam"\nbeta3 = 1', 2, "no argument of Adam in [optimiser] 'beta3'"),
        ('set = "shapes"', 'set = "shape"\nfolder = "x"', 2, "did you mean shapes?"),
        ('set = "shapes"', 'set = "mnist"\nfolder = "nowhere"', 4, "nowhere"),
        ("[data]", "[data", 4, "is no TOML"),
        ("rate = 0.01", "rate = -1", 4, "rate must be a number >= 0"),
        ("held_out = 4", "held_out = 4\n[attack]\neps = 0", 4, "eps must be"),
    ],
)
def test_a_recipe_that_makes_no_sense(recipe, tmp_path, capsys, old, new, code, message):
    assert old in kill_run.RECIPE
    recipe.write_text(kill_run.RECIPE.replace(old, new))
    found = _train(recipe, tmp_path / "run")
    err = capsys.readouterr().err
    assert message in err and err.count("\n") == 1
    assert found == code


def test_fine_tuning_from_a_file_with_a_new_head(recipe, tmp_path):
    _train(recipe, tmp_path / "first")
    start = tmp_path / "first" / "best.safetensors"
    net = minicnn.load(start)
    text = kill_run.RECIPE.replace('net = "shapes_vgg"', f'start = "{start}"\nfrozen = ["conv*", "bn*"]')
    recipe.write_text(text)
    _train(recipe, tmp_path / "second")
    tuned = minicnn.load(tmp_path / "second" / "best.safetensors")
    for key, array in net.state_dict().items():
        assert np.array_equal(array, tuned.state_dict()[key]) == (not key.startswith("fc.")), key


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_the_recipes_are_read(path):
    recipe = read_recipe(path)
    assert recipe["name"] == path.stem and recipe["epochs"] >= 1


def test_killed_it_goes_on(capsys):
    kill_run.main(["--kills", "4"])
    assert json.loads(capsys.readouterr().out)["kills"] == 4


# eval --------------------------------------------------------------------------------------------------------------


def _eval(out, *words):
    return main(["eval", *map(str, words), "--out", str(out), "--backend", "numpy"])


@pytest.fixture
def nets(recipe, tmp_path):
    _train(recipe, tmp_path / "a")
    recipe.write_text(kill_run.RECIPE.replace("epochs = 2", "epochs = 2\nseed = 1"))
    _train(recipe, tmp_path / "b")
    return [tmp_path / name / "tiny.safetensors" for name in "ab"]


def test_eval_of_one_net_and_of_two(nets, tmp_path, capsys):
    capsys.readouterr()
    found = []
    for some in (nets[:1], nets[1:], nets):
        assert _eval(tmp_path / "out", *some, "--set", "shapes", "--items", 40, "--json", "--size", 16) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0]["images"] == 40 and set(found[0]["classes"]) == set(minicnn.load(nets[0]).meta.classes)
    assert len({record["loss"] for record in found}) == 3
    # -log is convex: the loss of the mean is at most the mean of the losses.
    assert found[2]["loss"] <= (found[0]["loss"] + found[1]["loss"]) / 2 + 1e-9
    with Image.open(tmp_path / "out" / "confusion.png") as image:
        assert min(image.size) > 350


def test_eval_under_attack_is_worse(nets, tmp_path, capsys):
    capsys.readouterr()
    losses = []
    for attack in ((), ("--eps", 16, "--steps", 3, "--step", 8)):
        _eval(tmp_path / "out", nets[0], "--set", "shapes", "--items", 24, "--json", "--size", 16, *attack)
        losses.append(json.loads(capsys.readouterr().out)["loss"])
    assert losses[1] > losses[0]
    _eval(tmp_path / "out", nets[0], "--set", "shapes", "--items", 8, "--size", 16, "--eps", 4)
    assert "under an attack of 4/255 in 20 steps" in capsys.readouterr().out


def test_a_damaged_picture_stops_training_and_eval_or_is_skipped(tmp_path, capsys):
    for part, classes in (("train", "ab"), ("test", "ab")):
        for name in classes:
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(3):
                Image.new("RGB", (64, 64), (80 * i, 0, 255 * (name == "a"))).save(tmp_path / part / name / f"{i}.png")
        (tmp_path / part / "a" / "1.png").write_bytes(b"no picture")
    text = """
        name = "two"\nnet = "shapes_vgg"\nepochs = 1\nbatch = 3
        [data]\nset = "folders"\nsize = 64\n%s
        [optimiser]\nname = "SGD"
        [schedule]\nname = "Constant"\nrate = 0.01
    """
    recipe = tmp_path / "two.toml"
    recipe.write_text(text % "")
    assert _train(recipe, tmp_path / "refused", "--data", str(tmp_path)) == 4
    assert "a/1.png" in capsys.readouterr().err
    recipe.write_text(text % 'damaged = "skip"')
    assert _train(recipe, tmp_path / "run", "--data", str(tmp_path)) == 0
    assert "skipped: " in capsys.readouterr().err
    words = [str(tmp_path / "run" / "two.safetensors"), "--set", "folders", "--data", str(tmp_path), "--json"]
    assert _eval(tmp_path / "no", *words) == 4
    assert "a/1.png" in capsys.readouterr().err
    assert _eval(tmp_path / "yes", *words, "--damaged", "skip") == 0
    printed, err = capsys.readouterr()
    assert json.loads(printed)["images"] == 5 and "a/1.png" in err


def test_eval_of_a_net_with_other_classes(tmp_path, capsys):
    assert _eval(tmp_path / "out", "mnist-lenet", "--set", "shapes", "--items", 4, "--size", 28) == 2
    assert "mnist-lenet knows 10 classes (0, 1, 2, ...), the data have 10 (arrow" in capsys.readouterr().err
    assert _eval(tmp_path / "out", "mnist-lenet", "--set", "mnist") == 2
    assert "mnist is read from a folder" in capsys.readouterr().err
