"""What an operation means: forward and backward side by side, one layer or loss a file.

Every layer of the folder is here by name, and so is every forward and backward function:
`from minicnn.layers import Conv2d, conv2d_forward, conv2d_backward`.
"""

from importlib import import_module
from pkgutil import iter_modules

from .base import Layer

__all__ = ["Layer"]


def _is_public(name, value, module):
    if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
        return False
    is_layer = isinstance(value, type) and issubclass(value, Layer)
    return is_layer or name.endswith(("_forward", "_backward", "_backward_params"))


for _file in iter_modules(__path__):
    _module = import_module(f".{_file.name}", __name__)
    for _name, _value in vars(_module).items():
        if _is_public(_name, _value, _module) and _name not in __all__:
            globals()[_name] = _value
            __all__.append(_name)
