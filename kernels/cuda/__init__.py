"""The kernels on NVIDIA's cards: in Python, compiled by Numba, and in CUDA C, compiled through CuPy.

card.py              the backend `cuda`: arrays are CuPy's
sim.py               the backend `cuda-sim`: the kernels in Python on Numba's simulator, arrays are NumPy's
operations.py        the functions that both offer, found by their modules
relu.py add.py ...   one operation a file: its rungs in reading order, then the function of `contract.py`
source/              the same operations' best rungs in CUDA C
rungs.py             the ladder of an operation, and which rung runs
launch.py raw.py     starting a kernel that Numba compiles, and one of CUDA C
device.py            where it all runs, memory, streams, and what to install where something is missing
graph.py             a whole pass, recorded once and started by one call
"""
