"""Says in words what led to a suggested control code, and what is lacking: for commands and pages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.translation.substance_names import element_name

_WORDS: Final[Mapping[str, str]] = {
    "metal": N_("metal"),
    "oxide": N_("oxide"),
    "hydroxide": N_("hydroxide"),
    "carbide": N_("carbide"),
    "nitride": N_("nitride"),
    "phosphide": N_("phosphide"),
    "arsenide": N_("arsenide"),
    "antimonide": N_("antimonide"),
    "selenide": N_("selenide"),
    "telluride": N_("telluride"),
    "chloride": N_("chloride"),
    "fluoride": N_("fluoride"),
    "carbonate": N_("carbonate"),
    "hydride": N_("hydride"),
    "germanate": N_("germanate"),
    "tungstate": N_("tungstate"),
    "phosphate": N_("phosphate"),
    "compound": N_("compound"),
    "sulfide": N_("sulfide"),
    "ore": N_("ore"),
    "organic": N_("organic compound"),
    "alloy": N_("alloy"),
    "target": N_("sputtering target"),
    "magnet": N_("magnet"),
    "mixture": N_("mixture"),
    "artificial graphite": N_("artificial graphite"),
    "natural graphite": N_("natural graphite"),
    "synthetic diamond": N_("synthetic diamond"),
    "battery": N_("battery"),
    "cathode": N_("cathode material"),
    "ingot": N_("ingot"),
    "powder": N_("powder"),
    "wafer": N_("wafer or substrate"),
    "crystal": N_("crystal"),
    "scrap": N_("scrap"),
    "solid": N_("solid piece"),
    "liquid": N_("liquid"),
    "gas": N_("gas"),
}
"""Kinds and shapes of goods, as the reference table names them."""


def fact_text(kind: str, value: str, words: str) -> str:
    """A fact that led to a suggestion.

    Args:
        kind: element, kind, shape or purity.
        value: what it is about.
        words: of the description.
    """
    match kind:
        case "element" if words == value:
            return _("element {element}", element=element_name(value))
        case "element":
            return _("“{words}”: {meaning}", words=words, meaning=element_name(value))
        case "purity":
            return _("purity {purity}, {bound} is needed", purity=words, bound=value)
    return _("“{words}”: {meaning}", words=words, meaning=_word(value))


def lack_text(kind: str, value: str) -> str:
    """A fact that would tell a suggestion from its neighbours."""
    match kind:
        case "purity":
            return _("purity: {bound}", bound=value)
        case "conditions":
            return _("all that the line asks: {text}", text=value)
    return _("whether it is {kinds}", kinds=_(" or ").join(map(_word, value.split(" / "))))


def _word(value: str) -> str:
    return _(_WORDS[value]) if value in _WORDS else value
