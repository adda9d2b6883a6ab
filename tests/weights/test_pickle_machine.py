import struct

import pytest
from weight_files import Raw, call, glob, opcodes, ordered_dict, pickled

from minicnn.errors import FormatError
from minicnn.weights.pickle_machine import Global, Machine

NAMES = (Global("torch.Size", lambda *args: ("size", *args)), Global("torch.float32"))


def run(data):
    return Machine(data, "f", NAMES, lambda pid: ("persistent", pid)).run()


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        0,
        255,
        -(2**31),
        2**31,
        -(2**70),
        1.5,
        "",
        "größe",
        (),
        (1, ("a", (None,))),
        [],
        [1, [2, []]],
        {},
        {"a": 1, 2: {"b": [()]}},
    ],
)
def test_values(value):
    got = run(pickled(value))
    assert got == value and type(got) is type(value)


@pytest.mark.parametrize("protocol", [0, 1, 2])
def test_what_pickle_itself_writes(protocol):
    # protocol 2 is what torch writes; the text opcodes of 0 and the others of 1 are not needed
    import pickle

    value = {"a": (1, 300, 70000, -1, 2**40), "b": [True, None, 0.5], 7: ("x", "x"), "e": ((), [], {}, (1,), (1, 2))}
    data = pickle.dumps(value, protocol)
    if protocol < 2:
        with pytest.raises(FormatError, match="opcode 0x"):
            run(data)
    else:
        assert run(data) == value


def test_every_opcode_by_hand():
    body = (
        b"K\x05" + b"M\x01\x01" + b"U\x02ab" + b"\x85" + b"q\x07" + b"h\x07" + b"\x86" + b"r\x01\x00\x01\x00" + b"\x87"
    )
    assert run(b"\x80\x02" + body + b".") == (5, 257, (("ab",), ("ab",)))
    assert run(b"\x80\x02}K\x01K\x02s.") == {1: 2}
    assert run(b"\x80\x02]K\x01a.") == [1]
    assert run(b"\x80\x02K\x03r\x01\x00\x01\x000."[:-2] + b"j\x01\x00\x01\x00\x86.") == (3, 3)


def test_stop_leaves_the_position_behind_the_pickle():
    machine = Machine(pickled(1) + pickled(2), "f", (), None)
    assert machine.run() == 1 and machine.pos == len(pickled(1))


def test_names_and_calls():
    assert run(pickled(call(glob("torch", "Size"), (1, 2)))) == ("size", (1, 2))
    assert run(pickled(Raw(opcodes("id") + b"Q"))) == ("persistent", "id")
    assert run(pickled(ordered_dict({"b": 1, "a": 2}))) == {"b": 1, "a": 2}
    assert run(pickled(call(glob("collections", "OrderedDict"), []))) == {}
    assert run(pickled(call(glob("collections", "OrderedDict"), [["b", 1], [2, [3]]]))) == {"b": 1, 2: [3]}


def test_the_state_of_an_ordered_dict_is_ignored():
    built = Raw(ordered_dict({"a": 1}) + opcodes({"_metadata": ordered_dict({"": {"version": 1}})}) + b"b")
    assert run(pickled(built)) == {"a": 1}


EVIL = [
    glob("os", "system"),
    glob("builtins", "eval"),
    glob("collections", "OrderedDict.__init__"),
    glob("torch", "load"),
]


@pytest.mark.parametrize("name", EVIL)
def test_other_names_are_refused_and_nothing_is_run(name, tmp_path):
    with pytest.raises(FormatError, match=r"it asks for .* nothing in it was run"):
        run(pickled(call(name, f"touch {tmp_path}/canary")))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "body, reason",
    [
        (b"", "too early"),
        (b"N", "too early"),
        (b".", "empty stack"),
        (b"0.", "opcode 0x30"),  # POP
        (b"2.", "opcode 0x32"),  # DUP
        (b"\x93.", "opcode 0x93"),  # STACK_GLOBAL
        (b"\x81.", "opcode 0x81"),  # NEWOBJ
        (b"iposix\nsystem\n.", "opcode 0x69"),  # INST
        (b"oN.", "opcode 0x6f"),  # OBJ
        (b"P1\n.", "opcode 0x50"),  # PERSID
        (b"\x82\x01.", "opcode 0x82"),  # EXT1
        (b"\x8b" + struct.pack("<I", 2**31 - 1), "opcode 0x8b"),  # LONG4
        (b"(.", "empty stack"),
        (b"t.", "no mark"),
        (b"K\x01\x87.", "empty stack"),
        (b"(K\x01\x85\x86.", "empty stack"),
        (b"h\x00.", "memo 0 was never set"),
        (b"j\xff\xff\xff\x7f.", "memo 2147483647 was never set"),
        (b"q\x00.", "empty stack"),
        (b"(q\x00.", "empty stack"),
        (b"X\xff\xff\xff\xffab.", "a text of 4294967295 bytes"),
        (b"X\x03\x00\x00\x00ab", "too early"),
        (b"X\x01\x00\x00\x00\xff.", "not utf-8"),
        (b"U\x01\xff.", "not ascii"),
        (b"J\x00\x00", "too early"),
        (b"\x8a\x05ab", "too early"),
        (b"cos", "a name without an end"),
        (b"c" + b"a" * 300 + b"\nb\n.", "a name without an end"),
        (b"}\x85}R.", "a dict where a tuple"),
        (b"K\x01)R.", "a int where a Global"),
        (b"ctorch\nfloat32\n)R.", "it calls torch.float32"),
        (b"ccollections\nOrderedDict\nK\x01\x85R.", "made of something"),
        (b"ccollections\nOrderedDict\n]](K\x01ea\x85R.", "made of something"),
        (b"ccollections\nOrderedDict\n]]()K\x01ea\x85R.", "made of something"),
        (b"K\x01K\x02K\x03s.", "a int where a dict"),
        (b"](K\x01K\x02u.", "a list where a dict"),
        (b"}(K\x01u.", "a key without a value"),
        (b"}K\x01a.", "a dict where a list"),
        (b"}NNs.", "a key that is a NoneType"),
        (b"}\x88Ns.", "a key that is a bool"),
        (b"})Ns.", "a key that is a tuple"),
        (b"]}b.", "a list where a dict"),
    ],
)
def test_bad_pickles(body, reason):
    with pytest.raises(FormatError, match=reason):
        run(b"\x80\x02" + body)


def test_other_protocols():
    with pytest.raises(FormatError, match="protocol 4"):
        run(b"\x80\x04N.")


def test_limits():
    with pytest.raises(FormatError, match="more than 300000 opcodes"):
        run(b"\x80\x02" + b"]" * 400_000 + b".")
    with pytest.raises(FormatError, match="a pickle of 16777217 bytes"):
        run(bytes((16 << 20) + 1))


def test_huge_memo_indices_take_no_memory():
    # The standard library's unpickler allocates an array up to the index.
    import tracemalloc

    tracemalloc.start()
    try:
        assert run(b"\x80\x02Nr\xff\xff\xff\x7f.") is None
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_deep_and_cyclic_structures_end():
    deep = run(b"\x80\x02)" + b"\x85" * 250_000 + b".")
    assert isinstance(deep, tuple)
    deep = run(b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".")
    assert isinstance(deep, list)
    cyclic = run(b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s.")
    assert cyclic["model"] is cyclic
    # as a key, each level would double the time of hashing
    with pytest.raises(FormatError, match="a key that is a tuple"):
        run(b"\x80\x02})" + b"q\x00h\x00\x86" * 100 + b"Ns.")
