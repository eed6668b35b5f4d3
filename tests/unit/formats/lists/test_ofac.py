"""OFAC's three files: what each column and each form of remark becomes, joins, and wrong lines.

All names and numbers are invented.
"""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.formats.lists.ofac import read_ofac
from gateway.formats.lists.ofac_remarks import SCHEMES, read_remarks
from gateway.formats.lists.rows import BadRow, ListRow, SkippedRow
from gateway.v1 import watchlist_pb2
from gateway.v1.watchlist_pb2 import WatchlistContent
from tests.support.watchlists import OPTIONS, bad, good

SDN = """\
101,"EXAMPLE TRADING CO., LTD.",-0- ,"EXP1] [EXP2",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,"Unified Social Credit Code (USCC) 91350100M000100Y43 (China); Website www.example.com; Organization Established Date 01 Jan 2001."
102,"PLACEHOLDER, Person One","individual","EXP1","Director",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,"DOB 12 Jan 1963; alt. DOB Mar 1964; DOB circa 1965; POB Example City; nationality Iran; citizen Atlantis; Passport A1234567 (Iran) expires 01 Jan 2030; National ID No. 0000001; a.k.a. 'ONE'; Gender Male."
103,"EXAMPLE STAR","vessel","EXP2",-0- ,"XEXA1","Crude Oil Tanker","10,000","5,000","Panama","EXAMPLE SHIPPING",Vessel Registration Identification IMO 9074729; MMSI 412000001.
104,EX-ABC,"aircraft","EXP2",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,"Aircraft Tail Number EX-ABC; Aircraft Manufacturer's Serial Number (MSN) 00001."
\x1a
"""  # noqa: E501
ALT = """\
101,1,"aka","EXAMPLE TRADING",-0-
101,2,"fka","OLD EXAMPLE TRADING","until 2001"
102,3,"nka","PLACEHOLDER, Person Uno",-0-
"""
ADD = """\
101,1,"1 Example Road","Kowloon","Hong Kong",-0-
101,2,-0- ,"Shenzhen 518000","China","office"
102,3,-0- ,-0- ,"Iran",-0-
103,4,-0- ,"Pier 1","Atlantis",-0-
"""


def read(sdn: str = SDN, alt: str = ALT, add: str = ADD) -> list[object]:
    return list(read_ofac(*(io.BytesIO(text.encode()) for text in (sdn, alt, add)), OPTIONS))


def test_what_each_column_becomes() -> None:
    found = good(read())
    assert list(found) == ["101", "102", "103", "104"]
    company, person, vessel, aircraft = found.values()
    assert [content.kind for content in found.values()] == [
        watchlist_pb2.WATCHLIST_KIND_ORGANISATION,
        watchlist_pb2.WATCHLIST_KIND_PERSON,
        watchlist_pb2.WATCHLIST_KIND_VESSEL,
        watchlist_pb2.WATCHLIST_KIND_AIRCRAFT,
    ]
    assert [each.text for each in company.names] == [
        "EXAMPLE TRADING CO., LTD.",
        "EXAMPLE TRADING",
        "OLD EXAMPLE TRADING",
    ]
    assert company.names[2].kind == watchlist_pb2.LISTED_NAME_KIND_FORMER
    assert company.reason == "Sanctions programme: EXP1, EXP2"
    assert [(each.street, each.city, each.territory) for each in company.addresses] == [
        ("", "Shenzhen 518000", "CN"),
        ("1 Example Road", "Kowloon", "HK"),
    ]
    assert [(each.scheme, each.value) for each in company.identifiers] == [("uscc", "91350100M000100Y43")]
    assert "until 2001" in company.remarks
    assert "Organization Established Date 01 Jan 2001" in company.remarks

    assert [(each.text, each.kind) for each in person.names] == [
        ("Person One PLACEHOLDER", watchlist_pb2.LISTED_NAME_KIND_PRIMARY),
        ("Person Uno PLACEHOLDER", watchlist_pb2.LISTED_NAME_KIND_ALIAS),
        ("ONE", watchlist_pb2.LISTED_NAME_KIND_WEAK_ALIAS),
    ]
    assert list(person.birth_dates) == ["1963-01-12", "1964-03"]
    assert list(person.birth_periods) == ["1965~"]
    assert [(each.city, each.territory) for each in person.birth_places] == [("Example City", "")]
    assert list(person.territories) == ["IR"]
    assert [(each.scheme, each.value, each.territory, each.expires) for each in person.identifiers] == [
        ("national_id", "0000001", "", ""),
        ("passport", "A1234567", "IR", "2030-01-01"),
    ]
    assert person.remarks == "citizen Atlantis; Gender Male; Title: Director"

    assert [(each.scheme, each.value) for each in vessel.identifiers] == [
        ("call_sign", "XEXA1"),
        ("imo_ship", "9074729"),
        ("mmsi", "412000001"),
    ]
    assert list(vessel.territories) == ["PA"]
    assert vessel.remarks == (
        "Vessel type: Crude Oil Tanker; Tonnage: 10,000; Gross registered tonnage: 5,000; "
        "Vessel owner: EXAMPLE SHIPPING"
    )
    assert [each.city for each in vessel.addresses] == ["Pier 1, Atlantis"]
    assert [(each.scheme, each.value) for each in aircraft.identifiers] == [
        ("aircraft_registration", "EX-ABC"),
        ("aircraft_serial_number", "00001"),
    ]


