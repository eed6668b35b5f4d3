"""Debian's Chromium, without a driver: prints pages to PDF, and measures them at a width."""

from __future__ import annotations

import html
import re
import subprocess
import zlib
from pathlib import Path

from tests.support.programs import CHROMIUM

_QUIET = (
    "--headless", "--no-sandbox", "--disable-quic", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
)  # fmt: skip
PATIENCE_S = 120


def printed_pages(document: Path, folder: Path) -> list[bytes]:
    """What each page of the printed document draws, as PDF operators."""
    pdf = folder / "printed.pdf"
    _run(folder, f"--print-to-pdf={pdf}", "--no-pdf-header-footer", document.as_uri())
    data = pdf.read_bytes()
    objects = {int(n): body for n, body in re.findall(rb"(\d+) 0 obj\b(.*?)\bendobj", data, re.DOTALL)}
    pages = [body for body in objects.values() if re.search(rb"/Type\s*/Page\b", body)]
    return [b"".join(_stream(objects[int(n)]) for n in re.findall(rb"/Contents (\d+) 0 R", page)) for page in pages]


def shows_something(page: bytes) -> bool:
    """Whether a page prints text or an image."""
    return re.search(rb"\bT[jJ]\b", page) is not None or re.search(rb"\bDo\b", page) is not None


def scroll_width(document: Path, width: int, folder: Path) -> tuple[int, int]:
    """Width that a document takes in a window of this width, and the width that is seen of it."""
    measuring = folder / "measuring.html"
    measuring.write_text(
        f'<!doctype html><body><iframe id="page" style="width:{width}px;height:800px;border:0" srcdoc="'
        f'{html.escape(document.read_text("utf-8"))}"></iframe><script>onload = () => {{'
        "const root = document.getElementById('page').contentDocument.documentElement;"
        "document.body.innerHTML = `measured ${root.scrollWidth} of ${root.clientWidth}`; }</script>",
        "utf-8",
    )
    dom = _run(folder, "--virtual-time-budget=5000", "--dump-dom", measuring.as_uri())
    found = re.search(r"measured (\d+) of (\d+)", dom)
    assert found, dom[-2000:]
    return int(found[1]), int(found[2])


def _stream(body: bytes) -> bytes:
    found = re.search(rb"stream\r?\n(.*?)\r?\nendstream", body, re.DOTALL)
    if found is None:
        return b""
    return zlib.decompress(found[1]) if b"FlateDecode" in body else found[1]


def _run(folder: Path, *arguments: str) -> str:
    command = [str(CHROMIUM.require()), *_QUIET, f"--user-data-dir={folder / 'profile'}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    return done.stdout
