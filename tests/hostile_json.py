"""Bad JSON made of a good document: its parts removed, doubled, exchanged, replaced by what no reader expects."""

import copy
import json
import random

_DEEP = "[" * 60 + "]" * 60
_VALUES = [
    None, True, False, 0, -1, 1, 2, 7, 255, 65_536, 2**31, 2**53, 2**63, 10**19, 0.5, 1e-300, 1e300, 1e9,
    float("nan"), float("inf"), "", "a", "a" * 5000, "\ud800", "\0", "../model.json", "/etc/hostname", "2", "Dense",
    "constructor", "__class__", "os.system", [], {}, [[]], [None], [0], [-1], [2**40] * 4, [1] * 500, {"a": 1},
    {"": {}}, json.loads(_DEEP),
]  # fmt: skip


def documents(good, count, seed):
    """`count` mutations of the bytes of a JSON document, the same for the same seed."""
    rng, document = random.Random(seed), json.loads(good)
    for _ in range(count):
        bad = [copy.deepcopy(document)]  # in a list, so that the whole has a place, too
        for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
            if bad:
                rng.choice(_EDITS)(rng, *rng.choice(_places(bad)))
        text = json.dumps(bad[0] if bad else None)
        yield (_name_twice(rng, text) if rng.random() < 0.05 else text).encode("utf-8", "surrogatepass")


def _places(document):
    """[(container, key)] of everything in the document."""
    found, waiting = [], [document]
    while waiting:
        container = waiting.pop()
        keys = list(container) if isinstance(container, dict) else range(len(container))
        for key in keys:
            found.append((container, key))
            if isinstance(container[key], (dict, list)):
                waiting.append(container[key])
    return found


def _replace(rng, container, key):
    container[key] = copy.deepcopy(rng.choice(_VALUES))


def _number(rng, container, key):
    value = container[key]
    if isinstance(value, (int, float)):
        container[key] = rng.choice(
            (value + 1, value - 1, -value, value * 2, value * 1000, value * 2**30, float(value))
        )
    elif isinstance(value, str):
        container[key] = value[::-1] if rng.random() < 0.5 else value * rng.choice((2, 100))
    else:
        _replace(rng, container, key)


def _remove(rng, container, key):
    del container[key]


def _double(rng, container, key):
    times = rng.choice((1, 1, 30))
    for i in range(times):
        if isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        else:
            container[f"{key}{i}"] = copy.deepcopy(container[key])


def _rename(rng, container, key):
    if isinstance(container, dict):
        container[rng.choice([*container, "", "name", "a" * 3000])] = container.pop(key)
    else:
        rng.shuffle(container)


def _take_from_elsewhere(rng, container, key):
    whole = [container]
    other, there = rng.choice(_places(whole))
    container[key] = copy.deepcopy(other[there])


def _wrap(rng, container, key):
    container[key] = rng.choice(([container[key]], {"a": container[key]}, [container[key]] * 2))


_EDITS = (_replace, _replace, _number, _number, _remove, _double, _rename, _take_from_elsewhere, _wrap)


def _name_twice(rng, text):
    places = [i for i, letter in enumerate(text) if letter == "{" and text[i + 1 : i + 2] == '"']
    if not places:
        return text
    at = rng.choice(places) + 1
    name = text[at : text.index('"', at + 1) + 1]
    return f"{text[:at]}{name}: {rng.choice(['null', '1', '[]'])}, {text[at:]}"
