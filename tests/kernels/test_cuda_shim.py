"""What the stand-in for a card is worth: it computes what CUDA says, and it finds what a card would punish or hide."""

import ast
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from cuda_shim import cupy_standin as cupy
from cuda_shim.host_compiler import COMPILER, LaunchError

from minicnn.kernels.cuda import device

pytestmark = pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"needs {COMPILER}")


def launch(body, out, *args, grid=(1,), block=(32,), shared=0, parameters=""):
    """`body` as a kernel's, which writes to `float* out`; what out holds then."""
    code = f'extern "C" __global__ void kernel(float* out{parameters}) {{ {body} }}'
    cupy.RawModule(code=code).get_function("kernel")(grid, block, (out, *args), shared_mem=shared)
    return out.get()


def zeros(count):
    return cupy.zeros(count, np.float32)


# Threads ---------------------------------------------------------------------------------------------------------


def test_every_thread_of_every_block_runs_once_and_knows_where_it_is():
    body = """
        int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
        int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
        out[block * blockDim.x * blockDim.y * blockDim.z + thread] += 1 + block * 100 + thread;"""
    found = launch(body, zeros(24 * 30), grid=(2, 3, 4), block=(5, 3, 2))
    np.testing.assert_array_equal(found, [1 + b * 100 + t for b in range(24) for t in range(30)])


def test_numbers_arrive_as_they_are_declared():
    args = np.int32(-7), np.int64(2**40), np.float64(0.25)
    found = launch(
        "out[0] = a; out[1] = b == (1ll << 40); out[2] = c;",
        zeros(3),
        *args,
        parameters=", int a, long long b, double c",
    )
    np.testing.assert_array_equal(found, [-7, 1, 0.25])


REVERSE = (
    "__shared__ float line[64]; line[threadIdx.x] = threadIdx.x; {barrier} out[threadIdx.x] = line[63 - threadIdx.x];"
)


def test_shared_memory_is_the_blocks_and_barriers_hold():
    found = launch(REVERSE.format(barrier="__syncthreads();"), zeros(64), block=(64,))
    np.testing.assert_array_equal(found, np.arange(63, -1, -1))


def test_a_missing_barrier_shows():
    found = launch(REVERSE.format(barrier=""), zeros(64), block=(64,))
    assert (found != np.arange(63, -1, -1)).any()


def test_a_missing_barrier_before_the_next_round_shows():
    """Right for threads that run in ascending order, always: only another order finds it."""
    body = """
        __shared__ float first;
        for (int k = 0; k < 3; k++) {
            if (threadIdx.x == 0) first = k;
            __syncthreads();
            out[k * 32 + threadIdx.x] = first;
            BARRIER
        }"""
    expected = np.repeat(np.arange(3), 32)
    np.testing.assert_array_equal(launch(body.replace("BARRIER", "__syncthreads();"), zeros(96)), expected)
    assert (launch(body.replace("BARRIER", ""), zeros(96)) != expected).any()


def test_a_barrier_that_some_threads_leave_out_is_an_error():
    with pytest.raises(LaunchError, match=r"__syncthreads\(\) is not reached by all threads \(block 1,0,0\)"):
        launch("if (blockIdx.x == 0 || threadIdx.x < 20) __syncthreads();", zeros(1), grid=(3,))


def test_a_shuffle_that_some_lanes_leave_out_is_an_error():
    with pytest.raises(LaunchError, match="not all lanes"):
        launch("if (threadIdx.x < 20) out[threadIdx.x] = __shfl_down_sync(0xffffffffu, 1.0f, 1);", zeros(32))


def test_threads_that_wait_in_different_places_are_an_error():
    with pytest.raises(LaunchError, match="wait for each other in different places"):
        launch("if (threadIdx.x < 20) __syncthreads(); else __syncwarp();", zeros(1))


def test_too_many_threads_are_an_error():
    with pytest.raises(LaunchError, match="more than 1024 threads"):
        launch("", zeros(1), block=(1025,))


SHUFFLES = {
    "__shfl_down_sync(0xffffffffu, v, 3)": lambda i: i + 3 if i % 32 + 3 < 32 else i,
    "__shfl_up_sync(0xffffffffu, v, 5)": lambda i: i - 5 if i % 32 >= 5 else i,
    "__shfl_xor_sync(0xffffffffu, v, 9)": lambda i: i ^ 9,
    "__shfl_sync(0xffffffffu, v, 17)": lambda i: i // 32 * 32 + 17,
    "__shfl_down_sync(0xffffffffu, v, 2, 8)": lambda i: i + 2 if i % 8 + 2 < 8 else i,
}


@pytest.mark.parametrize("kind", ["float", "double", "int"])
def test_shuffles(kind):
    lines = "".join(f"out[{64 * row} + threadIdx.x] = {call};" for row, call in enumerate(SHUFFLES))
    found = launch(f"{kind} v = threadIdx.x; {lines}", zeros(64 * len(SHUFFLES)), block=(64,))
    for row, (call, expected) in zip(found.reshape(-1, 64), SHUFFLES.items()):
        np.testing.assert_array_equal(row, [expected(i) for i in range(64)], call)


def test_a_sum_by_shuffles_of_a_warp_after_the_other():
    body = """
        __shared__ float sums[2];
        float v = threadIdx.x;
        for (int d = 16; d; d /= 2) v += __shfl_down_sync(0xffffffffu, v, d);
        if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = v;
        __syncthreads();
        if (threadIdx.x == 0) out[0] = sums[0] + sums[1];"""
    assert launch(body, zeros(1), block=(64,)) == 63 * 32


