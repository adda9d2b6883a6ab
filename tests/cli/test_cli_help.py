"""Every command's help: one line in the list, examples at the end that can be pasted, and no heavy import."""

import re
import shlex
import subprocess
import sys

import pytest

from minicnn.cli.lookup import every, resolve
from minicnn.cli.main import main

ALL = every()
IDS = [" ".join(words) for words in ALL]


def test_the_commands_that_are_promised_are_there():
    promised = {"predict", "vis", "models", "gradcheck", "doctor", "demo", "cache"}
    assert promised <= {words[0] for words in ALL}
    assert {("models", "list"), ("models", "info"), ("models", "import")} <= {tuple(words) for words in ALL}
    assert {("vis", "saliency"), ("vis", "deconvnet"), ("vis", "guided_backprop")} <= {tuple(words) for words in ALL}


def test_helpers_of_the_vis_room_are_no_methods():
    assert not {("vis", "image"), ("vis", "rules"), ("vis", "units")} & {tuple(words) for words in ALL}


@pytest.mark.parametrize("words", [[], *ALL], ids=["minicnn", *IDS])
def test_help_ends_with_examples_that_parse(words, capsys):
    assert main([*words, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: {' '.join(['minicnn', *words])}")
    examples = text.rpartition("examples:\n")[2].strip().splitlines()
    assert examples
    for line in examples:
        program, *argv = shlex.split(line)
        assert program == "minicnn"
        if "--help" in argv:
            assert main(argv) == 0
        else:
            parser, _, rest = resolve(argv)
            parser.parse_args(rest)  # raises if it does not parse


def test_overviews_have_a_line_for_each(capsys):
    main(["--help"])
    out = capsys.readouterr().out
    assert "  gradcheck  Check layers' backward functions" in out
    main(["vis", "--help"])
    assert re.search(r"^  saliency +Which pixels", capsys.readouterr().out, re.MULTILINE)


def test_version(capsys):
    import minicnn

    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"minicnn {minicnn.__version__}\n"


def test_no_help_imports_numpy():
    code = (
        "import sys\nfrom minicnn.cli.main import main\n"
        f"codes = {{main([*words, '--help']) for words in {[[], *ALL]}}}\n"
        "print(codes, {'numpy', 'numba', 'PIL', 'torch'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "{0} set()"


@pytest.mark.parametrize("words", ALL, ids=IDS)
def test_shared_options_mean_the_same_everywhere(words, capsys):
    """The line that explains --backend, --model, --seed, --json, -v and -q is one text wherever it stands."""
    said = {
        "--backend NAME": "what computes: ",
        "--model NAME_OR_FILE": "the net and its weights: ",
        "--seed N": "of everything random; default ",
        "--out DIR": "the folder to write to; default ",
        "--json": "print JSON",
        "-v, --verbose": "say more, ",
        "-q, --quiet": "say nothing but results",
    }
    main([*words, "--help"])
    text = capsys.readouterr().out
    if words in (["vis"], ["models"], ["cache"]):
        return
    assert "-v, --verbose" in text and "-q, --quiet" in text
    for line in text.splitlines():
        for option, start in said.items():
            if line.strip().startswith(option):
                assert start in " ".join(text.split())
