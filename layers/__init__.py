"""What an operation means: forward and backward side by side, one layer a file.

Every layer of the folder is here by name: `from minicnn.layers import Conv2d, ReLU`.
"""

from importlib import import_module
from pkgutil import iter_modules

from .base import Layer

__all__ = ["Layer"]

for _module in iter_modules(__path__):
    for _name, _value in vars(import_module(f".{_module.name}", __name__)).items():
        if isinstance(_value, type) and issubclass(_value, Layer) and not _name.startswith("_"):
            globals()[_name] = _value
            if _name not in __all__:
                __all__.append(_name)
