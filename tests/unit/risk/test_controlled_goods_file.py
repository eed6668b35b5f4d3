"""The list as a file: the one that comes with the gateway, a user's own, and every way in which a line can be wrong."""

from __future__ import annotations

import csv
from datetime import date
from importlib import resources
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.formats.tables import reference_tables
from gateway.risk.announcements import Announcements, Measure
from gateway.risk.controlled_goods import Basket
from gateway.risk.controlled_goods_file import (
    ANNOUNCEMENT_COLUMNS,
    COLUMNS,
    load_controlled_goods,
    parse_announcements,
    parse_controlled_goods,
)
from gateway.risk.validity import Confidence, ControlStatus, Interval, Suspension
from tests.support.public_files import DECLARATIONS, REFERENCE

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
    "basket": "subheading",
    "confidence": "high",
    "source": "two copies",
    "note": "",
}
LICENCE = {
    "announcement": "No.23",
    "part": "",
    "measure": "licence",
    "applies_to": "",
    "destinations": "",
    "announced": "2023-07-03",
    "effective": "2023-08-01",
    "effective_to": "",
    "afterwards": "",
    "subject": "gallium items",
    "confidence": "high",
    "source": "two copies",
    "note": "",
}
SUSPENSION = LICENCE | {
    "announcement": "No.70",
    "measure": "suspension",
    "applies_to": "No.23",
    "announced": "2025-11-07",
    "effective": "2025-11-07",
    "effective_to": "2026-11-10",
}
REFUSED = LICENCE | {"announcement": "No.46", "measure": "refused", "applies_to": "No.23", "destinations": "US"}


def table(columns: tuple[str, ...], rows: list[dict[str, str]]) -> list[str]:
    return [",".join(columns), *(",".join(f'"{row[column]}"' for column in columns) for row in rows)]


def lines(*changes: dict[str, str]) -> list[str]:
    return table(COLUMNS, [GOOD | change for change in changes])


def announced(*rows: dict[str, str]) -> Announcements:
    return parse_announcements(table(ANNOUNCEMENT_COLUMNS, [LICENCE, *rows]), source="announced.csv")


def reference_rows(name: str) -> list[dict[str, str]]:
    text = resources.files("gateway.reference").joinpath(name).read_text("utf-8")
    return list(csv.DictReader(text.splitlines(), strict=True))


def test_a_line_becomes_a_controlled_good_with_its_announcements_days() -> None:
    (good,) = parse_controlled_goods(lines({}), announced(SUSPENSION), source="own.csv")
    assert good.validity.effective == Interval(date(2023, 8, 1))
    assert good.validity.suspensions == (Suspension(Interval(date(2025, 11, 7), date(2026, 11, 10)), "No.70"),)
    assert (good.confidence, good.title, good.basket) == (Confidence.HIGH, "Gallium, germanium", Basket.SUBHEADING)
    assert (good.code, good.hs6, good.element, good.substance) == ("81129290", "811292", "Ga", "gallium metal")
    assert (good.announced, good.source) == (date(2023, 7, 3), "two copies")


