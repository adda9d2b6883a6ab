"""Compile now what the gradient of a score to the pixels needs, in float32, and keep it on disk.

It is computed once for GoogLeNet and for a residual net, with random weights: they have every kind of layer that takes
compiling. What is compiled already is not compiled again.

examples:
  minicnn cache warm
"""

import logging
import time

log = logging.getLogger("minicnn")


def add_arguments(parser):
    """It has no options."""


def run(args):
    from ....errors import OutputError
    from ....kernels import get, use
    from ...compiled import folders, megabytes

    jit = get("numba").jit
    if jit.FOLDER is None:
        raise OutputError(f"cannot keep compiled kernels: {jit.cache_root()} cannot be written")
    log.info("compiling, which takes about half a minute the first time ...")
    start = time.perf_counter()
    with use("numba"):
        for name in ("googlenet", "cifar_resnet20"):
            _image_gradient(name)
    seconds = time.perf_counter() - start
    kept = folders(jit.cache_root(), jit.FOLDER)[0]
    print(f"ready in {seconds:.1f} s: {kept.files} files, {megabytes(kept.bytes)} in {kept.path}")


def _image_gradient(name):
    import numpy as np

    from ....zoo import build

    net = build(name, seed=0).freeze()
    _, tape = net.forward(np.zeros((1, *net.meta.input_size), np.float32))
    net.backward(tape.out(net.scores), tape, start=net.scores, params=False)
