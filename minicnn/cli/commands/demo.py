"""Check a gradient, read digits and shapes, and make a gallery of what small nets see. Needs no network and no files.

Digits and shapes are drawn, the nets are those that ship. The folder gets index.html, which holds all pictures, the
pictures one by one, and run.json. Exit code 1 if the gradient is wrong.

examples:
  minicnn demo
  minicnn demo --photo my.jpg
  minicnn demo --out gallery --backend numpy
"""

from ..options import DEFAULT_MODEL, add_backend, add_out, add_seed

_CHECKED = ("conv2d", "maxpool2d", "relu")
_NETS = (DEFAULT_MODEL, "shapes", "cifar10", "cifar10-robust")


def add_arguments(parser):
    parser.add_argument("--photo", metavar="FILE", help="a picture of yours that is to be looked at, too")
    add_backend(parser)
    add_seed(parser)
    add_out(parser, "demo")
    parser.set_defaults(model=DEFAULT_MODEL)


def run(args):
    from ..gallery import classes, digits, page, photo, shapes, timings
    from ..gradients import all_ok, as_table, check
    from ..record import Record
    from ..session import backend, find_weights, open_net

    say = _Steps(quiet=args.quiet, count=7 if args.photo else 6)
    with backend(args) as name:
        nets = {net: open_net(net)[0] for net in _NETS}
        record = Record(args, name, find_weights(args.model))
        say.step(f"Checking hand-written gradients against differences ({name} backend, float64)")
        with record.step("gradient check"):
            checks = check(_CHECKED, seed=args.seed)
        table = as_table(checks)
        say.text(table)
        parts = [page.Section("A gradient, checked", _ABOUT_CHECK, table)]

        def show(step, sections):
            with record.step(step):
                for picture, section in sections:
                    parts.append(section)
                    say.text(str(record.picture(section.image, f"{picture}.png")))

        lenet = nets[DEFAULT_MODEL]
        say.step(f"Reading digits, drawn with a font, with {DEFAULT_MODEL}")
        x, probabilities = _read_digits(lenet, record)
        for k, p in enumerate(probabilities):
            say.text(f"{k}: {lenet.meta.classes[p.argmax()]}, {p.max():.1%} sure")
        three = record.folder / "digits" / "3.png"
        show("digits", digits.sections(lenet, x, probabilities, three))
        say.step("Looking for shapes on textured grounds")
        show("shapes", shapes.sections(nets["shapes"], record))
        say.step("Climbing to what ten classes look like, to a standard net and to a robust one")
        show("classes", classes.sections(nets["cifar10"], nets["cifar10-robust"]))
        if args.photo:
            say.step(f"Looking at {args.photo}")
            show("photo", [("photo", photo.section(args.photo, lambda net: open_net(net)[0]))])
        say.step("Timing the nets")
        with record.step("timings"):
            parts.append(timings.section(nets))
        say.text(parts[-1].code)

        say.step("Writing the gallery")
        html = record.text(page.page("minicnn: what small nets see", _INTRO, parts), "index.html")
        record.write()
    say.text(f"{html.resolve()}: open it in a browser")
    say.text(f"next: minicnn predict {three}   minicnn vis --help   minicnn gradcheck")
    if not args.photo:
        say.text(f"      minicnn demo --photo {_a_photo()}")
    return 0 if all_ok(checks) else 1


_INTRO = (
    "Everything here was computed by hand-written forward and backward functions, from digits drawn with a font and "
    "shapes drawn on textured grounds, with small nets that were trained by the same functions: each from a recipe of "
    "a few lines, in minutes to an hour on two cores."
)
_ABOUT_CHECK = (
    "Each backward function against central differences of its forward function: the largest relative error, and where "
    "it is."
)


class _Steps:
    """Numbered lines on stdout, each at once."""

    def __init__(self, quiet, count):
        self.quiet, self.count, self.done = quiet, count, 0

    def step(self, title):
        self.done += 1
        if not self.quiet:
            print(f"\n[{self.done}/{self.count}] {title}", flush=True)

    def text(self, text):
        if not self.quiet:
            print("  " + text.replace("\n", "\n  "), flush=True)


def _read_digits(net, record):
    """(x (10, 1, 28, 28), probabilities (10, 10)) of the ten digits, whose pictures are written on the way."""
    import numpy as np

    from ...layers.softmax import softmax_forward
    from ...vis.image import preprocess
    from ..digits import draw_digit

    drawn = [draw_digit(k) for k in range(10)]
    for k, digit in enumerate(drawn):
        record.picture(digit, f"digits/{k}.png")
    x = np.concatenate([preprocess(digit, net.meta) for digit in drawn])
    return x, softmax_forward(net(x, until=net.scores))[0]


def _a_photo():
    """The cat that comes with scikit-image and is in the public domain (CC0), where that is installed."""
    from importlib.util import find_spec
    from pathlib import Path

    spec = find_spec("skimage")
    cat = spec and Path(spec.origin).parent / "data" / "chelsea.png"
    return cat if cat and cat.is_file() else "my.jpg"
