"""Show what a net sees: one way of looking, written as a PNG.

A unit is a class by name or number, or layer:channel or layer:channel:y,x. The folder also gets run.json, which says
how the picture was made.

examples:
  minicnn vis filters
  minicnn vis guided_backprop digit.png --unit 3
  minicnn vis saliency --help
"""

import argparse
import re

from ..methods import methods
from ..options import add_backend, add_json, add_model, add_out, add_seed
from ..output import print_json

KIND = "method"


def subcommands():
    return {name: f"{method.page}\n\n{_examples(name, method)}" for name, method in methods().items()}


def add_arguments(parser, name):
    method = methods()[name]
    if method.wants_image:
        parser.add_argument("images", metavar="IMAGE", nargs="+", help="a picture in any usual format")
    if method.unit != "none":
        what = "what to look at: a class, layer:channel or layer:channel:y,x"
        parser.add_argument("--unit", metavar="UNIT", required=method.unit == "needed", help=what)
    for option in method.options:
        if option.name == "seed":
            add_seed(parser)
        elif option.type is bool:
            parser.add_argument(_flag(option), action=argparse.BooleanOptionalAction, help=_help(option))
        else:
            parser.add_argument(_flag(option), metavar="VALUE", type=option.type, help=_help(option))
    add_model(parser)
    add_backend(parser)
    add_out(parser, "minicnn-out")
    add_json(parser)


def run(args):
    from ... import vis
    from ..record import Record
    from ..session import backend, load_net, read_batch, stopped_early

    name, method = args.subcommand, methods()[args.subcommand]
    options = {o.name: getattr(args, o.name) for o in method.options if getattr(args, o.name) is not None}
    if method.shows_progress:
        options["progress"] = not args.quiet
    with backend(args) as backend_name:
        net, path = load_net(args)
        record = Record(args, backend_name, path)
        unit = {"unit": args.unit} if getattr(args, "unit", None) is not None else {}
        x = {"x": read_batch(args.images, net)} if method.wants_image else {}
        with stopped_early() as stopped, record.step(name):
            result = getattr(vis, name)(net, **x, **unit, **options)
        picture = vis.METHODS[name].picture(result, net, **x, **unit)
    file = record.picture(picture, f"{_slug(name, unit.get('unit'))}.png")
    record.write()
    if args.json:
        print_json(record.data)
    else:
        print(file)
    return 130 if stopped else 0


def _examples(name, method):
    image = " digit.png" if method.wants_image else ""
    digit, layer = (" --unit 3", " --unit conv2:7") if method.unit != "none" else ("", "")
    lines = [f"minicnn vis {name}{image}{digit if method.unit == 'needed' else ''} --out pictures"]
    lines.append(f"minicnn vis {name}{image}{layer} --backend numpy --json")
    return "\n  ".join(["examples:", *lines]) + "\n"


def _flag(option):
    return f"--{option.name.replace('_', '-')}"


def _help(option):
    # argparse formats with %.
    return f"{option.help or option.name.replace('_', ' ')}; default {option.default}".replace("%", "%%")


def _slug(name, unit):
    """A file name without characters that some system minds."""
    return name if unit is None else f"{name}-{re.sub(r'[^A-Za-z0-9.,]+', '_', unit)[:80]}"
