"""Prints a page of one file as a PDF, by the Chromium that is installed; nothing of it goes to the network."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from gateway.errors import GatewayError, OptionError
from gateway.files import replace_file
from gateway.translation.messages import gettext as _

VARIABLE: Final = "GATEWAY_BROWSER"
"""Names a browser that isn't found in PATH."""

NAMES: Final = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "microsoft-edge")

WITHIN_S: Final = 120.0

_OPTIONS: Final = (
    "--headless",
    "--no-pdf-header-footer",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--no-first-run",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


def require_browser() -> Path:
    """The browser that prints.

    Raises:
        OptionError: there is none.
    """
    given = os.environ.get(VARIABLE, "")
    for name in [given] if given else NAMES:
        if found := shutil.which(name):
            return Path(found)
    raise OptionError(
        _("there is no Chromium on this machine to print a PDF"),
        way_out=_(
            "Install it (Debian: chromium-headless-shell), name one in {variable}, or write --html and print that.",
            variable=VARIABLE,
        ),
    )


def pdf_of(page: bytes, browser: Path) -> bytes:
    """A page without anything outside it as a PDF.

    Raises:
        GatewayError: the browser failed, or took longer than WITHIN_S.
    """
    with tempfile.TemporaryDirectory(prefix="gateway-pdf-") as name:
        folder = Path(name)
        source, printed = folder / "page.html", folder / "page.pdf"
        replace_file(source, page)
        # A container's root has no user namespace for the browser's sandbox; the page is this program's own.
        own = [f"--user-data-dir={folder / 'profile'}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        command = [str(browser), *_OPTIONS, *own, f"--print-to-pdf={printed}", source.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, timeout=WITHIN_S, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise _failed(browser, _("it took longer than {seconds} s", seconds=round(WITHIN_S))) from None
        if not printed.exists():
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            raise _failed(browser, lines[-1] if lines else _("it said nothing"))
        return printed.read_bytes()


def _failed(browser: Path, why: str) -> GatewayError:
    message = _("{browser} printed no PDF: {why}", browser=browser, why=why)
    return GatewayError(message, way_out=_("Write --html and print that."))
