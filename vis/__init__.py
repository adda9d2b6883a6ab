"""Ways of looking at a net, one a module: `from minicnn.vis import guided_backprop`.

A module is a way of looking if it has both of

    NAME(net, x, unit, ...)                         the function that is named as the module: arrays in, arrays out
    picture(result, net, x=None, unit=None)         a PIL image of what it returned; or several, [(name, image), ...]

and, where it shows something that moves,

    film(result, net, x=None, unit=None)            a list of PIL images of one size, for `minicnn vis NAME --film FILE`

Its docstring is the page about it: first a line of description, then formula, shapes, defaults with their source, what
the picture's colours mean, and, after "Caveat:", what it does not show. Of the function's parameters

    net        comes first
    x          (N, C, H, W), preprocessed; a method without x needs no image, and `x=None` may be left away
    unit       what `units.find_unit` takes; where it has a default, it may be left away
    pictures   annotated `inputs.Pictures`: pictures as they are, of any size and number
    progress   whether a bar may be shown on stderr (it never is where that is no terminal)
    seed       of everything random, 0 unless given

one annotated `inputs.Images` is of further pictures, (M, C, H, W), preprocessed: `minicnn vis NAME --PARAMETER FILE`.
Every other one has a default, is annotated int, float, str or bool, and is explained in a line of the function's
docstring that begins with its name: these are the options of `minicnn vis NAME`. One with the default None and no
annotation is for Python alone.

A module constant SIZE says that the method takes pictures of any height and width: the command line then reads them at
their own aspect ratio, the longer side reduced to SIZE or `--size` pixels, instead of the net's own crop, and `Images`
are a list of (1, C, H, W), each of its own size; `inputs.each_image` reads either.

The command line makes up two examples with the net that ships; where they do not suit, the docstring ends with its own
after a line "examples:".

A library that not everybody has is imported when it is used, `extras.load("scipy.optimize", "optimise")`.

A method that takes long keeps its result so far when interrupted, returns it and warns with `progress.StoppedEarly`.

`METHODS` has all of them, {name: module}, found by looking into this folder; the functions are here by name. Beside
them stands what most of them use (rules, units, passes, inputs, image, progress); the rest by family:

    search      images worked out step by step      attacks, evolution   what fools a net
    shares      relevance, layer by layer           scanning             many pictures, and what a unit sees of each
    pictures    colours, tiles, films               nets                 descriptors and classifiers as nets
"""

from importlib import import_module
from pkgutil import iter_modules

METHODS = {}

for _name in sorted(module.name for module in iter_modules(__path__)):
    _module = import_module(f".{_name}", __name__)
    if hasattr(_module, "picture") and callable(getattr(_module, _name, None)):
        METHODS[_name] = _module

# Importing a submodule binds its name to the module; the function takes its place when all are imported.
globals().update({_name: getattr(_module, _name) for _name, _module in METHODS.items()})

__all__ = ["METHODS", *METHODS]
