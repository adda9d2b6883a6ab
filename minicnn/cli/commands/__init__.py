"""One command a file.

A command's docstring is its help: the first line stands in the list of commands, what follows "examples:" ends the
help. The module has

    add_arguments(parser)   declares its arguments; no heavy import, for `--help` is to be quick
    run(args)               does it; returns the exit code, None for 0

One with several forms ("vis saliency", "models list") also has

    KIND                    what one form is called
    subcommands()           {name: docstring}; add_arguments(parser, name) and args.subcommand then say which
"""
