"""minicnn: a conv-net written by hand, in which nothing is hidden.

net = minicnn.load("googlenet")                     # a frozen net that knows its preprocessing
out, tape = net.forward(x)                          # every intermediate value, and what backward reads
dx, grads = net.backward(dout, tape, rules={...})   # every gradient rule a plain function
"""

from pathlib import Path

__version__ = "0.1.0"

# In a checkout the other rooms stand beside this folder; installed, they are inside it.
_checkout = Path(__file__).resolve().parent.parent
if (_checkout / "kernels" / "contract.py").is_file():
    __path__.append(str(_checkout))

_LAZY = {
    "Net": ".net",
    "load": ".weights.store",
    "save": ".weights.store",
    "build": ".zoo",
    "gradcheck": ".gradient_check",
    "MinicnnError": ".kernels.errors",
    "set_threads": ".kernels",
}
__all__ = ["MinicnnError", "Net", "__version__", "build", "gradcheck", "load", "save", "set_threads"]


def __getattr__(name):
    # Imported at first use, so that `import minicnn` costs next to nothing.
    if name not in _LAZY:
        raise AttributeError(f"module 'minicnn' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name], __name__), name)


def __dir__():
    return sorted({*globals(), *__all__})
