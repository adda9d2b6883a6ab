import pytest

from minicnn.errors import FormatError, MissingFileError
from minicnn.weights import prototxt


def plain(fields):
    """Fields as pairs: a message is a list, a string is in quotes, everything else as written."""

    def value(v):
        return plain(v) if isinstance(v, list) else f'"{v.text}"' if v.is_string else v.text

    return [(field.name, value(field.value)) for field in fields]


def parse(text):
    return plain(prototxt.parse(text, "net.prototxt"))


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", []),
        ("  # nothing but a comment", []),
        ("a: 1", [("a", "1")]),
        ("a:1 b:2;c:3,d:4", [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4")]),
        ("a: 1 # one\nb: 2 #", [("a", "1"), ("b", "2")]),
        (
            "a: -1 b: - 2 c: -.5e-3f d: 0x1F e: -inf f: 1.",
            [*zip("abcdef", ["-1", "-2", "-.5e-3f", "0x1F", "-inf", "1."])],
        ),
        ("pool: MAX on: true", [("pool", "MAX"), ("on", "true")]),
        ("m { a: 1 } m: { a: 2; } m < a: 3 > m {}", [("m", [("a", v)]) for v in "123"] + [("m", [])]),
        ("m{n{o{a:1}}}", [("m", [("n", [("o", [("a", "1")])])])]),
        ("dim: [1, 2,3] dim: []", [("dim", v) for v in "123"]),
        ("m: [{a: 1}, <b: 2>] m [{}]", [("m", [("a", "1")]), ("m", [("b", "2")]), ("m", [])]),
        ('a: "x" \'y\'\n "z"', [("a", '"xyz"')]),
        ("a: 'it\"s' b: \"it's\"", [("a", '"it"s"'), ("b", '"it\'s"')]),
        (r'a: "\n\t\"\\\101\x41\x4\u00e9\U0001F600\?"', [("a", '"\n\t"\\AA\x04é\U0001f600?"')]),
        (r'a: "\303\251"', [("a", '"é"')]),
        ("a: 'Ünïcode # { no comment'", [("a", '"Ünïcode # { no comment"')]),
        ("\ta\v:\f1\r\nb: 2", [("a", "1"), ("b", "2")]),
    ],
)
def test_what_it_means(text, expected):
    assert parse(text) == expected


def test_lines():
    fields = prototxt.parse("a: 1\n\n# two\nm {\n  b: 'x'\n  c: [1,\n2]\n}", "f")
    assert [f.line for f in fields] == [1, 4]
    assert [f.line for f in fields[1].value] == [5, 6, 7]


@pytest.mark.parametrize(
    "text, reason",
    [
        ("a 1", "line 1: '1' after 'a', where ':' or '{'"),
        ("a: 1\nb", "line 2: the end of the file after 'b'"),
        ("a:", "the end of the file where a value"),
        ("a: }", "'}' where a value"),
        ("a: : 1", "':' where a value"),
        ("m {\n a: 1\n", "line 3: ends before the message that begins in line 1: truncated"),
        ("m { a: 1 >", "'>' where the name of a field"),
        ("}", "'}' where the name of a field"),
        ("1: 2", "'1' where the name"),
        ("[caffe.ext]: 1", r"'\[' where the name"),
        ("a: [1 2]", "'2' where ',' is expected"),
        ("a: [1,", "the end of the file where a value"),
        ("a: [[1]]", r"'\[' where a value"),
        ("a: 'open\n'", r"\"'open\\n'\" is no part"),
        ('a: "\\', "is no part of a prototxt"),
        (r'a: "\q"', r"'\\\\q' is no escape"),
        (r'a: "\777"', "is no escape"),
        (r'a: "\uD800"', "is no escape"),
        (r'a: "\U00110000"', "is no escape"),
        (r'a: "\xff"', "a string that is not UTF-8"),
        ("a: \0", "is no part of a prototxt"),
        ("é: 1", "is no part of a prototxt"),
        ("a: " + "1" * 65, "is no number and no name"),
        ("a{" * 100, "nested more than 32 deep"),
        ("a:{" * 100_000, "nested more than 32 deep"),
        ("a: [" + "1," * 300_000, "more than 50000 fields"),
        ("a {}" * 300_000, "more than 50000 fields"),
    ],
)
def test_bad_texts(text, reason):
    with pytest.raises(FormatError, match=reason) as caught:
        prototxt.parse(text, "net.prototxt")
    assert str(caught.value).startswith("net.prototxt: line ")


def test_depth_that_is_allowed():
    assert parse("a{" * 32 + "}" * 32)


def test_files(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_bytes(b"\xef\xbb\xbf# \xb2\xe2\xca\xd4 is GBK\na: 'x'")
    assert plain(prototxt.read(path)) == [("a", '"x"')]
    path.write_bytes(b"a: '\xb2\xe2'")
    with pytest.raises(FormatError, match="line 1: a string that is not UTF-8"):
        prototxt.read(path)
    with path.open("wb") as file:
        file.truncate(1 << 33)  # takes no room on the disk
    with pytest.raises(FormatError, match="more than 8388608 bytes"):
        prototxt.read(path)
    with pytest.raises(MissingFileError):
        prototxt.read(tmp_path / "none")


@pytest.mark.data
def test_real_files(data_dir):
    """The names of GoogLeNet's layers, against a look at the lines."""
    path = data_dir / "weights" / "bvlc_googlenet.prototxt"
    lines = path.read_text().splitlines()
    expected = [line.split('"')[1] for line in lines if line.startswith('  name: "')]
    layers = [dict(plain(field.value)) for field in prototxt.read(path) if field.name == "layer"]
    assert [layer["name"].strip('"') for layer in layers] == expected and len(expected) == 143
