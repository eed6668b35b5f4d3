"""Measures in commands: `seized:Sb:1250.5` is antimony of 1,250.5 kg that was seized."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Annotated

import typer

from gateway.cli.values import value_of
from gateway.contract.enum_words import choices, word_of
from gateway.errors import OptionError
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext
from gateway.v1.alert_pb2 import MeasureKind, MeasureTaken

MeasureOption = Annotated[
    list[str] | None,
    typer.Option(
        "--measure",
        metavar="KIND[:ELEMENT[:KG]]",
        help=_(
            "What was done, with element and net mass, e.g. seized:Sb:1250.5; may be repeated. Kinds: {kinds}.",
            kinds=choices(MeasureKind),
        ),
    ),
]


def measures_of(texts: Sequence[str] | None) -> list[MeasureTaken]:
    """The option's measures. Raises OptionError."""
    return [_measure(text) for text in texts or ()]


def _measure(text: str) -> MeasureTaken:
    kind, _colon, rest = text.partition(":")
    element, _second, mass = rest.partition(":")
    taken = MeasureTaken(kind=value_of(MeasureKind, kind, "--measure"), element=element)
    if mass:
        try:
            taken.net_mass_kg = float(mass)
        except ValueError:
            message = _("--measure {text}: {mass} isn't a mass in kilograms", text=text, mass=mass)
            raise OptionError(message) from None
    return taken


def measure_line(measure: MeasureTaken) -> str:
    """A measure for people."""
    mass = f"{measure.net_mass_kg:,.10g} kg" if measure.HasField("net_mass_kg") else ""
    packages = ngettext("{number} package", "{number} packages", measure.package_count) if measure.package_count else ""
    when = f"{measure.taken_at.ToDatetime(UTC):%Y-%m-%d %H:%M} UTC" if measure.HasField("taken_at") else ""
    return " ".join(filter(None, (word_of(MeasureKind, measure.kind), measure.element, mass, packages, when)))
