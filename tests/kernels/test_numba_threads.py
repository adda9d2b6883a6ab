"""Threads of the compiled backend: fixed shares, one caller at a time, and what cannot be asked for."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import minicnn
from minicnn import kernels
from minicnn.kernels.errors import BackendError
from minicnn.kernels.numba_cpu import threads

K = kernels.get("numba")
GEOMETRY = ((1, 1), (1, 1, 1, 1), (1, 1), 1)


def arrays(seed=0, channels=32):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, channels, 30, 30), dtype=np.float32)
    return x, rng.standard_normal((channels, channels, 3, 3), dtype=np.float32)


def compute(x, w):
    """All that is parallel, once."""
    out = K.conv2d_forward(x, w, None, *GEOMETRY)
    pooled, argmax = K.max_pool2d_forward(out, (3, 3), (2, 2), (0,) * 4, (1, 1), True)
    normed, scale = K.lrn_forward(out, 5, 1e-4, 0.75, 1.0)
    mean, var = K.batch_norm_statistics(out)
    weights = np.linspace(1, 2, len(mean), dtype="float32")
    sums = K.batch_norm_backward_params(x, out, mean, var**-0.5)
    probabilities = K.softmax_forward(out)
    return (
        out,
        K.conv2d_backward_input(out, w, x.shape, *GEOMETRY),
        K.conv2d_backward_weight(out, x, w.shape, *GEOMETRY),
        pooled,
        K.max_pool2d_backward(pooled, argmax, out.shape, (3, 3), (2, 2), (0,) * 4, (1, 1)),
        normed,
        K.lrn_backward(normed, out, scale, 5, 1e-4, 0.75),
        K.relu_backward(out, K.relu_forward(out)),
        K.avg_pool2d_forward(out, (3, 3), (2, 2), (0,) * 4, True, True),
        mean,
        var,
        *sums,
        K.batch_norm_forward(out, mean, var**-0.5, weights, weights),
        K.batch_norm_backward_input(x, out, mean, var**-0.5, weights, sums),
        probabilities,
        K.softmax_backward(out, probabilities),
        K.concat([x, out]),
        K.add(x, out),
        K.matmul(out.reshape(len(out), -1), out.reshape(len(out), -1).T),
    )


@pytest.fixture
def restored():
    yield
    threads._count = None


@pytest.mark.parametrize("n", range(1, threads.count() + 1))
def test_every_run_gives_the_same_bits(n, restored):
    minicnn.set_threads(n)
    assert kernels.threads() == n
    case = arrays()
    first = compute(*case)
    for _ in range(3):
        for a, b in zip(first, compute(*case)):
            np.testing.assert_array_equal(a, b)


def test_the_number_of_threads_changes_rounding_at_most(restored):
    case = arrays()
    many = compute(*case)
    minicnn.set_threads(1)
    for a, b in zip(many, compute(*case)):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5 * np.abs(a).max())


def test_several_python_threads_compute_at_once():
    cases = [arrays(seed, 16 + seed) for seed in range(4)]
    expected = [compute(*case) for case in cases]
    wrong = []

    def work(case, right):
        for _ in range(10):
            if any((a != b).any() for a, b in zip(right, compute(*case))):
                wrong.append(case)

    running = [threading.Thread(target=work, args=pair) for pair in zip(cases, expected)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("n", [0, -1, 10_000, 1.5, "2"])
def test_a_wrong_number_is_refused(n):
    with pytest.raises(BackendError, match="expected 1 to"):
        minicnn.set_threads(n)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_child_computes_or_says_why_not():
    code = """
import os, sys
import numpy as np
from minicnn import kernels
from minicnn.kernels.errors import BackendError
K = kernels.get("numba")
x = np.ones(100, np.float32)
K.relu_forward(x)
child = os.fork()
if child == 0:
    try:
        os._exit(0 if K.relu_forward(x).all() else 1)
    except BackendError as e:
        os._exit(0 if "spawn" in str(e) else 2)
    os._exit(3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-W", "ignore", "-c", code], timeout=120).returncode == 0
