"""The part of the pickle language that weight files need, as a machine that cannot run anything.

`pickle.Unpickler` calls whatever the file names, and even with an allow-list a file of a few bytes makes it allocate
gigabytes. Here the file may name only what is in GLOBALS and what the reader adds, nothing of it is Python's own, and
every opcode checks its operands. Opcodes: the standard library's pickletools describes them.
"""

import struct

from ..errors import FormatError

# In the worst case, an opcode is a byte and leaves a hundred on the heap; ResNet-152 needs 42 thousand.
_MOST_OPCODES = 300_000
_MOST_BYTES = 16 << 20  # a text takes up to four times its bytes
_MOST_TEXT = 4096
_MOST_NAME = 256


class Global:
    """What a name in a pickle stands for; `call(*args)` where it may be called, and never the real thing."""

    def __init__(self, name, call=None):
        self.name, self.call = name, call


class _Mark:
    pass


_MARK = _Mark()
_CONSTANTS = {b"N": None, b"\x88": True, b"\x89": False}
_EMPTY = {b")": tuple, b"]": list, b"}": dict}
_INTEGERS = {b"J": "<i", b"K": "<B", b"M": "<H"}  # BININT, BININT1, BININT2
_INDICES = {b"q": "<B", b"r": "<I", b"h": "<B", b"j": "<I"}  # BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
_TUPLES = {b"\x85": 1, b"\x86": 2, b"\x87": 3}


def _ordered_dict(items=None):
    # Python 3 writes OrderedDict() and sets the items; Python 2 wrote OrderedDict([[key, value], ...]). A dict keeps
    # their order as well.
    items = [] if items is None else items
    if not isinstance(items, list) or not all(isinstance(i, list) and len(i) == 2 and _is_key(i[0]) for i in items):
        raise ValueError("an OrderedDict that is made of something else than pairs")
    made = dict(items)
    items.clear()  # a file may name one list again and again, to have it copied each time
    return made


def _is_key(value):
    return type(value) in (str, int)  # hashing a deep tuple takes forever


GLOBALS = (Global("collections.OrderedDict", _ordered_dict),)


