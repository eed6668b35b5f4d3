"""Writes names and values of rules as people do: `net_kg` 20000 as net, 20,000 kg."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, NamedTuple

from gateway.tracing.rules.events import mass_in_words
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext
from gateway.translation.numbers import NUMBER, grouped, in_readers_form
from gateway.v1.trace_pb2 import Discrepancy

_UNITS: Final = {
    "g_cm3": "g/cm³",
    "density": "g/cm³",
    "price": "USD/kg",
    "percent": "%",
    "kg": "kg",
    "m3": "m³",
    "usd": "USD",
}
"""By words of a name; the first that occurs counts."""

_MEASURES: Final = {"g_cm3": "density", "percent": "share", "kg": "mass", "m3": "volume", "usd": "value"}
"""What stands in a name for a word that is a unit, where it leads; elsewhere it is left out."""


class Quantity(NamedTuple):
    """A name for people, and its value with unit."""

    name: str
    value: str


def mass_text(kilograms: float) -> str:
    """`20,000 kg`, as the reader writes it."""
    return in_readers_form(mass_in_words(kilograms))


def quantity(name: str, value: str) -> Quantity:
    """A named input or threshold of a rule; a value that is no number has no unit."""
    if not NUMBER.fullmatch(value):
        return Quantity(_words(name), value)
    padded = f"_{name}_"
    if "_days_" in padded:
        number = Decimal(value)
        days = ngettext("{days} day", "{days} days", math.ceil(abs(number)), days=in_readers_form(value))
        return Quantity(_words(padded.replace("_days_", "_")) or _("time"), days)
    for word, unit in _UNITS.items():
        if f"_{word}_" in padded:
            return Quantity(_name_without_unit(name, word), f"{grouped(value)} {unit}")
    return Quantity(_words(name), value)


def quantities(named: Mapping[str, str]) -> list[Quantity]:
    """Named inputs or thresholds of a rule, by their names."""
    return [quantity(name, value) for name, value in sorted(named.items())]


def measured(discrepancy: Discrepancy) -> str:
    """`0.186 g/cm³`, `12 %`, or empty."""
    if not discrepancy.HasField("measured"):
        return ""
    value, unit = discrepancy.measured, discrepancy.unit
    if unit == "share":
        return f"{in_readers_form(f'{value * 100:.3g}')} %"
    text = grouped(f"{value:.6g}")
    return f"{text} {unit}" if unit else text


def _name_without_unit(name: str, word: str) -> str:
    if word not in _MEASURES:
        return _words(name)
    if name.startswith(word):
        return _words(_MEASURES[word] + name.removeprefix(word))
    return _words(f"{name}_".replace(f"_{word}_", "_"))


def _words(name: str) -> str:
    return " ".join(name.split("_")).strip()
