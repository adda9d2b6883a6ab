"""The benchmarks of a card, on little cases and, without a card, on its stand-in: what they would time is right, and
what is wrong they refuse to time. The times themselves mean nothing here.
"""

import ast
import json
import re
import shutil
import subprocess
from pathlib import Path

import cuda_cases as card
import numpy as np
import pytest
from cuda_shim import cupy_standin

from minicnn import Net, benchmarks, layers
from minicnn.benchmarks import cuda_ladder, cuda_machine, cuda_nets, cuda_page, cuda_timing, ladder, nets, report
from minicnn.benchmarks.cuda_busy import FLOP
from minicnn.benchmarks.cuda_cases import FULL, Size, cases, mapped
from minicnn.benchmarks.cuda_launches import kernels_of
from minicnn.benchmarks.timing import interleaved
from minicnn.cli.main import main
from minicnn.errors import MinicnnError
from minicnn.kernels import reference
from minicnn.kernels.cuda.rungs import LADDERS

ROOT = Path(__file__).parent.parent.parent
SMALL = Size(product=9, batch=2, channels=4, side=5, classes=5)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """`cuda` is there, and everything is small, checked, and said to take a millisecond."""
    monkeypatch.setattr(cuda_ladder, "SIZE", SMALL)
    monkeypatch.setattr(cuda_timing, "HOLD", 1)
    monkeypatch.setattr(cuda_machine, "ROUNDS", 16)
    monkeypatch.setattr(cuda_machine, "COPY_BYTES", 2**10)
    for module in (cuda_ladder, cuda_nets, cuda_machine):
        monkeypatch.setattr(module, "interleaved", lambda functions, seconds, once: [1e-3] * len(functions))
    with card.by_name():
        yield


# Cases -----------------------------------------------------------------------------------------------------------


def test_every_ladder_has_a_case():
    assert set(cases(FULL)) == set(LADDERS)
    named = [operation for work in (*cuda_ladder.WORKS, "others") for operation in cuda_ladder.operations(work)]
    assert sorted(named) == sorted(LADDERS)


@pytest.mark.parametrize("operation", sorted(LADDERS))
def test_every_rung_takes_its_case_and_the_default_is_right(operation, monkeypatch):
    case = cases(SMALL)[operation]
    found = card.call(operation, *case.arguments)
    assert case.error(found) <= case.limit
    taken = []
    for name, rung in LADDERS[operation].rungs.items():
        run = lambda *args, name=name: taken.append(name)  # noqa: E731
        monkeypatch.setitem(LADDERS[operation].rungs, name, rung._replace(run=run))
        card.call(operation, *case.arguments, rung=name)
    assert taken == list(LADDERS[operation].rungs)


@pytest.mark.parametrize("operation", ["matmul", "max_pool2d_forward", "batch_norm_statistics"])
def test_an_error_is_seen_in_every_part_of_an_answer(operation):
    case = cases(SMALL)[operation]
    right = getattr(reference, operation)(*case.arguments)
    right = right if isinstance(right, tuple) else (right,)
    assert case.error(right) <= case.limit
    for part in range(len(right)):
        for wrong in (1, np.nan):
            answer = [a.copy() for a in right]
            if answer[part].dtype == np.int32 and wrong != 1:
                continue
            answer[part].flat[-1] += np.array(wrong, answer[part].dtype)
            assert not case.error(tuple(answer)) <= case.limit


def test_the_work_of_a_case():
    case = cases(SMALL)["conv2d_forward"]
    assert case.flop == 2 * (2 * 4 * 5 * 5) * 4 * 9 and case.bytes == 4 * (200 + 144 + 200)
    case = cases(SMALL)["max_pool2d_forward"]  # of 10x10 to 4x4, and switches
    assert case.flop == 9 * (2 * 2 * 16) and case.bytes == 4 * (2 * 2 * 100 + 2 * 64)
    assert cases(SMALL)["matmul"].bytes == 4 * 3 * 81 and cases(SMALL)["concat"].flop == 0


# Timing ----------------------------------------------------------------------------------------------------------


