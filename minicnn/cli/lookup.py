"""Finding the command that is called: by its module, which is the only one that is imported."""

from importlib import import_module

from ..errors import UnknownNameError, UsageError
from .modules import docstring, find
from .options import add_verbosity
from .parser import Parser

_COMMANDS = f"{__package__}.commands"

_ABOUT = """A conv-net written by hand, in which nothing is hidden.

Exit codes: 0 done; 1 a check failed; 2 usage; 3 backend or optional library unavailable; 4 missing or bad weights,
image or data; 130 interrupted.

examples:
  minicnn demo
  minicnn gradcheck conv2d
  minicnn predict --help
"""


def resolve(argv):
    """(parser, module, what is left to parse) of the command that argv names.

    Raises SystemExit when it has printed a help, UsageError for no command, UnknownNameError for one that is not there.
    """
    texts = {name: docstring(path) for name, path in find(_COMMANDS).items()}
    name = _choose("minicnn", "command", _ABOUT, texts, argv)
    command, forms = _load(name)
    if forms:
        form = _choose(f"minicnn {name}", command.KIND, texts[name], forms, argv[1:])
        parser, rest = Parser(f"minicnn {name} {form}", forms[form]), argv[2:]
        parser.set_defaults(subcommand=form)
        command.add_arguments(parser, form)
    else:
        parser, rest = Parser(f"minicnn {name}", texts[name]), argv[1:]
        command.add_arguments(parser)
    add_verbosity(parser)
    parser.set_defaults(argv=argv)
    return parser, command, rest


def every():
    """The words of each command and of each form of it: [["demo"], ["models"], ["models", "info"], ...]."""
    found = []
    for name in find(_COMMANDS):
        found += [[name], *([name, form] for form in _load(name)[1])]
    return found


def _load(name):
    """(module, {form: docstring}); most commands have no forms."""
    command = import_module(f".{find(_COMMANDS)[name].stem}", _COMMANDS)
    return command, command.subcommands() if hasattr(command, "subcommands") else {}


def _choose(prog, kind, text, choices, argv):
    """argv[0], one of the choices {name: docstring}; --help prints them and ends, as argparse's help does."""
    if argv and argv[0] in choices:
        return argv[0]
    if argv and argv[0] in ("-h", "--help"):
        print(_overview(prog, kind, text, choices))
        raise SystemExit(0)
    if not argv or argv[0].startswith("-"):
        raise UsageError(f"say which {kind} first: {', '.join(choices)} (see {prog} --help)")
    raise UnknownNameError(kind, argv[0], choices)


def _overview(prog, kind, text, choices):
    about, _, examples = text.partition("examples:\n")
    width = max(map(len, choices))
    lines = [f"usage: {prog} {kind.upper()} ...", "", about.rstrip(), "", f"{kind}s:"]
    lines += [f"  {name:<{width}}  {choice.splitlines()[0]}" for name, choice in choices.items()]
    return "\n".join([*lines, "", f"More on one: {prog} {kind.upper()} --help", "", "examples:", examples.rstrip()])
