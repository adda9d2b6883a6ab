"""Bad pickles made of a good one: its opcodes removed, doubled, exchanged, and others put between them."""

import pickletools
import random
import struct

_HUGE = struct.pack("<I", 0xFFFFFFFF)
_OTHERS = [
    b"cos\nsystem\n", b"cposix\nsystem\n", b"cbuiltins\nexec\n", b"c__builtin__\neval\n", b"ctorch\nload\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nSize\n", b"ctorch\nFloatStorage\n",
    b"ccollections\nOrderedDict\n",
    b"(X\x04\0\0\0trueios\nsystem\n", b"(cos\nsystem\nX\x04\0\0\0trueo", b"X\x02\0\0\0osX\x06\0\0\0system\x93", b"\x81",
    b"R", b"b", b"Q", b"Pstorage\n", b"(", b"0", b"1", b"2", b"t", b"l", b"d", b"s", b"u", b"a", b"e", b".", b")", b"]",
    b"}", b"N", b"\x85", b"\x86", b"\x87", b"\x82\x01", b"\x84\xff\xff\xff\x7f", b"\x95" + b"\xff" * 8, b"\x80\x04",
    b"r" + _HUGE, b"j" + _HUGE, b"q\xff", b"h\x00", b"h\xff", b"X" + _HUGE, b"\x8b" + b"\xff\xff\xff\x7f", b"\x8a\xff",
    b"\x8d" + b"\xff" * 8, b"\x8e" + b"\xff" * 8, b"T\xff\xff\xff\x7f", b"I99999999999999999999\n", b"L1L\n",
    b"F1e999\n",
    b"S'a'\n", b"V\\ud800\n", b"G\x7f\xf8\0\0\0\0\0\0", b"\x8a\x01\xff", b"J\xff\xff\xff\xff", b"J\xff\xff\xff\x7f",
    b"K\0",
]  # fmt: skip
_INTEGERS = (
    b"J\xff\xff\xff\xff",
    b"J\xff\xff\xff\x7f",
    b"K\0",
    b"K\1",
    b"\x8a\x08" + b"\xff" * 7 + b"\x7f",
    b"\x88",
    b"N",
)


def pickles(good, count, seed):
    """`count` mutations of the bytes of a pickle, the same for the same seed."""
    rng, steps = random.Random(seed), _steps(good)
    for _ in range(count):
        bad = list(steps)
        for _ in range(rng.choice((1, 1, 1, 2, 4, 12))):
            rng.choice(_EDITS)(rng, bad, rng.randrange(1, len(bad)) if len(bad) > 1 else 0)
        yield b"".join(bad)


def _steps(data):
    places = [pos for _, _, pos in pickletools.genops(data)]
    return [data[a:b] for a, b in zip(places, [*places[1:], len(data)])]


def _insert(rng, bad, i):
    bad.insert(i, rng.choice(_OTHERS))


def _replace(rng, bad, i):
    bad[i : i + 1] = [rng.choice(_OTHERS)]


def _integer(rng, bad, i):
    places = [j for j, step in enumerate(bad) if step[:1] in (b"J", b"K", b"M", b"\x8a")]
    if places:
        bad[rng.choice(places)] = rng.choice(_INTEGERS)


def _remove(rng, bad, i):
    del bad[i : i + rng.choice((1, 1, 5))]


def _double(rng, bad, i):
    bad[i:i] = bad[i : i + rng.choice((1, 3, 20))] * rng.choice((1, 1, 50))


def _exchange(rng, bad, i):
    j = rng.randrange(len(bad)) if bad else 0
    if bad and i < len(bad):
        bad[i], bad[j] = bad[j], bad[i]


_EDITS = (_insert, _insert, _replace, _integer, _integer, _remove, _double, _exchange)