def test_a_clock_empties_the_cache_or_fills_it_and_keeps_the_card_busy(monkeypatch):
    done = []
    monkeypatch.setattr(cuda_timing, "busy", lambda xp, blocks, rounds: lambda: done.append("busy"))
    clock = cuda_timing.Clock(card.backend.xp)
    assert clock._spoiled.nbytes >= 2 * card.backend.xp.cuda.Device().attributes["L2CacheSize"]
    run = lambda: done.append("run")  # noqa: E731
    for way, expected in (("cold", ["busy", "run"]), ("warm", ["run", "busy", "run"]), ("whole", ["run", "run"])):
        done.clear()
        clock._spoiled.fill(7)
        assert 0 <= getattr(clock, way)(run) < 10
        assert done == expected
        assert (card.to_host(clock._spoiled) == (0 if way == "cold" else 7)).all()


def test_the_card_is_measured(monkeypatch):
    blocks = 8 * card.backend.xp.cuda.Device().attributes["MultiProcessorCount"]
    assert cuda_machine.peak_gflops() == pytest.approx(blocks * 16 * FLOP / 1e6)
    assert cuda_machine.copy_gbytes() == pytest.approx(2 * 2**10 / 1e6)
    monkeypatch.setattr(cuda_machine, "interleaved", lambda functions, seconds, once: [once(f) for f in functions])
    assert 0 < cuda_machine.peak_gflops() and 0 < cuda_machine.copy_gbytes()
    found = cuda_machine.describe()
    assert found["card"] and found["cuda"] and found["numpy"] == np.__version__


def test_tf32_is_refused(monkeypatch):
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    with pytest.raises(MinicnnError, match=r"NVIDIA_TF32_OVERRIDE=1.*nothing was timed"):
        cuda_ladder.climb("add")


# Ladders ---------------------------------------------------------------------------------------------------------


def test_a_ladder_ends_at_cublas():
    results = cuda_ladder.climb("matmul")
    assert [r.rung for r in results] == [
        "1 naive", "2 tiled", "3 register blocked", "4 vectors", "cuBLAS"
    ]  # fmt: skip
    assert all(r.ms == r.warm_ms == 1 and r.error <= 1e-5 and r.work == "matmul" for r in results)
    rows = ladder.figures([*results[:-1], results[-1]._replace(ms=0.5)], peak=100, bandwidth=10)
    assert rows[-1]["to_library"] == 1 and rows[0]["to_library"] == pytest.approx(2)


def test_every_rung_is_timed_cold_and_warm(monkeypatch):
    monkeypatch.setattr(cuda_ladder, "interleaved", interleaved)
    monkeypatch.setattr(cuda_timing.Clock, "cold", lambda self, run: run().size)
    monkeypatch.setattr(cuda_timing.Clock, "warm", lambda self, run: 2 * run().size)
    assert {(r.ms, r.warm_ms) for r in cuda_ladder.climb("add", seconds=0)} == {(2e5, 4e5)}


def test_a_ladder_of_copies_is_a_part_of_what_memory_allows():
    result = ladder.Result("concat", "1 one each", "", flop=0, bytes=2_000_000, error=0, first_ms=9, ms=4, warm_ms=2)
    (row,) = ladder.figures([result], peak=100, bandwidth=5)
    assert (row["gflops"], row["gbytes"], row["of_roof"], row["to_library"]) == (0, 0.5, 0.1, None)


def test_a_wrong_rung_is_not_timed(monkeypatch):
    rung = LADDERS["max_pool2d_forward"].rungs["unrolled"]

    def broken(*args):
        rung.run(*args)
        args[-2][...] = 8

    monkeypatch.setitem(LADDERS["max_pool2d_forward"].rungs, "unrolled", rung._replace(run=broken))
    monkeypatch.setattr(cuda_ladder, "interleaved", None)
    with pytest.raises(MinicnnError, match=r"3 unrolled on 2x2x10x10, 3x3 stride 2: off by inf.*not timed"):
        cuda_ladder.climb("max_pool2d_forward")


