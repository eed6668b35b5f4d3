"""The list as a file: the one that comes with the gateway, a user's own, and every way in which a line can be wrong."""

from __future__ import annotations

import csv
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.risk import controlled_goods_file as module
from gateway.risk.controlled_goods import Confidence, ControlStatus, Interval
from gateway.risk.controlled_goods_file import (
    COLUMNS,
    load_controlled_goods,
    parse_controlled_goods,
    reference_controlled_goods,
)
from tests.support.shared import shared_path

GOOD = {
    "code": "81129290",
    "digits": "8",
    "hs6": "811292",
    "hs6_title": "Gallium, germanium",
    "element": "Ga",
    "substance": "gallium metal",
    "form": "powder",
    "control_code": "3C001",
    "announcement": "No.23",
    "announced": "2023-07-03",
    "effective": "2023-08-01",
    "effective_to": "",
    "suspended_from": "",
    "suspended_to": "",
    "suspended_by": "",
    "confidence": "high",
    "note": "",
}


def lines(*changes: dict[str, str]) -> list[str]:
    rows = [{**GOOD, **change} for change in changes]
    quoted = [",".join(f'"{row[column]}"' for column in COLUMNS) for row in rows]
    return [",".join(COLUMNS), *quoted]


def reference_rows(name: str) -> list[dict[str, str]]:
    text = resources.files("gateway.reference").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines(), strict=True))


def test_a_line_becomes_a_controlled_good() -> None:
    goods = parse_controlled_goods(
        lines({"suspended_from": "2025-11-07", "suspended_to": "2026-11-10", "suspended_by": "No.70"}), source="own.csv"
    )
    (good,) = goods
    assert good.effective == Interval(date(2023, 8, 1))
    assert good.suspensions == (Interval(date(2025, 11, 7), date(2026, 11, 10)),)
    assert (good.suspended_by, good.confidence, good.title) == ("No.70", Confidence.HIGH, "Gallium, germanium")
    assert (good.code, good.hs6, good.element, good.substance) == ("81129290", "811292", "Ga", "gallium metal")
    assert good.announced == date(2023, 7, 3)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"code": "8112929"}, "code: '8112929' doesn't agree"),
        ({"code": "8112929", "digits": "7"}, "must have 6, 8, 10 or 12 digits"),
        ({"digits": "10"}, "digits '10'"),
        ({"hs6": "811299"}, "hs6 '811299'"),
        ({"announced": "03/07/2023"}, "announced: '03/07/2023' is not a date YYYY-MM-DD"),
        ({"effective": ""}, "effective: the day on which the control begins is missing"),
        ({"effective": "20230801"}, "effective: '20230801' is not a date"),
        ({"effective": "2023-02-30"}, "effective: '2023-02-30' is not a date"),
        ({"effective_to": "2023-07-31"}, "effective_to: an interval can't end"),
        ({"suspended_to": "2026-11-10"}, "suspended_from: suspended_to is given without it"),
        ({"suspended_from": "2026-11-10", "suspended_to": "soon"}, "suspended_to: 'soon'"),
        ({"confidence": "sure"}, "confidence: 'sure' is not high, medium or low"),
    ],
)
def test_a_wrong_line_is_named_with_its_number_and_column(change: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_controlled_goods(lines({}, change), source="own.csv")
    assert caught.value.message.startswith("own.csv line 3: ")
    assert complaint in caught.value.message


def test_all_wrong_lines_are_named_at_once_up_to_a_bound() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_controlled_goods(lines({"digits": "1"}, {}, {"digits": "2"}), source="own.csv")
    assert [line.split(":")[0] for line in caught.value.message.splitlines()] == ["own.csv line 2", "own.csv line 4"]
    with pytest.raises(ConfigurationError) as caught:
        parse_controlled_goods(lines(*[{"digits": "1"}] * 25), source="own.csv")
    assert len(caught.value.message.splitlines()) == 21
    assert caught.value.message.endswith("and 5 more")


def test_a_file_of_another_shape_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"own\.csv has no column digits, hs6"):
        parse_controlled_goods(["code,element", "811292,Ga"], source="own.csv")
    with pytest.raises(ConfigurationError, match="no column code"):
        parse_controlled_goods([], source="own.csv")
    with pytest.raises(ConfigurationError, match="lists no goods"):
        parse_controlled_goods(lines(), source="own.csv")
    for broken in (f"{lines({})[1]},more", '"81129290","8"'):
        with pytest.raises(ConfigurationError, match="line 2: the line has another number of columns"):
            parse_controlled_goods([lines()[0], broken], source="own.csv")
    with pytest.raises(ConfigurationError, match="line 2: not CSV"):
        parse_controlled_goods([lines()[0], '"81129290'], source="own.csv")


