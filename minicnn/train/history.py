"""A run's epochs as a table and as curves."""

import csv
import io
from pathlib import Path

from PIL import Image, ImageDraw

from ..files import write_whole
from ..font import load_font

COLUMNS = (
    "epoch",
    "step",
    "rate",
    "loss",
    "accuracy",
    "validation_loss",
    "validation_accuracy",
    "seconds",
    "images_per_s",
    "loader_share",
    "weights",
)
_SIZE, _MARGIN, _FINE = (560, 320), 52, 2
_INK, _GRID = (40, 40, 40), (222, 222, 222)
_COLOURS = {"training": (31, 119, 180), "validation": (214, 39, 40)}


def write(history, folder):
    """curves.csv and curves.png in the folder, each whole or not at all.

    history  a dict an epoch, keys of COLUMNS: rate at the epoch's last step, losses and accuracies as means over its
             images, seconds without validation, the part of them in which the loop waited for the loader, and the
             weights' fingerprint after it
    """
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    with write_whole(Path(folder) / "curves.csv") as file:
        file.write(table.getvalue().encode())
    with write_whole(Path(folder) / "curves.png") as file:
        curves(history).save(file, "PNG")


def curves(history):
    """Loss and accuracy by epoch, two pictures side by side: a PIL image."""
    left = _plot(history, "loss", ("loss", "validation_loss"), None)
    right = _plot(history, "accuracy", ("accuracy", "validation_accuracy"), 1.0)
    both = Image.new("RGB", (left.width + right.width, left.height), "white")
    both.paste(left, (0, 0))
    both.paste(right, (left.width, 0))
    return both


def _plot(history, title, keys, top):
    width, height = (_FINE * side for side in _SIZE)
    margin = _FINE * _MARGIN
    image = Image.new("RGB", (width, height), "white")
    draw, small, large = ImageDraw.Draw(image), load_font(11 * _FINE), load_font(13 * _FINE)
    lines = [[(row["epoch"], row[key]) for row in history if row.get(key) is not None] for key in keys]
    values = [value for line in lines for _, value in line]
    top = top or max(values, default=1.0) * 1.05 or 1.0
    last = max((row["epoch"] for row in history), default=1)

    def at(epoch, value):
        x = margin + (width - 1.5 * margin) * ((epoch - 1) / (last - 1) if last > 1 else 0.5)
        return x, height - margin - (height - 2 * margin) * value / top

    for k in range(6):
        value = top * k / 5
        y = at(1, value)[1]
        draw.line([(margin, y), (width - margin / 2, y)], fill=_GRID, width=_FINE)
        draw.text((margin - 8, y), f"{value:.2f}", fill=_INK, anchor="rm", font=small)
    for epoch in sorted({1 + round((last - 1) * k / 5) for k in range(6)}):
        draw.text((at(epoch, 0)[0], height - margin + 8), str(epoch), fill=_INK, anchor="ma", font=small)
    for line, colour in zip(lines, _COLOURS.values()):
        points = [at(*point) for point in line]
        if len(points) > 1:
            draw.line(points, fill=colour, width=2 * _FINE, joint="curve")
        for x, y in points:
            draw.ellipse([x - 4, y - 4, x + 4, y + 4], fill=colour)
    x = margin
    for name, colour in _COLOURS.items():
        text = f"{title}, {name}"
        draw.text((x, margin / 3), text, fill=colour, font=large)
        x += draw.textlength(text, font=large) + 40
    return image.resize(_SIZE, Image.Resampling.LANCZOS)
