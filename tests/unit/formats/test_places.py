"""Places by UN/LOCODE, customs office and name: every line of the file, and what must not be mixed up."""

from __future__ import annotations

import csv
from importlib import resources

import pytest

from gateway.contract.validation import violations
from gateway.formats.places import place_by_customs_office, place_by_name, place_by_unlocode
from gateway.v1.goods_pb2 import Place

ROWS = list(
    csv.DictReader(resources.files("gateway.reference").joinpath("locations.csv").read_text("utf-8").splitlines())
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["name_en"])
def test_every_line_is_found_by_everything_that_names_it(row: dict[str, str]) -> None:
    names = [row[column] for column in ("name_en", "name_zh", "name_pt") if row[column]]
    found = [place_by_name(name) for name in [*names, *map(str.upper, names)]]
    if row["unlocode"]:
        found.append(place_by_unlocode(row["unlocode"]))
    if row["customs_code"]:
        found.append(place_by_customs_office(row["customs_code"]))
        assert place_by_customs_office(row["customs_code"], "XX") is None
    assert len({place.SerializeToString(deterministic=True) for place in found if place is not None}) == 1
    assert None not in found
    place = found[0]
    assert place is not None
    assert violations(place) == []
    assert (place.territory, place.name) == (row["territory"], row["name_en"])
    assert place.customs_office == row["customs_code"]
    assert place.unlocode == row["unlocode"] or not row["unlocode"]


def test_the_two_sides_of_a_crossing_are_told_apart() -> None:
    mainland, hong_kong = place_by_name("文锦渡"), place_by_name("文錦渡")
    assert mainland is not None
    assert hong_kong is not None
    assert (mainland.territory, mainland.unlocode) == ("CN", "CNWJD")
    assert (hong_kong.territory, hong_kong.unlocode) == ("HK", "HKHKG")
    assert place_by_name("文錦渡", "CN") is None


def test_what_isnt_known_is_none_and_what_is_given_is_the_callers() -> None:
    assert place_by_unlocode("XXXXX") is place_by_name("Atlantis") is place_by_customs_office("0") is None
    first = place_by_unlocode("CNSZX")
    assert first is not None
    first.name = "changed"
    assert place_by_unlocode("CNSZX") != Place(name="changed")
    second = place_by_unlocode("CNSZX")
    assert second is not None
    assert second.name == "Shenzhen Bao'an International Airport"