@pytest.mark.oracle
@pytest.mark.parametrize("operation", cuda_ladder.WORKS["conv"])
def test_pytorchs_convolutions_are_the_contracts(operation):
    torch = pytest.importorskip("torch")
    from minicnn.benchmarks.torch_conv import CALLS

    case = cases(SMALL)[operation]
    assert case.error(CALLS[operation](*mapped(torch.from_numpy, case.arguments)).numpy()) <= case.limit


# Nets ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny_net(monkeypatch):
    net = Net(
        [
            ("conv", layers.Conv2d(3, 4, 3, pad=1)),
            ("relu", layers.ReLU()),
            ("pool", layers.GlobalAvgPool()),
            ("flat", layers.Flatten()),
            ("fc", layers.Linear(4, 5)),
            ("prob", layers.Softmax()),
        ]
    ).init(seed=0)
    rng = np.random.default_rng(0)
    x, dout = rng.standard_normal((2, 3, 6, 5), dtype="float32"), rng.standard_normal((2, 5), dtype="float32")
    seeds = {nets.GRADIENT: dout, nets.STEP: np.array([3, 0])}
    monkeypatch.setattr(nets, "prepare", lambda work, name, batch: (net, x, seeds[work]))


def test_a_net_is_timed_kernel_by_kernel_and_as_a_graph(tiny_net):
    plain, graph = cuda_nets.measure(nets.GRADIENT, "tiny", 2)
    assert (plain.work, graph.work) == (nets.GRADIENT, cuda_nets.GRAPH)
    assert plain.ms > 0 and graph.ms > 0 and plain.macs == graph.macs == 2 * (30 * 4 * 27 + 20)
    assert plain._replace(ms=1).gflops == graph._replace(ms=1).gflops == 4 * plain.macs / 1e6


def test_a_training_step_is_timed(tiny_net):
    (step,) = cuda_nets.measure(nets.STEP, "tiny", 2)
    assert step.work == nets.STEP and step._replace(ms=1).gflops == 6 * step.macs / 1e6


def test_a_training_step_that_differs_from_the_processors_is_not_timed(tiny_net, monkeypatch):
    monkeypatch.setattr(cuda_nets, "interleaved", None)
    passes = nets.our_pass

    def wrong(work, net, *rest):
        run = passes(work, net, *rest)
        return run if net.backend == "numba" else lambda: (run()[0], -run()[1])

    monkeypatch.setattr(nets, "our_pass", wrong)
    with pytest.raises(MinicnnError, match=r"tiny: the gradient differ from the processor's.*nothing was"):
        cuda_nets.measure(nets.STEP, "tiny", 2)


def test_the_nets_are_those_of_the_processors_table(monkeypatch):
    timed = []
    monkeypatch.setattr(cuda_nets, "measure", lambda *case: timed.append(case) or [])
    cuda_nets.measure_all()
    names = ("alexnet", "vgg16", "googlenet", "resnet50", "squeezenet1_1")
    assert set(timed) == {
        *((work, name, batch) for work in (nets.GRADIENT, nets.STEP) for name in names for batch in (1, 32)),
        (nets.STEP, "cifar_vgg", 128),
    }


def test_a_net_that_differs_from_the_processors_is_not_timed(tiny_net, monkeypatch):
    monkeypatch.setattr(cuda_nets, "interleaved", None)
    graph = cuda_nets.Graph
    monkeypatch.setattr(cuda_nets, "Graph", lambda *args: lambda x: tuple(-a for a in graph(*args)(x)))
    with pytest.raises(MinicnnError, match=r"tiny as a graph: the scores differ from the processor's.*nothing was"):
        cuda_nets.measure(nets.GRADIENT, "tiny", 2)


# The command -----------------------------------------------------------------------------------------------------


@pytest.fixture
def made_up(monkeypatch):
    """Times for everything without running it."""

    def climb(operation):
        first = ladder.Result(operation, "1 naive", "case", 0 if operation == "concat" else 10**6, 10**5, 0, 20, 4, 0.5)
        return [first, first._replace(rung="cuBLAS", ms=2)]

    def measure_all(names=cuda_nets.ALL, batches=cuda_nets.BATCHES):
        return [nets.Result(nets.GRADIENT, name, batch, 10**6, 4, 2, None, None) for name in names for batch in batches]

    monkeypatch.setattr(cuda_ladder, "climb", climb)
    monkeypatch.setattr(cuda_nets, "measure_all", measure_all)


