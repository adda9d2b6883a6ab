"""A whole training run in one TOML file, so that it can be read, repeated and passed on.

name = "cifar10"                 the weights will be NAME.safetensors
net = "cifar_vgg"                of the zoo; or start = "squeezenet1_1", weights to begin with (with a new head
                                 where the classes are others)
seed = 0
epochs = 20
batch = 128
clip, patience, frozen,
save_every                       as in `Trainer`, if wanted
half = true                      store weights as float16

[input]                          what of the net's preprocessing (`minicnn.meta.Meta`) is to be other, if anything
std = [0.3081]

[data]
set = "cifar10"                  see `sets.open_set`; folder and size as there
folder = "cifar10"               inside the folder that holds all data
damaged = "skip"                 pictures that cannot be read, where they are not to be refused
held_out = 1000                  pictures of the training part that are kept for validation, if any
items = 10000                    pictures an epoch, where they have no end
augment = [{ name = "random_crop", pad = 4 }, { name = "flip" }]     functions of augment.py, in this order

[optimiser]
name = "Nesterov"                a class of optimisers.py, and its arguments
undecayed = "biases_and_norms"

[schedule]
name = "OneCycle"                a class of schedules.py, and its arguments; what counts steps there counts
rate = 0.1                       epochs here, and `steps` is the whole run
warm_up = 1                      epochs of WarmUp over it, if any

[attack]                         an `Attack` on the training images: adversarial training
[validation_attack]              one on the validation's
"""

import inspect
from dataclasses import replace
from functools import partial
from pathlib import Path

from .. import kernels, zoo
from ..device import on_current
from ..errors import FormatError, UnknownNameError, UsageError
from ..files import read_whole
from ..weights.store import load, save
from . import augment, optimisers, schedules
from .adversarial import Attack
from .fingerprint import fingerprint
from .loader import Loader
from .optimiser import biases_and_norms
from .sets import hold_out, open_set
from .trainer import BEST, Trainer

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

_TOP = ("name", "net", "start", "seed", "epochs", "batch", "clip", "patience", "frozen", "save_every", "half")
_SECTIONS = ("input", "data", "optimiser", "schedule", "attack", "validation_attack")
_DATA = ("set", "folder", "size", "damaged", "held_out", "items", "augment")
_NEEDED = ("name", "epochs", "batch", "data", "optimiser", "schedule")


