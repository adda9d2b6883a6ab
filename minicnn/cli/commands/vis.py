"""Show what a net sees: one way of looking, written as PNGs.

A unit is a class by name or number, or layer:channel or layer:channel:y,x. The folder also gets run.json, which says
how the pictures were made.

examples:
  minicnn vis filters
  minicnn vis guided_backprop demo/digits/3.png --unit 3
  minicnn vis saliency --help
"""

import argparse
import re

from ...errors import UsageError
from ..methods import NEEDED, NONE, OPTIONAL, pages
from ..methods import method as read_method
from ..options import add_backend, add_json, add_model, add_out, add_seed
from ..output import print_json

KIND = "method"
_METAVARS = {int: "N", float: "X", str: "TEXT"}


def subcommands():
    return pages()


def add_arguments(parser, name):
    method = read_method(name)
    parser.usage = " ".join([parser.prog, *_needed(method), "[options]"])
    if "\nexamples:\n" not in method.page:
        parser.epilog = _examples(name, method)
    _add_pictures(parser, method)
    if method.unit != NONE:
        what = "what to look at: a class, a layer, layer:channel or layer:channel:y,x"
        parser.add_argument("--unit", metavar="UNIT", required=method.unit == NEEDED, help=what)
    for option in method.options:
        if option.name == "seed":
            add_seed(parser)
        elif option.type is bool:
            parser.add_argument(_flag(option), action=argparse.BooleanOptionalAction, help=_help(option))
        else:
            metavar = _METAVARS[option.type]
            parser.add_argument(_flag(option), metavar=metavar, type=option.type, help=_help(option))
    if method.has_film:
        what = "write it as a film, too: .gif, .webp, .png (animated), or .mp4 with the extra `film`"
        parser.add_argument("--film", metavar="FILE", help=what)
    add_model(parser)
    add_backend(parser)
    add_out(parser, "minicnn-out")
    add_json(parser)


def _add_pictures(parser, method):
    """Where the pictures come from: IMAGEs, or else PATHs of many, then options.

    Methods have options called images and size of their own, so these are kept under other names.
    """
    if method.image != NONE:
        what = "a picture in any usual format"
        parser.add_argument("the_images", metavar="IMAGE", nargs=_count(method.image), help=what)
    if method.pictures != NONE:
        # Two lists of names in a row could not be told apart.
        what = "pictures of any size, any number: files, folders (however deep) and zip archives"
        how = {"metavar": "PATH", "help": what}
        if method.image == NONE:
            parser.add_argument("pictures", nargs=_count(method.pictures), **how)
        else:
            parser.add_argument("--pictures", nargs="+", required=method.pictures == NEEDED, **how)
        what = "leave out pictures that cannot be read, and name them, instead of ending"
        parser.add_argument("--skip-damaged", action="store_true", help=what)
    for one in method.further:
        what = (one.help or "further pictures").replace("%", "%%")
        parser.add_argument(_flag(one), metavar="FILE", nargs="+", required=one.need == NEEDED, help=what)
    if method.size is not None:
        what = f"pixels that a photo's longer side is reduced to; default {method.size}"
        parser.add_argument("--size", dest="the_size", metavar="N", type=int, default=method.size, help=what)


def run(args):
    from ... import vis
    from ...vis.pictures.film_file import check_film, save_film
    from ..record import Record
    from ..session import backend, open_net, stopped_early

    name, method = args.subcommand, read_method(args.subcommand)
    film = getattr(args, "film", None)
    if film is not None:
        check_film(film)
        frames = [getattr(args, o.name) or int(o.default) for o in method.options if o.name == "frames"]
        if frames == [1]:
            raise UsageError("a film of one frame does not move: give --frames, for instance --frames 30")
    module = vis.METHODS[name]
    with backend(args) as backend_name:
        net, path = open_net(args.model)
        record = Record(args, backend_name, path)
        given, options = _inputs(args, method, net), _options(args, method)
        with stopped_early() as stopped, record.step(name):
            result = getattr(vis, name)(net, **given, **options)
        given = {key: given[key] for key in ("x", "unit") if key in given}
        made = module.picture(result, net, **given)
        frames = module.film(result, net, **given) if film is not None else []
    stem = _slug(name, given.get("unit"))
    pictures = made if isinstance(made, list) else [(None, made)]
    files = [record.picture(image, f"{_slug(stem, part)}.png") for part, image in pictures]
    if film is not None:
        save_film(frames, film)
        files.append(record.file(film))
    record.write()
    if args.json:
        print_json(record.data)
    else:
        print(*files, sep="\n")
    return 130 if stopped else 0


def _inputs(args, method, net):
    """{parameter: what the command line gives it} of all that is no option."""
    from ...vis.inputs import Pictures
    from ..session import read_batch, read_each

    size = getattr(args, "the_size", None)
    given = {}
    if getattr(args, "the_images", None):
        given["x"] = read_batch(args.the_images, net, size)
    if getattr(args, "unit", None) is not None:
        given["unit"] = args.unit
    if getattr(args, "pictures", None):
        given["pictures"] = Pictures(args.pictures, damaged="skip" if args.skip_damaged else "refuse")
    for one in method.further:
        paths = getattr(args, one.name)
        if paths is not None:
            given[one.name] = read_batch(paths, net) if size is None else read_each(paths, net, size)
    return given


def _options(args, method):
    options = {o.name: getattr(args, o.name) for o in method.options if getattr(args, o.name) is not None}
    return {**options, "progress": not args.quiet} if method.shows_progress else options


def _needed(method):
    """What a usage line begins with: where these come first, no list of files swallows the next one."""
    files = {NEEDED: "{0} [{0} ...]", OPTIONAL: "[{0} ...]"}
    words = [files[method.image].format("IMAGE")] if method.image != NONE else []
    if method.pictures != NONE:
        words.append(files[method.pictures].format("PATH") if method.image == NONE else "--pictures PATH [PATH ...]")
    words += [f"{_flag(one)} FILE [FILE ...]" for one in method.further if one.need == NEEDED]
    return words + (["--unit UNIT"] if method.unit == NEEDED else [])


def _examples(name, method):
    """Two that can be pasted after `minicnn demo`, which draws the digits."""
    start = ["minicnn vis", name]
    image, digits = ["demo/digits/3.png"], ["demo/digits"]
    further = [f"{_flag(one)} demo/digits/5.png" for one in method.further if one.need == NEEDED]
    if method.pictures != NONE:
        further = digits + further if method.image == NONE else ["--pictures", *digits, *further]
    digit, layer = (["--unit 3"], ["--unit conv2:7"]) if method.unit != NONE else ([], [])
    first = [*(image if method.image == NEEDED else []), *further, *(digit if method.unit == NEEDED else [])]
    second = [*(image if method.image != NONE else []), *further, *layer]
    lines = [[*start, *first, "--out pictures"], [*start, *second, "--backend numpy --json"]]
    return "\n  ".join(["examples:", *map(" ".join, lines)])


def _count(need):
    return "+" if need == NEEDED else "*"


def _flag(parameter):
    return f"--{parameter.name.replace('_', '-')}"


def _help(option):
    # argparse formats with %.
    return f"{option.help or option.name.replace('_', ' ')}; default {option.default}".replace("%", "%%")


def _slug(name, part):
    """A file name without characters that some system minds."""
    return name if part is None else f"{name}-{re.sub(r'[^A-Za-z0-9.,]+', '_', part)[:80]}"