@pytest.fixture
def bench(made_up, capsys):
    """Runs `minicnn bench --backend cuda` with made-up times; returns what it printed."""

    def run(*argv):
        assert main(["bench", "--backend", "cuda", *map(str, argv)]) == 0
        return capsys.readouterr().out

    return run


def test_the_command_prints_a_table_for_each_operation(bench):
    out = bench("conv")
    assert out.count("warm ms") == 3 and out.count("cuBLAS") == 3 and "2.00" in out and "0.5" in out


def test_the_command_times_everything_unless_told(bench):
    document = json.loads(bench("--json"))
    works = list(dict.fromkeys(row["work"] for row in document["results"]))
    assert works[0] == "matmul" and sorted(works) == sorted([*LADDERS, nets.GRADIENT])
    timed = [(row["net"], row["batch"]) for row in document["results"] if "net" in row]
    assert timed == [(net, batch) for net in cuda_nets.ALL for batch in (1, 32)]
    assert document["machine"]["card"] and document["peak_gflops"] > 0 and document["copy_gbytes"] > 0


def test_a_roofline_is_drawn_where_anything_is_computed(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(cuda_ladder, "operations", lambda work: ("add", "concat"))
    bench("others", "--out", tmp_path)
    assert [path.name for path in tmp_path.glob("*.png")] == ["roofline-add.png"]
    assert json.loads((tmp_path / "run.json").read_text())["backend"] == "cuda"


@pytest.mark.parametrize(
    "argv, said",
    [
        (["--backend", "numpy"], "bench is for the backends numba and cuda, not for numpy"),
        (["others", "--backend", "numba"], "with --backend numba there is no others"),
        (["load", "--backend", "cuda"], "with --backend cuda there is no load"),
    ],
)
def test_what_a_backend_has_not_is_refused(argv, said, capsys):
    assert main(["bench", *argv]) == 2
    assert said in capsys.readouterr().err


# The page --------------------------------------------------------------------------------------------------------


def test_a_rungs_kernels_are_found_in_its_code():
    rungs = LADDERS["matmul"].rungs
    assert kernels_of(rungs["naive"].run) == ["matmul._naive"]
    assert kernels_of(rungs["register_blocked"].run) == ["matmul._register_blocked"]
    in_c = kernels_of(rungs["vectors"].run)
    assert len(in_c) > 1 and all(name.startswith("matmul.cu:") for name in in_c)
    found = set(kernels_of(LADDERS["conv2d_forward"].rungs["winograd"].run))
    assert {"winograd._filters", "winograd._tiles", "winograd._pixels", "matmul._register_blocked"} <= found
    assert kernels_of(LADDERS["add"].rungs["vectors"].run) == ["add.cu:add"]


def test_every_rung_has_kernels():
    for operation, ladder_ in LADDERS.items():
        for name, rung in ladder_.rungs.items():
            found = kernels_of(rung.run)
            assert found and all((".cu:" in kernel) == rung.in_cuda_c for kernel in found), (operation, name)


def test_the_page_has_every_table_and_no_figure_that_was_not_measured():
    text = (ROOT / "benchmarks" / "CUDA.md").read_text(encoding="utf-8")
    for name, (file, *_) in cuda_page.tables().items():
        found = re.search(rf"<!-- {name}:begin[^>]*-->\n(.*?)<!-- {name}:end -->", text, re.DOTALL)
        assert found, name
        if name not in LADDERS:
            continue
        for rung in LADDERS[name].rungs.values():
            assert rung.run.__doc__[3:] in found[1], "python -m minicnn.benchmarks.report benchmarks/CUDA.md"
        if not (report.RESULTS / file).is_file():
            for line in found[1].splitlines()[2:]:
                assert line.endswith("|" + "  |" * 6), line


def test_tables_of_what_was_measured():
    results = [
        ladder.Result("add", "1 one each", "2x3", 10**6, 10**9, 0, 9, 0.0123, 0.01),
        ladder.Result("add", "cuBLAS", "2x3", 10**6, 10**9, 0, 9, 4, 3),
    ]
    machine = {"card": "A card", "gigabytes": 80.0, "driver": "580.1", "python": "3.11"}
    document = {"date": "2030-01-02", "machine": machine, "peak_gflops": 1e4, "copy_gbytes": 3000}
    document["results"] = ladder.figures(results, 1e4, 3000)
    first, second, *_, last = cuda_page.ladder_table(LADDERS["add"], document).splitlines()[2:]
    assert first.startswith("| 1 one each | One thread a number: ") and "12.3 µs | 10.0 µs" in first
    assert second.startswith("| 2 grid stride") and second.endswith("|" + "  |" * 6) and last == "Measured: 2x3."
    said = cuda_page.where(document)
    assert "Measured on 2030-01-02: A card, 80 GB; driver 580.1, python 3.11." in said and "10000 GFLOP/s" in said
    result = nets.Result(nets.GRADIENT, "vgg16", 1, 10**9, 2.5, 5.0, 100, None)
    text = cuda_page.nets_table(document | {"results": [result._asdict() | {"gflops": 1600}]})
    assert "| image gradient | vgg16 | 1 | 2.50 ms | 5.00 ms | 0.50 | 16% | 100 MB | - |" in text


@pytest.fixture
def write_page(tmp_path, monkeypatch):
    """Runs `report CUDA.md` on a page of markers alone, with results of its own; returns (the page, their folder)."""
    cuda_page._resources()  # of this checkout
    for module in (report, cuda_page):
        monkeypatch.setattr(module, "RESULTS", tmp_path)

    def write(*anew):
        page = tmp_path / "CUDA.md"
        page.write_text("".join(f"<!-- {name}:begin -->\n<!-- {name}:end -->\n" for name in cuda_page.tables()))
        monkeypatch.setattr("sys.argv", ["report", str(page), *anew])
        report.main()
        return page.read_text()

    return write


def test_a_page_waits_for_a_card(write_page):
    text = write_page()
    assert "4 vectors" in text and "image gradient, CUDA graph | vgg16 | 32" in text
    assert "wait for" in text and " ms" not in text and "µs" not in text


def test_a_page_of_what_is_measured_now(write_page, made_up, tmp_path, monkeypatch):
    monkeypatch.setattr(cuda_ladder, "WORKS", {"gemm": ("matmul",)})
    monkeypatch.setattr(cuda_ladder, "operations", lambda work: cuda_ladder.WORKS.get(work, ("concat",)))
    text = write_page("ladders", "nets")
    assert (
        "| cuBLAS | the library |  |  | 2.00 ms | 0.50 ms |" in text and "| image gradient | vgg16 | 1 | 4.00" in text
    )
    assert {path.name for path in tmp_path.glob("*.png")} == {"roofline-cuda-matmul.png"}
    assert "[matmul](results/roofline-cuda-matmul.png)." in text
    for name, works in (("ladders", {"matmul", "concat"}), ("nets", {nets.GRADIENT})):
        document = json.loads((tmp_path / f"{name}-cuda.json").read_text())
        assert document["machine"]["card"] and {row["work"] for row in document["results"]} == works


def test_tables_that_are_not_measured_by_themselves_are_refused(write_page):
    with pytest.raises(MinicnnError, match="matmul"):
        write_page("matmul")


# Around ----------------------------------------------------------------------------------------------------------


def test_the_benchmarks_use_of_cupy_only_what_the_stand_in_knows():
    for path in Path(benchmarks.__file__).parent.glob("cuda_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if name.startswith("xp.") and "from_dlpack" not in name and "(" not in name:
                there = cupy_standin
                for part in name.split(".")[1:]:
                    there = getattr(there, part)


@pytest.mark.skipif(card.ON_CARD or not shutil.which("make"), reason="there is a card, or no make")
@pytest.mark.parametrize("target", ["test-gpu", "bench-gpu"])
def test_make_says_that_there_is_no_card(target, tmp_path):
    command = ["make", target, f"VENV={tmp_path / 'none'}", "PATH=/usr/bin:/bin"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=10)
    assert done.returncode != 0 and f"make {target} needs an NVIDIA card" in done.stderr
    assert not (tmp_path / "none").exists()
