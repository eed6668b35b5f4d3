"""Targets: watchlists as files. Every line becomes an entry that keeps the rules, or a reason why not."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator

from gateway.contract.validation import violations
from gateway.formats.lists.csv_lists import LIST_MAPPINGS, read_csv, write_csv
from gateway.formats.lists.formats import PUBLISHED
from gateway.formats.lists.ftm import read_ftm
from gateway.formats.lists.ftm_export import write_ftm
from gateway.formats.lists.json_lines import read_json_lines, write_json_lines
from gateway.formats.lists.ofac.reader import read_ofac
from gateway.formats.lists.ofac.remarks import read_remarks
from gateway.formats.lists.rows import DEFAULTABLE, BadRow, ListOptions, ListRow, Row
from gateway.formats.lists.stix import write_stix
from gateway.formats.lists.un_xml import read_un_xml
from gateway.v1.watchlist_pb2 import WATCHLIST_KIND_PERSON, WatchlistContent, WatchlistEntry
from tests.fuzz.target import target, text_of
from tests.support.nodes import listed_content
from tests.support.published_lists import CON_LIST, EU_CSV, EU_XML, HK_XML, OFAC_XML, UK_XML


def _defaults() -> WatchlistContent:
    content = listed_content()
    for field in WatchlistContent.DESCRIPTOR.fields:
        if field.name not in DEFAULTABLE:
            content.ClearField(field.name)
    return content


OPTIONS = ListOptions(list="minerals", defaults=_defaults())


def _own(write: Callable[..., object]) -> bytes:
    """A file as we write it."""
    organisation = listed_content("Placeholder Metals", remarks="é; \\")
    person = listed_content("陈大文", kind=WATCHLIST_KIND_PERSON)
    entries = [WatchlistEntry(list="minerals", id=f"A-{n}", content=c) for n, c in enumerate((organisation, person))]
    stream = io.BytesIO()
    write(stream, entries)
    return stream.getvalue()


FTM = (
    '{"id": "Q1", "schema": "Person", "properties": {"name": ["Chan Tai Man"], "birthDate": ["1970-01"], '
    '"addressEntity": ["adr"], "nationality": ["cn"], "topics": ["sanction"]}}\n'
    '{"id": "adr", "schema": "Address", "properties": {"full": ["1 Queen\'s Road"], "country": ["hk"]}}\n'
    '{"id": "s", "schema": "Sanction", "properties": {"entity": ["Q1"], "program": ["X"], "startDate": ["2020"]}}\n'
)
UN = (
    '<?xml version="1.0" encoding="utf-8"?><CONSOLIDATED_LIST dateGenerated="2026-01-01T00:00:00Z"><INDIVIDUALS>'
    "<INDIVIDUAL><DATAID>1</DATAID><FIRST_NAME>CHAN</FIRST_NAME><SECOND_NAME>TAI MAN</SECOND_NAME>"
    "<UN_LIST_TYPE>DPRK</UN_LIST_TYPE><REFERENCE_NUMBER>KPi.001</REFERENCE_NUMBER><LISTED_ON>2016-03-02</LISTED_ON>"
    "<NATIONALITY><VALUE>China</VALUE></NATIONALITY><INDIVIDUAL_ALIAS><QUALITY>Good</QUALITY><ALIAS_NAME>Chan a.k.a. B"
    "</ALIAS_NAME></INDIVIDUAL_ALIAS>"
    "<INDIVIDUAL_DATE_OF_BIRTH><TYPE_OF_DATE>EXACT</TYPE_OF_DATE><DATE>1970-01-02</DATE>"
    "</INDIVIDUAL_DATE_OF_BIRTH>"
    "<INDIVIDUAL_DOCUMENT><TYPE_OF_DOCUMENT>Passport</TYPE_OF_DOCUMENT><NUMBER>A1 expires on "
    "3 May 2027</NUMBER></INDIVIDUAL_DOCUMENT></INDIVIDUAL></INDIVIDUALS>"
    "<ENTITIES><ENTITY><FIRST_NAME>Metals</FIRST_NAME>"
    "<REFERENCE_NUMBER>KPe.2</REFERENCE_NUMBER></ENTITY></ENTITIES></CONSOLIDATED_LIST>"
)
OFAC = (
    '36,"AEROCARIBBEAN AIRLINES",-0- ,"CUBA",-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,-0- ,"Phone 1; IMO 9074729; DOB 1970."\n'
    '|36,12,"aka","AERO-CARIBBEAN",-0- \n|36,25,"Street 1","Havana","Cuba",-0- \n'
    '|36,"; alt. Digital Currency Address - XBT 1Example; Passport A1 (Cuba) expires 01 Jan 2030."\n'
)


def rows_of(rows: Iterable[Row]) -> list[WatchlistEntry]:
    """Reads to the end; entries keep the contract's rules."""
    entries = []
    for row in rows:
        assert row.line >= 0
        if isinstance(row, ListRow):
            assert violations(row.content) == []
            entries.append(WatchlistEntry(list="minerals", id=row.id, revision=1, content=row.content))
        elif isinstance(row, BadRow):
            assert row.reason
    return entries


