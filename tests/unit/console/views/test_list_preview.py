"""An import is previewed as it will be: new, changed with what changes, the same, rejected with line and reason."""

from __future__ import annotations

import io
import json

import pytest
from google.protobuf.json_format import MessageToDict

from gateway.console.views.lists.entries import changed_lines, entry_lines
from gateway.console.views.lists.list_files import ListFile, format_of, read_file
from gateway.console.views.lists.list_preview import preview_of
from gateway.errors import TooLargeError
from gateway.v1.watchlist_pb2 import WatchlistContent, WatchlistEntry
from tests.support.nodes import listed_content

CONTENT = listed_content("Exemplo Metais, Limitada", reason="First")
OTHER = listed_content("Exemplo Metais, Limitada", reason="Second")


def file_of(*lines: str) -> ListFile:
    return read_file("jsonl", io.BytesIO("\n".join(lines).encode()), "minerals", WatchlistContent())


def row(entry_id: str, content: WatchlistContent) -> str:
    return json.dumps(MessageToDict(WatchlistEntry(id=entry_id, content=content)))


def stored(content: WatchlistContent) -> WatchlistContent:
    """As the gateway has it: in normal form."""
    return next(iter(file_of(row("x", content)).rows())).content  # type: ignore[union-attr]


def test_each_row_is_counted_as_what_it_is() -> None:
    present = {"A": stored(CONTENT), "B": stored(CONTENT), "C": stored(CONTENT)}
    file = file_of(row("A", CONTENT), row("B", OTHER), row("D", CONTENT), "nonsense", '{"id": "E"}', row("A", OTHER))
    shown = preview_of(file.rows(), present, 100)
    assert (shown.added, shown.changed, shown.unchanged, shown.bad) == (1, 1, 1, 3)
    assert shown.vanished_entries == [("C", "Exemplo Metais, Limitada")]
    (changed,) = shown.changed_entries
    assert [(line.removed, line.added) for line in changed.lines] == [(("First",), ("Second",))]
    assert {bad.line for bad in shown.bad_rows} == {4, 5, 6}
    assert all(bad.reason for bad in shown.bad_rows)


def test_an_entry_on_a_bad_line_stays() -> None:
    shown = preview_of(file_of('{"id": "A"}').rows(), {"A": stored(CONTENT)}, 100)
    assert shown.vanished == 0
    assert shown.is_useless


def test_where_an_entry_follows_from_is_no_change() -> None:
    before = stored(CONTENT)
    before.derived_from.add(publisher="hk", alert_id="01a21a6a-ca4b-785a-afc3-daeef3932452")
    assert preview_of(file_of(row("A", CONTENT)).rows(), {"A": before}, 100).unchanged == 1


def test_more_than_a_page_compares_is_refused() -> None:
    with pytest.raises(TooLargeError):
        preview_of(file_of(row("A", CONTENT), row("B", CONTENT)).rows(), {}, 1)


def test_lines_of_a_diff_say_what_goes_comes_and_stays() -> None:
    by_name = {line.name: line for line in changed_lines(CONTENT, OTHER)}
    assert by_name["Reason"].removed == ("First",)
    assert by_name["Reason"].added == ("Second",)
    assert not by_name["Names"].is_changed
    assert changed_lines(WatchlistContent(), CONTENT)[0].added
    assert {line.name for line in entry_lines(CONTENT)} >= {"Kind", "Names", "Reason", "Legal basis"}


@pytest.mark.parametrize(
    ("chosen", "name", "kind"),
    [("", "a.csv", "csv"), ("", "A.XML", "un-xml"), ("ftm", "a.csv", "ftm"), ("", "a.txt", None)],
)
def test_the_format_is_the_chosen_one_or_the_endings(chosen: str, name: str, kind: str | None) -> None:
    assert format_of(chosen, name) == kind
