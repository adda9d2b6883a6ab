"""The kernels on NVIDIA's cards: in Python, compiled by Numba, and in CUDA C, compiled through CuPy.

relu.py add.py matmul.py conv_forward.py winograd.py conv_groups.py conv_backward_input.py conv_backward_weight.py
max_pool.py avg_pool.py lrn.py batch_norm.py softmax.py concat.py im2col.py col2im.py
                     one operation a file: its rungs in reading order, and the function of `contract.py`
source/              the same operations' best rungs in CUDA C
tiles.py split.py reduce.py window.py planes.py batch_norm_sums.py conv_phases.py conv_phase_tiles.py
                     what several of them share, or what one file does not hold
rungs.py             the ladder of an operation, and which rung runs
launch.py blocks.py  starting a kernel that Numba compiles; its blocks on the simulator
raw.py compiler.py   starting a kernel in CUDA C; how that is compiled and kept
device.py            where it all runs, memory, streams, and what to install where something is missing
graph.py             a whole pass, recorded once and started by one call
operations.py        the operations, found by their modules, as both backends offer them:
card.py              `cuda`: arrays are CuPy's
sim.py               `cuda-sim`: the kernels in Python on Numba's simulator, arrays are NumPy's
"""
