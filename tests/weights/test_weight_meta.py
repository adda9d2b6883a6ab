import json
from dataclasses import FrozenInstanceError, asdict, replace

import numpy as np
import pytest

from minicnn.errors import FormatError
from minicnn.mean_image import MeanImage
from minicnn.meta import Meta

GOOD = Meta(
    "net", (3, 224, 224), "BGR", 255.0, (104, 117, 123.5), (1, 1, 1), "squash", 256, ("a", "ß"), "s", "l", "0" * 64
)


def test_round_trip():
    strings = GOOD.to_strings()
    assert all(type(k) is str and type(v) is str for k, v in strings.items())
    assert json.loads(strings["mean"]) == [104, 117, 123.5] and strings["architecture"] == '"net"'
    assert Meta.from_strings(strings) == GOOD
    grey = Meta("lenet", (1, 28, 28), "L", 1.0, (0.0,), (1.0,), "crop", 28)
    assert Meta.from_strings(grey.to_strings()) == grey


def test_frozen_and_lists_become_tuples():
    with pytest.raises(FrozenInstanceError):
        GOOD.range = 1.0
    assert replace(GOOD, mean=[1, 2, 3]).mean == (1, 2, 3)
    assert hash(GOOD)


def test_a_mean_image_belongs_to_what_is_compared():
    image = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    grey = Meta("net", (1, 2, 3), "L", 255.0, (2.5,), (1.0,), "crop", 3, mean_image=MeanImage(image))
    assert grey == replace(grey, mean_image=MeanImage(image.copy())) and hash(grey)
    assert grey != replace(grey, mean_image=MeanImage(image + 1)) and grey != replace(grey, mean_image=None)
    assert Meta.from_strings(grey.to_strings(), mean_image=grey.mean_image) == grey
    assert asdict(grey)["mean_image"] is grey.mean_image
    with pytest.raises(ValueError, match="read-only"):
        grey.mean_image.values[0, 0, 0] = 7


def test_the_middle_of_a_mean_image():
    image = MeanImage(np.arange(30.0).reshape(1, 5, 6))
    assert image.channels == (14.5,)
    assert image.centre(2, 3).values.tolist() == [[[7, 8, 9], [13, 14, 15]]]
    with pytest.raises(FormatError, match="5x6, smaller than the net's input 6x6"):
        image.centre(6, 6)


@pytest.mark.parametrize(
    "field, value",
    [
        ("architecture", ""),
        ("architecture", 5),
        ("input_size", (3, 224)),
        ("input_size", (3, 0, 224)),
        ("input_size", (3, 224, 1e9)),
        ("input_size", (3, 224, 2**40)),
        ("input_size", (3, True, 224)),
        ("input_size", "abc"),
        ("input_size", (1, 224, 224)),
        ("channel_order", "GBR"),
        ("channel_order", "L"),
        ("channel_order", ["RGB"]),
        ("range", 0),
        ("range", float("inf")),
        ("range", "255"),
        ("range", True),
        ("mean", (1, 2)),
        ("mean", 5),
        ("mean", (1, 2, float("nan"))),
        ("mean", (1, 2, 10**400)),
        ("mean", (1, 2, None)),
        ("std", (1, 0, 1)),
        ("std", (1, -1, 1)),
        ("std", None),
        ("resize", "stretch"),
        ("resize", []),
        ("resize_to", 223),
        ("resize_to", 256.0),
        ("resize_to", 2**40),
        ("classes", "abc"),
        ("classes", (1, 2)),
        ("classes", {"a": 1}),
        ("source", None),
        ("licence", 3),
        ("sha256", "0" * 63),
        ("sha256", "Z" * 64),
        ("sha256", 0),
        ("interpolation", "cubic"),
        ("interpolation", None),
        ("interpolation", ["bilinear"]),
        ("mean_image", 5),
        ("mean_image", MeanImage(np.zeros((3, 224, 223)))),
    ],
)
def test_bad_fields(field, value):
    # a wrong number of channels is the channel order's fault
    named = "channel_order" if value == (1, 224, 224) else field
    with pytest.raises(FormatError, match=f"metadata: {named} is .*, expected "):
        replace(GOOD, **{field: value})


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"mean": "[1, 2"}, "mean is not JSON"),
        ({"mean": "[" * 100_000}, "mean is not JSON"),
        ({"mean": "[NaN, 0, 0]"}, "mean is"),
        ({"mean": '{"a": 1}'}, "mean is"),
        ({"colour": "1"}, "unknown field 'colour'"),
        ({"range": None}, "missing field 'range'"),
    ],
)
def test_bad_strings_name_the_file(change, reason):
    strings = {k: v for k, v in {**GOOD.to_strings(), **change}.items() if v is not None}
    with pytest.raises(FormatError, match=f"net.safetensors: metadata: {reason}"):
        Meta.from_strings(strings, "net.safetensors")
