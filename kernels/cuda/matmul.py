"""The matrix product: out = a @ b.

a       (M, K)
b       (K, N)
out     (M, N)

2*M*N*K operations on (M*K + K*N + M*N) numbers: at 4096^3 each number is used 2700 times, so what counts is how often
it is fetched anew, first from memory and then from shared memory.

a and b are used as they lie, rows or columns first: the rungs see flat arrays and, of each, the steps from row to row
and from column to column.
"""

from numba import cuda, types

from ..shapes import check_float, matmul_output
from .device import contiguous, empty
from .launch import covering, kernel
from .raw import Source
from .rungs import Ladder
from .tiles import (
    DEPTH,
    LINE,
    SHARE,
    SPAN,
    SQUARE,
    THREADS,
    TILE,
    WIDTH,
    Cut,
    add_products,
    bring,
    clear,
    cut,
    in_parts,
    parts,
)

MATMUL = Ladder("matmul")
SOURCE = Source("matmul")

# Up to so many rows have kernels of their own in CUDA C; their sums are cut into parts of at least so many numbers.
FEW, SHORTEST_SUM = 4, 32

PAIR = types.UniTuple(types.int64, 2)


def matmul(a, b):
    out_shape = matmul_output(a.shape, b.shape)
    check_float(a=a, b=b)
    out = empty(out_shape, a.dtype)
    (a, a_steps), (b, b_steps) = _as_it_lies(a), _as_it_lies(b)
    MATMUL(a, a_steps, b, b_steps, out)
    return out


def _as_it_lies(x):
    """(x flat, steps): x[i, j] is flat[i*steps[0] + j*steps[1]], one of which is 1. Weights come as transposes."""
    turned = x.T.flags.c_contiguous and not x.flags.c_contiguous
    steps = (1, x.shape[0]) if turned else (x.shape[1], 1)
    return contiguous(x.T if turned else x).reshape(-1), steps


