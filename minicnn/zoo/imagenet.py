"""The names of ImageNet's classes, in the order of the scores; see assets/imagenet-classes.md."""

from importlib import resources

IMAGENET = tuple(resources.files("minicnn.assets").joinpath("imagenet-classes.txt").read_text("utf-8").splitlines())
