"""Bad texts of nested blocks, as a prototxt, made of a good one: its words and braces removed, doubled, exchanged."""

import random
import re

_WORD = re.compile(r'"[^"]*"|[A-Za-z_][\w.]*|[-+]?[\d.]+(?:e[-+]?\d+)?|\S', re.IGNORECASE)
_OTHERS = [
    "{", "}", "{ {", "} }", ":", '"', "'", "#", ",", ";", "[", "]", "<", ">", "\\", '""', '"\\', "\0", "é", "true",
    "MAX", '"' + "a" * 5000 + '"', "layer {", "layers {", "param {", "name: ", "dim: 99999999", "TRAIN",
]  # fmt: skip
_NUMBERS = [
    "0", "-1", "1", "2", "4294967295", "9223372036854775807", "18446744073709551616", "1e999", "nan", "inf", "1.5",
    "1e9", "0x7fffffff", "--1", "9" * 400,
]  # fmt: skip


def texts(good, count, seed):
    """`count` mutations of the bytes of a text, the same for the same seed."""
    rng, words = random.Random(seed), _WORD.findall(good.decode())
    for _ in range(count):
        bad = list(words)
        for _ in range(rng.choice((1, 1, 1, 2, 4, 12))):
            rng.choice(_EDITS)(rng, bad, rng.randrange(len(bad)) if bad else 0)
        yield " ".join(bad).encode("utf-8", "replace")


def _insert(rng, bad, i):
    bad.insert(i, rng.choice(_OTHERS) * rng.choice((1, 1, 1, 40)))


def _replace(rng, bad, i):
    bad[i : i + 1] = [rng.choice(_OTHERS + _NUMBERS)]


def _number(rng, bad, i):
    places = [j for j, word in enumerate(bad) if word[:1].isdigit()]
    if places:
        bad[rng.choice(places)] = rng.choice(_NUMBERS)


def _remove(rng, bad, i):
    del bad[i : i + rng.choice((1, 1, 3, 10))]


def _double(rng, bad, i):
    bad[i:i] = bad[i : i + rng.choice((1, 5, 30))] * rng.choice((1, 1, 20))


def _exchange(rng, bad, i):
    j = rng.randrange(len(bad)) if bad else 0
    if bad and i < len(bad):
        bad[i], bad[j] = bad[j], bad[i]


_EDITS = (_insert, _replace, _number, _number, _remove, _double, _exchange)
