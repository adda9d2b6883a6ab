"""`minicnn COMMAND`: finds the command by its module, imports only that one, and turns errors into exit codes."""

import logging
import os
import sys
import traceback
from importlib import import_module

from .. import __version__
from ..errors import MinicnnError, UnknownNameError, UsageError
from ..kernels.errors import BackendError
from .modules import docstring, find
from .options import add_verbosity
from .parser import Parser

_ABOUT = """A conv-net written by hand, in which nothing is hidden.

Exit codes: 0 done; 1 a check failed; 2 usage; 3 backend unavailable; 4 missing or bad weights, image or data;
130 interrupted.

examples:
  minicnn demo
  minicnn gradcheck conv2d
  minicnn predict --help
"""

_COMMANDS = f"{__package__}.commands"

# The first that fits counts.
_EXIT_CODES = ((UsageError, 2), (UnknownNameError, 2), (BackendError, 3), (MinicnnError, 4), (OSError, 4))


def main(argv=None):
    """Run one command; returns the exit code. argv: the arguments after the program's name."""
    argv = sys.argv[1:] if argv is None else list(argv)
    try:
        code = _call(argv)
        sys.stdout.flush()  # here, where a broken pipe can still be handled
        return code
    except BrokenPipeError:
        # The interpreter flushes stdout once more when it ends: give it somewhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        return _complain(argv, "interrupted", 130)
    except MemoryError:
        return _complain(argv, "not enough memory", 4)
    except (MinicnnError, OSError) as error:
        code = next(code for kind, code in _EXIT_CODES if isinstance(error, kind))
        return _complain(argv, error, code)


def _complain(argv, message, code):
    if {"-v", "--verbose"}.intersection(argv):
        traceback.print_exc()
    print(f"minicnn: {' '.join(str(message).split())}", file=sys.stderr)
    return code


def _call(argv):
    if argv[:1] == ["--version"]:
        print(f"minicnn {__version__}")
        return 0
    try:
        parser, command, rest = resolve(argv)
        args = parser.parse_args(rest)
    except SystemExit:  # a help was printed
        return 0
    _log_to_stderr(args)
    return command.run(args) or 0


def resolve(argv):
    """(parser, module, what is left to parse) of the command that argv names; only that module is imported.

    A command with several forms ("vis saliency", "models list") has KIND, what one form is called, and subcommands(),
    {name: docstring}; its add_arguments takes the name as well, and its run finds it in args.subcommand.
    """
    paths = find(_COMMANDS)
    texts = {name: docstring(path) for name, path in paths.items()}
    name = _choose("minicnn", "command", _ABOUT, texts, argv)
    command = import_module(f".{paths[name].stem}", _COMMANDS)
    if not hasattr(command, "subcommands"):
        parser, rest = Parser(f"minicnn {name}", texts[name]), argv[1:]
        command.add_arguments(parser)
    else:
        forms = command.subcommands()
        form = _choose(f"minicnn {name}", command.KIND, texts[name], forms, argv[1:])
        parser, rest = Parser(f"minicnn {name} {form}", forms[form]), argv[2:]
        parser.set_defaults(subcommand=form)
        command.add_arguments(parser, form)
    add_verbosity(parser)
    parser.set_defaults(argv=argv)
    return parser, command, rest


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


def _log_to_stderr(args):
    """-q: errors only; -v: everything."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("minicnn")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.DEBUG if args.verbose else logging.ERROR if args.quiet else logging.INFO)
