"""How much of the relevance each layer kept, as bars."""

from PIL import Image, ImageDraw

from .tiles import load_font

_LINE, _BAR, _MARGIN = 17, 320, 6  # pixels
_INK, _SENT, _LOST, _ADDED = (30, 30, 30), (70, 90, 140), (205, 212, 228), (200, 30, 33)


def kept_picture(result, n, title):
    """A row for every node that sent on another sum than it was given, by more than a thousandth; from the unit down.

    result  a `relevance.Relevance`
    n       the number of the image
    """
    rows = [row for row in _rows(result, n) if abs(row[2] - row[1]) > 1e-3 * abs(row[1])]
    start = next(iter(result.arrived.values()))[n]
    last = result.pixels[n].sum() / start if start else 0.0
    rows.append(("the pixels", last, last))
    font = load_font(12)
    names = max(font.getlength(name) for name, _, _ in rows)
    left = int(names) + 2 * _MARGIN
    most = max(1.0, max(max(abs(a), abs(b)) for _, a, b in rows))
    image = Image.new("RGB", (left + _BAR + 170, (len(rows) + 1) * _LINE + 2 * _MARGIN), (255, 255, 255))
    draw = ImageDraw.Draw(image)
    draw.text((_MARGIN, _MARGIN), f"{title}: relevance that arrived, and what was kept", fill=_INK, font=font)
    for k, (name, arrived, sent) in enumerate(rows, 1):
        y = _MARGIN + k * _LINE
        draw.text((_MARGIN, y), name, fill=_INK, font=font)
        for share, colour in sorted(
            [(arrived, _LOST if sent <= arrived else _SENT), (sent, _SENT if sent <= arrived else _ADDED)], reverse=True
        ):
            width = _BAR * min(abs(share) / most, 1)
            if width >= 1:
                draw.rectangle((left, y + 2, left + width, y + _LINE - 4), fill=colour)
        text = f"{arrived:.1%}" if k == len(rows) else f"{arrived:.1%}, kept {sent / arrived:.1%}" if arrived else "0"
        draw.text((left + _BAR + _MARGIN, y), text, fill=_INK, font=font)
    return image


def _rows(result, n):
    """(node, arrived, sent), as shares of the score, from the unit to the image."""
    start = next(iter(result.arrived.values()))[n]
    for name in result.arrived:
        yield name, *(float(sums[name][n] / start) if start else 0.0 for sums in (result.arrived, result.sent))
