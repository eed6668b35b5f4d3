"""The guard notices what it is there for, axe-core runs under the policy, and a missing program is told loudly."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import Browser

from tests.support.console import machine_words
from tests.support.console.accessibility import violations
from tests.support.console.authenticator import Authenticator
from tests.support.console.chromium import new_context, settle
from tests.support.console.guard import PageGuard
from tests.support.programs import Program, left_out

_GOOD = '<!doctype html><html lang="en"><title>Good</title><link rel="icon" href="/icon"><main><h1>Good</h1></main>'
PAGES = {
    "/good": _GOOD,
    "/icon": '<svg xmlns="http://www.w3.org/2000/svg"/>',
    "/inline": f"{_GOOD}<script>window.ran = true</script>",
    "/handler": f'{_GOOD}<img src="/icon" alt="" onload="window.ran = true">',
    "/style": f'{_GOOD}<p style="color:red">red</p>',
    "/elsewhere": f'{_GOOD}<img alt="" src="http://127.0.0.1:9/picture.png">',
    "/missing": f'{_GOOD}<link rel="stylesheet" href="/nothing.css">',
    "/throws": f'{_GOOD}<script src="/throws.js"></script>',
    "/throws.js": "throw new Error('thrown here')",
    "/asks": f'{_GOOD}<script src="/asks.js"></script>',
    "/asks.js": "alert('asked here')",
    "/unreadable": '<!doctype html><html lang="en"><title>No</title><main><h1>No</h1><img src="/icon"></main>',
}


class _Pages(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = PAGES.get(self.path)
        self.send_response(404 if body is None else 200)
        kind = {"js": "text/javascript", "icon": "image/svg+xml"}.get(
            self.path.rpartition(".")[2].strip("/"), "text/html"
        )
        self.send_header("Content-Type", kind)
        self.send_header("Content-Security-Policy", "default-src 'self'")
        self.end_headers()
        self.wfile.write((body or "<!doctype html><title>-</title>").encode())

    def log_message(self, *_: object) -> None:
        """Nothing: the run's output is the tests'."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Pages) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/inline", "Content Security Policy"),
        ("/handler", "Content Security Policy"),
        ("/style", "Content Security Policy"),
        ("/elsewhere", "another origin"),
        ("/missing", "status of 404"),
        ("/throws", "thrown here"),
        ("/asks", "asked here"),
    ],
)
def test_the_guard_notices(browser: Browser, site: str, path: str, problem: str) -> None:
    context = new_context(browser)
    guard = PageGuard({site})
    guard.watch(context)
    page = context.new_page()
    page.goto(f"{site}/good")
    settle(page)
    guard.check()
    page.goto(f"{site}{path}")
    settle(page)
    with pytest.raises(AssertionError, match=problem):
        guard.check()
    context.close()


def test_a_provoked_problem_is_no_problem(browser: Browser, site: str) -> None:
    context = new_context(browser)
    guard = PageGuard({site})
    guard.watch(context)
    page = context.new_page()
    with guard.expecting("status of 404", "Failed to load resource"):
        page.goto(f"{site}/nowhere")
        settle(page)
    guard.check()
    page.goto(f"{site}/nowhere")
    settle(page)
    with pytest.raises(AssertionError, match="status of 404"):
        guard.check()
    context.close()


def test_axe_finds_a_picture_without_words_under_the_policy(browser: Browser, site: str) -> None:
    context = new_context(browser)
    page = context.new_page()
    page.goto(f"{site}/good")
    assert violations(page) == []
    page.goto(f"{site}/unreadable")
    assert any("image-alt (critical)" in line for line in violations(page))
    context.close()


def test_an_authenticator_makes_a_passkey(browser: Browser, site: str) -> None:
    context = new_context(browser)
    page = context.new_page()
    page.goto(f"{site}/good")
    authenticator = Authenticator.plug_into(page)
    page.evaluate(
        """() => navigator.credentials.create({publicKey: {
            challenge: new Uint8Array(32), rp: {name: "console"},
            user: {id: new Uint8Array(8), name: "o", displayName: "O"},
            pubKeyCredParams: [{type: "public-key", alg: -7}], authenticatorSelection: {residentKey: "required"}}})"""
    )
    assert [credential["rpId"] for credential in authenticator.credentials] == ["localhost"]
    context.close()


def test_a_missing_program_is_told_once_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_TEST_NOTHING", "/nowhere/at/all")
    with pytest.raises(pytest.skip.Exception) as skipped:
        Program("nothing", variable="GATEWAY_TEST_NOTHING").require()
    line = left_out([f"Skipped: {skipped.value}", "Skipped: needs nothing", "Skipped: only root gives files away"])
    assert "2 for want of nothing" in line
    assert "make test-packages" in line
    assert left_out(["Skipped: only root gives files away"]) == ""


@pytest.mark.parametrize(
    ("html", "word"),
    [
        ("<p>must be in a list_of_names</p>", "list_of_names"),
        ('<p title="net_mass_kg">Net mass</p>', "net_mass_kg"),
        ('<button aria-label="close_alert">x</button>', "close_alert"),
        ("<svg><title>of 01a234bf-42f0</title></svg>", "01a234bf-"),
        ('<datalist><option label="export_control"></option></datalist>', "export_control"),
        ("<p><code>export_control</code> Asia/Hong_Kong</p>", ""),
    ],
)
def test_words_of_machines_are_found_where_people_see_or_hear_them(browser: Browser, html: str, word: str) -> None:
    """In an answer as in a page."""
    context = new_context(browser)
    page = context.new_page()
    page.set_content(html)
    found = machine_words.in_html(html), machine_words.in_page(page)
    context.close()
    assert [bool(word and word in " ".join(texts)) for texts in found] == [bool(word)] * 2
    assert word or found == ([], [])
