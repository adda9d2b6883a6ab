"""Frames as a film in one file: an animated picture by Pillow, or MP4 where the extra `film` is installed."""

import io
import tempfile
from pathlib import Path

import numpy as np

from ...errors import UsageError
from ...extras import load
from ...files import write_whole

_ANIMATED = {
    ".gif": ("GIF", {"optimize": False}),
    ".webp": ("WEBP", {"quality": 90, "method": 4}),
    ".png": ("PNG", {}),
}


def save_film(frames, path, rate=None):
    """Write the frames as one film, whole or not at all.

    frames  PIL images of one size, one or more
    path    its suffix says how: .gif (256 colours a frame), .webp, .png (APNG: exact), .mp4 (H.264)
    rate    frames a second, above 0; unless given 10, or as many fewer as let a short film last two seconds
    An animated picture begins again at its end.
    Raises UsageError for another suffix or sizes that differ, MissingExtraError for .mp4 without `film`, OutputError.
    """
    check_film(path)
    frames = [frame.convert("RGB") for frame in frames]
    sizes = {frame.size for frame in frames}
    if len(sizes) != 1:
        raise UsageError(f"a film of {len(frames)} frames of sizes {sorted(sizes)}, expected one or more of one size")
    suffix, rate = Path(path).suffix.lower(), rate or min(10, len(frames) / 2)
    data = _mp4(frames, rate) if suffix == ".mp4" else _animated(frames, rate, *_ANIMATED[suffix])
    with write_whole(path) as file:
        file.write(data)


def check_film(path):
    """Raises what `save_film` would raise for the path's suffix, before anything is computed."""
    suffix = Path(path).suffix.lower()
    if suffix == ".mp4":
        load("imageio_ffmpeg", "film")
    elif suffix not in _ANIMATED:
        raise UsageError(f"{path}: a film's name ends in {', '.join(_ANIMATED)} or .mp4")


def _animated(frames, rate, kind, options):
    file = io.BytesIO()
    duration = round(1000 / rate)
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], duration=duration, loop=0, **options)
    return file.getvalue()


def _mp4(frames, rate):
    ffmpeg = load("imageio_ffmpeg", "film")
    # H.264 halves the colours' height and width, so both must be even: the last row or column stands twice.
    frames = [np.asarray(frame) for frame in frames]
    H, W, _ = frames[0].shape
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        writer = ffmpeg.write_frames(
            str(path), (W + W % 2, H + H % 2), fps=rate, codec="libx264", quality=7, macro_block_size=2
        )
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray(np.pad(frame, ((0, H % 2), (0, W % 2), (0, 0)), "edge")))
        writer.close()
        return path.read_bytes()