# Memory ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [-1, 5])
def test_a_write_outside_of_an_array_is_found(at):
    with pytest.raises(RuntimeError, match="wrote outside of its array"):
        launch(f"if (threadIdx.x == 0) out[{at}] = 1;", zeros(5))


def test_what_was_never_written_is_nan():
    assert np.isnan(cupy.empty((2, 3), np.float32).get()).all()
    assert np.isnan(launch("", cupy.empty(3, np.float64).view(np.float32))).any()


def test_arrays_begin_where_16_bytes_can_be_read():
    assert all(cupy.empty(n, np.float32).data.ptr % 512 == 0 for n in range(1, 40))


@pytest.mark.parametrize("first", [1, 2, 4])
def test_numbers_loaded_at_once_from_an_odd_place_are_an_error(first):
    body = f"""
        struct alignas(16) Four {{ float at[4]; }};
        out[0] = shim::whole<Four>(out + {first})->at[1];"""
    if first % 4:
        with pytest.raises(LaunchError, match="at once lie at no multiple of their size"):
            launch(body, zeros(8))
    else:
        launch(body, zeros(8))


def test_shared_memory_of_the_launch():
    body = """
        float* line = shim::shared<float>();
        line[threadIdx.x] = threadIdx.x; __syncthreads(); out[threadIdx.x] = line[31 - threadIdx.x];"""
    np.testing.assert_array_equal(launch(body, zeros(32), shared=128), np.arange(31, -1, -1))
    with pytest.raises(LaunchError, match="50000 bytes of shared memory, 49152 allowed"):
        launch(body, zeros(32), shared=50000)


def test_cuda_c_that_does_not_compile_shows_the_compilers_words():
    with pytest.raises(RuntimeError, match="does not take this CUDA C"):
        launch("out[0] = nothing_of_that_name;", zeros(1))


# Arrays ----------------------------------------------------------------------------------------------------------


def test_arrays_of_the_host_do_not_mix_with_arrays_of_the_card():
    there, here = cupy.asarray(np.ones(3)), np.ones(3)
    for mix in (
        lambda: there + here,
        lambda: here + there,
        lambda: cupy.exp(here),
        lambda: cupy.concatenate([there, here]),
        lambda: there.__setitem__(0, here[0:1]),
        lambda: np.asarray(there),
        lambda: np.testing.assert_array_equal(there, here),
    ):
        with pytest.raises(TypeError):
            mix()


def test_copies_are_counted_and_nothing_else_is():
    before = dict(cupy.copies)
    x = cupy.asarray(np.arange(6.0).reshape(2, 3))
    y = (cupy.exp(x) * 2 + x.T.reshape(2, 3)).sum(axis=1, dtype="float64").astype("float32")
    cupy.broadcast_to(y.reshape(2, 1), (2, 3)).copy()[0] = 1
    assert cupy.copies == {"to_device": before["to_device"] + 1, "to_host": before["to_host"]}
    y.get(), float(y[0]), bool((y > 0).all()), cupy.asnumpy(y), y.tolist(), y[0].item()
    assert cupy.copies["to_host"] == before["to_host"] + 6


def test_views_share_memory_and_results_do_not():
    x = cupy.asarray(np.arange(6.0))
    x.reshape(2, 3)[1] = 7
    x[:2][...] = 5
    copied = x + 0
    copied[...] = 0
    assert x.tolist() == [5, 5, 2, 7, 7, 7]


PATHS = (
    "cuda.runtime.CUDARuntimeError",
    "cuda.runtime.getDeviceCount",
    "cuda.runtime.memGetInfo",
    "cuda.runtime.getDeviceProperties",
    "cuda.runtime.driverGetVersion",
    "cuda.get_elapsed_time",
    "cuda.memory.OutOfMemoryError",
    "cuda.using_allocator",
    "cuda.get_current_stream",
    "get_default_memory_pool",
)


def test_what_the_stand_in_offers_cupy_has_too():
    """By name and by parameters; everything else on it is NumPy's, which CuPy follows."""
    real = pytest.importorskip("cupy", exc_type=ImportError)
    helpers = {"installed", "simulating", "copies", "recording", "Block", "RawModule"}
    own = {n for n, v in vars(cupy).items() if not n.startswith("_") and getattr(v, "__module__", "") == cupy.__name__}
    for name in own - helpers - {"CUDARuntimeError", "OutOfMemoryError", "Stream", "Event", "Graph", "MemoryPool"}:
        assert hasattr(real, name), name
    for path in PATHS:
        assert follow(real, path) and follow(cupy, path)
    for path in ("ndarray", "cuda.MemoryPool", "cuda.Stream", "cuda.Event", "cuda.Graph", "RawModule"):
        theirs, mine = follow(real, path), follow(cupy, path)
        names = {name for name in vars(mine) if not name.startswith("_")} - {"check_guards", "peak", "launches"}
        assert [name for name in names if not hasattr(theirs, name)] == [], path


def follow(module, path):
    for name in path.split("."):
        module = getattr(module, name)
    return module


def test_the_backend_uses_of_cupy_only_what_the_stand_in_knows():
    """`xp.something` and `cupy.something` in kernels/cuda, wherever it stands."""
    used = set()
    for path in Path(device.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and (
                found := re.match(r"(?:.*\.)?(?:xp|cupy)\.(.+)", ast.unparse(node))
            ):
                used.add(re.match(r"[\w.]*", found[1])[0])
    assert len(used) > 10
    for path in used:
        assert follow(cupy, path) is not None
