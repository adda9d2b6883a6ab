"""`minicnn bench`: what it prints and writes; the timings themselves are made up."""

import json

import pytest
from PIL import Image

from minicnn.benchmarks import roofline
from minicnn.cli.main import main


@pytest.fixture
def bench(monkeypatch, capsys):
    """Runs `minicnn bench` with a ladder of two rungs and PyTorch; returns what it printed."""
    from minicnn.benchmarks import ladder, machine, nets

    def climb(work):
        tiny = ladder.Result(work, "1 loops", "tiny", 1_000_000, 100_000, 1e-7, 20, 10)
        fast = ladder.Result(work, "2 fast", "large", 8_000_000, 100_000, 2e-7, 900, 4)
        return [tiny, fast, fast._replace(rung="PyTorch", ms=2)]

    def measure_all(names, batches):
        return [nets.Result(nets.GRADIENT, "lenet", 1, 1_000_000, 4, 2, None, None)]

    monkeypatch.setattr(ladder, "climb", climb)
    monkeypatch.setattr(nets, "measure_all", measure_all)
    monkeypatch.setattr(machine, "peak_gflops", lambda: 100)
    monkeypatch.setattr(machine, "copy_gbytes", lambda: 10)

    def run(*argv):
        assert main(["bench", *map(str, argv)]) == 0
        return capsys.readouterr().out

    return run


def test_table(bench):
    header, _, fast, torch, *_ = bench("conv").splitlines()
    assert header.split()[:3] == ["rung", "of", "ms"] and "to old" not in header
    assert fast.split("  ")[0] == "2 fast" and " 2 %" in fast and " 80 " in fast
    assert torch.startswith("PyTorch")


def test_all_unless_given(bench):
    results = json.loads(bench("--json"))["results"]
    assert [row.get("work") for row in results[::3]] == ["gemm", "conv", "pool", "image gradient"]
    assert results[-1]["net"] == "lenet" and results[-1]["to_torch"] == 2


def test_compared_with_another_run(bench, tmp_path):
    old = json.loads(bench("--json"))
    old["results"][1]["ms"] = 8
    del old["results"][0]
    (tmp_path / "old.json").write_text(json.dumps(old))
    rows = json.loads(bench("--json", "--compare", tmp_path / "old.json"))["results"]
    assert [(row["old_ms"], row["to_old"]) for row in rows[:3]] == [(None, None), (8, 0.5), (2, 1)]
    assert rows[-1]["old_ms"] == 4
    header, _, fast, *_ = bench("gemm", "--compare", tmp_path / "old.json").splitlines()
    assert header.endswith("old ms  to old") and fast.split()[-2:] == ["8.00", "0.50"]


def test_pictures(bench, tmp_path):
    bench("conv", "--out", tmp_path)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["files"] == ["roofline-conv.png"]
    image = Image.open(tmp_path / "roofline-conv.png").convert("RGB")
    colours = {colour for _, colour in image.getcolors(1 << 20)}
    assert {roofline._ROOF, roofline._OURS, roofline._OTHERS} <= colours


@pytest.mark.parametrize(
    "code, argv, said",
    [
        (2, ["conv", "--net", "lenet"], "--net and --batch are for nets, not for conv"),
        (2, ["nets", "--out", "x"], "of nets there are no pictures"),
        (4, ["conv", "--compare", "missing.json"], "cannot read missing.json: no such file"),
        (4, ["conv", "--compare", __file__], "it is not what `minicnn bench --json` prints"),
    ],
)
def test_errors(code, argv, said, capsys):
    assert main(["bench", *argv]) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("text", ["[]", "3", '{"results": [1]}', '{"results": [{"net": "x"}]}', '{"results": null}'])
def test_other_json_is_refused(text, tmp_path, capsys):
    (tmp_path / "old.json").write_text(text)
    assert main(["bench", "conv", "--compare", str(tmp_path / "old.json")]) == 4
    assert "it is not what" in capsys.readouterr().err
