"""Reports as PDF: printed by a real Chromium, which loads nothing from outside."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from gateway.cli.pdf import VARIABLE, pdf_of, require_browser
from gateway.errors import GatewayError, OptionError
from tests.support.programs import CHROMIUM


def test_a_page_is_printed_and_nothing_is_loaded_from_outside() -> None:
    browser = CHROMIUM.require()
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        page = f'<meta charset="utf-8"><h1>锑锭</h1><p style="break-before: page">2</p><img src="http://localhost:{port}/">'
        printed = pdf_of(page.encode(), browser)
        with pytest.raises(TimeoutError):
            server.accept()
    assert printed.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 2


def test_without_a_browser_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "none"))
    with pytest.raises(OptionError) as caught:
        require_browser()
    assert VARIABLE in caught.value.way_out
    assert "--html" in caught.value.way_out


def test_a_browser_that_fails_is_named_with_what_it_said(tmp_path: Path) -> None:
    script = tmp_path / "browser"
    script.write_text("#!/bin/sh\necho cannot open display >&2\nexit 1\n")
    script.chmod(0o700)
    with pytest.raises(GatewayError, match="printed no PDF: cannot open display"):
        pdf_of(b"<p>", script)
