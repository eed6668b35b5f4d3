"""Formats of published lists in one file each, by name, and which one an XML file is in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Final

from gateway.formats.lists import eu, hk, uk, un_xml
from gateway.formats.lists.ftm import read_ftm
from gateway.formats.lists.ofac import advanced
from gateway.formats.lists.rows import ListOptions, Row
from gateway.formats.lists.safe_xml import root_of

PUBLISHED: Final[Mapping[str, Callable[[BinaryIO, ListOptions], Iterator[Row]]]] = {
    "un-xml": un_xml.read_un_xml,
    "hk-xml": hk.read_hk_xml,
    "eu-xml": eu.read_eu_xml,
    "eu-csv": eu.read_eu_csv,
    "uk-xml": uk.read_uk_xml,
    "ofac-xml": advanced.read_ofac_xml,
    "ftm": read_ftm,
}
"""Readers by name; of these formats hk-xml alone has a legal basis."""

USUAL_XML: Final = "un-xml"

_ROOTS: Final = {
    un_xml.ROOT: "un-xml",
    eu.ROOT: "eu-xml",
    uk.DESIGNATIONS: "uk-xml",
    uk.TARGETS: "uk-xml",
    advanced.ROOT: "ofac-xml",
}
"""Format by the outermost element."""

START_BYTES: Final = 16 * 1024
"""Bytes of a file in which its outermost element is looked for."""


def xml_format(start: bytes) -> str:
    """The format of an XML file by its beginning; USUAL_XML, whose reader says what is wrong, where none is known."""
    start = start[:START_BYTES]
    found = _ROOTS.get(root_of(start), USUAL_XML)
    return "hk-xml" if found == "un-xml" and hk.has_flags(start) else found
