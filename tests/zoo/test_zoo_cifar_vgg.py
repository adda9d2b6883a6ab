"""The nets for small images, once more in PyTorch's functions, with batch norm's running statistics drawn at random."""

import numpy as np
import pytest

from minicnn import zoo

# After each convolution: whether its block ends with a pool. 32x32 has 8 of them, 64x64 has 6.
POOLED = {"cifar_vgg": (0, 1, 0, 1, 0, 1, 0, 0), "shapes_vgg": (1, 0, 1, 0, 1, 0)}


def twin(name, x, p):
    """The scores: x through convolution, batch norm, ReLU, pool, then the head."""
    import torch.nn.functional as F

    convolutions = [key[:-2] for key in p if key.startswith("conv")]
    assert len(convolutions) == len(POOLED[name])
    for conv, pooled in zip(convolutions, POOLED[name]):
        bn = conv.replace("conv", "bn")
        x = F.conv2d(x, p[f"{conv}.w"], padding=1)
        mean, var = p[f"{bn}.running_mean"], p[f"{bn}.running_var"]
        x = F.batch_norm(x, mean, var, p[f"{bn}.w"], p[f"{bn}.b"], eps=1e-5).relu()
        x = F.max_pool2d(x, 2) if pooled else x
    x = x.amax(dim=(2, 3)) if name == "shapes_vgg" else x.flatten(1)
    return F.linear(x, p["fc.w"], p["fc.b"])


@pytest.mark.oracle
@pytest.mark.parametrize("name", POOLED)
def test_scores_and_image_gradient(name):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    net = zoo.build(name, seed=1).astype("float64")
    for array in net.state_dict().values():
        if array.ndim == 1:
            array[:] = rng.uniform(0.5, 1.5, array.shape)
    x = rng.standard_normal((2, *net.meta.input_size))
    scores, tape = net.forward(x, until=net.scores)
    dscores = rng.standard_normal(scores.shape)
    dx, _ = net.backward(dscores, tape, params=False)
    image = torch.from_numpy(x).requires_grad_()
    theirs = twin(name, image, {key: torch.from_numpy(array) for key, array in net.state_dict().items()})
    theirs.backward(torch.from_numpy(dscores))
    np.testing.assert_allclose(scores, theirs.detach().numpy(), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(dx, image.grad.numpy(), rtol=1e-8, atol=1e-10 * np.abs(dx).max())
