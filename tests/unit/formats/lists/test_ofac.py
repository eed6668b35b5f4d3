"""OFAC's files: what each column and each form of remark becomes, joins, and wrong lines.

All names and numbers are invented.
"""

from __future__ import annotations

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import GatewayError
from gateway.formats.lists.csv_lists import read_csv, write_csv
from gateway.formats.lists.ftm import read_ftm
from gateway.formats.lists.ftm_export import write_ftm
from gateway.formats.lists.json_lines import read_json_lines, write_json_lines
from gateway.formats.lists.ofac.kinds import ItemKind, ReadsAs, kinds
from gateway.formats.lists.ofac.reader import read_ofac
from gateway.formats.lists.ofac.remarks import read_remarks
from gateway.formats.lists.rows import BadRow, ListRow, SkippedRow
from gateway.formats.lists.stix import write_stix
from gateway.v1 import watchlist_pb2
from gateway.v1.watchlist_pb2 import WATCHLIST_KIND_ORGANISATION, WATCHLIST_KIND_VESSEL, WatchlistContent
from tests.support.watchlists import OPTIONS, bad, entry, good

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
    assert [(each.scheme, each.value, each.territory) for each in company.identifiers] == [
        ("uscc", "91350100M000100Y43", "CN"),
        ("website", "www.example.com", ""),
    ]
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


VALUES = {"email": "a@example.com", "website": "www.example.com", "telephone": "+98 21 0000001"}
VALUES |= dict.fromkeys(("fax", "telex"), "0000001")
NUMBERED = [kind for kind in kinds() if kind.scheme]


def identifiers(text: str, content: WatchlistContent | None = None) -> list[tuple[str, str, str, str]]:
    content = content or WatchlistContent()
    read_remarks(text, content)
    return [(each.scheme, each.value, each.territory, each.expires) for each in content.identifiers]


def item_of(kind: ItemKind) -> tuple[str, str]:
    """An item of a kind, and the value in it."""
    value = {**VALUES, "imo_ship": "9074729", "lei": "5299000000000000TE01"}.get(kind.scheme, "AB0001")
    currency = "XBT " if kind.scheme == "digital_currency_address" else ""
    return f"{kind.label} {currency}{value}", value


def test_every_kind_of_identifier_is_read_in_every_form() -> None:
    for kind in NUMBERED:
        item, value = item_of(kind)
        (plain,) = identifiers(item)
        assert plain[0].startswith(kind.scheme), item
        assert plain[1:] == (value, "", ""), item
        for form in (f"alt. {item}", f"Alt. {item}.", item.upper() if kind.reads_as is ReadsAs.IDENTIFIER else item):
            assert identifiers(form) == [plain], form
        assert identifiers(f"{item}; alt. {item}0") == [plain, *identifiers(f"{item}0")], item
        if kind.reads_as is ReadsAs.IDENTIFIER:
            said = f"{item} (Korea, North) issued 01 Jan 2020 expires 31 Dec 2029"
            assert identifiers(said) == [(*plain[:2], "KP", "2029-12-31")], item


def test_every_other_kind_is_understood() -> None:
    for kind in kinds():
        if kind.reads_as is ReadsAs.WORDS:
            for item in (f"{kind.label}: Placeholder", f"alt. {kind.label} Placeholder"):
                assert read_remarks(item, WatchlistContent()) == ((item,), ())


