r"""Protobuf's text format, in which Caffe's `.prototxt` files describe nets.

    name: "LeNet"                     # a field: a string, a number, true, or the name of a constant
    layer { name: "conv1" type: ... } # a message, also `layer: { }` and `layer < >`
    dim: [1, 3, 224, 224]             # a field that is repeated

Fields may end in a comma or a semicolon, strings that follow each other are one. Written from the format's
specification (protobuf.dev/reference/protobuf/textformat-spec); names in brackets (extensions) are refused.
"""

import os
import re
from typing import NamedTuple

from ..errors import FormatError
from ..files import read_whole, require_file

_MOST_BYTES = 8 << 20  # ResNet-152's has 70 kB
_MOST_DEPTH = 32
_MOST_FIELDS = 50_000  # ResNet-152's has 8 thousand
_MOST_NUMBER = 64  # characters

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n\f\v]+|\#[^\n]*)
      | (?P<string>"[^"\\\n]*(?:\\.[^"\\\n]*){0,999}"|'[^'\\\n]*(?:\\.[^'\\\n]*){0,999}')
      | (?P<number>[0-9.][0-9A-Za-z_.]*(?:(?<=[eE])[+-][0-9]+[fF]?)?)
      | (?P<name>[A-Za-z_][0-9A-Za-z_]*)
      | (?P<mark>[-{}<>\[\]:;,])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(rb"\\(?:([0-7]{1,3})|[xX]([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))", re.DOTALL)
_LETTERS = dict(zip(b"abfnrtv\\'\"?", b"\a\b\f\n\r\t\v\\'\"?"))
_ENDS = {"{": "}", "<": ">", "[": "]"}


class Scalar(NamedTuple):
    """A value as it is written: a string without its quotes, a number, or a name; what it means is the reader's."""

    text: str
    is_string: bool


class Field(NamedTuple):
    """value: a Scalar, or of a message the list of its Fields. A repeated field is several of one name."""

    name: str
    value: object
    line: int


def read(path):
    """The Fields of a file, in its order; raises FormatError that names the line."""
    require_file(path)
    if os.path.getsize(path) > _MOST_BYTES:
        raise FormatError(path, f"more than {_MOST_BYTES} bytes: not a prototxt")
    # Comments come in any encoding; a string that is not UTF-8 is an error where it stands.
    return parse(read_whole(path).decode("utf-8-sig", "replace"), path)


def parse(text, file):
    """The Fields of a text; file: what errors name."""
    parser = _Parser(text, file)
    return parser.message("", depth=0, begins=1)


class _Parser:
    """Holds one token, which is not taken yet: its kind, its text, its line. At the end the text is empty."""

    def __init__(self, text, file):
        self.text, self.file = text, file
        self.pos, self.line, self.fields = 0, 1, 0
        self.advance()

    def error(self, reason, line=None):
        return FormatError(self.file, f"line {line or self.line}: {reason}")

    def advance(self):
        while self.pos < len(self.text):
            found = _TOKEN.match(self.text, self.pos)
            if found is None:
                raise self.error(f"{self.text[self.pos : self.pos + 20]!r} is no part of a prototxt")
            self.pos, self.kind, self.token = found.end(), found.lastgroup, found.group()
            if self.kind != "space":
                return
            self.line += self.token.count("\n")
        self.kind, self.token = "end", ""

    def take(self, mark):
        if self.token != mark:
            raise self.error(f"{self.shown()} where {mark!r} is expected")
        self.advance()

    def shown(self):
        return repr(self.token[:40]) if self.token else "the end of the file"

    def message(self, end, depth, begins):
        if depth > _MOST_DEPTH:
            raise self.error(f"messages nested more than {_MOST_DEPTH} deep")
        fields = []
        while self.token != end:
            if not self.token:
                raise self.error(f"ends before the message that begins in line {begins}: truncated")
            self.field(fields, depth)
        return fields

    def field(self, fields, depth):
        if self.kind != "name":
            raise self.error(f"{self.shown()} where the name of a field is expected")
        name = self.token
        self.advance()
        has_colon = self.token == ":"
        if has_colon:
            self.advance()
        if self.token == "[":
            self.advance()
            while self.token != "]":
                self.one(fields, name, depth, has_colon)
                if self.token != "]":
                    self.take(",")
            self.advance()
        else:
            self.one(fields, name, depth, has_colon)
        if self.token in (",", ";"):
            self.advance()

    def one(self, fields, name, depth, has_colon):
        self.fields += 1
        if self.fields > _MOST_FIELDS:
            raise self.error(f"more than {_MOST_FIELDS} fields")
        line = self.line
        if self.token in ("{", "<"):
            end = _ENDS[self.token]
            self.advance()
            value = self.message(end, depth + 1, line)
            self.advance()
        elif has_colon:
            value = self.scalar()
        else:
            raise self.error(f"{self.shown()} after {name[:40]!r}, where ':' or '{{' is expected")
        fields.append(Field(name, value, line))

    def scalar(self):
        if self.kind == "string":
            parts = []
            while self.kind == "string":
                parts.append(self.string())
                self.advance()
            return Scalar("".join(parts), True)
        sign = ""
        if self.token == "-":
            sign = "-"
            self.advance()
        if self.kind not in ("number", "name"):
            raise self.error(f"{self.shown()} where a value is expected")
        if len(self.token) > _MOST_NUMBER:
            raise self.error(f"{self.token[:40]!r}... is no number and no name")
        value = Scalar(sign + self.token, False)
        self.advance()
        return value

    def string(self):
        inner = self.token[1:-1]
        if "\ufffd" in inner:
            raise self.error("a string that is not UTF-8")
        if "\\" not in inner:
            return inner
        try:
            return _ESCAPE.sub(self.escaped, inner.encode()).decode()
        except UnicodeDecodeError as error:
            raise self.error("a string that is not UTF-8") from error

    def escaped(self, found):
        octal, hexadecimal, short, long, letter = found.groups()
        if letter is None and (octal or hexadecimal):
            code = int(octal, 8) if octal else int(hexadecimal, 16)
            if code < 256:
                return bytes([code])
        elif letter is None:
            code = int(short or long, 16)
            if code < 0x110000 and not 0xD800 <= code < 0xE000:
                return chr(code).encode()
        elif letter[0] in _LETTERS:
            return bytes([_LETTERS[letter[0]]])
        raise self.error(f"{found.group().decode('utf-8', 'replace')!r} is no escape in a string")
