"""The matrix product on the card beyond the random cases: several tiles and parts, edges, layouts, alignment."""

import cuda_cases
import numpy as np
import pytest
from tolerances import assert_close

from minicnn.kernels import reference
from minicnn.kernels.cuda import matmul, tiles
from minicnn.kernels.errors import DTypeError, ShapeError

IN_PYTHON = cuda_cases.rungs("matmul", in_cuda_c=False)
IN_C = cuda_cases.rungs("matmul", in_cuda_c=True)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])
layouts = pytest.mark.parametrize("turned", [(False, False), (False, True), (True, False), (True, True)])


def matrices(M, K, N, dtype, seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((M, K)).astype(dtype), rng.standard_normal((K, N)).astype(dtype)


def check(rung, a, b, turned=(False, False)):
    """turned    whether a, and b, are transposes of what lies in the card's memory"""
    on_card = [cuda_cases.to_device(x.T.copy()).T if t else cuda_cases.to_device(x) for x, t in zip((a, b), turned)]
    with cuda_cases.use(matmul=rung):
        got = cuda_cases.to_host(cuda_cases.backend.matmul(*on_card))
    assert_close("matmul", got, reference.matmul(a, b))


@pytest.fixture
def sizes(monkeypatch):
    """sizes(large, parts): the product in CUDA C is cut into large tiles or small ones, its sums into so many parts."""

    def cut_so(large, parts, packed=True):
        monkeypatch.setattr(tiles, "BLOCKS", 0 if large else 10**6)
        monkeypatch.setattr(tiles, "WASTE", 100)
        monkeypatch.setattr(tiles, "SHORTEST_PART", 1 if parts else 10**6)
        whole = tiles.cut

        def cut(*args):
            found = whole(*args)
            assert (found.size == "large") == (large and packed) and (found.parts > 1) == parts
            return found

        monkeypatch.setattr(matmul, "cut", cut)

    return cut_so


# In Python -------------------------------------------------------------------------------------------------------


@layouts
@pytest.mark.parametrize(("operation", "rung"), IN_PYTHON)
def test_several_blocks_and_steps(operation, rung, turned):
    side = 66 if rung == "register_blocked" else 10
    check(rung, *matrices(side, 10, 3, np.float32), turned)
    check(rung, *matrices(3, 10, side, np.float64), turned)


# In CUDA C -------------------------------------------------------------------------------------------------------


@both_dtypes
@layouts
@pytest.mark.parametrize("large", [True, False])
# whole tiles and packs; edges in all directions with packs, and without
@pytest.mark.parametrize(("shape", "packed"), [((128, 24, 256), True), ((132, 20, 136), True), ((129, 27, 131), False)])
def test_tiles_in_cuda_c(sizes, shape, packed, large, turned, dtype):
    sizes(large, parts=False, packed=packed)
    check("vectors", *matrices(*shape, dtype), turned)


@both_dtypes
@pytest.mark.parametrize("shape", [(5, 64, 7), (68, 100, 65)])
def test_parts_of_the_sum_are_added(sizes, shape, dtype):
    sizes(large=False, parts=True)
    check("vectors", *matrices(*shape, dtype))


@both_dtypes
@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("M", [1, 3, 4])
@pytest.mark.parametrize(("K", "N"), [(300, 12), (7 * 4, 36 * 4 + 4), (4, 4)])
def test_few_rows(monkeypatch, M, K, N, turned, dtype):
    """Sums that a warp's lanes share, more and less than one round of them; parts; several blocks."""
    monkeypatch.setattr(matmul, "product_in_c", None)
    check("vectors", *matrices(M, K, N, dtype), (False, turned))


@pytest.mark.parametrize(("shape", "turned"), [((2, 30, 4), True), ((2, 4, 30), False), ((5, 8, 8), True)])
def test_few_rows_without_packs_and_more_rows_go_by_tiles(monkeypatch, shape, turned):
    monkeypatch.setattr(matmul, "_few_rows_in_c", None)
    check("vectors", *matrices(*shape, np.float32), (False, turned))


@pytest.mark.parametrize("M", [2, 20])
def test_two_runs_are_equal_to_the_bit(sizes, M):
    sizes(large=False, parts=True)
    arrays = matrices(M, 200, 20, np.float32)
    first, second = (cuda_cases.call("matmul", *arrays, rung="vectors") for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("product", "size", "parts"),
    [
        ((4096, 4096, 4096, 1), "large", 1),
        ((64, 100352, 576, 1), "small", 1),  # a large tile would be half empty
        ((512, 196, 4608, 1), "small", 16),  # 32 tiles
        ((1, 4096, 25088, 1), "small", 8),
        ((256, 1568, 256, 36), "large", 1),
        ((8, 8, 100, 1), "small", 1),  # too short a sum to be cut
    ],
)
def test_how_a_product_is_cut(product, size, parts):
    cut = tiles.cut(*product, itemsize=4)
    assert (cut.size, cut.parts) == (size, parts)
    assert (cut.parts - 1) * cut.length < product[2] <= cut.parts * cut.length
    assert cut.length % 8 == 0


# Any rung --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("operation", "rung"), IN_PYTHON + IN_C)
@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 3, 0), (2, 0, 3), (0, 0, 0), (1, 1, 1), (1, 9, 1)])
def test_sizes_of_0_and_1(operation, rung, shape):
    check(rung, *matrices(*shape, np.float32))


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # the simulator's, which computes in NumPy
@pytest.mark.parametrize(("operation", "rung"), IN_PYTHON + IN_C)
def test_nan_and_infinity_reach_only_their_rows_and_columns(operation, rung):
    a, b = matrices(5, 9, 6, np.float32)
    a[1, 8], b[0, 2] = np.nan, np.inf
    got = cuda_cases.call("matmul", a, b, rung=rung)
    with np.errstate(invalid="ignore"):
        expected = reference.matmul(a, b)
    assert_close("matmul", got[[0, 2, 3, 4]][:, [0, 1, 3, 4, 5]], expected[[0, 2, 3, 4]][:, [0, 1, 3, 4, 5]])
    assert np.isnan(got[1]).all()
    np.testing.assert_array_equal(got[[0, 2, 3, 4], 2], expected[[0, 2, 3, 4], 2])


@pytest.mark.parametrize(("operation", "rung"), IN_PYTHON + IN_C)
def test_matrices_that_begin_anywhere(operation, rung):
    """A view that begins in the middle of 16 bytes, and one whose lines do not."""
    a, b = matrices(8, 9, 8, np.float32)
    backend, to_device = cuda_cases.backend, cuda_cases.to_device
    with cuda_cases.use(matmul=rung):
        got = backend.matmul(to_device(a)[1:, 1:], to_device(b)[1:])
        other = backend.matmul(to_device(a)[:, 1:], to_device(b.T.copy())[1:, 1:].T)
    assert_close("matmul", cuda_cases.to_host(got), reference.matmul(a[1:, 1:], b[1:]))
    assert_close("matmul", cuda_cases.to_host(other), reference.matmul(a[:, 1:], b[1:, 1:]))


def test_errors_are_the_references():
    a, b = matrices(2, 3, 4, np.float32)
    with pytest.raises(ShapeError, match=r"a \(2,3\) and b \(4,3\) are no"):
        cuda_cases.call("matmul", a, b.T)
    with pytest.raises(DTypeError, match="b is float64"):
        cuda_cases.call("matmul", a, b.astype(np.float64))
