"""Reads an uploaded list by its format: rows for the import, and lines that can't be used with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import BinaryIO, Final

from gateway.formats.lists.csv_lists import read_csv
from gateway.formats.lists.formats import PUBLISHED, START_BYTES, USUAL_XML, xml_format
from gateway.formats.lists.json_lines import read_json_lines
from gateway.formats.lists.rows import BadRow, ListOptions, ListRow, Row, SkippedRow, bounded
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_pb2 import WatchlistContent
from gateway.v1.watchlist_service_pb2 import ImportRow

FORMATS: Final[Mapping[str, Callable[[], str]]] = {
    "csv": lambda: _("Table (CSV), one entry a line"),
    "jsonl": lambda: _("JSON lines, one entry a line"),
    "un-xml": lambda: _("The United Nations Security Council's consolidated list (XML)"),
    "hk-xml": lambda: _("Hong Kong's list under a regulation of Cap. 537 (XML)"),
    "eu-xml": lambda: _("The European Union's consolidated list (XML 1.1)"),
    "eu-csv": lambda: _("The European Union's consolidated list (CSV 1.1)"),
    "uk-xml": lambda: _("The UK Sanctions List, or OFSI's earlier list (XML)"),
    "ofac-xml": lambda: _("OFAC's lists, advanced XML"),
    "ftm": lambda: _("FollowTheMoney, as OpenSanctions has it"),
}
"""Formats with what they are; OFAC's lists in several files come by the command line."""

_BY_ENDING: Final = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".xml": "un-xml"}

_READERS: Final[Mapping[str, Callable[[BinaryIO, ListOptions], Iterator[Row]]]] = {
    "csv": read_csv,
    "jsonl": read_json_lines,
    **PUBLISHED,
}


@dataclass(frozen=True, slots=True)
class ListFile:
    """A list in a file, to be read as often as needed."""

    kind: str
    stream: BinaryIO
    options: ListOptions

    def rows(self) -> Iterator[ImportRow | BadRow | SkippedRow]:
        """Rows from the first one on: those to import, and those that can't be or aren't entries.

        Raises:
            GatewayError: the file as a whole can't be read, or too many of its lines.
        """
        self.stream.seek(0)
        for row in bounded(_READERS[self.kind](self.stream, self.options)):
            yield ImportRow(id=row.id, line=row.line, content=row.content) if isinstance(row, ListRow) else row


def settled(kind: str, chosen: str, stream: BinaryIO) -> str:
    """The format; of an XML file whose format wasn't chosen, by its outermost element."""
    if kind != USUAL_XML or chosen in FORMATS:
        return kind
    stream.seek(0)
    return xml_format(stream.read(START_BYTES))


def format_of(chosen: str, file_name: str) -> str | None:
    """The format that was chosen, or by the file's ending."""
    return chosen if chosen in FORMATS else _BY_ENDING.get(PurePath(file_name).suffix.lower())


def read_file(kind: str, stream: BinaryIO, list_name: str, defaults: WatchlistContent) -> ListFile:
    """The list of a file; `defaults` stand where its rows say nothing."""
    return ListFile(kind, stream, ListOptions(list=list_name, defaults=defaults))
