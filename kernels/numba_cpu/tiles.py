"""The two micro-kernels: every product of the backend is one of them, run tile by tile.

    outer   C[i, j] (+)= sum over k of A[i, k] * B[k, j]      a number of A times a vector of B
    dot     C[i, j]  += sum over p of A[i, p] * B[j, p]       a vector of A times a vector of B

Neither A nor B is packed: tables of offsets say where column k of A and row k of B begin, so that one kernel reads
a matrix, its transpose, an image through a convolution's window, or a transformed tile, wherever it lies. The sums
of a tile (ROWS x VECTORS vectors) stay in registers over the whole of k: 24 vector multiply-adds for 3 loaded
vectors and 8 broadcast numbers, which is what keeps both of the processor's multiply-add units busy.

Written as LLVM vector instructions, because no loop of Numba's keeps a tile in registers.
"""

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .machine import HAS_FMA, NARROW, ROWS, VECTOR_BYTES

_INT = ir.IntType(64)


class Emitter:
    """Emits vector instructions for one element type."""

    def __init__(self, context, builder, dtype):
        self.builder = builder
        self.scalar = context.get_value_type(dtype)
        self.bytes = dtype.bitwidth // 8
        self.lanes = VECTOR_BYTES // self.bytes
        self.vector = ir.VectorType(self.scalar, self.lanes)
        name = f"llvm.fma.v{self.lanes}f{dtype.bitwidth}"
        self.fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(self.vector, [self.vector] * 3), name)

    def at(self, data, *offsets):
        for offset in offsets:
            data = self.builder.gep(data, [offset])
        return data

    def load(self, address):
        loaded = self.builder.load(self.builder.bitcast(address, self.vector.as_pointer()))
        loaded.align = self.bytes  # a window begins anywhere
        return loaded

    def store(self, value, address):
        stored = self.builder.store(value, self.builder.bitcast(address, self.vector.as_pointer()))
        stored.align = self.bytes

    def broadcast(self, address):
        return self.everywhere(self.builder.load(address))

    def everywhere(self, number):
        """A vector of one number."""
        first = ir.Constant(ir.IntType(32), 0)
        undefined = ir.Constant(self.vector, ir.Undefined)
        one = self.builder.insert_element(undefined, number, first)
        return self.builder.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), None))

    def add(self, a, b):
        return self.builder.fadd(a, b)

    def sub(self, a, b):
        return self.builder.fsub(a, b)

    def scale(self, factor, a):
        """factor * a, factor a constant."""
        return self.builder.fmul(self._constant(factor), a)

    def scale_add(self, factor, a, b):
        """factor * a + b"""
        return self.multiply_add(self._constant(factor), a, b)

    def _constant(self, number):
        return ir.Constant(self.vector, [self.scalar(float(np.float32(number)))] * self.lanes)

    def prefetch(self, address):
        byte, i32 = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32])
        prefetch = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        # To be read, into the second-level cache, data.
        self.builder.call(prefetch, [self.builder.bitcast(address, byte), i32(0), i32(2), i32(1)])

    def multiply_add(self, a, b, c):
        if not HAS_FMA:  # LLVM would call a function for each number
            return self.builder.fadd(self.builder.fmul(a, b), c)
        return self.builder.call(self.fma, [a, b, c])

    def add_lanes(self, v):
        """The sum of a vector's numbers, halves first: the same order in every run."""
        i32, lanes = ir.IntType(32), self.lanes
        while lanes > 1:
            lanes //= 2
            half = ir.VectorType(i32, lanes)
            low, high = (
                self.builder.shuffle_vector(v, v, ir.Constant(half, [i32(n + start) for n in range(lanes)]))
                for start in (0, lanes)
            )
            v = self.builder.fadd(low, high)
        return self.builder.extract_element(v, i32(0))

    def loop(self, count, step, sums, body):
        """sums after `for k in range(0, count, step): sums = body(k, sums)`, kept in registers; count >= 1."""
        builder, before = self.builder, self.builder.block
        head, after = builder.append_basic_block("sum"), builder.append_basic_block("summed")
        builder.branch(head)
        builder.position_at_end(head)
        k = builder.phi(_INT)
        k.add_incoming(_INT(0), before)
        phis = []
        for start in sums:
            phi = builder.phi(self.vector)
            phi.add_incoming(start, before)
            phis.append(phi)
        results = body(k, phis)
        following = builder.add(k, _INT(step))
        end = builder.block
        k.add_incoming(following, end)
        for phi, result in zip(phis, results):
            phi.add_incoming(result, end)
        builder.cbranch(builder.icmp_signed("<", following, count), head, after)
        builder.position_at_end(after)
        return results


