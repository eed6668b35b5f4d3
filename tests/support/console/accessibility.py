"""Lets axe-core look at a page by WCAG 2.2 AA and its best practices."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

SERIOUS = ("serious", "critical")
_OPTIONS = {
    "resultTypes": ["violations"],
    "runOnly": {
        "type": "tag",
        "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"],
    },
}


def violations(page: Page) -> list[str]:
    """What axe-core finds serious or critical on the page as it is now, one line for each element."""
    found: list[dict[str, Any]] = Axe().run(page, options=_OPTIONS).response["violations"]
    return [
        f"{page.url}: {violation['id']} ({violation['impact']}): {node['html'][:160]} {_why(node)}"
        for violation in found
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


def assert_accessible(page: Page) -> None:
    """Fails when axe-core finds anything serious or critical."""
    found = violations(page)
    assert found == [], "\n".join(found)


def _why(node: dict[str, Any]) -> str:
    return "; ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
