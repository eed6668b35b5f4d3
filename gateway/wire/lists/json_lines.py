"""Watchlists in JSON lines: on each line one entry in protobuf's JSON form of WatchlistEntry.

Owns the reading and writing of the lines. A generic JSON reader of protobuf takes longer for an entry than everything
else that is done with it, so the usual shapes are read here by tables made from the contract; whatever isn't usual is
left to protobuf's reader, which also has the last word on what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, BinaryIO

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToJson, ParseDict, ParseError
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.errors import MalformedError, Violation
from gateway.v1.watchlist_pb2 import WatchlistContent, WatchlistEntry
from gateway.wire.lines import decoded, numbered_lines
from gateway.wire.lists.export import Export, Tally
from gateway.wire.lists.rows import BadRow, ListOptions, Row, finish

_NOT_CONTENT = ("revision", "publishedAt", "published_at", "firstPublishedAt", "first_published_at")
_Convert = Callable[[Any], Any]


class _NotUsualError(Exception):
    """Not one of the usual shapes: protobuf's own reader decides."""


def read_json_lines(stream: BinaryIO, options: ListOptions) -> Iterator[Row]:
    """Entries from JSON lines in their order; empty lines are left out; memory doesn't grow with the file.

    `revision`, `publishedAt` and `firstPublishedAt`, which `write_json_lines` writes, are read past: they belong to the
    entry as it was published, not to what it says.

    Args:
        stream: the file, opened in binary mode; the caller closes it.
        options: the caller's.
    """
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


def _parsed(text: str) -> WatchlistEntry:
    try:
        document = json.loads(text.removeprefix("\ufeff"), object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"the line is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise MalformedError('the line is not a JSON object like {"id": "A-1", "content": {…}}')
    for name in _NOT_CONTENT:
        document.pop(name, None)
    try:
        return WatchlistEntry(**_message(WatchlistEntry.DESCRIPTOR)(document))
    except (_NotUsualError, TypeError, ValueError):
        pass
    try:
        return ParseDict(document, WatchlistEntry())
    except (ParseError, ValueError, TypeError, RecursionError, AttributeError) as error:
        raise MalformedError(f"not a WatchlistEntry as JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a member stands twice in one object")
    return found


@cache
def _message(descriptor: Descriptor) -> _Convert:
    """What makes of a JSON object the arguments of a message's constructor, which refuses most of what is wrong."""
    fields: dict[str, tuple[str, _Convert]] = {}
    for field in descriptor.fields:
        fields[field.json_name] = fields[field.name] = (field.name, _field(field))

    def convert(document: Any) -> dict[str, Any]:
        if type(document) is not dict:
            raise _NotUsualError
        made = {}
        for key, value in document.items():
            known = fields.get(key)
            if known is None or value is None:
                raise _NotUsualError
            name, convert_field = known
            if name in made:
                raise _NotUsualError
            made[name] = convert_field(value)
        return made

    return convert


def _field(field: FieldDescriptor) -> _Convert:
    one = _value(field)
    if not field.is_repeated:
        return one

    def many(value: Any) -> list[Any]:
        if type(value) is not list or None in value:
            raise _NotUsualError
        return value if one is _as_it_is else [one(each) for each in value]

    return many


def _value(field: FieldDescriptor) -> _Convert:
    if field.message_type is not None:
        if field.message_type.full_name == Timestamp.DESCRIPTOR.full_name:
            return _time
        return _as_it_is if _is_plain(field.message_type) else _message(field.message_type)
    if field.enum_type is not None or field.type == FieldDescriptor.TYPE_STRING:
        return _text
    return _other


def _is_plain(descriptor: Descriptor) -> bool:
    """Whether constructor and JSON say the same: single texts and enums whose names are spelled the same in both."""
    return all(
        field.name == field.json_name
        and not field.is_repeated
        and (field.enum_type is not None or field.type == FieldDescriptor.TYPE_STRING)
        for field in descriptor.fields
    )


def _as_it_is(value: Any) -> Any:
    if type(value) is not dict:
        raise _NotUsualError
    return value


def _text(value: Any) -> str:
    if type(value) is not str:
        raise _NotUsualError
    return value


def _time(value: Any) -> Timestamp:
    stamp = Timestamp()
    stamp.FromJsonString(_text(value))
    return stamp


def _other(_: Any) -> Any:
    raise _NotUsualError


def write_json_lines(stream: BinaryIO, entries: Iterable[WatchlistEntry]) -> Export:
    """Writes entries whole, one a line, in UTF-8."""
    tally = Tally()
    for entry in entries:
        stream.write(MessageToJson(entry, indent=None, ensure_ascii=False).encode() + b"\n")
        tally.wrote()
    return tally.export()
