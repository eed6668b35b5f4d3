"""Watchlists in JSON lines: round trips, agreement with protobuf's own reader, and lines that are wrong."""

from __future__ import annotations

import io
import json

import pytest
from google.protobuf.json_format import MessageToDict, MessageToJson, Parse
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.lists.json_lines import read_json_lines, write_json_lines
from gateway.formats.lists.rows import BadRow, ListOptions
from gateway.v1.watchlist_pb2 import WatchlistContent, WatchlistEntry
from tests.support.watchlists import OPTIONS, bad, contents, entry, good, ids

GOOD = {"id": "A-1", "content": {"kind": "WATCHLIST_KIND_PERSON", "names": [{"text": "Example"}]}}


def read(*documents: object) -> list[object]:
    lines = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in documents]
    return list(read_json_lines(io.BytesIO(b"\n".join(lines)), OPTIONS))


@given(st.dictionaries(ids, contents(), min_size=1, max_size=4))
def test_what_is_written_is_read_back_equal(entries: dict[str, WatchlistContent]) -> None:
    stream = io.BytesIO()
    export = write_json_lines(stream, [entry(entry_id, content) for entry_id, content in entries.items()])
    assert (export.written, export.left_out) == (len(entries), {})
    stream.seek(0)
    assert good(read_json_lines(stream, ListOptions(list="own"))) == entries


@given(contents(), st.booleans())
def test_either_spelling_of_names_is_read_as_protobuf_reads_it(content: WatchlistContent, snake: bool) -> None:
    made = entry("A-1", content)
    document = MessageToDict(made, preserving_proto_field_name=snake, use_integers_for_enums=snake)
    (found,) = good(read_json_lines(io.BytesIO(json.dumps(document).encode()), ListOptions())).values()
    assert found == Parse(json.dumps(document), WatchlistEntry()).content


def test_what_is_unusual_but_right_is_read_as_well() -> None:
    document = {"list": None, "id": "A-1", "content": {"kind": 2, "names": [{"text": "Example", "kind": 1}]}}
    assert good(read(document))["A-1"].names[0].text == "Example"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"id": "A-1", "id": "A-2"}', "twice"),
        (b'{"id": "A-1", "contents": {}}', "contents"),
        (b'{"id": "A-1", "content": {"kind": "PERSONS"}}', "content.kind: must be one of organisation, person, "),
        (b'{"id": "A-1", "content": {"validFrom": "tomorrow"}}', "validFrom"),
        (b'{"id": "A-1", "content": {"names": {"text": "X"}}}', "names"),
        (b'{"id": 1}', "id"),
        (b'{"id": "\\ud800"}', "WatchlistEntry"),
        (b'{"id": "A-1", "content": {"names": [], "names": []}}', "twice"),
        (b"\xff", "UTF-8".lower()),
        (b"[" * 100_000, "JSON"),
        (b'{"id": "' + b"x" * (1 << 21) + b'"}', "longer"),
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_the_rest_goes_on(line: bytes, said: str) -> None:
    rows = read(line, GOOD)
    assert isinstance(rows[0], BadRow)
    assert rows[0].line == 1
    assert said in rows[0].reason
    assert list(good(rows[1:])) == ["A-1"]


def test_broken_rules_are_named_with_their_paths() -> None:
    document = {"content": {"kind": 2, "names": [{"text": "X", "script": "latin"}], "territories": ["china"]}}
    rows = read(document)
    assert bad(rows) == [(1, "", "id"), (1, "", "content.names[0].script"), (1, "", "content.territories[0]")]


def test_a_line_of_another_list_is_bad() -> None:
    assert bad(read({"list": "theirs", **GOOD})) == [(1, "A-1", "list")]


def test_revision_and_time_of_publication_are_read_past() -> None:
    made = entry("A-1", good(read(GOOD))["A-1"], revision=7)
    assert good(read(MessageToJson(made, indent=None).encode()))["A-1"] == made.content