def pointer(context, builder, signature, args, k):
    """Where the data of argument k, an array, begins."""
    return context.make_array(signature.args[k])(context, builder, args[k]).data


def _outer(tile_rows, vectors):
    """The micro-kernel of a tile of so many rows and vectors."""

    @intrinsic
    def outer(typingctx, a, a0, a_row, a_offsets, b, b0, b_offsets, k0, count, c, c0, c_row, add):
        def emit(context, builder, signature, args):
            a, a0, a_row, a_offsets, b, b0, b_offsets, k0, count, c, c0, c_row, add = args
            at = Emitter(context, builder, signature.args[0].dtype)
            pointers = {i: pointer(context, builder, signature, args, i) for i in (0, 3, 4, 6, 9)}
            a, b, c = at.at(pointers[0], a0), at.at(pointers[4], b0), at.at(pointers[9], c0)
            a_offsets, b_offsets = at.at(pointers[3], k0), at.at(pointers[6], k0)
            rows = [builder.mul(a_row, _INT(i)) for i in range(tile_rows)]

            def step(k, sums):
                column = at.at(a, builder.load(at.at(a_offsets, k)))
                line = at.at(b, builder.load(at.at(b_offsets, k)))
                loaded = [at.load(at.at(line, _INT(j * at.lanes))) for j in range(vectors)]
                for j in range(vectors):  # of the next tile across
                    at.prefetch(at.at(line, _INT((vectors + j) * at.lanes)))
                result = []
                for i in range(tile_rows):
                    number = at.broadcast(at.at(column, rows[i]))
                    for j in range(vectors):
                        result.append(at.multiply_add(number, loaded[j], sums[i * vectors + j]))
                return result

            zero = ir.Constant(at.vector, None)
            sums = at.loop(count, 1, [zero] * (tile_rows * vectors), step)

            def write(adding):
                for i in range(tile_rows):
                    line = at.at(c, builder.mul(c_row, _INT(i)))
                    for j in range(vectors):
                        place, total = at.at(line, _INT(j * at.lanes)), sums[i * vectors + j]
                        at.store(builder.fadd(at.load(place), total) if adding else total, place)

            with builder.if_else(add) as (yes, no):
                with yes:
                    write(True)
                with no:
                    write(False)
            return context.get_dummy_value()

        n = types.intp
        return types.void(a, n, n, a_offsets, b, n, b_offsets, n, n, c, n, n, types.boolean), emit

    return outer


outer1, outer2, outer3 = (_outer(ROWS, vectors) for vectors in (1, 2, 3))
narrow1, narrow2, narrow3 = (_outer(NARROW, vectors) for vectors in (1, 2, 3))


def _dot(vectors):
    """The micro-kernel of ROWS x vectors sums along p; count is a multiple of a vector's lanes."""

    @intrinsic
    def dot(typingctx, a, a0, a_row, b, b0, b_offsets, j0, count, c, c0, c_row):
        def emit(context, builder, signature, args):
            a, a0, a_row, b, b0, b_offsets, j0, count, c, c0, c_row = args
            at = Emitter(context, builder, signature.args[0].dtype)
            pointers = {i: pointer(context, builder, signature, args, i) for i in (0, 3, 5, 8)}
            a, b, c, b_offsets = (at.at(pointers[i], first) for i, first in ((0, a0), (3, b0), (8, c0), (5, j0)))
            rows = [at.at(a, builder.mul(a_row, _INT(i))) for i in range(ROWS)]
            lines = [at.at(b, builder.load(at.at(b_offsets, _INT(j)))) for j in range(vectors)]

            def step(p, sums):
                loaded = [at.load(at.at(line, p)) for line in lines]
                result = []
                for i in range(ROWS):
                    left = at.load(at.at(rows[i], p))
                    for j in range(vectors):
                        result.append(at.multiply_add(left, loaded[j], sums[i * vectors + j]))
                return result

            zero = ir.Constant(at.vector, None)
            sums = at.loop(count, at.lanes, [zero] * (ROWS * vectors), step)
            for i in range(ROWS):
                line = at.at(c, builder.mul(c_row, _INT(i)))
                for j in range(vectors):
                    place = at.at(line, _INT(j))
                    total = at.add_lanes(sums[i * vectors + j])
                    builder.store(builder.fadd(builder.load(place), total), place)
            return context.get_dummy_value()

        n = types.intp
        return types.void(a, n, n, b, n, b_offsets, n, n, c, n, n), emit

    return dot


dot1, dot2, dot3 = (_dot(vectors) for vectors in (1, 2, 3))
