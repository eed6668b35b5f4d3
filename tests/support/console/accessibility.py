"""Lets axe-core look at a page by WCAG 2.2 AA and its best practices."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AXE = Path(__file__).parents[3] / "third_party/axe-core/axe.min.js"
"""Newer than the one in the package that runs it."""

SERIOUS = ("serious", "critical")
_OPTIONS = {
    "resultTypes": ["violations"],
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"],
    },
}


def violations(page: Page, *, rules: tuple[str, ...] = ()) -> list[str]:
    """What axe-core finds serious or critical on the page as it is now, one line for each element.

    With `rules` it looks for these alone, e.g. color-contrast.
    """
    options = _OPTIONS | ({"runOnly": {"type": "rule", "values": list(rules)}} if rules else {})
    found: list[dict[str, Any]] = _axe().run(page, options=options).response["violations"]
    return [
        f"{page.url}: {violation['id']} ({violation['impact']}): {node['html'][:160]} {_why(node)}"
        for violation in found
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


@cache
def _axe() -> Axe:
    return Axe(AXE.read_text(encoding="utf-8"))


def assert_accessible(page: Page) -> None:
    """Fails when axe-core finds anything serious or critical."""
    found = violations(page)
    assert found == [], "\n".join(found)


def _why(node: dict[str, Any]) -> str:
    return "; ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
