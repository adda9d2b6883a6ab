"""Every rung of the ladder against the definition, on little odd shapes; and that no wrong rung is timed."""

import numpy as np
import pytest
from tolerances import assert_close

import naive
from minicnn.benchmarks import ladder
from minicnn.benchmarks.cases import LADDER, SMALL, Conv, Gemm, Pool
from minicnn.errors import MinicnnError
from minicnn.kernels.numba_cpu.ladder import conv, gemm, pool

LADDERS = [gemm, conv, pool]


def with_cases(rungs, cases):
    """A test of every rung on every case."""
    ids = [rung.__name__ for rung in rungs]
    pairs = [pytest.param(rung, case, id=f"{name}-{case}") for rung, name in zip(rungs, ids) for case in cases]
    return pytest.mark.parametrize("rung, case", pairs)


@with_cases(gemm.RUNGS, SMALL["gemm"])
def test_gemm(rung, case):
    a, b = case.arguments()
    assert_close("matmul", rung(a, b), naive.matmul(a, b))


def test_gemm_of_several_blocks():
    """More rows, columns and depth than a block has; sums of small whole numbers are exact in float32."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(-3, 4, (5, 2 * gemm.DEPTH + 3)), rng.integers(-3, 4, (2 * gemm.DEPTH + 3, gemm.WIDTH + 9))
    for rung in gemm.RUNGS[1:]:
        np.testing.assert_array_equal(rung(a.astype("float32"), b.astype("float32")), a @ b)


@with_cases(conv.RUNGS[:-1], SMALL["conv"])
def test_conv(rung, case):
    x, w, pad = case.arguments()
    assert_close("conv2d_forward", rung(x, w, pad), naive.conv2d_forward(x, w, None, (1, 1), pad, (1, 1), 1))


@with_cases(conv.RUNGS, [Conv(2, 3, 7, 5, 5, 3, 1)])
def test_conv_padded_on_one_side(rung, case):
    x, w, _ = case.arguments()
    exact = naive.conv2d_forward(x, w, None, (1, 1), (2, 0, 0, 1), (1, 1), 1)
    assert np.abs(rung(x, w, (2, 0, 0, 1)) - exact).max() <= 5e-5 * np.abs(exact).max()


@with_cases(conv.RUNGS[-1:], [case for case in SMALL["conv"] if case.K == 3])
def test_winograd(rung, case):
    x, w, pad = case.arguments()
    exact = naive.conv2d_forward(x, w, None, (1, 1), pad, (1, 1), 1)
    assert np.abs(rung(x, w, pad) - exact).max() <= 5e-5 * np.abs(exact).max()


@with_cases(pool.RUNGS, SMALL["pool"])
def test_pool(rung, case):
    x, *geometry = case.arguments()
    assert_close("max_pool2d_forward", rung(x, *geometry), naive.max_pool2d_forward(x, *geometry, (1, 1), False))


@pytest.mark.parametrize("rung", pool.RUNGS)
def test_pool_of_ties_and_strange_numbers(rung):
    """Padding included, of which whole windows consist."""
    rng = np.random.default_rng(0)
    x = rng.choice(np.array([-np.inf, -np.inf, np.nan, 0, 1, 1, 2], "float32"), (3, 4, 7, 6))
    geometry = (2, 3), (2, 1), (3, 0, 1, 4)
    assert_close("max_pool2d_forward", rung(x, *geometry), naive.max_pool2d_forward(x, *geometry, (1, 1), False))


@pytest.mark.parametrize("module", LADDERS)
def test_rungs_are_numbered_as_they_stand(module):
    for number, rung in enumerate(module.RUNGS, 1):
        assert rung.__doc__.startswith(f"{number}. ") and "\n" not in rung.__doc__


@pytest.mark.parametrize(
    "case, flop, size",
    [
        (Gemm(2, 3, 5), 60, 4 * (6 + 15 + 10)),
        (Conv(1, 2, 5, 6, 3, 2, 1), 2 * (6 * 7) * 3 * 8, 4 * (60 + 24 + 126)),
        (Pool(2, 3, 7, 9, 3, 2), 9 * 72, 4 * (378 + 144)),
    ],
)
def test_the_work_of_a_case(case, flop, size):
    assert (case.flop, case.bytes) == (flop, size)


def test_what_figures_follow():
    result = ladder.Result("conv", "2 compiled", "", flop=8_000_000, bytes=2_000_000, error=0, first_ms=9, ms=4)
    other = result._replace(rung="PyTorch", ms=2)
    row, _ = ladder.figures([result, other], peak=100, bandwidth=5)
    assert (row["gflops"], row["gbytes"], row["intensity"], row["to_library"]) == (2, 0.5, 4, 2)
    assert (row["of_peak"], row["of_roof"]) == (0.02, 0.1)  # the memory allows 5 * 4


@pytest.fixture
def small_ladder(monkeypatch):
    """The ladder of pooling on little shapes, each timed once, without PyTorch."""
    monkeypatch.setitem(LADDER, "pool", SMALL["pool"][1:3])
    monkeypatch.setattr(ladder, "has_torch", lambda: False)
    monkeypatch.setattr(ladder, "interleaved", lambda functions, seconds: [1e-3] * len(functions))


def test_climb(small_ladder):
    results = ladder.climb("pool")
    assert [r.rung for r in results] == ["1 loops", "2 compiled loops", "3 whole planes"]
    assert {r.error for r in results} == {0} and {r.ms for r in results} == {1}


@pytest.mark.parametrize("part, wrong", [(0, 1), (0, np.nan), (1, 1)])
def test_a_wrong_rung_is_not_timed(small_ladder, monkeypatch, part, wrong):
    def broken(*arguments):
        found = pool.loops(*arguments)
        found[part][-1, -1, -1, -1] += np.array(wrong, found[part].dtype)
        return found

    monkeypatch.setitem(ladder._RUNGS, "pool", (pool.loops, broken))
    monkeypatch.setattr(ladder, "interleaved", None)
    with pytest.raises(MinicnnError, match=r"2 broken on 1x5x8x5.*not timed"):
        ladder.climb("pool")