def test_one_line_of_the_announcements_says_what_followed_a_suspension() -> None:
    after = date(2026, 11, 11)
    for change, status in (
        ({}, ControlStatus.SUSPENSION_ENDED),
        ({"afterwards": "in force"}, ControlStatus.IN_FORCE),
        ({"effective_to": "2027-11-10"}, ControlStatus.SUSPENDED),
    ):
        (good,) = parse_controlled_goods(lines({}), announced(SUSPENSION | change), source="own.csv")
        assert good.status_on(after) is status


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"code": "8112929"}, "code: '8112929' doesn't agree"),
        ({"code": "8112929", "digits": "7"}, "must have 6, 8, 10 or 12 digits"),
        ({"digits": "10"}, "digits '10'"),
        ({"hs6": "811299"}, "hs6 '811299'"),
        ({"announcement": "No.24"}, "announcement: 'No.24' is not among the announcements with licences"),
        ({"announcement": "No.46"}, "announcement: 'No.46' is not among the announcements with licences"),
        ({"basket": "yes"}, "basket: 'yes' is not one of empty, code, subheading"),
        ({"confidence": "sure"}, "confidence: 'sure' is not high, medium or low"),
    ],
)
def test_a_wrong_line_is_named_with_its_number_and_column(change: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_controlled_goods(lines({}, change), announced(REFUSED), source="own.csv")
    assert caught.value.message.startswith("own.csv line 3: ")
    assert complaint in caught.value.message


def test_all_wrong_lines_are_named_at_once_up_to_a_bound() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_controlled_goods(lines({"digits": "1"}, {}, {"digits": "2"}), announced(REFUSED), source="own.csv")
    assert [line.split(":")[0] for line in caught.value.message.splitlines()] == ["own.csv line 2", "own.csv line 4"]
    with pytest.raises(ConfigurationError) as caught:
        parse_controlled_goods(lines(*[{"digits": "1"}] * 25), announced(REFUSED), source="own.csv")
    assert len(caught.value.message.splitlines()) == 21
    assert caught.value.message.endswith("and 5 more")


def test_a_file_of_another_shape_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"own\.csv has no column digits, hs6"):
        parse_controlled_goods(["code,element", "811292,Ga"], announced(REFUSED), source="own.csv")
    with pytest.raises(ConfigurationError, match="no column code"):
        parse_controlled_goods([], announced(REFUSED), source="own.csv")
    with pytest.raises(ConfigurationError, match="lists no goods"):
        parse_controlled_goods(lines(), announced(REFUSED), source="own.csv")
    for broken in (f"{lines({})[1]},more", '"81129290","8"'):
        with pytest.raises(ConfigurationError, match="line 2: the line has another number of columns"):
            parse_controlled_goods([lines()[0], broken], announced(REFUSED), source="own.csv")
    with pytest.raises(ConfigurationError, match="line 2: not CSV"):
        parse_controlled_goods([lines()[0], '"81129290'], announced(REFUSED), source="own.csv")


