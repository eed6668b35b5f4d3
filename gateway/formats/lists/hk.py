"""Reads Hong Kong's lists of persons and entities under targeted financial sanctions (Cap. 537) from XML.

The Commerce and Economic Development Bureau publishes a file for each regulation: the part of the United Nations' list
to which it applies, in the United Nations' elements with some more about the record.

Source: https://data.gov.hk/en-data/dataset/hk-cedb-cedb_hq-tfslists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from gateway.formats.lists.rows import ListOptions, Row
from gateway.formats.lists.safe_xml import XmlElement
from gateway.formats.lists.un_xml import content_of, read_as
from gateway.v1.watchlist_pb2 import WatchlistContent

FLAGS = ("DESIG", "ADDRESS", "GOODQUALITY", "PASSPORT")
"""Elements of a record that the United Nations' own file hasn't: whether it has such a part."""

NOT_READ = (*FLAGS, "HAS_INTERPOL_LINK", "LAST_REVIEWED_ON")
"""Elements that say nothing about the listed person."""

REGULATIONS = {
    "Taliban": "Afghanistan",
    "CAR": "Central African Republic",
    "DPRK": "Democratic People's Republic of Korea",
    "DRC": "Democratic Republic of the Congo",
    "Haiti": "Haiti",
    "Al-Qaida": "ISIL and Al-Qaida",
    "Libya": "Libya",
    "Somalia": "Somalia",
    "SouthSudan": "South Sudan",
    "Sudan": "Sudan",
    "Yemen": "Yemen",
}
"""What a regulation under Cap. 537 is called, by UN_LIST_TYPE. Years change with each new regulation: left out."""

_YEARS = re.compile(r"([0-9]{4})\s*-\s*([0-9]{4})")


def read_hk_xml(stream: BinaryIO, options: ListOptions) -> Iterator[Row]:
    """Entries in the file's order, with the regulation as legal basis; errors as of `un_xml.read_un_xml`."""
    return read_as(stream, options, _content_of)


def has_flags(start: bytes) -> bool:
    """Whether the beginning of a file in the United Nations' form has elements of Hong Kong's."""
    return any(f"<{flag}>".encode() in start or f"<{flag}/>".encode() in start for flag in FLAGS if flag != "ADDRESS")


def _content_of(record: XmlElement) -> WatchlistContent:
    content = content_of(record, beside=NOT_READ)
    for alias in record.children("INDIVIDUAL_ALIAS"):
        if years := _YEARS.fullmatch(alias.child("DATE_OF_BIRTH").strip()):
            content.birth_periods.append("/".join(sorted(years.groups())))
    if regulation := REGULATIONS.get(record.child("UN_LIST_TYPE").strip()):
        content.legal_basis = f"United Nations Sanctions ({regulation}) Regulation, Cap. 537"
    return content
