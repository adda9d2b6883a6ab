"""An argument parser whose help is a docstring that ends with examples, and whose errors are one line."""

import argparse

from ..errors import UnknownNameError, UsageError


class Parser(argparse.ArgumentParser):
    """argparse's, with other manners.

    prog   the words before the arguments: "minicnn predict"
    text   the description; from the line "examples:" on it stands at the help's end
    """

    def __init__(self, prog, text):
        description, _, examples = text.partition("examples:\n")
        self.options = []
        super().__init__(
            prog=prog,
            description=description.strip(),
            epilog=f"examples:\n{examples.rstrip()}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )

    def add_argument(self, *flags, **kwargs):
        self.options += [flag for flag in flags if flag.startswith("-")]
        return super().add_argument(*flags, **kwargs)

    def parse_args(self, argv):
        """The arguments; raises UsageError, and UnknownNameError with the nearest options for an unknown one."""
        args, rest = self.parse_known_args(argv)
        for word in rest:
            if word.startswith("-"):
                raise UnknownNameError("option", word.partition("=")[0], self.options)
            raise UsageError(f"{self.prog} takes no further argument {word!r} (see {self.prog} --help)")
        return args

    def error(self, message):
        raise UsageError(f"{message} (see {self.prog} --help)")


def one_of(kind, names):
    """An argument type: one of the names; raises UnknownNameError with the nearest ones."""

    def check(text):
        if text not in names:
            raise UnknownNameError(kind, text, names)
        return text

    return check
