"""Reads and writes watchlists in JSON lines, each a WatchlistEntry."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from gateway.contract.json_form import json_of
from gateway.errors import MalformedError, Violation
from gateway.formats.json_messages import parse_object, read_message
from gateway.formats.lists.export import Export, Tally
from gateway.formats.lists.rows import BadRow, ListOptions, Row, finish
from gateway.formats.tables.lines import decoded, numbered_lines
from gateway.translation.plain_text import printable_json
from gateway.v1.watchlist_pb2 import WatchlistContent, WatchlistEntry

_NOT_CONTENT = ("revision", "publishedAt", "published_at", "firstPublishedAt", "first_published_at")


def read_json_lines(stream: BinaryIO, options: ListOptions) -> Iterator[Row]:
    """Entries in order, without `revision`, `publishedAt` and `firstPublishedAt`."""
    for number, line in numbered_lines(stream):
        if line is None or line.strip():
            yield from _entry(number, line, options)


def _entry(number: int, line: bytes | None, options: ListOptions) -> Iterator[Row]:
    try:
        entry = _parsed(decoded(line))
    except MalformedError as error:
        yield BadRow(number, "", "", error.message)
        return
    if entry.list and options.list and entry.list != options.list:
        reason = f"list: {entry.list[:64]!r} isn't {options.list!r}, which is being read"
        yield BadRow(number, entry.id, "list", reason)
        return
    yield from finish(number, entry.id, entry.content, options, _path)


def _path(violation: Violation, _: WatchlistContent) -> str:
    return f"content.{violation.field}" if violation.field else "content"


def _line(entry: WatchlistEntry) -> bytes:
    return printable_json(json.dumps(json_of(entry), ensure_ascii=False, separators=(",", ":"))).encode()


def _parsed(text: str) -> WatchlistEntry:
    document = parse_object(text, example='{"id": "A-1", "content": {…}}')
    for name in _NOT_CONTENT:
        document.pop(name, None)
    return read_message(document, WatchlistEntry)


def write_json_lines(stream: BinaryIO, entries: Iterable[WatchlistEntry]) -> Export:
    """Writes whole entries in UTF-8."""
    tally = Tally()
    for entry in entries:
        stream.write(_line(entry) + b"\n")
        tally.wrote()
    return tally.export()
