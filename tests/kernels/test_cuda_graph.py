"""A pass recorded as a CUDA graph answers what the pass itself answers."""

import cuda_cases
import numpy as np
import pytest

from minicnn.kernels import BackendError, reference
from minicnn.kernels.cuda.graph import Graph
from minicnn.kernels.errors import DTypeError, ShapeError

cuda = cuda_cases.backend


def arrays(count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((3, 5, 7), dtype="float32") for _ in range(count)]


@pytest.fixture(autouse=True)
def cuda_is_there(monkeypatch):
    monkeypatch.setattr("minicnn.kernels.cuda.graph.get", lambda name: cuda)


def gated_sum(a, b):
    """relu(a + b) and twice a, by own kernels and by CuPy's."""
    return cuda.relu_forward(cuda.add(a, b)), a * 2


def test_a_graph_answers_for_arrays_it_was_not_recorded_with():
    graph = Graph(gated_sum, *map(cuda.to_device, arrays(2)))
    for seed in (1, 2):
        a, b = arrays(2, seed)
        relu, double = map(cuda.to_host, graph(*map(cuda.to_device, (a, b))))
        np.testing.assert_array_equal(relu, reference.relu_forward(a + b))
        np.testing.assert_array_equal(double, 2 * a)


def test_what_one_call_returned_is_not_written_by_the_next():
    a, b = arrays(2)
    graph = Graph(lambda x: cuda.add(x, x), cuda.to_device(a))
    first = graph(cuda.to_device(a))
    graph(cuda.to_device(b))
    np.testing.assert_array_equal(cuda.to_host(first), a + a)


def test_a_graph_reads_weights_where_they_lie():
    (x,) = map(cuda.to_device, arrays(1))
    weights = cuda.to_device(arrays(1, seed=3)[0])
    graph = Graph(lambda x: cuda.add(x, weights), x)
    weights[...] = weights * 0 + 1
    np.testing.assert_array_equal(cuda.to_host(graph(x)), cuda.to_host(x) + 1)


def test_memory_of_the_graph_is_its_own():
    """Arrays that the pass let go of may be given to nobody else: its kernels will write to them again."""
    x = cuda.to_device(arrays(1)[0])
    pool = cuda.xp.get_default_memory_pool()
    before = pool.used_bytes()
    graph = Graph(lambda x: cuda.add(cuda.add(x, x), x), x)
    assert pool.used_bytes() == before
    assert graph._pool.total_bytes() >= 3 * x.nbytes


def test_a_pass_that_copies_to_the_host_cannot_be_recorded():
    x = cuda.to_device(arrays(1)[0])
    with pytest.raises(BackendError, match="cannot be recorded as a CUDA graph"):
        Graph(lambda x: x * float(cuda.to_host(x).max()), x)
    np.testing.assert_array_equal(cuda.to_host(cuda.add(x, x)), 2 * cuda.to_host(x))  # nothing is recorded any longer


def test_an_error_of_the_pass_itself_stays_what_it_is():
    x = cuda.to_device(arrays(1)[0])
    with pytest.raises(ShapeError, match=r"a .* and b"):
        Graph(lambda x: cuda.add(x, x[0]), x)


def test_other_shapes_dtypes_and_numbers_of_arguments_are_refused():
    x = cuda.to_device(arrays(1)[0])
    graph = Graph(cuda.relu_forward, x)
    with pytest.raises(ShapeError, match=r"argument 0 is \(5,7\), the graph was recorded for \(3,5,7\)"):
        graph(x[0])
    with pytest.raises(DTypeError, match="argument 0 is float64, the graph was recorded for float32"):
        graph(x.astype("float64"))
    with pytest.raises(BackendError, match="takes 1 arrays, not 2"):
        graph(x, x)
