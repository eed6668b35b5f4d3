"""Lets axe-core look at a page by WCAG 2.2 AA and its best practices."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

AXE = Path(__file__).parents[3] / "third_party/axe-core/axe.min.js"

_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]

COLOURS = ("color-contrast", "link-in-text-block")
"""Rules that colours decide: half of axe-core's time, and words change nothing about them."""

LAYOUT = ("target-size", "scrollable-region-focusable")
"""Rules that the width of a window and the length of words decide."""

_RUN = """async ({runOnly, rules}) => {
  if (typeof axe === "undefined") return null;
  for (const {id, impact} of axe._audit.rules) {
    if (impact === "minor" || impact === "moderate") rules[id] = {enabled: false};
  }
  const {violations} = await axe.run(document, {runOnly, rules, resultTypes: ["violations"], selectors: false});
  return violations.filter(({impact}) => impact === "serious" || impact === "critical");
}"""
"""A rule's findings have its impact, so that rules of a lesser one needn't run; nobody reads the selectors of elements.
Both together are two fifths of axe-core's time."""


def violations(page: Page, *, rules: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> list[str]:
    """What axe-core finds serious or critical on the page as it is now, one line for each element.

    With `rules` it looks for these alone, e.g. color-contrast.
    """
    options: dict[str, Any] = {"runOnly": {"type": "tag", "values": _TAGS}}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    options["rules"] = {rule: {"enabled": False} for rule in without}
    found: list[dict[str, Any]] | None = page.evaluate(_RUN, options)
    if found is None:
        # Sent to the browser once: it gives the page's later documents axe-core, compiled.
        page.add_init_script(_axe())
        page.evaluate(_axe())
        found = page.evaluate(_RUN, options)
        assert found is not None, "axe-core isn't there"
    return [
        f"{page.url}: {violation['id']} ({violation['impact']}): {node['html'][:160]} {_why(node)}"
        for violation in found
        for node in violation["nodes"]
    ]


@cache
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")


def assert_accessible(page: Page) -> None:
    """Fails when axe-core finds anything serious or critical."""
    found = violations(page)
    assert found == [], "\n".join(found)


def _why(node: dict[str, Any]) -> str:
    return "; ".join(check["message"] for kind in ("any", "all", "none") for check in node[kind])