def read_recipe(path):
    """The recipe as a dict, its names checked; raises MissingFileError, FormatError, UnknownNameError."""
    try:
        recipe = tomllib.loads(read_whole(path).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(path, f"is no TOML: {error}") from error
    for key in recipe:
        if key not in (*_TOP, *_SECTIONS):
            raise UnknownNameError(f"entry of {path}", key, (*_TOP, *_SECTIONS))
    for key in _SECTIONS:
        if key in recipe and not isinstance(recipe[key], dict):
            raise FormatError(path, f"{key} is a section: [{key}]")
    missing = [key for key in _NEEDED if key not in recipe]
    if missing or ("net" in recipe) == ("start" in recipe):
        raise FormatError(path, f"lacks {', '.join(missing)}" if missing else "names a net or a start, one of the two")
    for key in recipe["data"]:
        if key not in _DATA:
            raise UnknownNameError(f"entry of [data] in {path}", key, _DATA)
    for key, least in (("epochs", 1), ("batch", 1), ("seed", 0)):
        if type(recipe.setdefault(key, 0)) is not int or recipe[key] < least:
            raise FormatError(path, f"{key} is {recipe[key]!r}, expected a whole number from {least} on")
    return recipe


def trainer_of(recipe, data_folder=None, folder=None, progress=True):
    """The `Trainer` of a recipe, its net and its data.

    data_folder  holds the folder that the recipe names
    folder       where checkpoints and results go
    """
    spec, seed = recipe["data"], recipe["seed"]
    place = Path(data_folder or ".") / spec["folder"] if "folder" in spec else data_folder
    data, classes = open_set(spec.get("set"), place, "train", spec.get("size"), seed, spec.get("damaged", "refuse"))
    validation = None
    if "held_out" in spec:
        data, validation = hold_out(data, spec["held_out"], seed)
    net = on_current(_net(recipe, classes))
    steps = [_made(augment, step, "augment") for step in spec.get("augment", ())]
    loader = Loader(data, recipe["batch"], seed, steps, net.meta, items=spec.get("items"))
    if validation is not None:
        validation = Loader(validation, min(500, len(validation)), meta=net.meta, shuffle=False)
    return Trainer(
        net,
        loader,
        _optimiser(recipe["optimiser"]),
        _schedule(recipe["schedule"], recipe["epochs"], len(loader)),
        recipe["epochs"],
        validation,
        attack=_attack(recipe, "attack"),
        validation_attack=_attack(recipe, "validation_attack"),
        **{key: recipe[key] for key in ("clip", "patience", "frozen", "save_every") if key in recipe},
        folder=folder,
        identity={"recipe": recipe, "threads": kernels.threads(), "backend": kernels.name_of(kernels.current())},
        progress=progress,
    )


def _net(recipe, classes):
    if "net" in recipe:
        net = zoo.build(recipe["net"], seed=recipe["seed"], classes=len(classes))
        net.meta = replace(net.meta, classes=classes)
    else:
        net = load(recipe["start"]).thaw()
        if net.meta is None or net.meta.classes != classes:
            net = net.replace_head(classes, seed=recipe["seed"])
    source = f"minicnn train {recipe['name']}.toml, seed {recipe['seed']}"
    changed = {key: tuple(v) if isinstance(v, list) else v for key, v in recipe.get("input", {}).items()}
    try:
        net.meta = replace(net.meta, **changed, source=source, licence="MIT")
    except TypeError as error:
        raise UsageError(f"[input]: {error}") from None
    return net


def _optimiser(spec):
    spec = dict(spec)
    if spec.get("undecayed") == "biases_and_norms":
        spec["undecayed"] = biases_and_norms
    return _made(optimisers, spec, "optimiser")()


def _schedule(spec, epochs, batches):
    """What counts epochs in the recipe counts steps in the schedule."""
    spec = dict(spec)
    warm_up = spec.pop("warm_up", 0)
    if "at" in spec:
        at = spec["at"]
        spec["at"] = tuple(round(e * batches) for e in at) if isinstance(at, list) else round(at * batches)
    schedule = _made(schedules, spec, "schedule")
    takes_steps = "steps" in inspect.signature(schedule.func).parameters
    schedule = schedule(steps=epochs * batches) if takes_steps else schedule()
    return schedules.WarmUp(schedule, round(warm_up * batches)) if warm_up else schedule


def _attack(recipe, key):
    if key not in recipe:
        return None
    return _bound(Attack, recipe[key], key)()


def _made(module, spec, section):
    """What `name` names in a module, with the other entries bound as its arguments."""
    if not isinstance(spec, dict) or not isinstance(spec.get("name"), str):
        raise UsageError(f"[{section}] needs a name, as in name = ...: {spec!r}")
    public = [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and not name.startswith("_")
    ]
    if spec["name"] not in public:
        raise UnknownNameError(section, spec["name"], public)
    return _bound(getattr(module, spec["name"]), {k: v for k, v in spec.items() if k != "name"}, section)


def _bound(function, arguments, section):
    known = [name for name in inspect.signature(function).parameters if name not in ("images", "rng")]
    for name in arguments:
        if name not in known:
            raise UnknownNameError(f"argument of {function.__name__} in [{section}]", name, known)
    return partial(function, **{k: tuple(v) if isinstance(v, list) else v for k, v in arguments.items()})


def finish(trainer, recipe):
    """(path, fingerprint) of NAME.safetensors: the best net of a run that is done, as the recipe stores it."""
    best = load(trainer.folder / BEST)
    path = trainer.folder / f"{recipe['name']}.safetensors"
    save(best, path, half=recipe.get("half", False))
    return path, fingerprint(load(path))
