"""The worker that makes pictures anew: what it takes, and what pictures made to harm don't get from it."""

from __future__ import annotations

import asyncio
import io
import struct
import time
import zlib
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from gateway.console.images.made import KEPT_S, MAX_BYTES, MadePictures
from gateway.console.images.sandbox import PictureError, PictureSandbox, SafePicture
from gateway.console.images.worker import MAX_SIDE, SMALL_SIDE
from tests.support.files import huge_png


def made(content: bytes) -> SafePicture:
    async def run() -> SafePicture:
        return await PictureSandbox().safe_picture(content)

    return asyncio.run(run())


def opened(picture: SafePicture) -> Image.Image:
    return Image.open(io.BytesIO(picture.content))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, data: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"])
def test_pictures_come_out_as_pixels(kind: str) -> None:
    picture = opened(made(encoded(Image.new("RGB", (60, 40), (200, 30, 30)), kind)))
    assert picture.size == (60, 40)
    assert picture.format in ("JPEG", "PNG")
    red, green, blue = picture.convert("RGB").getpixel((30, 20))  # type: ignore[misc]
    assert red > 180
    assert max(green, blue) < 60


def test_a_deep_x_ray_is_spread_over_what_a_screen_shows() -> None:
    deep = Image.new("I;16", (64, 64), 1_000)
    for x in range(32, 64):
        for y in range(64):
            deep.putpixel((x, y), 1_400)
    picture = opened(made(encoded(deep, "TIFF")))
    low, high = picture.convert("L").getextrema()
    assert (low < 5, high > 250) == (True, True)  # type: ignore[operator]


def test_nothing_but_pixels_goes_on() -> None:
    info, exif = PngImagePlugin.PngInfo(), Image.Exif()
    info.add_text("Comment", "SECRET-ONE")
    exif[0x010E] = "SECRET-TWO"
    source = encoded(Image.new("RGBA", (20, 20), (1, 2, 3, 100)), "PNG", pnginfo=info, exif=exif.tobytes())
    picture = made(source + b"<script>SECRET-THREE</script>PK\x03\x04")  # a polyglot's tail
    assert b"SECRET" not in picture.content
    assert b"script" not in picture.content
    assert picture.media_type == "image/png"  # it has transparency
    jpeg = encoded(Image.new("RGB", (20, 20)), "JPEG", comment=b"SECRET-FOUR", exif=exif.tobytes())
    assert b"SECRET" not in made(jpeg).content


def test_a_large_picture_is_shrunk() -> None:
    picture = opened(made(encoded(Image.new("L", (6_000, 4_000), 128), "JPEG")))
    assert max(picture.size) <= MAX_SIDE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<!doctype html><script>alert(1)</script>",
        b"\x89PNG\r\n\x1a\n<html><script>alert(1)</script>",
        b"GIF89a<script>alert(1)</script>",
        b"%PDF-1.7\n",
        b"%!PS\n(x) show",
        encoded(Image.new("RGB", (8, 8)), "PPM"),  # a format of Pillow's that isn't allowed
        encoded(Image.new("RGB", (8, 8)), "PDF"),
        encoded(Image.new("RGB", (8, 8)), "ICO"),
        encoded(Image.new("RGB", (64, 64)), "PNG")[:60],  # cut off
    ],
)
def test_what_is_no_picture_isn_t_shown(content: bytes) -> None:
    with pytest.raises(PictureError) as refused:
        made(content)
    assert not refused.value.too_large


def test_bombs_are_refused_before_they_are_unpacked() -> None:
    """50,000 × 50,000 pixels in some kilobytes, and a stream that unpacks to more than its picture."""
    began_s = time.monotonic()
    with pytest.raises(PictureError) as refused:
        made(png_of(50_000, 50_000, zlib.compress(bytes(10_000_000))))
    assert refused.value.too_large
    assert refused.value.pixels == (50_000, 50_000)
    assert opened(made(png_of(8, 8, zlib.compress(bytes(50_000_000))))).size == (8, 8)  # the rest stays packed
    with pytest.raises(PictureError):
        made(png_of(2**31 - 1, 2**31 - 1, b"x"))
    assert time.monotonic() - began_s < 20


def test_a_picture_that_is_too_large_says_its_size_and_only_its_head_is_looked_at() -> None:
    async def refusal(content: bytes) -> PictureError | None:
        try:
            await PictureSandbox().require_showable(content)
        except PictureError as error:
            return error
        return None

    async def run() -> None:
        huge = await refusal(huge_png(60_000, 60_000))
        assert huge is not None
        assert (huge.too_large, huge.pixels) == (True, (60_000, 60_000))
        assert await refusal(png_of(8_000, 8_000, b"no pixels")) is None
        other = await refusal(b"%PDF-1.7\n")
        assert other is not None
        assert (other.too_large, other.pixels) == (False, None)

    asyncio.run(run())


def test_a_small_picture_has_the_side_that_was_asked_for() -> None:
    async def run() -> SafePicture:
        return await PictureSandbox().safe_picture(encoded(Image.new("L", (600, 400), 128), "JPEG"), side=SMALL_SIDE)

    small = asyncio.run(run())
    assert opened(small).size == (SMALL_SIDE, SMALL_SIDE * 2 // 3)


def test_a_picture_for_a_page_is_taken_once_by_its_session_soon() -> None:
    now = 0.0
    made = MadePictures(clock=lambda: now)
    picture = SafePicture("image/png", b"x")
    made.put("session", b"1", picture)
    assert made.take("another", b"1") is None
    assert made.take("session", b"2") is None
    assert made.take("session", b"1") is picture
    assert made.take("session", b"1") is None
    made.put("session", b"1", picture)
    now = KEPT_S + 1
    assert made.take("session", b"1") is None
    large = SafePicture("image/png", bytes(MAX_BYTES // 2))
    for number in b"123":
        made.put("session", bytes([number]), large)
    assert [made.take("session", bytes([number])) for number in b"123"] == [None, large, large]


def test_a_picture_that_needs_too_much_memory_ends_with_its_worker() -> None:
    with pytest.raises(PictureError) as refused:
        made(encoded(Image.new("1", (9_000, 9_000)), "PNG"))  # 81 million pixels
    assert refused.value.too_large


def test_the_worker_can_open_nothing(tmp_path: Path) -> None:
    """What a decoder that was taken over would try, in a process that has shut itself."""
    import subprocess
    import sys

    target = tmp_path / "written"
    code = f"""
import os, socket, subprocess
from gateway.console.images.worker import shut
from PIL import Image
shut()
tried = {{
    "read": lambda: open("/etc/passwd").read(),
    "write": lambda: open({str(target)!r}, "w"),
    "connect": lambda: socket.create_connection(("127.0.0.1", 9)),
    "process": lambda: subprocess.run(["/bin/true"]),
    "fork": lambda: os.fork() == 0 and os._exit(0),
    "memory": lambda: len(bytearray(3 * 1024**3)),
}}
for name, act in tried.items():
    try:
        act()
    except (OSError, MemoryError) as error:
        continue
    print(name)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=False)
    possible = done.stdout.decode().split()
    import os

    allowed = {"fork"} if os.geteuid() == 0 else set()  # root isn't bound by RLIMIT_NPROC
    assert set(possible) <= allowed, done.stderr.decode()
    assert not target.exists()
