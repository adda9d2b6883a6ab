"""A picture of the ladder under its roof: how fast each rung is, and how fast it could be for the bytes that it needs.

Both axes are logarithmic. The roof slopes where memory cannot bring the numbers any faster, and is flat where the
vector units cannot take any more.
"""

import math

from PIL import Image, ImageDraw

from ..vis.pictures.tiles import load_font

_SIZE = 1080, 680
_PLOT = 100, 70, 700, 590  # left, top, right, bottom
_LEGEND = 745
_SHARP = 2  # drawn so many times as large, then made smaller: lines without steps
_NOTE = "FLOP are counted as in the definition;", "a rung that computes less may pass the roof."
_GREY, _LIGHT, _INK = (110, 110, 110), (228, 228, 228), (30, 30, 30)
_ROOF, _OURS, _OTHERS = (190, 60, 40), (30, 90, 170), (220, 140, 20)


def draw(results, peak, bandwidth, title):
    """A PIL image with every Result of a ladder as a numbered point.

    peak        GFLOP/s of the vector units
    bandwidth   GB/s of the memory
    """
    corner = peak / bandwidth
    page = _Page(
        _limits([corner / 10, corner, *(r.intensity for r in results)]), _limits([peak, *(r.gflops for r in results)])
    )
    page.axes(title)
    page.roof(peak, bandwidth)
    numbers = {r: str(k) for k, r in enumerate(results, 1)}
    page.points([(r.intensity, r.gflops, numbers[r], _colour(r)) for r in results])
    page.legend([(numbers[r], _colour(r), _name(r), _speed(r, min(peak, r.intensity * bandwidth))) for r in results])
    return page.image.resize(_SIZE, Image.Resampling.LANCZOS)


def _limits(values):
    """The exponents of the powers of ten between which the values lie."""
    return math.floor(math.log10(min(values) / 1.3)), math.ceil(math.log10(max(values) * 1.3))


def _colour(result):
    return _OURS if result.rung[0].isdigit() else _OTHERS


def _name(result):
    return result.rung.partition(" ")[2] if result.rung[0].isdigit() else result.rung


def _speed(result, roof):
    return f"{_short(result.gflops)} GFLOP/s, {_short(100 * result.gflops / roof)} % of the roof"


def _short(value):
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


class _Page:
    """A canvas with two logarithmic axes; x and y are in their units, everything else in pixels."""

    def __init__(self, x_limits, y_limits):
        self.limits = x_limits, y_limits
        self.image = Image.new("RGB", tuple(_SHARP * n for n in _SIZE), (255, 255, 255))
        self.pen = ImageDraw.Draw(self.image)

    def place(self, x, y):
        left, top, right, bottom = _PLOT
        part = [(math.log10(v) - low) / (high - low) for v, (low, high) in zip((x, y), self.limits)]
        return left + part[0] * (right - left), bottom - part[1] * (bottom - top)

    def line(self, points, colour, width=1.0):
        flat = [(_SHARP * x, _SHARP * y) for x, y in points]
        self.pen.line(flat, fill=colour, width=round(_SHARP * width))

    def text(self, at, text, size=15, colour=_INK, anchor="l", halo=0):
        """anchor: l, m or r, the text's left, middle or right is there; its middle in height. halo: white around it."""
        font = load_font(_SHARP * size)
        left, top, right, bottom = font.getbbox(text)
        shift = {"l": left, "m": (left + right) / 2, "r": right}[anchor]
        place = _SHARP * at[0] - shift, _SHARP * at[1] - (top + bottom) / 2
        self.pen.text(place, text, colour, font, stroke_width=_SHARP * halo, stroke_fill=(255, 255, 255))

    def text_along(self, start, end, text):
        """The text over the lower half of a line, as steep as it."""
        across, up = end[0] - start[0], start[1] - end[1]
        font = load_font(_SHARP * 14)
        mask = Image.new("L", tuple(round(n) + 8 for n in font.getbbox(text)[2:]))
        ImageDraw.Draw(mask).text((4, 4), text, fill=255, font=font)
        mask = mask.rotate(math.degrees(math.atan2(up, across)), Image.Resampling.BICUBIC, expand=True)
        length, away = math.hypot(across, up), 15
        centre = start[0] + 0.35 * across - away * up / length, start[1] - 0.35 * up - away * across / length
        corner = [round(_SHARP * n - size / 2) for n, size in zip(centre, mask.size)]
        self.image.paste(_ROOF, tuple(corner), mask)

    def axes(self, title):
        left, top, right, bottom = _PLOT
        (x_low, x_high), (y_low, y_high) = self.limits
        for decade in range(x_low, x_high + 1):
            x, _ = self.place(10.0**decade, 1)
            self.line([(x, top), (x, bottom)], _LIGHT)
            self.text((x, bottom + 18), f"{10.0**decade:g}", colour=_GREY, anchor="m")
        for decade in range(y_low, y_high + 1):
            _, y = self.place(1, 10.0**decade)
            self.line([(left, y), (right, y)], _LIGHT)
            self.text((left - 10, y), f"{10.0**decade:g}", colour=_GREY, anchor="r")
        self.line([(left, top), (left, bottom), (right, bottom)], _GREY, 1.5)
        self.text((left, 28), title, size=19)
        self.text((left, 54), "GFLOP/s", colour=_GREY)
        self.text(((left + right) / 2, bottom + 48), "FLOP per byte that must move", colour=_GREY, anchor="m")

    def roof(self, peak, bandwidth):
        (x_low, x_high), (y_low, _) = self.limits
        start = max(10.0**x_low, 10.0**y_low / bandwidth)
        ends = [self.place(*p) for p in ((start, start * bandwidth), (peak / bandwidth, peak), (10.0**x_high, peak))]
        self.line(ends, _ROOF, 2.5)
        # Beside the corner, and not over it: there are points.
        self.text((ends[1][0] - 10, ends[1][1] - 12), f"{peak:.0f} GFLOP/s, the vector units", 14, _ROOF, "r")
        self.text_along(*ends[:2], f"{_short(bandwidth)} GB/s, the memory")

    def points(self, points):
        """Numbers stand to the right of their points, pushed apart where they would overlap, each tied to its own."""
        column = sorted(((*self.place(x, y), label, colour) for x, y, label, colour in points), key=lambda p: p[1])
        last = {}
        for x, y, label, colour in column:
            slot = round(x / 60)
            at = max(y, last.get(slot, -math.inf) + 19)
            last[slot] = at
            self.line([(x, y), (x + 20, at)], colour)
            self.pen.ellipse([_SHARP * n for n in (x - 6, y - 6, x + 6, y + 6)], colour, (255, 255, 255), _SHARP)
            self.text((x + 24, at), label, colour=colour, halo=3)

    def legend(self, lines):
        y = _PLOT[1] + 10
        for number, colour, name, speed in lines:
            self.text((_LEGEND + 16, y), number, colour=colour, anchor="r")
            self.text((_LEGEND + 30, y), name, colour=colour)
            self.text((_LEGEND + 30, y + 20), speed, size=13, colour=_GREY)
            y += 48
        for k, line in enumerate(_NOTE):
            self.text((_LEGEND, y + 10 + 20 * k), line, size=13, colour=_GREY)