@pytest.mark.parametrize(
    ("item", "found"),
    [
        ("Identification Number IMO 5000001", ("imo_company", "5000001", "", "")),
        ("Company Number IMO 5000001", ("imo_company", "5000001", "", "")),
        ("Folio Mercantil No. 00001 (Example City) (Mexico)", ("folio_mercantil", "00001", "MX", "")),
        ("National ID No. A000001(4) (Hong Kong)", ("national_id", "A000001(4)", "HK", "")),
        ("Passport Booklet: A0000001 (Pakistan)", ("passport", "A0000001", "PK", "")),
        ("Folio Mercantil No. 00001 Distrito Federal (Mexico)", ("folio_mercantil", "00001", "MX", "")),
        ("Legal Entity Number 000000001 (Netherlands)", ("legal_entity_number", "000000001", "NL", "")),
        ("International Maritime Organization No. (5000001)", ("imo_company", "5000001", "", "")),
        ("C.U.R.P. # XEXX000001HXXXXX00 (Mexico)", ("curp", "XEXX000001HXXXXX00", "MX", "")),
        ("RFC XEX-000001-XX0 (Mexico)", ("rfc", "XEX-000001-XX0", "MX", "")),
        ("Digital Currency Address - ETH 0xabc001", ("digital_currency_address_eth", "0xabc001", "", "")),
        ("Telephone (98)(21)(0000001)", ("telephone", "(98)(21)(0000001)", "", "")),
        ("a@example.com", ("email", "a@example.com", "", "")),
        ("Passport A0000001 expires 01 Jan 2026 to 31 Dec 2026", ("passport", "A0000001", "", "")),
        ("Atlantic Fishing Licence 00001 (Iran)", ("atlantic_fishing_licence", "00001", "IR", "")),
        ("Passport OR000001 and another one issued under the name X", ("passport", "OR000001", "", "")),
    ],
)
def test_forms_of_identifiers(item: str, found: tuple[str, str, str, str]) -> None:
    assert identifiers(item, WatchlistContent(kind=WATCHLIST_KIND_ORGANISATION)) == [found]


def test_a_number_of_a_vessel_is_a_ships() -> None:
    for item in ("Identification Number IMO 9074729", "Vessel Registration Identification IMO 9074729", "IMO: 9074729"):
        found = identifiers(item, WatchlistContent(kind=WATCHLIST_KIND_VESSEL))
        assert found == [("imo_ship", "9074729", "", "")], item


@pytest.mark.parametrize(
    "item",
    [
        "Member of the Example Assembly",
        "Passport issued in Example City",
        "License to operate in the region",
        "M0000001/104,issued 12 September 1993",
        "Passport A0000001 (Atlantis)",
        "nationality Atlantis",
        "DOB sometime in the eighties",
        "Registration Number 0000001, Doc. 0000002 (Panama)",
        "Passport " + "A1" * 65,
    ],
)
def test_what_isnt_understood_stays_in_words_and_is_told(item: str) -> None:
    assert read_remarks(item, WatchlistContent()) == ((item,), (item,))


def test_names_in_remarks() -> None:
    content = WatchlistContent()
    assert read_remarks("a.k.a. 'P'U LI'; f.k.a. 'OLD ONE'; a.k.a. \"TWO\".", content) == ((), ())
    assert [(name.text, name.kind) for name in content.names] == [
        ("P'U LI", watchlist_pb2.LISTED_NAME_KIND_WEAK_ALIAS),
        ("OLD ONE", watchlist_pb2.LISTED_NAME_KIND_FORMER),
        ("TWO", watchlist_pb2.LISTED_NAME_KIND_WEAK_ALIAS),
    ]


def sdn_of(remarks: str, entry_id: int = 101) -> str:
    return f'{entry_id},"EXAMPLE CO",-0- ,"EXP1",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,"{remarks}"\n'


def test_remarks_go_on_in_sdn_comments_also_inside_a_word() -> None:
    whole = "; ".join(f"alt. Digital Currency Address - XBT 1Example{number:05}" for number in range(40)) + "."
    streams = [io.BytesIO(text.encode()) for text in (sdn_of(whole[:1000]), f'101,"{whole[1000:]}"\n')]
    (row,) = read_ofac(streams[0], None, None, OPTIONS, comments=streams[1])
    assert isinstance(row, ListRow)
    assert sorted(each.value for each in row.content.identifiers) == [f"1Example{number:05}" for number in range(40)]
    assert row.not_understood == ()


def test_a_cut_item_is_no_identifier_and_is_told() -> None:
    whole = "; ".join(f"alt. Digital Currency Address - XBT 1Example{number:05}" for number in range(40)) + "."
    (row,) = read_ofac(io.BytesIO(sdn_of(whole[:1000]).encode()), None, None, OPTIONS)
    assert isinstance(row, ListRow)
    (cut,) = row.not_understood
    assert whole[:1000].endswith(cut)
    assert len(row.content.identifiers) == whole[:1000].count("; ")


