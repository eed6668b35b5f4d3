"""Tables fit: no line is wider than the screen, and nothing is lost without a word."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from gateway.cli.display.cell_texts import CellTexts, zone_name
from gateway.cli.display.layout import fit, shorten_ids, wrapped
from gateway.cli.output import Output

WIDTH = 80
IDS = ("019bbf30-1a2b-7000-8000-00000000000a", "019bbf30-1a2b-7000-8001-00000000000a")

words = st.text("abz-/ 锑锭走私한グ🚢\n", max_size=60)
rows_of_four = st.lists(st.tuples(words, words, words, words), max_size=6)


def squeezed(text: str) -> str:
    return re.sub(r"[\s─]+", "", text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(rows_of_four, st.sampled_from([("B",), ("C", "B"), ()]))
@example([("x" * 200, "y" * 90, "锑" * 90, "")], ("B",))
def test_a_table_fits_and_loses_nothing_silently(
    capsys: pytest.CaptureFixture[str], rows: list[tuple[str, ...]], minor: tuple[str, ...]
) -> None:
    capsys.readouterr()
    Output().table("Things", ("A", "B", "C", "D"), rows, minor=minor)
    printed = capsys.readouterr().out
    assert max(map(cell_len, printed.splitlines())) <= WIDTH
    told = re.search(r"Left out: ([^.]*)\.", printed)
    left_out = told[1].split(", ") if told else []
    assert set(left_out) <= set(minor)
    letters = sorted(squeezed(printed))
    for row in rows:
        for name, cell in zip("ABCD", row, strict=True):
            if name not in left_out:
                assert not set(squeezed(cell)) - set(letters)
    shown = [cell for row in rows for name, cell in zip("ABCD", row, strict=True) if name not in left_out]
    for character in "锑z한":
        assert printed.count(character) == sum(cell.count(character) for cell in shown)


def test_what_fits_stays_as_it_is() -> None:
    fitted = fit(("Alert", "Status"), (("cn/1", "published"),), WIDTH, ("Status",))
    assert (fitted.columns, fitted.widths, fitted.left_out) == (("Alert", "Status"), (5, 9), ())


def test_minor_columns_go_in_their_order_and_no_more_than_needed() -> None:
    row = ("cn/1", "x" * 30, "y" * 30, "z" * 30)
    assert fit(("A", "B", "C", "D"), (row,), 70, ("C", "B")).left_out == ("C",)
    assert fit(("A", "B", "C", "D"), (row,), 50, ("C", "B")).left_out == ("B", "C")


def test_what_fits_in_no_row_becomes_a_block_that_has_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    columns = [f"Column{number}" for number in range(8)]
    Output().table("Things", columns, [[f"word{number}-{'x' * 12}" for number in range(8)]], minor=["Column7"])
    printed = capsys.readouterr().out
    assert [line.split() for line in printed.splitlines()[1:]] == [
        [f"Column{number}", f"word{number}-{'x' * 12}"] for number in range(8)
    ]


def test_ids_are_cut_where_they_differ() -> None:
    assert shorten_ids([(f"cn/{IDS[0]}",)]) == (("cn/019bbf30-1a2b",),)
    assert shorten_ids([(IDS[0], f"alert {IDS[1]} x")]) == ((IDS[0][:23], f"alert {IDS[1][:23]} x"),)
    twins = (IDS[0], f"{IDS[0][:-1]}b")
    assert shorten_ids([twins]) == (twins,)


def test_cut_ids_and_left_out_columns_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Output().table("Things", ("Id", "Rev", "Text"), [(IDS[0], 1, "x" * 60)], minor=("Rev",))
    told = " ".join(capsys.readouterr().out.splitlines()[4:])
    assert told == (
        "Ids are shortened. Commands accept a shortened id if it is unique. "
        "All of it: a wider window, `| less -S` or --json."
    )


def test_pipes_have_everything_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS")
    time = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    Output().table("Things", ("Id", "Text", "When"), [(IDS[0], "x" * 200, time)], minor=("When",))
    assert capsys.readouterr().out.splitlines()[3:] == [f"{IDS[0]}  {'x' * 200}  2026-01-02T03:04:05Z"]


def test_times_are_local_and_short_and_their_zone_is_told_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = datetime(2026, 6, 1, tzinfo=UTC).astimezone(tz=datetime.fromisoformat("2026-01-01T00:00+08:00").tzinfo)
    texts = CellTexts(here, to_the="minute")
    assert texts.shown(datetime(2026, 1, 15, 0, 30, 59, 999, tzinfo=UTC)) == "01-15 08:30"
    assert texts.shown([datetime(2025, 12, 31, 23, 0, tzinfo=UTC)]) == "01-01 07:00"
    assert texts.shown(datetime(2025, 12, 31, 2, 0, tzinfo=UTC)) == "2025-12-31 10:00"
    assert (texts.zone, texts.has_times) == ("UTC+8", True)
    time = datetime(2026, 1, 2, tzinfo=UTC)
    Output().table("Things", ("Id", "Sent", "Received"), [("a", time, time)] * 3)
    printed = capsys.readouterr().out
    assert printed.count("UTC") == 1
    assert printed.splitlines()[-1] == f"Times: {zone_name(datetime.now().astimezone().utcoffset())}."  # type: ignore[arg-type]


@pytest.mark.parametrize(("offset", "name"), [("+00:00", "UTC"), ("+05:30", "UTC+5:30"), ("-03:00", "UTC-3")])
def test_zones_have_short_names(offset: str, name: str) -> None:
    assert zone_name(datetime.fromisoformat(f"2026-01-01T00:00{offset}").utcoffset()) == name  # type: ignore[arg-type]


def test_two_tables_are_parted_and_an_empty_one_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output()
    output.facts("First", {"A": 1})
    output.table("Second", ("A",), [])
    assert capsys.readouterr().out.splitlines() == ["First", "A  1", "", "Second", "none"]


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("one two three", ["one two", "  three"]),
        ("  one two three", ["  one two", "    three"]),
        ("see `gateway alert list`, then end", ["see", "  `gateway alert list`,", "  then end"]),
        ("run this: gateway alert list", ["run this:", "  gateway alert list"]),
        ("the gateway is at rest", ["the", "  gateway", "  is at", "  rest"]),
        ("    --config a b c d e f g", ["    --config a b c d e f g"]),
        ("in /a/path/that/is/long it", ["in", "  /a/path/that/is/long", "  it"]),
        ("锑锭走私报告。完成", ["锑锭走私报", "  告。完成"]),
        ("a ` b cdefgh", ["a ` b", "  cdefgh"]),
        ("  7  one two", ["  7  one", "     two"]),
    ],
)
def test_lines_are_wrapped_but_for_commands_and_paths(line: str, parts: list[str]) -> None:
    cuts, inset = wrapped(line, 10)
    ends = [0, *cuts, len(line)]
    shown = [line[start:end].rstrip() for start, end in pairwise(ends)]
    assert [" " * inset + part if number else part for number, part in enumerate(shown)] == parts
