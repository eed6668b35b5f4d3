"""Displays on which axe-core looks at a page that is open: widths, the dark, forced colours.

What a display can't change isn't looked at again: markup and words are the same on all of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from playwright.sync_api import Page

from tests.support.console.accessibility import COLOURS, LAYOUT, violations
from tests.support.console.chromium import NARROW

HEIGHT: Final = 900
"""Pixels of each display."""


@dataclass(frozen=True)
class Display:
    """A display.

    Attributes:
        width: in pixels.
        rules: of axe-core, which this display decides; empty: all.
    """

    name: str
    width: int
    rules: tuple[str, ...] = ()
    scheme: Literal["light", "dark"] = "light"
    forced: Literal["active", "none"] = "none"

    def show(self, page: Page) -> None:
        """Lays the page out as this display has it; it isn't loaded again."""
        page.set_viewport_size({"width": self.width, "height": HEIGHT})
        page.emulate_media(color_scheme=self.scheme, forced_colors=self.forced)

    def problems(self, page: Page) -> list[str]:
        """What axe-core finds on it, and whether the page is wider than it; the page stays as shown here."""
        self.show(page)
        found = [f"{self.name}: {line}" for line in violations(page, rules=self.rules)]
        taken = page.evaluate("document.documentElement.scrollWidth")
        return found if taken <= self.width else [*found, f"{self.name}: {page.url} takes {taken} px"]


DESK: Final = Display("1440 px", 1440)
DISPLAYS: Final = (
    Display("1440 px, dark", DESK.width, COLOURS, scheme="dark"),
    Display("2560 px", 2560, LAYOUT),
    Display("360 px", NARROW),
    Display("360 px, forced colours", NARROW, COLOURS, forced="active"),
)
"""What a page is looked at on beside the desk: only for what each can change."""
