"""The font of everything that is written into a picture."""

from PIL import ImageFont


def load_font(size):
    """Pillow's own font, of so many pixels where there is a choice."""
    # Pillow before 10.1 has only one size, and one without FreeType has only a bitmap font.
    try:
        return ImageFont.load_default(size)
    except (TypeError, ImportError):
        return ImageFont.load_default()