def test_a_file_of_ones_own_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "own.csv"
    path.write_text("\n".join(lines({"element": "-"})), encoding="utf-8-sig")
    known = tmp_path / "announced.csv"
    known.write_text("\n".join(table(ANNOUNCEMENT_COLUMNS, [LICENCE])), encoding="utf-8")
    assert [good.element for good in load_controlled_goods(path, known)] == [""]
    with pytest.raises(ConfigurationError, match=r"'No\.23' is not among the announcements"):
        load_controlled_goods(path)
    with pytest.raises(ConfigurationError, match=r"none\.csv can't be read"):
        load_controlled_goods(tmp_path / "none.csv")
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigurationError, match="can't be read"):
        load_controlled_goods(path)
    monkeypatch.setattr(reference_tables, "MAX_TABLE_BYTES", 100)
    path.write_text("\n".join(lines({})), encoding="utf-8")
    with pytest.raises(ConfigurationError, match="larger than 100 bytes"):
        load_controlled_goods(announcements=path)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (
            {"measure": "ban"},
            "measure: 'ban' is not one of licence, refused, review, military, control_list, watch_list, abroad",
        ),
        ({"announced": "03/07/2023"}, "announced: '03/07/2023' is not a date YYYY-MM-DD"),
        ({"effective": ""}, "effective: '' is not a date"),
        ({"effective": "2023-02-30"}, "effective: '2023-02-30' is not a date"),
        ({"effective_to": "2023-07-31"}, "effective_to: an interval can't end"),
        ({"destinations": "US|usa"}, "destinations: 'usa' is not a country"),
        ({"afterwards": "in force"}, "afterwards: only a suspension has it"),
        ({"confidence": "sure"}, "confidence: 'sure' is not high, medium or low"),
        ({"applies_to": "No.1"}, "No.1 in applies_to is not an announcement here"),
        ({"announcement": "No.23"}, "two lines have one announcement and part"),
    ],
)
def test_a_wrong_announcement_is_named(change: dict[str, str], complaint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        announced(LICENCE | {"announcement": "No.24"} | change)
    assert caught.value.message.startswith("announced.csv")
    assert complaint in caught.value.message


CORRECTED = {
    "285390": "28539040",  # indium phosphide: phosphides alone
    "284290": "28429020",  # cadmium telluride
    "810210": "81021000",
    "810610": "8106101091",
    "810690": "8106901019",
    "850511": "85051110",  # magnets of rare-earth metals
    "28053019Lu": "2805301910",
    "28053019Sc": "2805301800",
    "28469019Lu": "2846901993",
    "28469019Sc": "2846901980",
}
"""Lines of the tests' list, with the code that the tariff's own words give."""


def test_the_list_holds_all_lines_of_the_reference_under_their_own_or_a_corrected_code() -> None:
    held = {(good.code[:width], good.element) for good in load_controlled_goods() for width in (6, 8, 10)}
    with (REFERENCE / "controlled_goods.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            code, element = row["code"], row["element"].replace("-", "")
            assert (CORRECTED.get(code + element, CORRECTED.get(code, code)), element) in held


def test_the_list_has_every_announcement_of_goods_and_all_its_elements() -> None:
    goods = load_controlled_goods()
    elements: dict[str, set[str]] = {}
    for good in goods:
        elements.setdefault(good.announcement, set()).add(good.element)
    named = {name.partition(" No.")[2]: found - {""} for name, found in elements.items()}
    assert named == {
        "23 of 2023": {"Ga", "Ge"},
        "39 of 2023": {"C"},
        "33 of 2024": {"Sb"},
        "51 of 2024": {"Bi"},
        "10 of 2025": {"W", "Te", "Bi", "Mo", "In"},
        "18 of 2025": {"Sm", "Gd", "Tb", "Dy", "Lu", "Sc", "Y"},
        "55 of 2025": set(),
        "56 of 2025": set(),
        "57 of 2025": {"Ho", "Er", "Tm", "Eu", "Yb"},
        "58 of 2025": set(),
    }
    of_18 = [good for good in goods if good.announcement.endswith("No.18 of 2025")]
    for element in named["18 of 2025"]:
        about = " / ".join(good.substance for good in of_18 if good.element == element)
        for kind in ("metal", "alloys", "targets", "oxide", "mixtures", "compounds"):
            assert kind in about, f"{element} has no {kind}"
    assert {good.code for good in of_18 if good.element == "Lu" and "metal" in good.substance} == {"2805301910"}
    assert {good.code for good in of_18 if good.element == "Sc" and "metal" in good.substance} == {"2805301800"}


def test_every_line_has_a_source_and_an_unconfirmed_one_says_so() -> None:
    for row in reference_rows("controlled_goods.csv"):
        assert row["source"], row
        if row["confidence"] == "low":
            assert row["note"], row
    for row in reference_rows("announcements.csv"):
        assert row["source"], row


def test_a_code_is_high_only_where_the_announcement_itself_was_seen() -> None:
    for row in reference_rows("controlled_goods.csv"):
        if row["confidence"] == "high":
            assert row["source"].startswith("announcement"), row


SUSPENDED = {
    "MOFCOM No.21 of 2025",
    "MOFCOM No.22 of 2025",
    "MOFCOM No.46 of 2024",
    "MOFCOM/GACC No.55 of 2025",
    "MOFCOM/GACC No.56 of 2025",
    "MOFCOM/GACC No.57 of 2025",
    "MOFCOM/GACC No.58 of 2025",
    "MOFCOM No.61 of 2025",
    "MOFCOM No.62 of 2025",
}
"""By No.70 of 2025; the lists of entities by statements, No.46 (in part) by No.72."""


def test_no_suspension_is_left_as_a_note() -> None:
    announcements = load_controlled_goods().announcements
    suspended = {row.name for row in announcements if announcements.suspensions(row.key)}
    assert suspended == SUSPENDED
    ends = {suspension.days.last for row in announcements for suspension in announcements.suspensions(row.key)}
    assert ends == {date(2025, 8, 11), date(2025, 11, 10), date(2026, 11, 10), date(2026, 11, 27)}
    assert not any(row.resumed for row in announcements)
    paragraph_1 = next(row for row in announcements if row.part == "paragraph 1")
    assert (paragraph_1.measure, announcements.suspensions(paragraph_1.key)) == (Measure.MILITARY, ())


@pytest.mark.parametrize(
    ("announcement", "destination", "day", "said"),
    [
        ("MOFCOM/GACC No.33 of 2024", "US", date(2024, 12, 2), []),
        ("MOFCOM/GACC No.33 of 2024", "US", date(2025, 11, 8), ["military in force", "refused in force"]),
        ("MOFCOM/GACC No.33 of 2024", "US", date(2026, 11, 27), ["military in force", "refused suspended"]),
        (
            "MOFCOM/GACC No.33 of 2024",
            "US",
            date(2026, 11, 28),
            ["military in force", "refused suspension ended, not verified"],
        ),
        ("MOFCOM/GACC No.39 of 2023", "US", date(2025, 1, 1), ["military in force", "review in force"]),
        ("MOFCOM/GACC No.10 of 2025", "US", date(2025, 3, 1), ["military in force"]),
        ("MOFCOM/GACC No.10 of 2025", "JP", date(2026, 1, 5), []),
        ("MOFCOM/GACC No.10 of 2025", "JP", date(2026, 1, 6), ["military in force"]),
        ("MOFCOM/GACC No.33 of 2024", "VN", date(2025, 11, 8), []),
    ],
)
def test_destinations_are_restricted_by_the_announcements(
    announcement: str, destination: str, day: date, said: list[str]
) -> None:
    found = load_controlled_goods().announcements.restrictions(announcement, destination, day)
    assert [f"{one.announcement.measure} {one.status}" for one in found] == said
    assert all(destination in one.text for one in found)


def test_suspended_elements_are_controlled_again_when_the_suspension_ends() -> None:
    goods = load_controlled_goods()

    def elements(on: date) -> set[str]:
        return {match.good.element for match in goods.match("28053019", on, territory="CN")}

    assert elements(date(2025, 4, 3)) == set()
    assert elements(date(2026, 1, 15)) == {"Sm", "Gd", "Lu"}
    assert elements(date(2026, 11, 10)) == elements(date(2026, 1, 15))
    after = goods.match("28053019", date(2026, 11, 11), territory="CN")
    unverified = {match.good.element for match in after if match.status is ControlStatus.SUSPENSION_ENDED}
    assert unverified == {"Ho", "Er", "Tm", "Eu", "Yb"}
    assert {match.confidence for match in after if match.good.element in unverified} == {Confidence.MEDIUM}


def test_the_misprinted_gallium_code_is_accepted_in_both_spellings() -> None:
    goods = load_controlled_goods()
    for code in ("8110929010", "8112929010"):
        found = goods.match(code, date(2023, 8, 1), territory="CN")
        assert [match.good.element for match in found] == ["Ga"]
        assert goods.match(code, date(2023, 7, 31), territory="CN") == []
    assert {good.status_on(date(2021, 6, 30)) for good in goods} == {ControlStatus.NOT_YET}


def test_declarations_of_2021_have_listed_subheadings_in_2026_and_none_then() -> None:
    goods = load_controlled_goods()
    with DECLARATIONS.path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    by_own_date = [row for row in rows if goods.match(row["HS6 Code"], date.fromisoformat(row["Date"]))]
    in_2026 = [row for row in rows if goods.match(row["HS6 Code"], date(2026, 1, 15))]
    assert (len(rows), len(by_own_date), len(in_2026)) == (DECLARATIONS.lines, 0, DECLARATIONS.listed)
