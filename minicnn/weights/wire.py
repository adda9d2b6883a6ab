"""The protobuf wire format: a message is a run of fields, each a number, a kind and a value.

Written from the encoding's specification (protobuf.dev/programming-guides/encoding): a key is a varint
`number << 3 | kind`. Groups, kinds 3 and 4, are refused: no weight file has them.
"""

import numpy as np

from ..errors import FormatError

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

_MOST_DEPTH = 32
_MOST_FIELDS = 200_000  # of all messages of a file together; a caffemodel of GoogLeNet has some thousands
_MOST_TEXT = 1024
_WINDOW, _MOST_WINDOW = 16, 65536


class Message:
    """Iterating gives (number, kind, value) in the order of the file.

    value  an int for VARINT (unsigned, 64 bits), else a buffer of little-endian bytes. A field of fixed size that is
           repeated under equal keys (an unpacked list of floats) comes as few long buffers: the same bytes as if it
           were packed. So the last scalar of such a buffer is the one that counts.
    Raises FormatError for whatever the specification does not allow.
    """

    __slots__ = ("budget", "data", "depth", "file")

    def __init__(self, data, file, depth=0, budget=None):
        self.data, self.file, self.depth = memoryview(data), file, depth
        self.budget = [_MOST_FIELDS] if budget is None else budget
        if depth > _MOST_DEPTH:
            raise self.error(f"messages nested more than {_MOST_DEPTH} deep")

    def error(self, reason):
        return FormatError(self.file, f"{reason} (protobuf)")

    def inner(self, kind, value):
        """The message that a field holds."""
        return Message(self.raw(kind, value), self.file, self.depth + 1, self.budget)

    def __iter__(self):
        start, end = 0, len(self.data)
        while start < end:
            self._spend()
            key, pos = self._varint(start)
            number, kind = key >> 3, key & 7
            if not 0 < number < 1 << 29:
                raise self.error(f"field number {number}")
            if kind == VARINT:
                value, pos = self._varint(pos)
                yield number, kind, value
            elif kind == BYTES:
                length, pos = self._varint(pos)
                if length > end - pos:
                    raise self.error(f"field {number} says {length} bytes, {end - pos} remain: truncated or damaged")
                yield number, kind, self.data[pos : pos + length]
                pos += length
            elif kind in (FIXED32, FIXED64):
                width = 4 if kind == FIXED32 else 8
                for chunk, after in self._run(start, pos, width):
                    yield number, kind, chunk
                    pos = after
            else:
                raise self.error(f"field {number} has kind {kind}: a group or damaged")
            start = pos

    def _spend(self, fields=1):
        self.budget[0] -= fields
        if self.budget[0] < 0:
            raise self.error(f"more than {_MOST_FIELDS} fields")

    def _varint(self, pos):
        value, data = 0, self.data
        for i in range(10):
            if pos + i >= len(data):
                raise self.error("ends inside a number: truncated")
            byte = data[pos + i]
            value |= (byte & 127) << 7 * i
            if byte < 128:
                if value >> 64:
                    raise self.error("a number of more than 64 bits")
                return value, pos + i + 1
        raise self.error("a number of more than 10 bytes")

    def _run(self, start, pos, width):
        # Yields (bytes, where the next field starts) for the equal keys that follow each other from `start`.
        key, stride = bytes(self.data[start:pos]), pos - start + width
        if pos + width > len(self.data):
            raise self.error("ends inside a number: truncated")
        yield self.data[pos : pos + width], (start := start + stride)
        window = _WINDOW
        while self.data[start : start + len(key)] == key:
            rows = min(window, (len(self.data) - start) // stride)
            if rows == 0:
                raise self.error("ends inside a number: truncated")
            table = np.frombuffer(self.data[start : start + rows * stride], np.uint8).reshape(rows, stride)
            same = (table[:, : len(key)] == np.frombuffer(key, np.uint8)).all(axis=1)
            good = rows if same.all() else int(same.argmin())
            yield table[:good, len(key) :].tobytes(), (start := start + good * stride)
            if good < rows:
                return
            window = min(window * 2, _MOST_WINDOW)

    def raw(self, kind, value):
        """A field of bytes."""
        if kind != BYTES:
            raise self.error(f"kind {kind} where bytes are expected")
        return value

    def text(self, kind, value):
        """A field of UTF-8 text."""
        if len(self.raw(kind, value)) > _MOST_TEXT:
            raise self.error(f"a name of {len(value)} bytes")
        try:
            return str(value, "utf-8")
        except UnicodeDecodeError as error:
            raise self.error("a name that is not UTF-8") from error

    def integers(self, kind, value):
        """A field of int64, one or packed: list of signed ints."""
        if kind == VARINT:
            return [_signed(value)]
        packed = Message(self.raw(kind, value), self.file, self.depth, self.budget)
        found, pos = [], 0
        while pos < len(value):
            self._spend()
            number, pos = packed._varint(pos)
            found.append(_signed(number))
        return found

    def integer(self, kind, value):
        """A field of one int64; where several are packed the last one counts."""
        found = self.integers(kind, value)
        return found[-1] if found else 0

    def floats(self, kind, value):
        """A field of float32, one or packed: list."""
        if kind not in (FIXED32, BYTES) or len(value) % 4:
            raise self.error(f"kind {kind} of {len(value) if kind == BYTES else 8} bytes where float32 is expected")
        self._spend(len(value) // 4)
        return np.frombuffer(value, "<f4").tolist()

    def varints(self, kind, value):
        """A field of very many int64, one or packed: yields them as arrays, and they cost nothing of the budget."""
        if kind == VARINT:
            yield np.array([_signed(value)])
            return
        start, value = 0, self.raw(kind, value)
        while start < len(value):
            piece = np.frombuffer(value[start : start + _MOST_WINDOW], np.uint8)
            ends = np.flatnonzero(piece < 128) + 1
            lengths = np.diff(ends, prepend=0)
            if not len(ends) or lengths.max() > 10:
                raise self.error("ends inside a number, or one of more than 10 bytes")
            numbers, firsts = np.zeros(len(ends), np.uint64), ends - lengths
            for i in range(lengths.max()):
                longer = lengths > i
                bits = piece[firsts[longer] + i] & 127
                if i == 9 and bits.max() > 1:
                    raise self.error("a number of more than 64 bits")
                numbers[longer] |= bits.astype(np.uint64) << np.uint64(7 * i)
            yield numbers.view(np.int64)
            start += int(ends[-1])


def _signed(value):
    return value - (1 << 64) if value >> 63 else value
