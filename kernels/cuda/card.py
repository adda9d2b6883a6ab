"""The backend `cuda`: arrays are CuPy's, and an operation's default is its best rung in CUDA C.

All work is put on CuPy's current stream, and all memory comes from CuPy's current allocator.

Signatures and shapes stand in `contract.py`, what is right in `reference.py`.
"""

from . import device, operations

_CARD = device.card()

xp = _CARD.xp
to_device = device.on(_CARD, device.to_device)
to_host = device.on(_CARD, device.to_host)
globals().update(operations.on(_CARD))