@pytest.mark.parametrize("label", SCHEMES)
def test_every_form_of_identifier(label: str) -> None:
    content = WatchlistContent()
    assert read_remarks(f"{label} EX-0001.", content) == []
    assert [(each.scheme, each.value) for each in content.identifiers] == [(SCHEMES[label], "EX-0001")]


@pytest.mark.parametrize(
    ("text", "dates", "kept"),
    [
        ("DOB 1963", ["1963"], 0),
        ("DOB 1960 to 1962", ["1960/1962"], 0),
        ("DOB circa 1960 to 1962", ["1960~/1962~"], 0),
        ("alt. DOB circa May 1963", ["1963-05~"], 0),
        ("DOB 01 Jan 1900 to 31 Dec 1950", ["1900-01-01/1950-12-31"], 0),
        ("DOB 1960 to 31 Feb 1963", [], 1),
        ("DOB 31 Feb 1963", [], 1),
        ("DOB 01 Foo 1963", [], 1),
        ("DOB 0000", [], 1),
    ],
)
def test_forms_of_birth_dates(text: str, dates: list[str], kept: int) -> None:
    content = WatchlistContent()
    assert len(read_remarks(text, content)) == kept
    assert [*content.birth_dates, *content.birth_periods] == dates


@pytest.mark.parametrize(
    ("text", "carried", "kept"),
    [
        ("Passport A1 (Iran)", ("A1", "IR", ""), 0),
        ("Passport A1 (Iran) issued 01 Jan 2020 expires 01 Jan 2030", ("A1", "IR", "2030-01-01"), 1),
        ("Passport A1 expires 2030", ("A1", "", "2030"), 0),
        ("Passport A1 (Atlantis) expires 01 Jan 2030", ("A1", "", "2030-01-01"), 1),
        ("Passport A1 (Iran) expires 31 Feb 2030", ("A1", "IR", ""), 1),
        ("Passport A1 (Iran) (expired)", ("A1", "", ""), 1),
    ],
)
def test_who_issued_a_document_and_until_when(text: str, carried: tuple[str, str, str], kept: int) -> None:
    content = WatchlistContent()
    assert len(read_remarks(text, content)) == kept
    assert [(each.value, each.territory, each.expires) for each in content.identifiers] == [carried]


@pytest.mark.parametrize(
    ("text", "city", "territory"),
    [
        ("POB Example City, Liaoning, China", "Example City, Liaoning", "CN"),
        ("alt. POB Iran", "", "IR"),
        ("POB near Atlantis", "near Atlantis", ""),
    ],
)
def test_places_of_birth(text: str, city: str, territory: str) -> None:
    content = WatchlistContent()
    assert read_remarks(text, content) == []
    assert [(each.city, each.territory) for each in content.birth_places] == [(city, territory)]


def test_the_order_of_alt_and_add_means_nothing() -> None:
    turned = ["\n".join(reversed(text.splitlines())) for text in (ALT, ADD)]
    assert good(read(SDN, *turned)) == good(read())


def test_wrong_lines_are_named_and_half_an_entry_never_comes_out() -> None:
    sdn = SDN + '105,"X","submarine"' + ",-0-" * 9 + "\n106,short\n"
    alt = ALT + '103,9,"aka"\n"unclosed\n'
    rows = read(sdn, alt, ADD + "999" + ",-0-" * 5 + "\n")
    assert [row.id for row in rows if isinstance(row, ListRow)] == ["101", "102", "104"]
    assert bad(rows) == [
        (4, "103", "alt"),
        (5, "", "alt"),
        (3, "103", ""),
        (6, "105", "SDN_Type"),
        (7, "", ""),
    ]
    assert [row.id for row in rows if isinstance(row, SkippedRow)] == ["999"]
    assert all(isinstance(row, ListRow | BadRow | SkippedRow) for row in rows)


def test_alt_and_add_may_be_missing() -> None:
    found = good(read_ofac(io.BytesIO(SDN.encode()), None, None, OPTIONS))
    assert len(found["101"].names) == 1


@given(st.binary(max_size=80), st.integers(0, 900), st.integers(0, 2))
def test_no_bytes_make_the_reader_fail_otherwise(noise: bytes, at: int, which: int) -> None:
    files = [text.encode() for text in (SDN, ALT, ADD)]
    files[which] = files[which][:at] + noise + files[which][at:]
    rows: list[object] = []
    with contextlib.suppress(GatewayError):
        rows.extend(read_ofac(*map(io.BytesIO, files), OPTIONS))
    assert all(isinstance(row, ListRow | BadRow | SkippedRow) for row in rows)
