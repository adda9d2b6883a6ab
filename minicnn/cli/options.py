"""The arguments that mean the same in every command."""

from ..kernels import BACKENDS
from .parser import one_of

DEFAULT_MODEL = "mnist-lenet"


def add_verbosity(parser):
    parser.add_argument("-v", "--verbose", action="store_true", help="say more, and show where an error came from")
    parser.add_argument("-q", "--quiet", action="store_true", help="say nothing but results and errors")


def add_model(parser):
    parser.add_argument(
        "--model",
        metavar="NAME_OR_FILE",
        default=DEFAULT_MODEL,
        help=f"the net and its weights: a name or a file (see `minicnn models list`); default {DEFAULT_MODEL}",
    )


def add_backend(parser):
    parser.add_argument(
        "--backend",
        metavar="NAME",
        type=one_of("backend", [*BACKENDS, "auto"]),
        help=f"what computes: {', '.join(BACKENDS)} or auto; default $MINICNN_BACKEND, else numba",
    )


def add_seed(parser):
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="of everything random; default 0")


def add_out(parser, default):
    parser.add_argument("--out", metavar="DIR", default=default, help=f"the folder to write to; default {default}")


def add_json(parser):
    parser.add_argument("--json", action="store_true", help="print JSON")
