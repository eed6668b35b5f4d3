"""Writes the page: markup, style and script from this package, the evidence as data in it.

Its content policy names script and style by their SHA-256 and allows nothing else, so that the page loads and sends
nothing and runs no other script, whatever the evidence holds. It proves what its script verifies on the reader's
machine; the writer verifies nothing.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from gateway import __version__
from gateway.evidence.page.contract_table import contract_table
from gateway.evidence.page.words import page_words
from gateway.translation.messages import gettext as _
from gateway.translation.messages import language

_ASSETS: Final = Path(__file__).parent / "assets"
_SCRIPTS: Final = ("bytes.js", "log.js", "directory.js", "bundle.js", "protobuf.js", "check.js", "proved.js", "page.js")
"""One script, in this order."""

_STYLE: Final = "page.css"
_IN_MARKUP: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}
"""Escapes in JSON after which no data can end the element that it stands in."""


def evidence_page(files: Mapping[str, bytes] | None = None, directory_note: bytes | None = None) -> bytes:
    """The page in the current language: the same bytes for the same evidence.

    Args:
        files: a bundle of evidence of an alert, by name; None: the page checks what its reader chooses.
        directory_note: the directory whose keys count unless its reader chooses another; None: the bundle's own.
    """
    evidence = {
        "files": None if files is None else {name: _base64(content) for name, content in files.items()},
        "directory": None if directory_note is None else _base64(directory_note),
    }
    script, style = page_script(), _asset(_STYLE)
    policy = (
        f"default-src 'none'; script-src 'sha256-{_base64(sha256(script.encode()).digest())}'; "
        f"style-src 'sha256-{_base64(sha256(style.encode()).digest())}'; base-uri 'none'; form-action 'none'"
    )
    page = _template_environment().get_template("page.j2")
    return page.render(
        language=language(),
        version=__version__,
        policy=policy,
        script=Markup(script),  # noqa: S704  # a file of this package
        style=Markup(style),  # noqa: S704
        data={name: _embedded(data) for name, data in _data(evidence)},
    ).encode()


@cache
def page_script() -> str:
    """The page's script."""
    return "".join(map(_asset, _SCRIPTS))


def _data(evidence: object) -> list[tuple[str, object]]:
    return [("words", page_words()), ("contract", contract_table()), ("evidence", evidence)]


def _embedded(data: object) -> Markup:
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return Markup(text.translate(_IN_MARKUP))  # noqa: S704  # no character of it is markup


def _base64(data: bytes) -> str:
    return b64encode(data).decode()


@cache
def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


@cache
def _template_environment() -> Environment:
    made = Environment(
        loader=PackageLoader("gateway.evidence.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["_"] = _
    return made
