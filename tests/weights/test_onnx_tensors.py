"""The tensors of an ONNX file in every form that they may have, and the wire's numbers."""

import numpy as np
import pytest
from onnx_files import BFLOAT16, DOUBLE, FLOAT16, dims, field_float, model, node, tensor
from weight_files import field_bytes, field_int, varint

from minicnn.errors import FormatError
from minicnn.weights import onnx
from minicnn.weights.wire import BYTES, FIXED32, VARINT, Message


@pytest.fixture
def read(tmp_path):
    def read(data):
        (tmp_path / "net.onnx").write_bytes(data)
        return onnx.read(tmp_path / "net.onnx")

    return read


NUMBERS = np.float32([-2.5, 0, 0.5, 3])
BITS = NUMBERS.astype(np.float16).view(np.uint16)
BRAIN = NUMBERS.view(np.uint32) >> 16


def typed(kind, *fields):
    return dims((4,)) + field_int(2, kind) + field_bytes(8, "c") + b"".join(fields)


TENSORS = {
    "float raw": tensor("c", NUMBERS),
    "float typed": tensor("c", NUMBERS, typed=True),
    "float unpacked": typed(1, *(field_float(4, v) for v in NUMBERS)),
    "float in pieces": typed(1, field_bytes(4, NUMBERS[:1].tobytes()), field_bytes(4, NUMBERS[1:].tobytes())),
    "double raw": tensor("c", NUMBERS.astype(np.float64)),
    "double typed": tensor("c", NUMBERS.astype(np.float64), typed=True),
    "double unpacked": typed(DOUBLE, *(varint(10 << 3 | 1) + np.float64(v).tobytes() for v in NUMBERS)),
    "half raw": tensor("c", NUMBERS.astype(np.float16)),
    "half typed": tensor("c", NUMBERS.astype(np.float16), typed=True),
    "half unpacked": typed(FLOAT16, *(field_int(5, int(n)) for n in BITS)),
    "brain raw": typed(BFLOAT16, field_bytes(9, BRAIN.astype("<u2").tobytes())),
    "brain typed": typed(BFLOAT16, field_bytes(5, b"".join(varint(int(n)) for n in BRAIN))),
    "packed shape": dims((4,), packed=True) + field_int(2, 1) + field_bytes(8, "c") + field_bytes(9, NUMBERS.tobytes()),
    "the last raw data": typed(1, field_bytes(9, b"no"), field_bytes(9, NUMBERS.tobytes())),
}


@pytest.mark.parametrize("kind", TENSORS)
def test_every_kind_of_tensor(kind, read):
    tensors = read(model([node("Add", "x c", "y")], [TENSORS[kind]], inputs=[("x", (1, 4))])).tensors
    assert list(tensors) == ["c.value"] and tensors["c.value"].dtype == np.float32
    np.testing.assert_array_equal(tensors["c.value"], NUMBERS)


@pytest.mark.parametrize("typed", [True, False])
@pytest.mark.parametrize("kind", [np.int64, np.int32])
def test_shapes_are_integers(kind, typed, read):
    target = tensor("s", kind([2, -1, 3]), typed)
    graph = read(model([node("Reshape", "x s", "y")], [target], inputs=[("x", (1, 12))])).graph
    assert graph.nodes[0][1].config["shape"] == (2, -1, 3)


def test_a_tensor_that_nothing_reads_is_not_looked_into(read):
    read(model([node("Relu", "x", "y")], [typed(99)]))


