"""Train a net by a recipe, with checkpoints: stopped at any moment, the same command goes on to the same bits.

The folder gets last.checkpoint (the whole state), best.safetensors (the best net so far by validation, else by loss),
curves.csv, curves.png, run.json, and in the end NAME.safetensors, the best net. What a recipe may say stands at the
head of minicnn/train/recipe.py; the ones of the nets that ship are in recipes/.

examples:
  minicnn train recipes/shapes.toml
  minicnn train recipes/mnist-lenet.toml --data ~/datasets --out runs/mnist
  minicnn train recipes/cifar10.toml --data ~/datasets --epochs 2 --seed 1
"""

from ..options import add_backend, add_json
from ..output import print_json


def add_arguments(parser):
    parser.add_argument("recipe", metavar="RECIPE.toml", help="what to train, on what, how")
    parser.add_argument(
        "--data",
        metavar="DIR",
        help="the folder that holds the recipe's data folder; default $MINICNN_DATA, else the current one",
    )
    parser.add_argument("--out", metavar="DIR", help="the folder to write to; default runs/NAME")
    parser.add_argument("--epochs", metavar="N", type=int, help="instead of the recipe's")
    parser.add_argument("--seed", metavar="N", type=int, help="of everything random; default the recipe's")
    add_backend(parser)
    add_json(parser)


def run(args):
    import os
    from pathlib import Path

    from ...train.recipe import finish, read_recipe, trainer_of
    from ..output import table
    from ..record import Record
    from ..session import backend

    recipe = read_recipe(args.recipe)
    for key in ("epochs", "seed"):
        if getattr(args, key) is not None:
            recipe[key] = getattr(args, key)
    args.seed = recipe["seed"]
    args.out = args.out or str(Path("runs") / recipe["name"])
    with backend(args) as name:
        trainer = trainer_of(recipe, args.data or os.environ.get("MINICNN_DATA"), args.out, progress=not args.quiet)
        record = Record(args, name)
        with record.step("training"):
            history = trainer.run()
        file, digest = finish(trainer, recipe)
    record.data |= {"history": history, "fingerprint": digest}
    record.data["files"] += [file.name, "curves.csv", "curves.png"]
    record.write()
    if args.json:
        print_json(record.data)
        return 0
    shown = ("epoch", "rate", "loss", "accuracy", "validation_accuracy", "images_per_s")
    print(table(shown, [[_text(row.get(key)) for key in shown] for row in history]))
    print(f"{file}: weights {digest}, seed {recipe['seed']}; curves in {args.out}/curves.png")
    return 0


def _text(value):
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
