"""Check a gradient, read digits, and make a gallery of what a small net sees. Needs no network and no files.

The digits are drawn with a font, the net is the LeNet that ships. The folder gets index.html, which holds all pictures,
the pictures one by one, and run.json. Exit code 1 if the gradient is wrong.

examples:
  minicnn demo
  minicnn demo --out gallery --backend numpy
"""

from ..options import DEFAULT_MODEL, add_backend, add_out, add_seed

_CHECKED = ("conv2d", "maxpool2d", "relu")


def add_arguments(parser):
    add_backend(parser)
    add_seed(parser)
    add_out(parser, "demo")
    parser.set_defaults(model=DEFAULT_MODEL)


def run(args):
    from .. import gallery
    from ..gradients import all_ok, as_table, check
    from ..pictures import sections
    from ..record import Record
    from ..session import backend, load_net

    say = _Steps(quiet=args.quiet, count=4)
    with backend(args) as name:
        net, weights = load_net(args)
        record = Record(args, name, weights)
        say.step(f"Checking hand-written gradients against differences ({name} backend, float64)")
        with record.step("gradient check"):
            checks = check(_CHECKED, seed=args.seed)
        table = as_table(checks)
        say.text(table)

        say.step(f"Reading digits, drawn with a font, with {args.model}")
        with record.step("digits"):
            x, probabilities = _read_digits(net, record)
        for k, p in enumerate(probabilities):
            say.text(f"{k}: {net.meta.classes[p.argmax()]}, {p.max():.1%} sure")

        say.step("Looking at what it sees")
        three = record.folder / "digits" / "3.png"
        parts = [gallery.Section("A gradient, checked", _ABOUT_CHECK, table)]
        with record.step("pictures"):
            for picture, section in sections(net, x, probabilities, three):
                parts.append(section)
                say.text(str(record.picture(section.image, f"{picture}.png")))

        say.step("Writing the gallery")
        page = record.text(gallery.page("minicnn: what a small net sees", _INTRO, parts), "index.html")
        record.write()
    say.text(f"{page.resolve()}: open it in a browser")
    say.text(f"next: minicnn predict {three}   minicnn vis --help   minicnn gradcheck")
    return 0 if all_ok(checks) else 1


_INTRO = (
    "Everything here was computed by hand-written forward and backward functions, from digits drawn with a font, "
    "with a LeNet of 431,080 parameters that was trained on MNIST by the same functions."
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