def test_numbers_of_the_wire():
    message = Message(b"", "f")

    def all_of(kind, value):
        return np.concatenate([np.zeros(0, np.int64), *message.varints(kind, memoryview(value))]).tolist()

    wide = [0, 1, 127, 128, 300, 2**31, 2**63 - 1, -1, -(2**63)]
    assert all_of(BYTES, b"".join(map(varint, wide))) == wide
    many = np.random.default_rng(0).integers(-(2**62), 2**62, 30_000) >> np.arange(30_000) % 62
    assert all_of(BYTES, b"".join(varint(int(n)) for n in many)) == many.tolist()
    assert list(message.varints(VARINT, 2**64 - 1)) == [-1] and all_of(BYTES, b"") == []
    for bad in (b"\x80", b"\x01" + b"\xff" * 10 + b"\x01", b"\xff" * 9 + b"\x02", b"\x80" * 70_000):
        with pytest.raises(FormatError, match="number"):
            all_of(BYTES, bad)
    assert message.floats(FIXED32, NUMBERS[:1].tobytes()) == [-2.5]
    assert message.floats(BYTES, NUMBERS.tobytes()) == NUMBERS.tolist()
    for kind, value in ((BYTES, b"abc"), (VARINT, 3)):
        with pytest.raises(FormatError, match="float32"):
            message.floats(kind, value)
    assert message.integer(BYTES, varint(4) + varint(-5)) == -5 and message.integer(BYTES, b"") == 0


def refused(read, reason, *tensors, op="Add", inputs="x c"):
    with pytest.raises(FormatError, match=reason):
        read(model([node(op, inputs, "y")], tensors, inputs=[("x", (1, 4))]))


@pytest.mark.parametrize(
    "bad, reason",
    [
        (typed(1, field_bytes(9, bytes(15))), r"'c': FLOAT \(4,\) needs 16 bytes, the file has 15"),
        (typed(1, field_bytes(9, bytes(20))), "needs 16 bytes, the file has 20"),
        (typed(FLOAT16, field_bytes(5, varint(-1) + bytes(3))), "a number that is no FLOAT16"),
        (typed(1), "needs 16 bytes, the file has 0"),
        (typed(1, field_float(4, 1)), "needs 16 bytes, the file has 4"),
        (typed(DOUBLE, field_bytes(10, bytes(31))), "needs 32 bytes, the file has 31"),
        (typed(FLOAT16, field_bytes(5, bytes(3))), "FLOAT16 .* needs 4 values, the file has 3"),
        (typed(FLOAT16, field_bytes(5, bytes(5))), "more values than FLOAT16"),
        (typed(FLOAT16, field_bytes(5, varint(65536) + bytes(3))), "a number that is no FLOAT16"),
        (typed(FLOAT16, field_bytes(5, b"\0\0\0\x80")), "ends inside a number"),
        (typed(1, field_bytes(9, bytes(16)), field_bytes(4, bytes(16))), "values in fields 9 and 4 at once"),
        (typed(1, field_int(4, 1)), "kind 0 where numbers are expected"),
        (typed(1, varint(9 << 3 | 5) + bytes(4)), "kind 5 where numbers are expected"),
        (typed(0), "type 0, which minicnn does not compute with"),
        (typed(2, field_bytes(9, bytes(4))), "type 2, which"),
        (typed(1, field_bytes(3, b"")), "in segments"),
        (typed(1, field_bytes(13, field_bytes(1, "location"))), "in another file"),
        (typed(1, field_int(14, 1)), "in another file"),
        (typed(1, dims((2**62,))), "more than 281474976710656 elements"),
        (typed(1, dims((-1,))), "size -1 in a shape"),
        (typed(1, dims((1,) * 40)), "41 axes"),
        (tensor("c", np.int64([1, 2, 3, 4])), "integers where a net computes"),
        (tensor("c", np.array([True])), "integers where a net computes"),
    ],
)
def test_bad_tensors(bad, reason, read):
    refused(read, reason, bad)


@pytest.mark.parametrize(
    "bad, reason",
    [
        (tensor("c", NUMBERS), "floating numbers where integers are expected"),
        (tensor("c", np.int64([[4, 1]])), r"shape \(1, 2\) where a list of integers"),
        (tensor("c", np.int64(range(65))), "where a list of integers"),
        (tensor("c", np.int64([-(2**63)])), "an integer too large"),
        (dims((1,)) + field_int(2, 6) + field_bytes(8, "c") + field_bytes(5, varint(2**31)), "no INT32"),
    ],
)
def test_bad_shapes(bad, reason, read):
    refused(read, reason, bad, op="Reshape")


def test_two_tensors_of_one_name(read):
    refused(read, "'c': stands twice", tensor("c", NUMBERS), tensor("c", NUMBERS))