def test_a_file_of_ones_own_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.csv"
    path.write_text("\n".join(lines({"element": "-"})), encoding="utf-8-sig")
    assert [good.element for good in load_controlled_goods(path)] == [""]
    with pytest.raises(ConfigurationError, match=r"none\.csv can't be read"):
        load_controlled_goods(tmp_path / "none.csv")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="can't be read"):
        load_controlled_goods(path)
    monkeypatch.setattr(module, "MAX_LIST_BYTES", 100)
    path.write_text("\n".join(lines({})), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="larger than 100 bytes"):
        load_controlled_goods(path)


def test_the_lists_that_come_with_the_gateway_hold_all_shared_lines() -> None:
    with shared_path("data/controlled_goods.csv").open(encoding="utf-8", newline="") as file:
        shared = list(csv.DictReader(file))
    ours = reference_controlled_goods()
    key = lambda g: (g.code, g.element or "-", g.substance, g.announcement, g.effective.first.isoformat())  # noqa: E731
    held = [key(good) for good in ours]
    wanted = [(r["code"], r["element"], r["substance"], r["announcement"], r["effective"]) for r in shared]
    assert len(ours) == len(shared) + 1 == 108
    assert [line for line in held if line[0] != "8112929010"] == wanted
    suspended = {good.code + good.element for good in ours if good.suspensions}
    assert suspended == {r["code"] + r["element"] for r in shared if r["status"]}


def test_locations_are_the_shared_ones() -> None:
    text = resources.files("gateway.reference").joinpath("locations.csv").read_text("utf-8")
    assert text.splitlines() == shared_path("data/locations.csv").read_text("utf-8").splitlines()


def test_goods_agree_with_their_announcements() -> None:
    announced = {row["announcement"]: row for row in reference_rows("announcements.csv")}
    columns = ("announced", "effective", "effective_to", "suspended_from", "suspended_to", "suspended_by")
    for row in reference_rows("controlled_goods.csv"):
        announcement = announced[row["announcement"]]
        assert {c: row[c] for c in columns} == {c: announcement[c] for c in columns}, row["code"]
        assert not row["suspended_by"] or row["suspended_by"] in announced


def test_no_suspension_is_left_as_a_note() -> None:
    with shared_path("data/announcements.csv").open(encoding="utf-8", newline="") as file:
        noted = {row["announcement"] for row in csv.DictReader(file) if "suspended" in row["status_note"]}
    rows = reference_rows("announcements.csv")
    suspended = {row["announcement"] for row in rows if row["suspended_from"]}
    assert suspended == noted
    assert {row["announcement"] for row in rows} >= {row["suspended_by"] for row in rows} - {""}
    for row in rows:
        for column in ("announced", "effective", "effective_to", "suspended_from", "suspended_to"):
            assert not row[column] or date.fromisoformat(row[column])
        assert bool(row["suspended_from"]) == bool(row["suspended_to"]) == bool(row["suspended_by"])
    parts = [(r["part"], r["suspended_to"]) for r in rows if r["announcement"] == "MOFCOM No.46 of 2024"]
    assert parts == [("paragraph 1", ""), ("paragraph 2", "2026-11-27")]


def test_suspended_elements_are_not_controlled_until_the_suspension_ends() -> None:
    goods = reference_controlled_goods()

    def elements(on: date) -> set[str]:
        return {match.good.element for match in goods.match("28053019", on, territory="CN")}

    assert elements(date(2025, 4, 3)) == set()
    assert elements(date(2026, 1, 15)) == {"Sm", "Gd", "Lu", "Sc"}
    assert elements(date(2026, 11, 10)) == elements(date(2026, 1, 15))
    assert elements(date(2026, 11, 11)) - elements(date(2026, 11, 10)) == {"Ho", "Er", "Tm", "Eu", "Yb"}


def test_the_misprinted_gallium_code_is_accepted_in_both_spellings() -> None:
    goods = reference_controlled_goods()
    for code in ("8110929010", "8112929010"):
        found = goods.match(code, date(2023, 8, 1), territory="CN")
        assert [match.good.element for match in found] == ["Ga"]
        assert goods.match(code, date(2023, 7, 31), territory="CN") == []
    assert {good.status_on(date(2021, 6, 30)) for good in goods} == {ControlStatus.NOT_YET}


def test_the_real_declarations_of_2021_have_127_controlled_subheadings_in_2026_and_none_then() -> None:
    goods = reference_controlled_goods()
    with shared_path("data/real/import_declarations.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    by_own_date = [row for row in rows if goods.match(row["HS6 Code"], date.fromisoformat(row["Date"]))]
    in_2026 = [row for row in rows if goods.match(row["HS6 Code"], date(2026, 1, 15))]
    assert (len(rows), len(by_own_date), len(in_2026)) == (8_481, 0, 127)