def again(entries: list[WatchlistEntry], write: Callable[..., object], read: Callable[..., Iterator[Row]]) -> None:
    """What was read from our own form is written and read to the same entries."""
    stream = io.BytesIO()
    write(stream, entries)
    stream.seek(0)
    assert [entry.content for entry in rows_of(read(stream, ListOptions()))] == [entry.content for entry in entries]


@target(
    lambda: [_own(write_csv), _own(write_csv).decode().encode("utf-16"), _own(write_csv).decode().encode("gb18030")]
)
def list_csv(data: bytes) -> None:
    """Own columns, in any encoding and with any delimiter: what is read is written to the same."""
    again(rows_of(read_csv(io.BytesIO(data), OPTIONS)), write_csv, read_csv)


@target(lambda: [_own(write_json_lines), b"\xef\xbb\xbf" + _own(write_json_lines)])
def list_json(data: bytes) -> None:
    """Our own JSON lines: what is read is written to the same."""
    again(rows_of(read_json_lines(io.BytesIO(data), OPTIONS)), write_json_lines, read_json_lines)


@target(lambda: [FTM.encode()])
def list_ftm(data: bytes) -> None:
    """FollowTheMoney; what is read can be exported in all our forms."""
    entries = rows_of(read_ftm(io.BytesIO(data), OPTIONS))
    write_csv(io.BytesIO(), entries)
    write_ftm(io.BytesIO(), entries)
    write_stix(io.BytesIO(), "cn", entries)


@target(
    lambda: [
        UN.encode(),
        UN.replace("utf-8", "utf-16").encode("utf-16"),
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><CONSOLIDATED_LIST>&b;",
    ]
)
def list_un(data: bytes) -> None:
    """The United Nations' XML."""
    rows_of(read_un_xml(io.BytesIO(data), OPTIONS))


@target(lambda: [text.encode() for text in (EU_XML, EU_CSV, UK_XML, HK_XML, CON_LIST, OFAC_XML)])
def list_published(data: bytes) -> None:
    """The European Union's, the United Kingdom's, Hong Kong's and OFAC's lists, each by every reader."""
    for read in PUBLISHED.values():
        rows_of(read(io.BytesIO(data), OPTIONS))


@target(lambda: [OFAC.encode()])
def list_ofac(data: bytes) -> None:
    """OFAC's four files, parted by the first three bars."""
    sdn, _, rest = data.partition(b"|")
    alt, _, rest = rest.partition(b"|")
    add, _, comments = rest.partition(b"|")
    rows_of(read_ofac(*map(io.BytesIO, (sdn, alt, add)), OPTIONS, comments=io.BytesIO(comments)))
    read_remarks(text_of(data), WatchlistContent())


MAPPING = (
    '[columns]\nid = "Nr"\nkind = "Kind"\n[constants]\nreason = "listed"\n[separators]\n[values.kind]\nP = "person"\n'
    '[[names]]\ncolumn = "Name"\nkind = "primary"\n[date]\nformat = "%d.%m.%Y"\n'
)


@target(lambda: [MAPPING.encode() + b"\0Nr;Kind;Name\nA;P;Chan\n"], max_bytes=8_192)
def list_mapped(data: bytes) -> None:
    """A mapping and a file that it reads, parted by a zero byte."""
    mapping, _, table = data.partition(b"\0")
    parsed = LIST_MAPPINGS.parse(text_of(mapping), source="mapping")
    rows_of(read_csv(io.BytesIO(table), OPTIONS, parsed))
