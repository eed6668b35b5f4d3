"""Places are drawn where they are, or said not to be; pictures hold for any text and route."""

from __future__ import annotations

import csv
import re
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.console.pictures.map import MapLeg, MapPlace, map_place, route_map
from gateway.console.pictures.outline import view_of
from gateway.formats.positions import Position, position_of
from gateway.v1.goods_pb2 import Place
from tests.support.console.pictures import check_svg, texts_of

YANTIAN = map_place(Place(name="Yantian", territory="CN", unlocode="CNYTN"))
MACAO = map_place(Place(name="Macao", territory="MO", unlocode="MOMFM"))
BUSAN = map_place(Place(unlocode="KRPUS", name="Busan", territory="KR"))
LOS_ANGELES = map_place(Place(unlocode="USLAX", name="Los Angeles", territory="US"))
NOWHERE = MapPlace("Depot 7", None)
LOCATIONS = list(
    csv.DictReader(resources.files("gateway.reference").joinpath("locations.csv").read_text("utf-8").splitlines())
)

positions = st.builds(Position, st.floats(-60, 75), st.floats(-180, 180)) | st.none()
places = st.builds(MapPlace, st.text(max_size=40), positions)
legs = st.lists(
    st.builds(MapLeg, places, places, st.sampled_from(["sea", "road", "", "x"]), st.text(max_size=20)), max_size=8
)


@settings(max_examples=25, deadline=None)
@given(legs)
def test_any_route_gives_valid_pictures(route: list[MapLeg]) -> None:
    drawn = route_map(route)
    if drawn is None:
        assert all(place.position is None for leg in route for place in (leg.start, leg.end))
        return
    for svg in (drawn.wide, drawn.narrow):
        check_svg(svg)
    assert len(drawn.rows) == len(route)
    assert route_map(route) == drawn


@settings(max_examples=50, deadline=None)
@given(st.lists(st.builds(Position, st.floats(-60, 75), st.floats(-180, 180)), min_size=1, max_size=6))
def test_view_has_all_positions(route: list[Position]) -> None:
    view = view_of(route, 720, 360)
    for position in route:
        x, y = view.point(position)
        assert 0 <= x <= 720
        assert 0 <= y <= 360


def test_pacific_is_crossed_the_short_way() -> None:
    view = view_of([BUSAN.position, LOS_ANGELES.position], 720, 360)
    assert view.point(BUSAN.position)[0] < view.point(LOS_ANGELES.position)[0]


def test_place_without_position_stands_in_the_legend_alone() -> None:
    drawn = route_map([MapLeg(YANTIAN, NOWHERE, "road"), MapLeg(NOWHERE, MACAO, "road")])
    assert drawn is not None
    assert any("2 Depot 7 (not on the map)" in text for text in texts_of(drawn.wide))
    assert "Depot 7" in drawn.notes[0]
    assert "leg" not in re.findall(r'class="(\w+) road"', drawn.wide)


def test_far_route_has_the_delta_in_detail() -> None:
    hong_kong = map_place(Place(name="Hong Kong", territory="HK", unlocode="HKHKG"))
    drawn = route_map([MapLeg(YANTIAN, hong_kong, "road"), MapLeg(hong_kong, LOS_ANGELES, "sea")])
    assert drawn is not None
    assert drawn.wide.count("<svg") == 3
    assert "1, 2" in texts_of(drawn.wide), "one mark on the large map"


def test_hostile_names_are_text() -> None:
    drawn = route_map([MapLeg(YANTIAN._replace(name="<script>alert(1)</script>\u202e"), MACAO)])
    assert drawn is not None
    assert "<script" not in drawn.wide
    assert "\u202e" not in drawn.wide


@pytest.mark.parametrize("row", LOCATIONS, ids=lambda row: row["name_en"])
def test_each_known_place_but_districts_has_a_position(row: dict[str, str]) -> None:
    place = Place(name=row["name_en"], territory=row["territory"])
    position = position_of(place)
    assert (position is None) == (row["mode"] == "district")
    if position is not None:
        assert 21.5 <= position.latitude <= 23.6
        assert 113 <= position.longitude <= 114.5
        assert position_of(Place(name=row["name_zh"], territory=row["territory"])) == position
        if row["unlocode"]:
            assert position_of(Place(unlocode=row["unlocode"], territory=row["territory"])) == position


def test_name_says_more_than_the_port_that_it_belongs_to() -> None:
    crossing = position_of(Place(name="Man Kam To", unlocode="HKHKG", territory="HK"))
    assert crossing != position_of(Place(unlocode="HKHKG"))
    assert position_of(Place(name="Warehouse", territory="VN")) is None
    assert position_of(Place(territory="CN")) is None


def test_names_in_two_scripts_are_found_and_unknown_ones_not_guessed() -> None:
    both = Place(name="HZMB Hong Kong Port 港珠澳大橋香港口岸", unlocode="HKHKG", territory="HK")
    assert position_of(both) == position_of(Place(name="HZMB Hong Kong Port", territory="HK"))
    assert position_of(Place(name="Yard 7, Yuen Long", unlocode="HKHKG", territory="HK")) is None
    assert position_of(Place(name="Berth 12", unlocode="CNYTN", territory="CN")) is not None
