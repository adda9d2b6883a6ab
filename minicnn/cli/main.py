"""`minicnn COMMAND`: runs one command and turns errors into exit codes."""

import logging
import os
import sys
import traceback

from .. import __version__
from ..errors import MinicnnError, UnknownNameError, UsageError
from ..extras import MissingExtraError
from ..kernels.errors import BackendError
from .lookup import resolve

# The first that fits counts.
_EXIT_CODES = (
    (UsageError, 2),
    (UnknownNameError, 2),
    (BackendError, 3),
    (MissingExtraError, 3),
    (MinicnnError, 4),
    (OSError, 4),
)


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


def _log_to_stderr(args):
    """-q: errors only; -v: everything."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    log = logging.getLogger("minicnn")
    log.handlers, log.propagate = [handler], False
    log.setLevel(logging.DEBUG if args.verbose else logging.ERROR if args.quiet else logging.INFO)
