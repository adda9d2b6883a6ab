"""What a module of vis/ declares becomes the arguments of its command, and reaches its functions."""

import importlib.util
import json
import sys

import numpy as np
import pytest
from PIL import Image

from minicnn import vis
from minicnn.cli import methods
from minicnn.cli.digits import draw_digit
from minicnn.cli.main import main

_HEAD = '''"""Apples for the tests.

The picture: a square.

Caveat: none of it is true.
"""
import numpy as np
from PIL import Image
from minicnn.vis.inputs import Images, Pictures
from minicnn.vis import inputs

calls = []
RATE = 0.25

def picture(result, net, x=None, unit=None):
    return Image.new("RGB", (30, 30))

'''


@pytest.fixture
def grow(tmp_path, monkeypatch):
    """A way of looking called apple made of a source text; returns its module."""

    def make(source):
        path = tmp_path / "apple.py"
        path.write_text(_HEAD + source)
        spec = importlib.util.spec_from_file_location("apple", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found = methods.find(methods.VIS)
        monkeypatch.setattr(methods, "find", lambda package: {**found, "apple": path})
        monkeypatch.setitem(vis.METHODS, "apple", module)
        monkeypatch.setattr(vis, "apple", module.apple, raising=False)
        return module

    return make


@pytest.fixture
def run(capsys):
    def call(*argv):
        code = main(["vis", "apple", *(str(word) for word in argv)])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def digits(tmp_path):
    for k in (1, 2, 3):
        draw_digit(k).save(tmp_path / f"{k}.png")
    return [tmp_path / f"{k}.png" for k in (1, 2, 3)]


def test_what_is_read_from_the_source(grow):
    grow('''
SIZE = 64
def film(result, net, x=None, unit=None):
    return [picture(result, net)]

def apple(net, x, styles: Images, unit=None, others: inputs.Images = None, rate: float = RATE, kind: str = "",
          colour: str = "red", seeds: int = 3 * 4, *, pool=None, deep: bool = False, progress: bool = True):
    """An apple.

    styles  what it is painted like,
            and more
    rate    how fast
    """
''')
    found = methods.method("apple")
    assert (found.image, found.unit, found.pictures) == ("needed", "optional", "none")
    assert found.further == [
        methods.Further("styles", "needed", "what it is painted like, and more"),
        methods.Further("others", "optional", ""),
    ]
    assert [(o.name, o.type, o.default) for o in found.options] == [
        ("rate", float, "0.25"),
        ("kind", str, "none"),
        ("colour", str, "red"),
        ("seeds", int, "3 * 4"),
        ("deep", bool, "False"),
    ]
    assert found.size == 64 and found.has_film and found.shows_progress


def test_an_image_that_may_be_left_away(grow, run, digits, tmp_path):
    module = grow("def apple(net, unit, x=None):\n    calls.append(x)\n")
    assert run("--unit", "3", "--out", tmp_path / "o")[0] == 0
    assert run(digits[0], digits[1], "--unit", "3", "--out", tmp_path / "o")[0] == 0
    assert module.calls[0] is None and module.calls[1].shape == (2, 1, 28, 28)


def test_further_images(grow, run, digits, tmp_path):
    module = grow("def apple(net, x, styles: Images, more: Images = None):\n    calls.append((x, styles, more))\n")
    assert run(digits[0], "--styles", digits[1], digits[2], "--out", tmp_path / "o", "-q") == (
        0,
        f"{tmp_path}/o/apple.png\n",
        "",
    )
    x, styles, more = module.calls[0]
    assert x.shape == (1, 1, 28, 28) and styles.shape == (2, 1, 28, 28) and more is None
    code, out, err = run(digits[0], "--out", tmp_path / "o")
    assert code == 2 and out == "" and "required: --styles" in err


def test_pictures_as_they_are(grow, run, digits, tmp_path):
    module = grow("def apple(net, pictures: Pictures):\n    calls.append([p.size for _, p in pictures.each()])\n")
    Image.new("RGB", (50, 20)).save(tmp_path / "wide.png")
    assert run(tmp_path, digits[0], "--out", tmp_path / "o")[0] == 0
    assert module.calls == [[(28, 28), (28, 28), (28, 28), (50, 20), (28, 28)]]
    assert run("--out", tmp_path / "o")[0] == 2


def test_damaged_pictures(grow, run, digits, tmp_path):
    module = grow("def apple(net, pictures: Pictures):\n    calls.append([i for i, _ in pictures.each()])\n")
    digits[1].write_bytes(b"no picture")
    code, out, err = run(*digits, "--out", tmp_path / "o")
    assert code == 4 and out == "" and "2.png" in err.splitlines()[-1]
    code, _, err = run(*digits, "--out", tmp_path / "o", "--skip-damaged")
    assert code == 0 and module.calls == [[0, 2]] and "skipped: " in err and "2.png" in err


def test_pictures_beside_an_image_are_an_option(grow, run, digits, tmp_path, capsys):
    module = grow("def apple(net, x, pictures: Pictures):\n    calls.append((len(x), len(pictures)))\n")
    assert run(digits[0], "--pictures", *digits, "--out", tmp_path / "o")[0] == 0
    main(["vis", "apple", "--help"])
    usage = capsys.readouterr().out.splitlines()[0]
    assert usage == "usage: minicnn vis apple IMAGE [IMAGE ...] --pictures PATH [PATH ...] [options]"
    assert module.calls == [(1, 3)]
    assert "required: --pictures" in run(digits[0])[2]


def test_whole_photos(grow, run, tmp_path):
    module = grow("SIZE = 40\ndef apple(net, x, styles: Images = None):\n    calls.append((x, styles))\n")
    for name, size in (("wide", (100, 50)), ("tall", (30, 60)), ("small", (12, 10))):
        Image.new("RGB", size).save(tmp_path / f"{name}.png")
    wide, tall, small = (tmp_path / f"{name}.png" for name in ("wide", "tall", "small"))
    out = ["--out", tmp_path / "o"]
    assert run(wide, "--styles", tall, small, *out)[0] == 0
    x, styles = module.calls[0]
    assert x.shape == (1, 1, 20, 40) and [s.shape for s in styles] == [(1, 1, 40, 20), (1, 1, 10, 12)]
    assert run(wide, "--size", "10", *out)[0] == 0 and module.calls[1][0].shape == (1, 1, 5, 10)
    code, _, err = run(wide, tall, *out)
    assert code == 2 and "wide.png becomes (20,40)" in err and "tall.png (40,20)" in err
    assert run(wide, "--size", "0", *out)[0] == 2


_FILM = """
def film(result, net, x=None, unit=None):
    return [Image.new("RGB", (30, 20), (k, k, k)) for k in (0, 100, 200)]

def apple(net, unit=None):
    calls.append(unit)
"""


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_films(grow, run, tmp_path, suffix):
    grow(_FILM)
    code, out, _ = run("--out", tmp_path / "o", "--film", tmp_path / f"film.{suffix}")
    assert code == 0 and out.splitlines() == [f"{tmp_path}/o/apple.png", f"{tmp_path}/film.{suffix}"]
    assert Image.open(tmp_path / f"film.{suffix}").n_frames == 3
    assert json.loads((tmp_path / "o" / "run.json").read_text())["files"] == [
        "apple.png",
        f"{tmp_path}/film.{suffix}",
    ]


def test_films_are_refused_before_the_work(grow, run, tmp_path, monkeypatch):
    module = grow(_FILM)
    assert run("--film", "film.avi")[0] == 2
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    code, out, err = run("--film", "film.mp4")
    assert code == 3 and out == "" and err.count("\n") == 1 and 'pip install "minicnn[film]"' in err
    assert module.calls == []


def test_a_film_of_one_frame_is_refused_before_the_work(grow, run, tmp_path):
    module = grow(_FILM.replace("unit=None):\n    calls", "unit=None, frames: int = 1):\n    calls"))
    code, _, err = run("--film", tmp_path / "film.gif", "--out", tmp_path / "o")
    assert code == 2 and "give --frames" in err and module.calls == []


def test_several_pictures(grow, run, tmp_path):
    grow('''
def apple(net, unit=None):
    """An apple."""

def picture(result, net, x=None, unit=None):
    return [("core", Image.new("RGB", (30, 30))), ("peel/red", Image.new("RGB", (9, 9)))]
''')
    code, out, _ = run("--unit", "conv2:7", "--out", tmp_path / "o")
    assert code == 0 and [line.rpartition("/")[2] for line in out.splitlines()] == [
        "apple-conv2_7-core.png",
        "apple-conv2_7-peel_red.png",
    ]
    assert len(json.loads((tmp_path / "o" / "run.json").read_text())["files"]) == 2


def test_what_is_for_python_alone_is_no_option(grow, capsys):
    grow('def apple(net, pool=None, steps: int = 3):\n    """An apple.\n\n    steps  how many\n    """\n')
    assert main(["vis", "apple", "--help"]) == 0
    help_text = capsys.readouterr().out
    assert "--steps N" in help_text and "how many; default 3" in help_text and "pool" not in help_text


@pytest.mark.parametrize(
    ("parameters", "usage", "examples"),
    [
        ("net", "", ["--out pictures", "--backend numpy --json"]),
        (
            "net, unit, x=None",
            "[IMAGE ...] --unit UNIT ",
            ["--unit 3 --out pictures", "demo/digits/3.png --unit conv2:7 --backend numpy --json"],
        ),
        (
            "net, pictures: Pictures, more: Images, unit=None",
            "PATH [PATH ...] --more FILE [FILE ...] ",
            [
                "demo/digits --more demo/digits/5.png --out pictures",
                "demo/digits --more demo/digits/5.png --unit conv2:7 --backend numpy --json",
            ],
        ),
    ],
)
def test_usage_and_examples_are_made_up(grow, capsys, parameters, usage, examples):
    grow(f"def apple({parameters}):\n    pass\n")
    main(["vis", "apple", "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"usage: minicnn vis apple {usage}[options]"
    assert lines[-2:] == [f"  minicnn vis apple {example}" for example in examples]


def test_examples_of_its_own(grow, capsys):
    path = grow("def apple(net):\n    pass\n").__file__
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("none of it is true.\n", "none.\n\nexamples:\n  minicnn vis apple --seeds\n"))
    main(["vis", "apple", "--help"])
    out = capsys.readouterr().out
    assert out.endswith("examples:\n  minicnn vis apple --seeds\n") and out.count("examples:") == 1


def test_an_array_is_still_an_array(grow, run, digits, tmp_path):
    module = grow("def apple(net, x):\n    calls.append(x)\n")
    assert run(*digits, "--out", tmp_path / "o")[0] == 0
    assert isinstance(module.calls[0], np.ndarray) and module.calls[0].dtype == np.float32
