"""Writes persons and organisations in the XML of the United Nations' consolidated list."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import BinaryIO
from xml.sax.saxutils import escape

from gateway.formats.lists.export import Export, Tally, lost
from gateway.formats.lists.safe_xml import Node
from gateway.formats.lists.territories import NameOf, territory_name
from gateway.formats.lists.un_xml import DESIGNATION, PROGRAMME, ROOT, content_of
from gateway.v1.party_pb2 import Address
from gateway.v1.watchlist_pb2 import (
    LISTED_NAME_KIND_FORMER,
    LISTED_NAME_KIND_WEAK_ALIAS,
    WATCHLIST_KIND_ORGANISATION,
    WATCHLIST_KIND_PERSON,
    ListedName,
    WatchlistContent,
    WatchlistEntry,
)

_TYPES = {"passport": "Passport", "national_id": "National Identification Number"}
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def write_un_xml(stream: BinaryIO, individuals: Iterable[WatchlistEntry], entities: Iterable[WatchlistEntry]) -> Export:
    """Writes entries; the format has persons first and organisations after them.

    Args:
        stream: where to; opened in binary mode.
        individuals: entries, of which persons are written.
        entities: entries, of which organisations are written; may be the same entries gone through a second time.
            Entries of other kinds are named in the account.
    """
    tally = Tally()
    stream.write(f"{_HEAD}<{ROOT}>\n  <INDIVIDUALS>\n".encode())
    for entry in individuals:
        if entry.content.kind == WATCHLIST_KIND_PERSON:
            _write(stream, entry, "INDIVIDUAL", tally)
    stream.write(b"  </INDIVIDUALS>\n  <ENTITIES>\n")
    for entry in entities:
        if entry.content.kind == WATCHLIST_KIND_ORGANISATION:
            _write(stream, entry, "ENTITY", tally)
        elif entry.content.kind != WATCHLIST_KIND_PERSON:
            tally.refused(entry.id, "the format has persons and organisations only")
    stream.write(f"  </ENTITIES>\n</{ROOT}>\n".encode())
    return tally.export()


def _write(stream: BinaryIO, entry: WatchlistEntry, tag: str, tally: Tally) -> None:
    if not entry.content.names:
        tally.refused(entry.id, "the format needs a name")
        return
    record = Node(tag, 0, below=list(_below(entry, tag)))
    stream.write("".join(_written(record, "    ")).encode())
    tally.wrote(lost(entry.content, content_of(record)))


def _below(entry: WatchlistEntry, tag: str) -> Iterator[Node]:
    content = entry.content
    programme, designations = _programme(content.reason)
    yield _node("DATAID", str(zlib.crc32(entry.id.encode())))
    yield _node("VERSIONNUM", str(max(entry.revision, 1)))
    yield _node("FIRST_NAME", content.names[0].text)
    yield _node("UN_LIST_TYPE", programme)
    yield _node("REFERENCE_NUMBER", entry.id)
    if content.HasField("valid_from"):
        yield _node("LISTED_ON", _day(content.valid_from.ToDatetime()))
    yield _node("COMMENTS1", content.remarks)
    if designations:
        yield Node("DESIGNATION", 0, below=[_node("VALUE", text) for text in designations])
    is_person = tag == "INDIVIDUAL"
    if is_person and content.territories:
        names = [territory_name(code, NameOf.UNITED_NATIONS) for code in content.territories]
        yield Node("NATIONALITY", 0, below=[_node("VALUE", name) for name in names])
    yield Node("LIST_TYPE", 0, below=[_node("VALUE", "UN List")])
    if entry.HasField("published_at"):
        yield Node("LAST_DAY_UPDATED", 0, below=[_node("VALUE", _day(entry.published_at.ToDatetime()))])
    yield from (_alias(name, is_person) for name in content.names[1:])
    yield from _addresses(content.addresses, f"{tag}_ADDRESS")
    if is_person:
        yield from map(_birth, content.birth_dates)
        yield from (_node_of_period(each) for each in content.birth_periods)
        yield from _addresses(content.birth_places, "INDIVIDUAL_PLACE_OF_BIRTH")
        yield from _documents(content)


def _programme(reason: str) -> tuple[str, list[str]]:
    if not reason.startswith(PROGRAMME):
        return "", []
    programme, _, designations = reason.removeprefix(PROGRAMME).partition(DESIGNATION)
    return programme, designations.split(" / ") if designations else []


def _alias(name: ListedName, is_person: bool) -> Node:
    kinds = {LISTED_NAME_KIND_WEAK_ALIAS: "Low", LISTED_NAME_KIND_FORMER: "f.k.a."}
    quality = kinds.get(name.kind, "Good" if is_person else "a.k.a.")
    tag = "INDIVIDUAL_ALIAS" if is_person else "ENTITY_ALIAS"
    return Node(tag, 0, below=[_node("QUALITY", quality), _node("ALIAS_NAME", name.text)])


def _addresses(addresses: Iterable[Address], tag: str) -> Iterator[Node]:
    for each in addresses:
        country = territory_name(each.territory, NameOf.UNITED_NATIONS)
        parts = {"STREET": each.street, "CITY": each.city, "COUNTRY": country}
        yield Node(tag, 0, below=[_node(key, text) for key, text in parts.items() if text])


def _birth(text: str, kind: str = "EXACT") -> Node:
    day = _node("DATE", text) if len(text) == len("1963-05-17") else _node("YEAR", text[:4])
    return Node("INDIVIDUAL_DATE_OF_BIRTH", 0, below=[_node("TYPE_OF_DATE", kind), day])


def _node_of_period(text: str) -> Node:
    """Years alone: the format has no others between which a birth may lie."""
    first, slash, last = text.partition("/")
    if not slash:
        return _birth(first.rstrip("~"), "APPROXIMATELY")
    below = [_node("TYPE_OF_DATE", "BETWEEN"), _node("FROM_YEAR", first[:4]), _node("TO_YEAR", last[:4])]
    return Node("INDIVIDUAL_DATE_OF_BIRTH", 0, below=below)


def _documents(content: WatchlistContent) -> Iterator[Node]:
    for each in content.identifiers:
        kind = _TYPES.get(each.scheme, each.scheme)
        below = [_node("TYPE_OF_DOCUMENT", kind), _node("NUMBER", each.value)]
        if each.territory:
            below.append(_node("ISSUING_COUNTRY", territory_name(each.territory, NameOf.UNITED_NATIONS)))
        if each.expires:
            below.append(_node("NOTE", f"Expires on {each.expires}"))
        yield Node("INDIVIDUAL_DOCUMENT", 0, below=below)


def _node(tag: str, text: str) -> Node:
    return Node(tag, 0, _NOT_IN_XML.sub(" ", text).replace("\r\n", "\n").replace("\r", "\n").strip())


def _written(node: Node, indent: str) -> Iterator[str]:
    if node.below:
        yield f"{indent}<{node.tag}>\n"
        for each in node.below:
            yield from _written(each, indent + "  ")
        yield f"{indent}</{node.tag}>\n"
    else:
        yield f"{indent}<{node.tag}>{escape(node.text)}</{node.tag}>\n" if node.text else f"{indent}<{node.tag}/>\n"


def _day(moment: datetime) -> str:
    return moment.date().isoformat()
