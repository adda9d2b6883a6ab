"""Bad protobuf messages made of a good one: its fields changed one by one, with lengths that fit again."""

import random

from weight_files import varint

_NUMBERS = (0, 1, 2, 7, 255, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, 1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63,
            (1 << 64) - 1, (1 << 64) - 7)  # fmt: skip
_MOST_DEPTH = 6


def messages(good, count, seed):
    """`count` mutations of the bytes of a message, the same for the same seed."""
    rng = random.Random(seed)
    for _ in range(count):
        fields = _parsed(good)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            rng.choice(_EDITS)(rng, *rng.choice(_places(fields) or [(fields, None)]))
        yield _bytes(fields)


def _parsed(data, depth=0):
    """[[number, kind, value], ...], a value being an int, bytes or such a list; None for what is no message."""
    fields, pos = [], 0
    try:
        while pos < len(data):
            key, pos = _varint(data, pos)
            number, kind = key >> 3, key & 7
            if kind == 0:
                value, pos = _varint(data, pos)
            else:
                size, pos = _varint(data, pos) if kind == 2 else ({5: 4, 1: 8}[kind], pos)
                value, pos = data[pos : pos + size], pos + size
                if pos > len(data):
                    return None
                inner = _parsed(value, depth + 1) if kind == 2 and depth < _MOST_DEPTH and value else None
                value = value if inner is None else inner
            if not 0 < number < 200:
                return None
            fields.append([number, kind, value])
    except (IndexError, KeyError):
        return None
    return fields


def _varint(data, pos):
    value = shift = 0
    while True:
        value |= (data[pos] & 127) << shift
        if data[pos] < 128:
            return value, pos + 1
        pos, shift = pos + 1, shift + 7


def _bytes(fields):
    return b"".join(varint(number << 3 | kind) + _content(kind, value) for number, kind, value in fields)


def _content(kind, value):
    if kind == 0:
        return varint(value)
    data = _bytes(value) if isinstance(value, list) else value
    return varint(len(data)) + data if kind == 2 else data


def _places(fields):
    found, waiting = [], [fields]
    while waiting:
        these = waiting.pop()
        found += [(these, i) for i in range(len(these))]
        waiting += [value for _, _, value in these if isinstance(value, list)]
    return found


def _value(rng, fields, i):
    kind, value = fields[i][1:]
    if kind == 0:
        fields[i][2] = rng.choice(_NUMBERS) if rng.random() < 0.7 else max(value + rng.choice((-1, 1, value)), 0)
    elif isinstance(value, list):
        if value:
            _value(rng, value, rng.randrange(len(value)))
    else:
        longer = value * rng.choice((0, 2, 50)), rng.randbytes(len(value)), value[: len(value) // 2], b"\xff" * 40
        fields[i][2] = rng.choice(longer) if kind == 2 else rng.choice((b"\xff", b"\0", b"\x7f")) * len(value)


def _number(rng, fields, i):
    fields[i][0] = rng.choice((*range(1, 30), 100, 106, 117, 118, 121, 133, 139, 142))


def _kind(rng, fields, i):
    fields[i][1:] = rng.choice(([0, rng.choice(_NUMBERS)], [2, rng.randbytes(rng.choice((0, 3, 40)))], [5, b"abcd"]))


def _remove(rng, fields, i):
    del fields[i]


def _double(rng, fields, i):
    fields[i:i] = [_copy(fields[i]) for _ in range(rng.choice((1, 1, 1, 60)))]


def _move(rng, fields, i):
    """To the end, or into a message of another kind."""
    field = fields.pop(i)
    inner = [value for _, _, value in fields if isinstance(value, list)]
    (rng.choice(inner) if inner and rng.random() < 0.5 else fields).append(field)


def _nest(rng, fields, i):
    if isinstance(fields[i][2], list):
        for _ in range(rng.choice((1, 40))):
            fields[i][2] = [_copy(fields[i])]


def _copy(field):
    number, kind, value = field
    return [number, kind, [_copy(inner) for inner in value] if isinstance(value, list) else value]


_EDITS = (_value, _value, _value, _number, _kind, _remove, _double, _move, _nest)
