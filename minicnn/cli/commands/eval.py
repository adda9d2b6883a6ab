"""How often a net is right, or several together: the mean of their probabilities decides.

The folder gets confusion.png, a row a class and a column an answer, and run.json. With --eps every image is first
moved against the (first) net by projected gradient ascent of its loss, at most so many 255ths in each pixel.

examples:
  minicnn eval shapes --set shapes --items 10000
  minicnn eval cifar10 --set cifar10 --data ~/datasets/cifar10
  minicnn eval cifar10-robust --set cifar10 --data ~/datasets/cifar10 --eps 8 --steps 20
  minicnn eval run1/best.safetensors run2/best.safetensors --set folders --data ~/photos --size 224
"""

from ..options import add_backend, add_json, add_out, add_seed
from ..output import print_json


def add_arguments(parser):
    parser.add_argument("nets", metavar="NAME_OR_FILE", nargs="+", help="nets with the same input and the same classes")
    parser.add_argument("--set", metavar="NAME", required=True, help="mnist, cifar10, folders or shapes")
    parser.add_argument("--data", metavar="DIR", help="the folder of the set; shapes need none")
    parser.add_argument("--part", metavar="PART", default="test", help="train or test; default test")
    parser.add_argument("--items", metavar="N", type=int, help="only so many pictures, spread over all; shapes 10000")
    parser.add_argument("--size", metavar="PIXELS", type=int, help="of the pictures of folders; default the net's")
    parser.add_argument("--damaged", choices=("refuse", "skip"), default="refuse", help="folders' unreadable pictures")
    parser.add_argument("--batch", metavar="N", type=int, default=200, help="images at a time; default 200")
    parser.add_argument("--eps", metavar="E", type=float, help="attack: the most that a pixel moves, in 255ths")
    parser.add_argument("--steps", metavar="N", type=int, default=20, help="of the attack; default 20")
    parser.add_argument("--step", metavar="S", type=float, default=2.0, help="its length in 255ths; default 2")
    add_seed(parser)
    add_backend(parser)
    add_out(parser, "minicnn-out")
    add_json(parser)


def run(args):
    from tqdm import tqdm

    from ...train import confusion
    from ...train.evaluate import evaluate
    from ..output import table
    from ..record import Record
    from ..session import backend, open_net

    with backend(args) as name:
        nets, paths = zip(*map(open_net, args.nets))
        loader, classes = _loader(args, nets[0])
        _check_classes(args.nets, nets, classes)
        record = Record(args, name, paths[0])
        attack = _attack(args)
        batches = tqdm(loader, total=len(loader), desc="eval", unit="batch", disable=True if args.quiet else None)
        with record.step("eval"):
            found = evaluate(nets, batches, attack, seed=args.seed)
    file = record.picture(confusion.picture(found.confusion, classes), "confusion.png")
    right = found.confusion.diagonal() / found.confusion.sum(axis=1).clip(min=1)
    record.data |= {
        "nets": args.nets,
        "images": found.count,
        "accuracy": found.accuracy,
        "loss": found.loss,
        "attack": vars(attack) if attack else None,
        "classes": {c: float(r) for c, r in zip(classes, right)},
    }
    record.write()
    if args.json:
        print_json(record.data)
        return 0
    print(table(("class", "right", "images"), zip(classes, (f"{r:.1%}" for r in right), found.confusion.sum(axis=1))))
    under = f" under an attack of {attack.eps:g}/255 in {attack.steps} steps" if attack else ""
    print(f"{' + '.join(args.nets)}: {found.accuracy:.2%} of {found.count} images right{under}; loss {found.loss:.4f}")
    print(file)
    return 0


def _loader(args, net):
    """(a Loader in the data's order, the names of its classes)."""
    from pathlib import Path

    import numpy as np

    from ...train.loader import Loader
    from ...train.sets import Subset, open_set
    from ...vis.image import require_meta

    require_meta(net.meta)
    size = args.size or net.meta.input_size[1]
    folder = Path(args.data) if args.data else None
    data, classes = open_set(args.set, folder, args.part, size, args.seed, args.damaged)
    if args.set == "shapes":
        data = Subset(data, range(args.items or 10_000))
    elif args.items and args.items < len(data):
        data = Subset(data, np.linspace(0, len(data) - 1, args.items).round().astype(int))
    return Loader(data, min(args.batch, len(data)), meta=net.meta, shuffle=False), classes


def _check_classes(names, nets, classes):
    """Raises UsageError where a net has other classes than the data."""
    from ...errors import UsageError

    for name, net in zip(names, nets):
        its = net.meta.classes if net.meta else ()
        if its != tuple(classes):
            raise UsageError(
                f"{name} knows {len(its)} classes ({', '.join(its[:3])}, ...), "
                f"the data have {len(classes)} ({', '.join(classes[:3])}, ...)"
            )


def _attack(args):
    from ...train.adversarial import Attack

    return None if args.eps is None else Attack(args.eps, args.step, args.steps)
