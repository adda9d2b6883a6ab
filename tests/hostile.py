"""Bad files made of good ones: a seeded corpus of truncations, flipped bits, lying numbers and moved pieces."""

import random
import struct

_NUMBERS = [
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\x80",
    b"\0\0\0\0",
    struct.pack("<Q", 2**63),
    b"\xff" * 10,
]


def corpus(good, count, seed, spans=()):
    """`count` mutations of the bytes `good`, the same for the same seed.

    spans: (start, end) of the pieces that describe the file; half of the mutations go there, so that a large file's
    few structural bytes are hit as often as its data.
    """
    rng = random.Random(seed)
    for i in range(count):
        start, end = rng.choice(spans) if spans and i % 2 else (0, len(good))
        yield _MUTATIONS[i % len(_MUTATIONS)](rng, good, start, end)


def _truncate(rng, good, start, end):
    return good[: rng.randrange(start, end)]


def _flip(rng, good, start, end):
    bad = bytearray(good)
    for _ in range(rng.choice((1, 1, 2, 8))):
        bad[rng.randrange(start, end)] ^= 1 << rng.randrange(8)
    return bytes(bad)


def _overwrite(rng, good, start, end):
    number, at = rng.choice(_NUMBERS), rng.randrange(start, end)
    return good[:at] + number + good[at + len(number) :]


def _insert(rng, good, start, end):
    at = rng.randrange(start, end)
    return good[:at] + rng.randbytes(rng.choice((1, 4, 100))) + good[at:]


def _remove(rng, good, start, end):
    at = rng.randrange(start, end)
    return good[:at] + good[at + rng.choice((1, 4, 100)) :]


def _repeat(rng, good, start, end):
    a, b = sorted(rng.randrange(start, end) for _ in range(2))
    return good[:b] + good[a:b] + good[b:]


def _noise(rng, good, start, end):
    a, b = sorted(rng.randrange(start, end) for _ in range(2))
    return good[:a] + rng.randbytes(b - a) + good[b:]


_MUTATIONS = (_truncate, _flip, _overwrite, _insert, _remove, _repeat, _noise)
