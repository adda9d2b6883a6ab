"""The lines of a table in Markdown."""


def line(*cells):
    """One line."""
    return f"| {' | '.join(map(str, cells))} |"


def head(*names):
    """The names of the columns, and the line under them."""
    return f"{line(*names)}\n{'|---' * len(names)}|"