@MATMUL.numba("naive")
def naive(a, a_steps, b, b_steps, out):
    """1. One thread a number of the product: each reads a row and a column, 8 bytes for 2 operations."""
    grid = (-(-out.shape[1] // SQUARE), -(-out.shape[0] // SQUARE))
    _naive[grid, (SQUARE, SQUARE)](a, a_steps, b, b_steps, out, _depth(a, out))


@MATMUL.numba("tiled")
def tiled(a, a_steps, b, b_steps, out):
    """2. 64 threads bring 8 x 8 of a and of b to shared memory: memory is read an eighth as often."""
    grid = (-(-out.shape[1] // SQUARE), -(-out.shape[0] // SQUARE))
    _tiled[grid, (SQUARE, SQUARE)](a, a_steps, b, b_steps, out, _depth(a, out))


@MATMUL.numba("register_blocked")
def register_blocked(a, a_steps, b, b_steps, out):
    """3. A thread has 8 x 8 numbers in registers: for 16 reads of shared memory 64 multiplications, not one for two."""
    product(a, a_steps, b, b_steps, out.reshape(1, *out.shape), _depth(a, out))


@MATMUL.cuda_c("vectors")
def vectors(a, a_steps, b, b_steps, out):
    """4. In CUDA C: 16 bytes a load, tiles of 128 x 128, the next part under way while one is multiplied."""
    depth = _depth(a, out)
    if len(out) <= FEW and a_steps[1] == 1 and _in_packs(b_steps, out):
        _few_rows_in_c(a, b, b_steps, out, depth)
    else:
        product_in_c(a, a_steps, b, b_steps, out.reshape(1, *out.shape), depth)


def _few_rows_in_c(a, b, b_steps, out, depth):
    """The rows of a batch of up to FEW images: no tiles, of which most would be empty; b is read once."""
    (M, N), module = out.shape, SOURCE(out.dtype)
    if b_steps[0] == 1:
        module.few_rows_turned[covering(32 * N)](a, b, out, M, N, depth)
        return
    (blocks,), block = covering(-(-N * out.itemsize // 16), 128)
    count = parts(blocks, depth, SHORTEST_SUM)
    length = -(-depth // count)
    how = Cut("few", (blocks, count), block, count, length)
    in_parts(how, lambda _, to: module.few_rows[how.grid, how.block](a, b, to, M, N, depth, length), None, out)


def _in_packs(steps, out):
    return max(steps) * out.itemsize % 16 == 0


def _depth(a, out):
    return a.size // max(out.shape[0], 1)


def product(a, a_steps, b, b_steps, out, depth):
    """out[i] = a[i] @ b[i] of a batch, by Numba's kernel with sums in registers.

    a, b    flat; each matrix of a batch lies by the same steps, the next one right after it
    out     (B, M, N)
    """
    B, M, N = out.shape
    _register_blocked[(-(-M // TILE), -(-N // TILE), B), (THREADS,)](a, a_steps, b, b_steps, out, depth)


def product_in_c(a, a_steps, b, b_steps, out, depth):
    """The same in CUDA C."""
    B, M, N = out.shape
    how = cut(M, N, depth, B, out.itemsize, _in_packs(a_steps, out) and _in_packs(b_steps, out))
    launch = getattr(SOURCE(out.dtype), f"matmul_{how.size}")[how.grid, how.block]

    def run(_, to):
        launch(a, b, to, M, N, depth, a_steps[1] != 1, b_steps[1] != 1, how.length)

    in_parts(how, run, None, out)


@kernel(lambda T: (T[::1], PAIR, T[::1], PAIR, T[:, ::1], types.int64))
def _naive(a, a_steps, b, b_steps, out, depth):
    j, i = cuda.grid(2)
    if i < out.shape[0] and j < out.shape[1]:
        total = out.dtype.type(0)
        for k in range(depth):
            total += a[i * a_steps[0] + k * a_steps[1]] * b[k * b_steps[0] + j * b_steps[1]]
        out[i, j] = total


@kernel(lambda T: (T[::1], PAIR, T[::1], PAIR, T[:, ::1], types.int64))
def _tiled(a, a_steps, b, b_steps, out, depth):
    left = cuda.shared.array((SQUARE, LINE), out.dtype)
    right = cuda.shared.array((SQUARE, LINE), out.dtype)
    x, y = cuda.threadIdx.x, cuda.threadIdx.y
    j, i = cuda.grid(2)
    zero = out.dtype.type(0)
    total = zero
    for k0 in range(0, depth, SQUARE):
        # Neighbouring threads, whose x are neighbours, read neighbours of a matrix whichever way it lies.
        k, line = (x, y) if a_steps[1] == 1 else (y, x)
        row = cuda.blockIdx.y * SQUARE + line
        inside = row < out.shape[0] and k0 + k < depth
        left[line, k] = a[row * a_steps[0] + (k0 + k) * a_steps[1]] if inside else zero
        k, line = (y, x) if b_steps[1] == 1 else (x, y)
        column = cuda.blockIdx.x * SQUARE + line
        inside = column < out.shape[1] and k0 + k < depth
        right[k, line] = b[(k0 + k) * b_steps[0] + column * b_steps[1]] if inside else zero
        cuda.syncthreads()
        for k in range(SQUARE):
            total += left[y, k] * right[k, x]
        cuda.syncthreads()
    if i < out.shape[0] and j < out.shape[1]:
        out[i, j] = total


@kernel(lambda T: (T[::1], PAIR, T[::1], PAIR, T[:, :, ::1], types.int64))
def _register_blocked(a, a_steps, b, b_steps, out, depth):
    left = cuda.shared.array((DEPTH, WIDTH), out.dtype)
    right = cuda.shared.array((DEPTH, WIDTH), out.dtype)
    sums = cuda.local.array((SHARE, SHARE), out.dtype)
    row = cuda.local.array(SHARE, out.dtype)
    column = cuda.local.array(SHARE, out.dtype)
    _, M, N = out.shape
    top, across, batch, t = cuda.blockIdx.x * TILE, cuda.blockIdx.y * TILE, cuda.blockIdx.z, cuda.threadIdx.x
    y, x = t // SPAN, t % SPAN
    used = top + y < M and across + x < N
    clear(sums)
    for k0 in range(0, depth, DEPTH):
        bring(left, a, batch * M * depth, a_steps, top, M, k0, depth, t)
        bring(right, b, batch * depth * N, (b_steps[1], b_steps[0]), across, N, k0, depth, t)
        cuda.syncthreads()
        if used:
            add_products(left, right, y, x, sums, row, column)
        cuda.syncthreads()
    for i in range(SHARE):
        for j in range(SHARE):
            if top + y + i * SPAN < M and across + x + j * SPAN < N:
                out[batch, top + y + i * SPAN, across + x + j * SPAN] = sums[i, j]
