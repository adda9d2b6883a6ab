"""The JSON of ConvNetJS snapshots, beside Python's own reader."""

import json

import numpy as np
import pytest

from minicnn.errors import FormatError
from minicnn.weights.convnetjs_json import parse


def plain(value):
    """Arrays as lists, NaN as None."""
    if isinstance(value, np.ndarray):
        return [None if np.isnan(v) else v for v in value.tolist()]
    if isinstance(value, list):
        return list(map(plain, value))
    return {key: plain(v) for key, v in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize(
    "text",
    [
        *(
            '{"a": {"b": [{}, [], "x", true, false]}, "c": null}',
            '"\\u00e9\\n\\"" ',
            " 1 ",
            "-2.5e3",
            "1E2",
            "[[1], [2, 3]]",
        ),
        *("[1, 2.5,-5e-1 ,\n null]", "[null]", '{"w": [0]}', "0", "-0.5"),
    ],
)
def test_json_as_python_reads_it(text):
    assert plain(parse(text.encode(), "f")) == json.loads(text)


def test_indexed_numbers_are_an_array():
    found = parse(b'{"w": {"0":1,"1" : -2.5, \n"2":null}, "sx": 1}', "f")
    np.testing.assert_array_equal(found["w"], np.float32([1, -2.5, np.nan]))
    assert found["w"].dtype == np.float32 and found["sx"] == 1


@pytest.mark.parametrize("has_keys", [False, True])
def test_long_lists(has_keys):
    numbers = (
        np.random.default_rng(0).standard_normal(30_000).astype(np.float32).astype(float).tolist()
    )  # several pieces
    text = json.dumps({str(i): v for i, v in enumerate(numbers)} if has_keys else numbers)
    np.testing.assert_array_equal(parse(text.encode(), "f"), np.float32(numbers))


def test_numbers_too_large_are_infinite():
    assert np.isinf(parse(b"[1e999, -1e39]", "f")).all()


@pytest.mark.parametrize(
    "data, reason",
    [
        (b"", "is no value"),
        (b"{", "is no value"),
        (b'{"a": 1', "truncated"),
        (b'{"a" 1}', "expected ':'"),
        (b'{"a": 1 "b": 2}', "expected ',' or '}'"),
        (b'{"a": 1,}', "is no value"),
        (b'{"a": 1, "a": 2}', "the key 'a' twice"),
        (b"{a: 1}", "is no value"),
        (b"[1, 2", "does not end: truncated"),
        (b"[1, 2,]", r"b'' in a list of numbers"),
        (b"[1,,2]", r"b'' in a list of numbers"),
        (b"[1, [2]]", "in a list of numbers"),
        (b'[1, "2"]', "in a list of numbers"),
        (b"[01]", "in a list of numbers"),
        (b"[1_0]", "in a list of numbers"),
        (b"[nan]", "in a list of numbers"),
        (b"[-Infinity]", "in a list of numbers"),
        (b"[1" + b" " * 200_000 + b"]", "in a list of numbers"),
        (b'{"0": 1, "2": 3}', 'expected the key "1"'),
        (b'{"1": 1}', 'expected the key "0"'),
        (b'{"0": 1, "a": 3}', 'expected the key "1"'),
        (b'{"0" 1}', "expected the key|in a list"),
        (b"1 2", "more than one value"),
        (b"NaN", "is no value"),
        (b"nul", "is no value"),
        (b"-", "is no value"),
        (b"1" * 65, "a number of 65 digits"),
        (b'"\\x"', "a text that is none"),
        (b'"\xff"', "a text that is none"),
        (b'"a\nb"', "is no value"),
        (b'"' + b"a" * 2000 + b'"', "is no value"),
        (b"[[" * 100_000, "nested more than 16 deep"),
        (b'{"a":' * 100_000, "nested more than 16 deep"),
        (b"[" + b"{}," * 300_000, "more than 200000 values"),
        (b"\x00\x01", "is no value"),
    ],
)
def test_bad_json(data, reason):
    with pytest.raises(FormatError, match=reason) as caught:
        parse(data, "net.json")
    assert str(caught.value).startswith("net.json: byte ")
