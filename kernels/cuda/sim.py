"""The backend `cuda-sim`: the kernels in Python on Numba's simulator, on NumPy arrays; slow, and needs no card.

Signatures and shapes stand in `contract.py`, what is right in `reference.py`.
"""

from . import device, operations

_SIMULATOR = device.simulator()

xp = _SIMULATOR.xp
to_device = device.on(_SIMULATOR, device.to_device)
to_host = device.on(_SIMULATOR, device.to_host)
globals().update(operations.on(_SIMULATOR))
