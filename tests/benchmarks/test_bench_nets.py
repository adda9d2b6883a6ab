"""What the nets benchmark times is right on both sides, and it refuses to time what is not."""

import numpy as np
import pytest

from minicnn.benchmarks import nets
from minicnn.errors import MinicnnError


def test_work_is_counted_as_the_definition_does():
    result = nets.Result(nets.GRADIENT, "lenet", 1, 1_000_000, 2.0, None, None, None)
    assert result.gflops == 2.0 and result._replace(work=nets.STEP).gflops == 3.0


def test_a_training_step_has_every_gradient():
    case = nets.prepare(nets.STEP, nets.CIFAR, 2)
    scores, grads = nets.our_pass(nets.STEP, *case)()
    assert scores.shape == (2, 10)
    assert len(grads) == sum(a.size for key, a in case[0].state_dict().items() if "running" not in key)
    assert np.isfinite(grads).all() and np.abs(grads).max() > 0


@pytest.mark.oracle
@pytest.mark.parametrize("work", [nets.GRADIENT, nets.STEP])
@pytest.mark.parametrize("name", [nets.CIFAR, "squeezenet1_1"])
def test_pytorch_computes_the_same(work, name):
    pytest.importorskip("torch")
    case = nets.prepare(work, name, 2)
    ours, theirs = nets.our_pass(work, *case)(), nets._torch_pass(work, *case)()
    nets.compare(name, ours, theirs)
    with pytest.raises(MinicnnError, match="gradient differ"):
        nets.compare(name, (ours[0], -ours[1]), theirs)
    with pytest.raises(MinicnnError, match="scores differ"):
        nets.compare(name, (1.01 * ours[0], ours[1]), theirs)