def test_what_was_read_is_written_and_read_again() -> None:
    said = "; ".join(item_of(kind)[0] for kind in NUMBERED)
    said += (
        "; Passport A0000002 (Iran) expires 2030; DOB 1963; DOB circa 1960; POB Example City, Korea, North; a.k.a. 'B'"
    )
    files = io.BytesIO(sdn_of(said[:1000]).encode()), io.BytesIO(f'101,"{said[1000:]}"'.encode())
    content = good(read_ofac(files[0], None, None, OPTIONS, comments=files[1]))["101"]
    assert len(content.identifiers) >= 110
    for write, read in ((write_csv, read_csv), (write_json_lines, read_json_lines), (write_ftm, read_ftm)):
        stream = io.BytesIO()
        write(stream, [entry("101", content)])
        stream.seek(0)
        again = good(read(stream, OPTIONS))["101"]
        for field in ("names", "identifiers", "birth_dates", "birth_periods", "birth_places", "territories", "remarks"):
            assert getattr(again, field) == getattr(content, field), (write.__name__, field)
    stream = io.BytesIO()
    write_stix(stream, "cn", [entry("101", content)])
    assert all(identifier.value in stream.getvalue().decode() for identifier in content.identifiers)


@pytest.mark.parametrize(
    ("text", "dates", "kept"),
    [
        ("DOB 1963", ["1963"], 0),
        ("DOB 1960 to 1962", ["1960/1962"], 0),
        ("DOB circa 1960 to 1962", ["1960~/1962~"], 0),
        ("alt. DOB circa May 1963", ["1963-05~"], 0),
        ("DOB 01 Jan 1900 to 31 Dec 1950", ["1900-01-01/1950-12-31"], 0),
        ("DOB 1960 to 31 Feb 1963", [], 1),
        ("DOB circa 1979-1982", ["1979~/1982~"], 0),
        ("DOB 31 Feb 1963", [], 1),
        ("DOB 01 Foo 1963", [], 1),
        ("DOB 0000", [], 1),
    ],
)
def test_forms_of_birth_dates(text: str, dates: list[str], kept: int) -> None:
    content = WatchlistContent()
    assert len(read_remarks(text, content).kept) == kept
    assert [*content.birth_dates, *content.birth_periods] == dates


@pytest.mark.parametrize(
    ("text", "carried", "kept"),
    [
        ("Passport A1 (Iran)", ("A1", "IR", ""), 0),
        ("Passport A1 (Iran) issued 01 Jan 2020 expires 01 Jan 2030", ("A1", "IR", "2030-01-01"), 1),
        ("Passport A1 expires 2030", ("A1", "", "2030"), 0),
        ("Passport A1 (Atlantis) expires 01 Jan 2030", ("A1", "", "2030-01-01"), 1),
        ("Passport A1 (Iran) expires 31 Feb 2030", ("A1", "IR", ""), 1),
        ("Passport A1 (Iran) (expired)", ("A1", "IR", ""), 1),
    ],
)
def test_who_issued_a_document_and_until_when(text: str, carried: tuple[str, str, str], kept: int) -> None:
    content = WatchlistContent()
    assert len(read_remarks(text, content).kept) == kept
    assert [(each.value, each.territory, each.expires) for each in content.identifiers] == [carried]


@pytest.mark.parametrize(
    ("text", "city", "territory"),
    [
        ("POB Example City, Liaoning, China", "Example City, Liaoning", "CN"),
        ("alt. POB Iran", "", "IR"),
        ("POB near Atlantis", "near Atlantis", ""),
        ("Alt. POB: Example City, Congo, Democratic Republic of the", "Example City", "CD"),
    ],
)
def test_places_of_birth(text: str, city: str, territory: str) -> None:
    content = WatchlistContent()
    assert read_remarks(text, content) == ((), ())
    assert [(each.city, each.territory) for each in content.birth_places] == [(city, territory)]


def test_the_order_of_alt_and_add_means_nothing() -> None:
    turned = ["\n".join(reversed(text.splitlines())) for text in (ALT, ADD)]
    assert good(read(SDN, *turned)) == good(read())


def test_a_line_of_another_file_with_broken_quotes_makes_its_entry_bad() -> None:
    rows = read(alt=ALT + '101,4,"aka","EXAMPLE "TRADE",-0-\n')
    assert [row.id for row in rows if isinstance(row, ListRow)] == ["102", "103", "104"]
    assert bad(rows) == [(4, "101", "alt"), (1, "101", "")]


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
        (7, "106", ""),
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
