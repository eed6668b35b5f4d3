"""Measures as they are written in commands and shown."""

from __future__ import annotations

import pytest

from gateway.cli.alert.measures import measure_line, measures_of
from gateway.errors import GatewayError
from gateway.v1.alert_pb2 import MEASURE_KIND_DETAINED, MEASURE_KIND_SEIZED, MeasureTaken


@pytest.mark.parametrize(
    ("text", "measure", "shown"),
    [
        ("seized", MeasureTaken(kind=MEASURE_KIND_SEIZED), "seized"),
        ("detained:Sb", MeasureTaken(kind=MEASURE_KIND_DETAINED, element="Sb"), "detained Sb"),
        (
            "seized:Sb:1250.5",
            MeasureTaken(kind=MEASURE_KIND_SEIZED, element="Sb", net_mass_kg=1250.5),
            "seized Sb 1,250.5 kg",
        ),
        ("seized::0", MeasureTaken(kind=MEASURE_KIND_SEIZED, net_mass_kg=0), "seized 0 kg"),
    ],
)
def test_a_measure_is_kind_element_and_mass(text: str, measure: MeasureTaken, shown: str) -> None:
    assert measures_of([text]) == [measure]
    assert measure_line(measure) == shown


@pytest.mark.parametrize("text", ["", "taken", "seized:Sb:much"])
def test_what_is_no_measure_is_refused(text: str) -> None:
    with pytest.raises(GatewayError):
        measures_of([text])


def test_without_the_option_there_is_none() -> None:
    assert measures_of(None) == []
