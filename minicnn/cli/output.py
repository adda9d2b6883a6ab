"""What commands print to stdout."""

import json


def print_json(value):
    """One JSON document; NaN and infinity as null, which JSON does not have."""
    print(json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def table(header, rows):
    """Left-aligned columns under a header, as text."""
    lines = [[str(cell) for cell in row] for row in (header, *rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def bar(part, width=20):
    """A bar of `part` (0 to 1) of `width` characters, in eighths."""
    eighths = round(min(max(part, 0), 1) * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + " ▏▎▍▌▋▊▉"[rest].strip()).ljust(width)


def _plain(value):
    if isinstance(value, float) and value - value != 0:
        return None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    return _plain(value.item()) if hasattr(value, "item") else str(value)
