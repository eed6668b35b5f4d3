"""Decodes a picture and encodes it anew, in a process without rights: `python -m gateway.console.images.worker SIDE`.

1. The file comes whole on standard input. Codecs are loaded before anything of it is looked at.
2. From then on the process can open nothing: no file, no socket, no process; memory and time are bounded. Where the
   kernel lets it, it has left the network before.
3. One of the allowed formats is decoded, at most so many pixels, and only its first frame.
4. Pixels alone go on: turned as the camera said, shrunk to SIDE, in 8 bits, without metadata, profiles, comments or
   what follows the picture in its file.

Its standard output is the media type, a line end, and the picture. With SIDE 0 nothing is decoded. Exit codes: 0 done,
2 not a picture that is shown, 3 larger than is shown, with its width and height as far as the file says them; a signal
or anything else when a limit ended it.
"""

from __future__ import annotations

import ctypes
import io
import os
import resource
import signal
import sys
import warnings
from typing import Any, Final

MAX_INPUT_BYTES: Final = 64 * 1024 * 1024
MAX_PIXELS: Final = 64_000_000
"""Most pixels of a picture that is decoded: a large X-ray scan has 40 million."""

MAX_SIDE: Final = 2_400
"""Longest side of what is shown, in pixels."""

SMALL_SIDE: Final = 192
"""The same of a picture in a list, for a screen of two pixels to a point."""

MEMORY_BYTES: Final = 1024 * 1024 * 1024
"""Address space: 64 million pixels of 4 bytes twice, and Python."""

CPU_S: Final = 10

FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")

NOT_SHOWN, TOO_LARGE = 2, 3

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_NO_NEW_PRIVS = 38


def main(side: int) -> int:
    """Runs the steps; returns the exit code."""
    data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)  # 1
    if len(data) > MAX_INPUT_BYTES:
        return TOO_LARGE
    from PIL import Image  # noqa: PLC0415  # codecs, before the door is shut

    Image.init()
    _load_codecs(Image)
    shut()  # 2
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    answer, code = b"", 0
    try:
        answer = encoded_anew(Image, data, side) if side else opened(Image, data)  # 3, 4
    except (Image.DecompressionBombError, Image.DecompressionBombWarning, MemoryError):
        answer, code = _size(Image, data), TOO_LARGE
    except Exception:  # decoders raise what they like
        return NOT_SHOWN
    out = sys.stdout.buffer  # noqa: TID251  # for the console
    out.write(answer)
    out.flush()
    return code


def shut() -> None:
    """Takes from this process everything but its memory and its open standard streams."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)  # refused on some systems: then the limits below hold alone
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CPU, CPU_S),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 0),  # no new descriptor: neither file nor socket
    ):
        resource.setrlimit(limit, (value, value))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    os.umask(0o777)


def opened(image_module: Any, data: bytes) -> bytes:
    """Nothing, of a picture that isn't too large."""
    with image_module.open(io.BytesIO(data), formats=FORMATS) as source:
        _require_size(image_module, source)
    return b""


def encoded_anew(image_module: Any, data: bytes, side: int) -> bytes:
    """Media type and bytes of a picture made of another's pixels."""
    from PIL import ImageOps  # noqa: PLC0415  # loaded before

    with image_module.open(io.BytesIO(data), formats=FORMATS) as source:
        _require_size(image_module, source)
        source.draft("RGB", (side, side))  # JPEG: decoded smaller at once
        source.load()
        turned = ImageOps.exif_transpose(source)
        shown = _in_8_bits(turned)
    shown.thumbnail((side, side))
    clean = image_module.new(shown.mode, shown.size)
    clean.paste(shown)  # pixels alone, no `info`
    out = io.BytesIO()
    if clean.mode == "RGBA":
        clean.save(out, "PNG")
        return b"image/png\n" + out.getvalue()
    clean.save(out, "JPEG", quality=88)
    return b"image/jpeg\n" + out.getvalue()


def _require_size(image_module: Any, source: Any) -> None:
    if source.width * source.height > MAX_PIXELS:
        raise image_module.DecompressionBombError


def _size(image_module: Any, data: bytes) -> bytes:
    """Width and height of a picture that is too large, by its head alone."""
    image_module.MAX_IMAGE_PIXELS = None
    try:
        with image_module.open(io.BytesIO(data), formats=FORMATS) as source:
            return f"{source.width} {source.height}".encode()
    except Exception:
        return b""


def _in_8_bits(picture: Any) -> Any:
    """The picture in grey, colours, or colours with transparency; deep greys are spread over the range they use."""
    if picture.mode in ("L", "RGB", "RGBA"):
        return picture
    if picture.mode.startswith(("I", "F")):
        deep = picture.convert("F")
        low, high = deep.getextrema()
        scale = 255.0 / (high - low) if high > low else 0.0
        return deep.point(lambda value: value * scale - low * scale).convert("L")
    if picture.mode in ("LA", "PA") or "transparency" in picture.info:
        return picture.convert("RGBA")
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _load_codecs(image_module: Any) -> None:
    """Loads what Pillow imports at its first use: later nothing can be opened."""
    from PIL import ImageFile, ImageOps  # noqa: F401, PLC0415

    for name in ("JPEG", "PNG", "TIFF", "WEBP"):
        out = io.BytesIO()
        image_module.new("RGB", (8, 8)).save(out, name)
        with image_module.open(io.BytesIO(out.getvalue()), formats=FORMATS) as probe:
            probe.load()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
