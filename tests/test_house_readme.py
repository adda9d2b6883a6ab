"""The README's Python runs as it stands, and its commands exist."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from minicnn.cli.digits import draw_digit
from minicnn.cli.lookup import resolve
from minicnn.vis import deconvnet
from minicnn.vis.image import save_png

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_a_gradient_is_checked_in_ten_lines(capsys):
    code = blocks("python")[0]
    assert len([line for line in code.splitlines() if line]) <= 10
    exec(code, {})
    assert capsys.readouterr().out.startswith("softplus_forward: ok")


def test_the_deconvnet_by_hand_is_the_one_of_vis(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_png(draw_digit(3), tmp_path / "demo/digits/3.png")
    names = {}
    exec(blocks("python")[1], names)
    assert names["dx"].any()
    np.testing.assert_array_equal(names["dx"], deconvnet(names["net"], names["x"], 3))


@pytest.mark.data
def test_files_of_your_own(data_dir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, file in (("net.onnx", "mnist.onnx"), ("squeezenet1_1.pth", "squeezenet1_1.pth")):
        Path(name).write_bytes((data_dir / "weights" / file).read_bytes())
    exec(blocks("python")[2], {})
    assert Path("mine.safetensors").stat().st_size > 4 * 1_235_496


def test_training_in_python_is_short_and_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = blocks("python")[3]
    assert len(code.splitlines()) < 40
    exec(code, {})
    assert 0 <= float(capsys.readouterr().out) <= 1
    assert Path("shapes.safetensors").is_file() and Path("runs/shapes/curves.png").is_file()


COMMANDS = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("minicnn ")]


@pytest.mark.parametrize("line", COMMANDS)
def test_the_commands_exist(line):
    parser, _, rest = resolve(shlex.split(line, comments=True)[1:])
    parser.parse_args(rest)


def test_it_has_commands_and_files_that_it_names():
    assert len(COMMANDS) >= 5
    for name in re.findall(r"\]\(([\w./-]+)\)|`((?:kernels|layers|minicnn|vis|tests)/\w[\w./]*\.py)`", README):
        path = Path(__file__).parent.parent / (name[0] or name[1])
        assert path.is_file(), f"the README names {path.name}, which is not there"
