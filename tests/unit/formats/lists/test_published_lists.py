"""Lists as the European Union, the United Kingdom, Hong Kong and OFAC publish them: our own samples in that form."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pytest

from gateway.errors import MalformedError
from gateway.formats.lists import eu, hk, uk
from gateway.formats.lists.csv_lists import read_csv
from gateway.formats.lists.formats import PUBLISHED, xml_format
from gateway.formats.lists.rows import BadRow, ListOptions, ListRow, Row, SkippedRow
from gateway.v1 import watchlist_pb2
from gateway.v1.watchlist_pb2 import WatchlistContent
from tests.support.published_lists import CON_LIST, EU_CSV, EU_XML, HK_XML, OFAC_XML, UK_XML
from tests.support.watchlists import OPTIONS, defaults

Read = Callable[[BinaryIO, ListOptions], Iterator[Row]]


def rows(name: str, text: str) -> list[Row]:
    return list(PUBLISHED[name](io.BytesIO(text.encode()), OPTIONS))


def entries(found: list[Row]) -> dict[str, WatchlistContent]:
    return {row.id: row.content for row in found if isinstance(row, ListRow)}


def names(content: WatchlistContent) -> dict[str, str]:
    kinds = watchlist_pb2.ListedNameKind
    return {each.text: kinds.Name(each.kind).removeprefix("LISTED_NAME_KIND_").lower() for each in content.names}


def identifiers(content: WatchlistContent) -> set[tuple[str, str, str, str]]:
    return {(each.scheme, each.value, each.territory, each.expires) for each in content.identifiers}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        *((EU_XML, "eu-xml"), (UK_XML, "uk-xml"), (CON_LIST, "uk-xml"), (OFAC_XML, "ofac-xml"), (HK_XML, "hk-xml")),
        *(("<CONSOLIDATED_LIST/>", "un-xml"), ("<html/>", "un-xml")),
    ],
)
def test_an_xml_file_says_itself_whose_list_it_is(text: str, name: str) -> None:
    assert xml_format(text.encode()) == name


def test_hong_kongs_xml_has_the_regulation_as_legal_basis() -> None:
    found = rows("hk-xml", HK_XML)
    assert [type(row) for row in found] == [ListRow, ListRow]
    person, firm = entries(found)["KPi.901"], entries(found)["KPe.902"]
    regulation = "United Nations Sanctions (Democratic People's Republic of Korea) Regulation, Cap. 537"
    assert person.legal_basis == firm.legal_basis == regulation
    assert person.reason == "United Nations Security Council list: DPRK; designation: Sample Representative"
    assert names(person) == {
        "PAK MUSTER": "primary", "박무스터": "alias", "Mr. Pak": "weak_alias",
        "Pak Mu-ster": "alias", "Park Muster": "alias",
    }  # fmt: skip
    assert (list(person.birth_dates), list(person.birth_periods)) == (["1972-09-18"], ["1984/1986"])
    assert [(place.city, place.territory) for place in person.birth_places] == [("Hamhung", "KP")]
    assert identifiers(person) == {("passport", "836000001", "KP", "")}
    assert list(person.territories) == ["KP"]
    assert person.valid_from.ToJsonString() == "2017-06-02T00:00:00Z"
    assert names(firm) == {
        "SAMPLE MINING DEVELOPMENT CORPORATION": "primary", "SMDC": "alias", "Sample Bureau": "former"
    }  # fmt: skip
    assert [(one.street, one.city, one.territory) for one in firm.addresses] == [
        ("Central District", "Pyongyang", "KP")
    ]
    assert not any(tag in person.remarks for tag in hk.NOT_READ)


def test_hong_kongs_list_of_another_regime_needs_a_legal_basis_of_the_operator() -> None:
    found = entries(rows("hk-xml", HK_XML.replace("<UN_LIST_TYPE>DPRK", "<UN_LIST_TYPE>Iran")))
    assert {content.legal_basis for content in found.values()} == {OPTIONS.defaults.legal_basis}


def test_the_european_unions_xml() -> None:
    found = rows("eu-xml", EU_XML)
    assert [type(row) for row in found] == [ListRow, ListRow]
    person, firm = entries(found)["13"], entries(found)["14"]
    assert names(person) == {"Karim Testov": "primary", "Abu Test": "weak_alias", "Карим Тестов": "alias"}
    assert list(person.territories) == ["IQ"]
    assert list(person.birth_dates) == ["1957-04-28"]
    assert set(person.birth_periods) == {"1958~", "1955/1959"}
    assert [(place.city, place.territory) for place in person.birth_places] == [("al-Awja", "IQ")]
    assert identifiers(person) == {("passport", "S1234567", "IQ", "")}
    assert [(one.street, one.city, one.territory) for one in person.addresses] == [("Street 1", "Basra, 61001", "IQ")]
    assert person.reason == "European Union sanctions: IRQ (1210/2003 (OJ L169); 1799/2003 (OJ L264))"
    assert person.valid_from.ToJsonString() == "2003-07-07T00:00:00Z"
    for said in (
        "Said twice.",
        "Born: 1377 (islamic calendar)",
        "passport S1234567: false; Kept",
        "Function: Minister",
    ):
        assert said in person.remarks.splitlines()
    assert firm.kind == watchlist_pb2.WATCHLIST_KIND_ORGANISATION


def test_the_european_unions_csv_puts_the_lines_of_an_entity_together() -> None:
    found = rows("eu-csv", EU_CSV)
    assert [(type(row), row.line) for row in found] == [(ListRow, 2), (ListRow, 7)]
    person, firm = entries(found)["13"], entries(found)["14"]
    assert names(person) == {"Karim Testov": "primary", "Abu Test": "alias"}
    assert (list(person.birth_dates), list(person.territories)) == (["1957-04-28"], ["IQ"])
    assert identifiers(person) == {("passport", "S1234567", "IQ", "")}
    assert person.reason == "European Union sanctions: IRQ"
    assert [(one.city, one.territory) for one in firm.addresses] == [("Dubai", "AE")]
    with pytest.raises(MalformedError, match="NameAlias_WholeName"):
        rows("eu-csv", "id,name\n1,A\n")


def test_the_uk_sanctions_list() -> None:
    found = rows("uk-xml", UK_XML)
    (bad,) = (row for row in found if isinstance(row, BadRow))
    assert (bad.id, bad.reason) == ("X1", "'Aeroplane' isn't one of individual, entity, ship")
    person, ship = entries(found)["AFG0006"], entries(found)["RUS0999"]
    assert names(person) == {
        "Wali Muster": "weak_alias",
        "MOHAMMAD HASSAN MUSTER": "primary",
        "MOHAMAD MUSTER": "alias",
        "محمد حسن": "alias",
    }
    assert list(person.birth_dates) == ["1945", "1946-03-07"]
    assert identifiers(person) == {("passport", "D000001", "AF", ""), ("national_id", "42", "", "")}
    assert [(one.street, one.city, one.territory) for one in person.addresses] == [("1 Road", "Kabul, 1001", "AF")]
    assert [(place.city, place.territory) for place in person.birth_places] == [("Kandahar", "AF")]
    assert person.valid_from.ToJsonString() == "2001-01-25T00:00:00Z"
    assert "National identification number 42: Issued in 2003 by the ministry" in person.remarks.splitlines()
    assert ship.kind == watchlist_pb2.WATCHLIST_KIND_VESSEL
    assert identifiers(ship) == {("imo", "9074729", "", "")}
    assert "Type of ship details: Tanker" in ship.remarks.splitlines()


def test_the_names_of_a_target_of_ofsis_list_are_one_entry_wherever_they_stand() -> None:
    person = entries(rows("uk-xml", CON_LIST))["7123"]
    assert names(person) == {"Mohammad Hassan MUSTER": "primary", "Wali Muster": "weak_alias"}
    assert list(person.birth_dates) == ["1945", "1946-03-07"]
    assert identifiers(person) == {("passport", "D000001", "AF", ""), ("passport", "D000002", "PK", "")}
    assert person.reason == "United Kingdom sanctions: Afghanistan"
    assert entries(rows("uk-xml", CON_LIST)).keys() == {"7123", "8"}


def test_ofacs_advanced_xml_keeps_a_passports_country_and_expiry() -> None:
    person = entries(rows("ofac-xml", OFAC_XML))["36"]
    assert person.kind == watchlist_pb2.WATCHLIST_KIND_PERSON
    assert names(person) == {"Muster LI": "primary", "李样本": "alias", "LAO LI": "weak_alias"}
    assert identifiers(person) == {("passport", "E1234567", "CN", "2030-05-06")}
    assert (list(person.birth_dates), list(person.territories)) == (["1972-09-18"], ["CN"])
    assert [(place.city, place.territory) for place in person.birth_places] == [("Dalian", "CN")]
    assert [(one.city, one.territory) for one in person.addresses] == [("Jakarta", "ID")]
    assert person.reason == "Sanctions programme: NPWMD"
    assert person.valid_from.ToJsonString() == "2009-04-07T00:00:00Z"
    assert "Gender: Male" in person.remarks.splitlines()


@pytest.mark.parametrize("name", ["eu-xml", "uk-xml"])
def test_a_file_that_ends_early_gives_what_it_has_and_says_so(name: str) -> None:
    text = {"eu-xml": EU_XML, "uk-xml": UK_XML}[name]
    found = rows(name, text[: text.rindex("</")])
    assert any(isinstance(row, BadRow) and "not well-formed" in row.reason for row in found)
    assert entries(found)
    with pytest.raises(MalformedError, match="document type"):
        rows(name, "<!DOCTYPE x><x/>")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("uk-xml", CON_LIST[: CON_LIST.index("Wali Muster")]),
        ("uk-xml", CON_LIST.replace("Wali Muster", "x" * (1 << 20))),
        ("ofac-xml", OFAC_XML[: OFAC_XML.index("<SanctionsEntries>")]),
        ("ofac-xml", OFAC_XML.replace("<CountryValues>", "<CountryValues>" + '<Country ID="1"/>' * 10_000)),
    ],
    ids=["targets cut off", "a target too long", "no entries", "reference values too long"],
)
def test_of_a_broken_file_whose_entries_need_all_of_it_nothing_is_used(name: str, text: str) -> None:
    found: list[Any] = rows(name, text)
    assert [type(row) for row in found] == [BadRow, BadRow]
    assert found[1].reason == (
        f"the file is broken at line {found[0].line}; nothing of it is used until the whole file can be read. "
        "Get the file from its source again"
    )


def test_a_party_of_ofacs_xml_that_is_too_long_spoils_no_other() -> None:
    long = f'<DistinctParty FixedRef="1"><Comment>{"x" * (1 << 20)}</Comment></DistinctParty>'
    found = rows("ofac-xml", OFAC_XML.replace("<DistinctParties>", f"<DistinctParties>{long}"))
    assert [type(row) for row in found] == [BadRow, ListRow]


def test_programmes_of_two_entries_of_a_party_are_joined_and_the_earliest_day_counts() -> None:
    start, end = OFAC_XML.index("<SanctionsEntry "), OFAC_XML.index("</SanctionsEntries>")
    listed = OFAC_XML[start:end]
    later = listed.replace("NPWMD", "IRAN").replace("2009", "2012")
    for text in (f"{listed}{later}", f"{later}{listed}"):
        person = entries(rows("ofac-xml", OFAC_XML[:start] + text + OFAC_XML[end:]))["36"]
        assert sorted(person.reason.removeprefix("Sanctions programme: ").split(", ")) == ["IRAN", "NPWMD"]
        assert person.valid_from.ToJsonString() == "2009-04-07T00:00:00Z"


EU_HEADER = "Entity_LogicalId;Entity_SubjectType;NameAlias_WholeName"


@pytest.mark.parametrize(
    ("lines", "broken", "refused", "whole"),
    [
        (["1;person;A B", '1;person;"C "D', "1;person;E F", "2;person;G H"], 3, {"1": 2}, {"2"}),
        (["1;person;A B", '2;person;"C "D', "2;person;E F", "3;person;G H"], 3, {"1": 2, "2": 4}, {"3"}),
        (["1;person;A B", '1;person;"C "D'], 3, {"1": 2}, set()),
        (['1;person;"C "D', "1;person;E F", "2;person;G H"], 2, {"1": 3}, {"2"}),
        (["1;person;A B", "1;person", "1;person;E F", "2;person;G H"], 3, {"1": 2}, {"2"}),
        (["1;person;A B", "1;person;C;D", "1;person;E F", "2;person;G H"], 3, {"1": 2}, {"2"}),
        (["1;person;A B", ";person;C D", "1;person;E F", "2;person;G H;;"], 3, {"1": 2}, {"2"}),
    ],
    ids=["in it", "before another", "at its end", "at its start", "too few cells", "too many cells", "no id"],
)
def test_an_entity_of_the_european_unions_csv_with_a_line_that_cant_be_read_is_refused(
    lines: list[str], broken: int, refused: dict[str, int], whole: set[str]
) -> None:
    found = rows("eu-csv", "\n".join([EU_HEADER, *lines]))
    reason = f"line {broken} can't be read and may belong to this entity, so it isn't known whole"
    wrong = [row for row in found if isinstance(row, BadRow)]
    assert [(row.line, row.id) for row in wrong if row.line == broken] == [(broken, "")]
    assert {row.id: row.line for row in wrong if row.reason == reason} == refused
    assert len(wrong) == 1 + len(refused)
    assert entries(found).keys() == whole


def test_an_entity_of_too_many_lines_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eu, "MOST_LINES", 3)
    lines = [f"1;person;A {n}" for n in range(4)] + [f"2;person;B {n}" for n in range(3)]
    found: list[Any] = rows("eu-csv", "\n".join([EU_HEADER, *lines]))
    assert [(type(row), row.line, row.id) for row in found] == [(BadRow, 2, "1"), (ListRow, 6, "2")]
    assert found[0].reason == "an entity has at most 3 lines, and this one goes on"


def con_list(names: int) -> str:
    targets = "".join(
        f"<FinancialSanctionsTarget><Name6>N {n}</Name6><GroupID>7</GroupID><OtherInformation>I {n}</OtherInformation>"
        f"<GroupTypeDescription>Individual</GroupTypeDescription></FinancialSanctionsTarget>"
        for n in range(names)
    )
    return f"<ArrayOfFinancialSanctionsTarget>{targets}</ArrayOfFinancialSanctionsTarget>"


def test_a_target_of_too_many_names_is_refused_whole() -> None:
    most = rows("uk-xml", con_list(uk.MOST_NAMES))
    assert [row.id for row in most if isinstance(row, BadRow) and row.field == "Name"] == ["7"]
    (beyond,) = rows("uk-xml", con_list(uk.MOST_NAMES + 1))
    assert isinstance(beyond, BadRow)
    assert (beyond.id, beyond.reason) == ("7", f"GroupID: a target has at most {uk.MOST_NAMES} names")


# Several lines of one entry in the gateway's own table


def table(text: str) -> list[Row]:
    return list(read_csv(io.BytesIO(text.encode()), ListOptions(list="own", defaults=defaults())))


def test_lines_of_one_entry_become_one_and_each_says_so() -> None:
    found = table(
        "id,kind,name,aliases,identifiers,birth_dates\n"
        "P-1,person,Li Muster,,passport:E1|CN,1972-09-18\n"
        "P-1,person,Lao Li,Old Li,passport:E2|CN,1972\n"
        "P-1,,,,,1973\n"
        "P-2,person,Other Person,,,\n"
    )
    assert [type(row) for row in found] == [SkippedRow, SkippedRow, ListRow, ListRow]
    assert {row.reason for row in found if isinstance(row, SkippedRow)} == {"this line is put into the entry of line 2"}
    person = entries(found)["P-1"]
    assert names(person) == {"Li Muster": "primary", "Lao Li": "alias", "Old Li": "alias"}
    assert identifiers(person) == {("passport", "E1", "CN", ""), ("passport", "E2", "CN", "")}
    assert set(person.birth_dates) == {"1972-09-18", "1972", "1973"}


def test_lines_that_contradict_each_other_are_no_entry() -> None:
    found: list[Any] = table("id,kind,name,reason\nP-1,person,Li,One\nP-1,organisation,Li,Two\n")
    assert [(row.line, row.field, row.reason) for row in found] == [
        (3, "kind", "kind: says something else than line 2"),
        (3, "reason", "reason: says something else than line 2"),
    ]


KIM = "id,kind,name,aliases,birth_dates\n"


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (["E-1,person,Kim Lee,KL,", "E-1,persn,Kim Lee,Kimmy,", "E-1,person,Kim Lee,K.L.,"], [(3, "E-1")]),
        (["E-1,persn,Kim Lee,KL,", "E-1,person,Kim Lee,Kimmy,", "E-1,person,Kim Lee,K.L.,"], [(2, "E-1")]),
        (["E-1,person,Kim Lee,KL,", "E-1,person,Kim Lee,Kimmy,", "E-1,persn,Kim Lee,K.L.,"], [(4, "E-1")]),
        (["E-1,person,Kim Lee,KL,", "E-1,organisation,Kim Lee,,", "E-1,person,Kim Lee,K.L.,"], [(3, "E-1")]),
        (["E-1,persn,Kim Lee,KL,", "E-1,persn,Kim Lee,Kimmy,"], [(2, "E-1"), (3, "E-1")]),
        (["E-1,person,Kim Lee,KL,", "E-1,person,Kim Lee", "E-1,person,Kim Lee,K.L.,"], [(3, "E-1")]),
        (["E-1,person,Kim Lee,KL,", 'E-1,person,"Kim "Lee,,', '"', "E-1,person,K,,"], [(2, "E-1"), (3, ""), (4, "")]),
        (["E-1,person,Kim Lee,KL,", ",person,Kim Lee,Kimmy,", "E-1,person,Kim Lee,K.L.,"], [(2, "E-1"), (3, "")]),
    ],
    ids=["within", "first", "last", "conflict", "two", "cells", "quoting", "no id"],
)
def test_a_line_that_cant_be_used_makes_its_whole_entry_bad(lines: list[str], wrong: list[tuple[int, str]]) -> None:
    found = table(KIM + "\n".join([*lines, "E-2,person,Other Person,,"]))
    assert entries(found).keys() == {"E-2"}
    assert [(row.line, row.id) for row in found if isinstance(row, BadRow)] == wrong


def test_a_line_with_a_cell_too_few_spoils_no_other_entry() -> None:
    found = table(KIM + "E-1,person,Kim Lee,,\nE-2,person\nE-3,person,Other Person,,")
    assert entries(found).keys() == {"E-1", "E-3"}
    assert [(row.line, row.id) for row in found if isinstance(row, BadRow)] == [(3, "E-2")]


def test_many_aliases_in_two_lines_are_joined_and_then_too_many() -> None:
    lines = [f"E-1,person,Kim Lee,{';'.join(f'K{line}{n}' for n in range(4_000))}," for line in "ab"]
    assert entries(table(KIM + "\n".join(lines))) == {}
