"""Every kernel compiles for three generations of cards, in Python and in CUDA C, and none spills registers."""

import importlib.util
import json
import re

import cuda_cases  # noqa: F401
import numpy as np
import pytest

from minicnn.benchmarks import cuda_resources
from minicnn.benchmarks.cuda_resources import RESULTS, Use
from minicnn.errors import MinicnnError
from minicnn.kernels.cuda import launch, raw

if importlib.util.find_spec("cuda") is None or importlib.util.find_spec("cuda.bindings") is None:
    pytest.skip("needs numba-cuda[cu13], which brings CUDA's compilers", allow_module_level=True)

CASES = {("float32", "7.5"), ("float32", "8.0"), ("float32", "9.0"), ("float64", "9.0")}


# Files whose kernels load and store 16 bytes; those of the products by tiles (tiles.cuh) among them.
WITH_VECTORS = [
    path.stem
    for path in sorted(raw.FOLDER.glob("*.cu"))
    if re.search(r"load_pack|load_wide.*store_wide|tiles\.cuh", path.read_text(), re.DOTALL)
]


@pytest.fixture(scope="module")
def uses(compiled_kernels):
    """Of a process whose Numba is no simulator."""
    return [Use(*row) for row in json.loads(compiled_kernels)]


def in_cuda_c():
    """file.cu:function of every kernel in the sources, found in another way than raw.py finds them."""
    for path in sorted(raw.FOLDER.glob("*.cu")):
        text = re.sub(r"//.*", "", path.read_text())
        for after in text.split("__global__")[1:]:
            name = re.findall(r"(\w+)\s*\(", after.replace("__launch_bounds__(", ""))[0]
            yield f"{path.name}:{name}"


def test_every_kernel_is_compiled_for_every_target(uses):
    found = {}
    for use in uses:
        found.setdefault(use.kernel, set()).add((use.dtype, use.target))
    assert set(found) == {kernel.name for kernel in launch.KERNELS} | set(in_cuda_c())
    assert {kernel: cases for kernel, cases in found.items() if cases != CASES} == {}


def test_no_kernel_spills_and_all_can_be_launched(uses):
    assert [use for use in uses if use.spilled] == []
    assert [use for use in uses if not 0 < use.registers <= 255 or use.shared > 49 * 1024] == []


def test_the_table_on_file_is_of_these_kernels(uses):
    document = json.loads((RESULTS / "cuda-resources.json").read_text())
    assert {row["kernel"] for row in document["kernels"]} == {use.kernel for use in uses}
    assert not any(row["spilled"] for row in document["kernels"])


def test_a_kernel_that_spills_is_found():
    """As many sums as a block of 1024 threads has no registers for: 64 each."""
    sums = "".join(f"T s{i} = x[{i} * n]; " for i in range(120))
    work = (
        "for (int k = 0; k < n; k++) { " + "".join(f"s{i} = s{i} * s{(i + 1) % 120} + x[k];" for i in range(120)) + "}"
    )
    total = " + ".join(f"s{i}" for i in range(120))
    code = (
        "typedef REAL T;\n"
        'extern "C" __global__ void __launch_bounds__(1024) many(const T* x, T* out, int n)\n'
        f"{{ {sums} {work} out[threadIdx.x] = {total}; }}"
    )
    log = cuda_resources.nvrtc(code, "float32", (9, 0))[1]
    (use,) = cuda_resources._uses(log, "spills", None, "float32", "9.0")
    assert use.kernel == "spills.cu:many" and use.spilled > 0 and use.registers <= 64


def test_cuda_c_that_does_not_compile_is_an_error_with_the_compilers_words():
    with pytest.raises(MinicnnError, match=r"(?s)NVRTC_ERROR_COMPILATION.*nothing_of_that_name"):
        cuda_resources.nvrtc('extern "C" __global__ void f(int n) { nothing_of_that_name = n; }', "float32", (9, 0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", WITH_VECTORS)
def test_packs_are_loaded_and_stored_16_bytes_at_a_time(name, dtype):
    ptx = cuda_resources.nvrtc(raw.text(name), dtype, (9, 0))[0]
    vector = {"float32": r"v4\.[fub]32", "float64": r"v2\.[fub]64"}[dtype]
    assert re.search(rf"ld\.global(\.nc)?\.{vector}", ptx) and re.search(rf"st\.global\.{vector}", ptx)


def test_parameters_are_read_off_the_source():
    found = raw.kernels(
        '// extern "C" __global__ void no(int n)\n'
        'extern "C" __global__ void __launch_bounds__(256) yes(const T* __restrict__ x, int* out,\n'
        "    long long count, const double eps, T k) {}"
    )
    assert found == {
        "yes": [
            ("T", True, "x"),
            ("int", True, "out"),
            ("long long", False, "count"),
            ("double", False, "eps"),
            ("T", False, "k"),
        ]
    }


def test_raw_kernels_are_those_of_the_sources():
    assert sorted(f"{p.name}:{k}" for p in raw.FOLDER.glob("*.cu") for k in raw.kernels(raw.text(p.stem))) == sorted(
        in_cuda_c()
    )


def test_options_name_the_dtype():
    assert raw.options(np.dtype("float32"))[-1] == "-DREAL=float"
    assert raw.options(np.dtype("float64"))[-1] == "-DREAL=double"


def test_shared_memory_of_the_launch_compiles_for_a_card_too():
    """No kernel need use it for this to be seen."""
    code = raw.text("add") + 'extern "C" __global__ void last(T* out) { out[0] = open_shared<T>()[threadIdx.x]; }'
    assert "last" in cuda_resources.nvrtc(code, "float64", (7, 5))[1]