class Machine:
    """Runs one pickle of `data`.

    names       the Globals that it may name besides GLOBALS
    persistent  what a persistent id stands for: called with the id, returns the object
    Raises FormatError for every opcode, name and operand that weights do not need; ValueErrors of the two callables
    become FormatErrors too.
    """

    most_bytes = _MOST_BYTES

    def __init__(self, data, file, names, persistent):
        if len(data) > self.most_bytes:
            raise FormatError(file, f"a pickle of {len(data)} bytes, at most {self.most_bytes} are read")
        self.data, self.file, self.persistent = data, file, persistent
        self.names = {g.name: g for g in (*GLOBALS, *names)}
        self.pos, self.stack, self.memo = 0, [], {}

    def run(self):
        """The object that the pickle holds; `pos` is then behind it."""
        for _ in range(_MOST_OPCODES):
            opcode = self._take(1)
            if opcode == b".":
                return self._pop()
            self._step(opcode)
        raise self._error(f"more than {_MOST_OPCODES} opcodes")

    def _step(self, opcode):
        if opcode in _CONSTANTS:
            self.stack.append(_CONSTANTS[opcode])
        elif opcode in _EMPTY:
            self.stack.append(_EMPTY[opcode]())
        elif opcode in _INTEGERS:
            self.stack.append(self._number(_INTEGERS[opcode]))
        elif opcode in _INDICES:
            self._memo(opcode, self._number(_INDICES[opcode]))
        elif opcode in _TUPLES:
            self.stack.append(tuple(reversed([self._pop() for _ in range(_TUPLES[opcode])])))
        elif opcode in _STEPS:
            _STEPS[opcode](self)
        else:
            raise self._error(f"opcode 0x{opcode.hex()}, which is not needed")

    def _error(self, reason):
        return FormatError(self.file, f"{reason} (pickle, byte {self.pos}; nothing in it was run)")

    def _take(self, size):
        if size > len(self.data) - self.pos:
            raise self._error("ends too early: truncated or damaged")
        self.pos += size
        return self.data[self.pos - size : self.pos]

    def _number(self, code):
        return struct.unpack(code, self._take(struct.calcsize(code)))[0]

    def _pop(self, kind=object):
        if not self.stack or self.stack[-1] is _MARK:
            raise self._error("takes from an empty stack")
        if not isinstance(self.stack[-1], kind):
            raise self._error(f"a {type(self.stack[-1]).__name__} where a {kind.__name__} is expected")
        return self.stack.pop()

    def _top(self, kind):
        self.stack.append(self._pop(kind))
        return self.stack[-1]

    def _since_mark(self):
        for i in range(len(self.stack) - 1, -1, -1):
            if self.stack[i] is _MARK:
                items = self.stack[i + 1 :]
                del self.stack[i:]
                return items
        raise self._error("no mark on the stack")

    def _memo(self, opcode, index):
        if opcode in b"qr":
            self.memo[index] = self._top(object)
        elif index in self.memo:
            self.stack.append(self.memo[index])
        else:
            raise self._error(f"memo {index} was never set")

    def _text(self, size, encoding):
        if size > _MOST_TEXT:
            raise self._error(f"a text of {size} bytes")
        try:
            self.stack.append(str(self._take(size), encoding))
        except UnicodeDecodeError as error:
            raise self._error(f"a text that is not {encoding}") from error

    def _protocol(self):
        if (version := self._number("<B")) > 2:
            raise self._error(f"protocol {version}; torch writes 2")

    def _global(self):
        name = f"{self._line()}.{self._line()}"
        if name not in self.names:
            raise self._error(f"it asks for {name!r}, which is not needed")
        self.stack.append(self.names[name])

    def _line(self):
        end = self.data.find(b"\n", self.pos, self.pos + _MOST_NAME)
        if end < 0:
            raise self._error("a name without an end")
        return str(self._take(end + 1 - self.pos)[:-1], "latin-1")

    def _call(self, function, *args):
        try:
            return function(*args)
        except (TypeError, ValueError) as error:
            raise self._error(str(error)[:200]) from error

    def _reduce(self):
        args, function = self._pop(tuple), self._pop(Global)
        if function.call is None:
            raise self._error(f"it calls {function.name}")
        self.stack.append(self._call(function.call, *args))

    def _build(self):
        # torch puts `_metadata`, the version of each module, on the OrderedDict: nothing that weights need.
        self._pop()
        self._top(dict)

    def _set(self, items):
        target = self._top(dict)
        if len(items) % 2:
            raise self._error("a key without a value")
        for key, value in zip(items[::2], items[1::2]):
            if not _is_key(key):
                raise self._error(f"a key that is a {type(key).__name__}")
            target[key] = value

    def _append(self, items):
        self._top(list).extend(items)


_STEPS = {
    b"\x80": Machine._protocol,
    b"(": lambda m: m.stack.append(_MARK),
    b"t": lambda m: m.stack.append(tuple(m._since_mark())),
    b"X": lambda m: m._text(m._number("<I"), "utf-8"),  # BINUNICODE
    b"U": lambda m: m._text(m._number("<B"), "ascii"),  # SHORT_BINSTRING
    b"\x8a": lambda m: m.stack.append(int.from_bytes(m._take(m._number("<B")), "little", signed=True)),  # LONG1
    b"G": lambda m: m.stack.append(m._number(">d")),  # BINFLOAT
    b"c": Machine._global,
    b"R": Machine._reduce,
    b"b": Machine._build,
    b"Q": lambda m: m.stack.append(m._call(m.persistent, m._pop())),  # BINPERSID
    b"s": lambda m: m._set([m._pop(), m._pop()][::-1]),  # SETITEM
    b"u": lambda m: m._set(m._since_mark()),  # SETITEMS
    b"a": lambda m: m._append([m._pop()]),
    b"e": lambda m: m._append(m._since_mark()),
}
