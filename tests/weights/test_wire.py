import struct

import pytest
from weight_files import field_bytes, field_int, varint

from minicnn.errors import FormatError
from minicnn.weights.wire import BYTES, FIXED32, FIXED64, VARINT, Message


def fields(data):
    return [(number, kind, value if kind == VARINT else bytes(value)) for number, kind, value in Message(data, "f")]


def refused(data, reason):
    with pytest.raises(FormatError, match=reason):
        fields(data)


def test_every_kind():
    data = b"\x08\x96\x01" + b"\x12\x03abc" + b"\x1d\x00\x00\x80\x3f" + b"\x21" + bytes(range(8))
    assert fields(data) == [
        (1, VARINT, 150),  # the specification's own example
        (2, BYTES, b"abc"),
        (3, FIXED32, struct.pack("<f", 1.0)),
        (4, FIXED64, bytes(range(8))),
    ]


def test_the_largest_field_number_and_integer():
    assert fields(field_int((1 << 29) - 1, 2**64 - 1)) == [((1 << 29) - 1, VARINT, 2**64 - 1)]


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 18, 48, 49, 50, 1000, 70_000, 140_000])
@pytest.mark.parametrize("behind", [b"", b"\x08\x05", b"\x35abcd"])
def test_unpacked_numbers_come_as_if_packed(count, behind):
    values = [struct.pack("<f", i) for i in range(count)]
    message = Message(b"".join(b"\x2d" + v for v in values) + behind, "f")
    found = list(message)
    assert b"".join(bytes(v) for n, k, v in found if n == 5) == b"".join(values)
    assert [n for n, _, _ in found if n != 5] == ([] if not behind else [behind[0] >> 3])
    assert len(found) < 20


def test_unpacked_numbers_under_a_key_of_two_bytes():
    key = varint(100 << 3 | FIXED64)
    data = b"".join(key + struct.pack("<d", i) for i in range(40))
    assert b"".join(v for _, _, v in fields(data)) == struct.pack("<40d", *range(40))


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"\x08", "truncated"),
        (b"\x08\x80", "truncated"),
        (b"\x80", "truncated"),
        (b"\x08" + b"\x80" * 10 + b"\x01", "more than 10 bytes"),
        (b"\x08" + b"\xff" * 9 + b"\x02", "more than 64 bits"),
        (b"\x00\x01", "field number 0"),
        (varint(1 << 29 << 3) + b"\x01", "field number 536870912"),
        (b"\x0b", "kind 3"),
        (b"\x0c", "kind 4"),
        (b"\x0e", "kind 6"),
        (b"\x12\x05abcd", "says 5 bytes, 4 remain"),
        (b"\x12" + varint(2**63), "says 9223372036854775808 bytes"),
        (b"\x1d\x00\x00", "truncated"),
        (b"\x1d\x00\x00\x80\x3f\x1d\x00", "truncated"),
        (b"\x21" + bytes(7), "truncated"),
    ],
)
def test_bad_bytes(data, reason):
    refused(data, reason)


def test_depth():
    data = b""
    for _ in range(40):
        data = field_bytes(1, data)

    def descend(message):
        for _, kind, value in message:
            descend(message.inner(kind, value))

    with pytest.raises(FormatError, match="32 deep"):
        descend(Message(data, "f"))


def test_the_number_of_fields_is_limited_over_all_messages():
    data = field_bytes(1, field_int(1, 0) * 1000) * 1000

    def descend():
        message = Message(data, "f")
        for _, kind, value in message:
            list(message.inner(kind, value))

    with pytest.raises(FormatError, match="more than 200000 fields"):
        descend()


def test_integers_are_signed_single_and_packed():
    message = Message(b"", "f")
    assert message.integers(VARINT, 2**64 - 1) == [-1]
    assert message.integers(BYTES, memoryview(varint(3) + varint(-2) + varint(300))) == [3, -2, 300]
    with pytest.raises(FormatError, match="truncated"):
        message.integers(BYTES, memoryview(b"\x80"))
    with pytest.raises(FormatError, match="kind 5"):
        message.integers(FIXED32, b"abcd")


def test_text():
    message = Message(b"", "f")
    assert message.text(BYTES, "größe".encode()) == "größe"
    for value, reason in ((b"\xff", "UTF-8"), (b"a" * 1025, "1025 bytes")):
        with pytest.raises(FormatError, match=reason):
            message.text(BYTES, value)
    with pytest.raises(FormatError, match="kind 0"):
        message.text(VARINT, 7)
