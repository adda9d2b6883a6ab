"""JSON whose lists of numbers become arrays while they are read: what a ConvNetJS snapshot mostly is.

Python's own reader would make an object of every number, twenty times the file in the worst case. What is not a list of
numbers comes out as there. Written from RFC 8259.
"""

import json
import math
import re

import numpy as np

from ..errors import FormatError

_MOST_DEPTH = 16
_MOST_VALUES = 200_000  # without those in lists of numbers
_MOST_LETTERS, _MOST_DIGITS = 1024, 64
_PIECE = 1 << 16  # bytes of numbers that are objects at one time

_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\.){0,%d}"' % _MOST_LETTERS)
_NUMBER = re.compile(rb"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LITERAL = re.compile(rb"true|false|null")
_BEGINS_NUMBERS = re.compile(rb"[ \t\r\n]*[-0-9n]")
_BEGINS_INDEXED = re.compile(rb'[ \t\r\n]*"[0-9]')


def parse(data, file):
    """The value in bytes of JSON.

    Becomes an array (n,) float32, null as NaN: a list that begins with a number or null, and an object that begins
    with a digit's key, {"0": 0.5, "1": ...}, as JavaScript writes its typed arrays.
    Raises FormatError, whatever the bytes are; file: what it names.
    """
    parser = _Parser(data, file)
    value = parser.value(0)
    if parser.peek():
        raise parser.error("more than one value")
    return value


class _Parser:
    def __init__(self, data, file):
        self.data, self.file, self.pos, self.values = data, file, 0, 0

    def error(self, reason):
        return FormatError(self.file, f"byte {self.pos}: {reason} (JSON)")

    def peek(self):
        """The next byte that is no space; empty at the end."""
        self.pos = _SPACE.match(self.data, self.pos).end()
        return self.data[self.pos : self.pos + 1]

    def take(self, *marks):
        found = self.peek()
        if found not in marks:
            expected = " or ".join(repr(mark.decode()) for mark in marks)
            raise self.error(f"expected {expected}" if found else "ends too early: truncated")
        self.pos += 1
        return found

    def token(self, pattern):
        found = pattern.match(self.data, self.pos)
        if found is None or found.end() - self.pos > _MOST_LETTERS:
            raise self.error(f"{bytes(self.data[self.pos : self.pos + 20])!r} is no value")
        self.pos = found.end()
        return found.group()

    def value(self, depth):
        self.values += 1
        if depth > _MOST_DEPTH or self.values > _MOST_VALUES:
            raise self.error(f"nested more than {_MOST_DEPTH} deep, or more than {_MOST_VALUES} values")
        begins = self.peek()
        if begins == b"{":
            self.pos += 1
            if _BEGINS_INDEXED.match(self.data, self.pos):
                return self.numbers(b"}", has_keys=True)
            return self.object(depth)
        if begins == b"[":
            self.pos += 1
            return self.numbers(b"]") if _BEGINS_NUMBERS.match(self.data, self.pos) else self.list(depth)
        if begins == b'"':
            return self.string()
        if begins in (b"t", b"f", b"n"):
            return {b"true": True, b"false": False, b"null": None}[self.token(_LITERAL)]
        number = self.token(_NUMBER)
        if len(number) > _MOST_DIGITS:
            raise self.error(f"a number of {len(number)} digits")
        return int(number) if number.lstrip(b"-").isdigit() else float(number)

    def object(self, depth):
        found, mark = {}, b"," if self.peek() != b"}" else self.take(b"}")
        while mark == b",":
            self.peek()
            key = self.string()
            if key in found:
                raise self.error(f"the key {key[:40]!r} twice")
            self.take(b":")
            found[key] = self.value(depth + 1)
            mark = self.take(b",", b"}")
        return found

    def list(self, depth):
        found, mark = [], b"," if self.peek() != b"]" else self.take(b"]")
        while mark == b",":
            found.append(self.value(depth + 1))
            mark = self.take(b",", b"]")
        return found

    def string(self):
        quoted = self.token(_STRING)
        try:
            return json.loads(quoted)
        except ValueError as error:  # an escape that is none, or bytes that are not UTF-8
            raise self.error("a text that is none") from error

    def numbers(self, mark, has_keys=False):
        """An array of what stands up to `mark`."""
        start, end = self.pos, self.data.find(mark, self.pos)
        if end < 0:
            raise self.error("a list of numbers that does not end: truncated")
        found = np.empty(self.data.count(b",", start, end) + 1, np.float32)
        count, cut = 0, None
        while cut != end:
            cut = end if end - start <= _PIECE else self.data.rfind(b",", start, start + _PIECE)
            self.pos = start
            piece = self.data[start:cut]
            items = _quickly(piece, count if has_keys else None)
            if items is None:  # there is an error, and it is looked for
                items = piece.split(b",")
                if has_keys:
                    items = [self.without_key(item, count + i) for i, item in enumerate(items)]
                items = list(map(self.number, items))
            with np.errstate(over="ignore"):
                found[count : count + len(items)] = items
            count, start = count + len(items), cut + 1
        self.pos = end + 1
        return found

    def without_key(self, item, index):
        key, _, item = item.partition(b":")
        if key.strip(b" \t\r\n") != b'"%d"' % index:
            raise self.error(f'{key[:40]!r}, expected the key "{index}"')
        return item

    def number(self, item):
        item = item.strip(b" \t\r\n")
        if item == b"null":
            return float("nan")
        if len(item) > _MOST_DIGITS or not _NUMBER.fullmatch(item):
            raise self.error(f"{item[:40]!r} in a list of numbers")
        return float(item)


def _quickly(piece, first):
    """The numbers of a piece as Python's own reader finds them; None if there is something else in it.

    first  the first key where they have keys, or None
    """
    try:
        found = json.loads((b"[%b]" if first is None else b"{%b}") % piece, parse_int=float)
    except (ValueError, RecursionError):
        return None
    if first is not None:
        if list(found) != [str(first + i) for i in range(piece.count(b",") + 1)]:
            return None
        found = list(found.values())
    # NaN and Infinity are no JSON, although Python reads them.
    good = found and set(map(type, found)) <= {float, type(None)} and b"N" not in piece and b"I" not in piece
    return [math.nan if item is None else item for item in found] if good else None
