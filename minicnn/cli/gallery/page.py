"""A page of pictures that is one file: the pictures are inside."""

import base64
import io
from html import escape
from typing import NamedTuple

from PIL import Image

from ...vis.pictures.tiles import grid

TILE = 112  # pixels of a tile's side
_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff }
h1 { font-size: 1.7rem; margin-bottom: .3rem }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .3rem }
p { max-width: 46rem; margin: .3rem 0 }
img { display: block; max-width: 100%; height: auto; margin: .8rem 0 }
pre { background: #f4f4f2; padding: .6rem .8rem; overflow-x: auto; font-size: .85rem; line-height: 1.35 }
"""


class Section(NamedTuple):
    """One picture of the page, or none, with what is to be said about it."""

    title: str
    text: str
    code: str  # what to type for it, or the table that it is about
    image: Image.Image | None = None


def by_rows(rows, labels=None):
    """{label: its tiles} as a grid with one row each; labels: one a tile of the first row, instead of its own."""
    tiles = [tile for row in rows.values() for tile in row]
    texts = [label for label, row in rows.items() for _ in row]
    if labels is not None:
        texts[: len(labels)] = labels
    return grid(tiles, texts, columns=len(next(iter(rows.values()))), least=TILE)


def page(title, intro, sections):
    """The HTML text."""
    body = "\n".join(map(_section, sections))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(title)}</h1>\n<p>{escape(intro)}</p>\n"
        f"{body}\n</body>\n</html>\n"
    )


def _section(section):
    lines = [f"<h2>{escape(section.title)}</h2>", f"<p>{escape(section.text)}</p>"]
    if section.image is not None:
        lines.append(f'<img alt="{escape(section.title)}" {_size(section.image)} src="{_data_uri(section.image)}">')
    return "\n".join([*lines, f"<pre>{escape(section.code)}</pre>"])


def _size(image):
    return f'width="{image.width}" height="{image.height}"'


def _data_uri(image):
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
