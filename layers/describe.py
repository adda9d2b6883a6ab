"""How a window's hyperparameters are written."""


def describe_window(layer, **plain):
    """3x3, stride 2, pad 1 ...: what has its plain value is left out; a stride's is the kernel unless given."""
    text = "x".join(map(str, layer.kernel))
    for name, value in {"stride": layer.kernel, "pad": (0,) * 4, **plain}.items():
        found = getattr(layer, name)
        if found != value:
            text += f", {name} {_short(found)}"
    return text


def _short(value):
    """2 for (2, 2): most windows are square."""
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def describe_axis(layer, to_end=False):
    """axis 2, axis 2 to the end: the axis where it is not 1, its plain value."""
    text = f"axis {layer.axis}" if layer.axis != 1 or to_end else ""
    return f"{text} to the end" if to_end else text
