"""What the terminal shows of a trace: lanes that hold, contradictions in place, nothing that bites."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from gateway.cli.history.trace import draft_files
from gateway.cli.history.trace_terminal import render_terminal
from gateway.cli.output import to_json
from gateway.cli.values import as_dict
from gateway.formats.json_messages import read_message
from gateway.tracing.report.lines import cut, folded
from gateway.tracing.report.rows import OTHER, Crossing, LegBlock, picture_of
from gateway.translation.messages import LANGUAGES, in_language
from gateway.v1.history_service_pb2 import TraceConsignmentResponse
from gateway.v1.trace_pb2 import DraftAlert, Trace
from tests.support import consignments as case
from tests.support import traces

TRACES = {
    "case": traces.the_case(),
    "twin": traces.the_twin(),
    "nothing": traces.nothing(),
    "trouble": traces.in_trouble(),
    "large": traces.large(),
}


@cache
def rendered(name: str, width: int, language: str) -> str:
    with in_language(language):
        return render_terminal(TRACES[name], case.GROUNDS, width=width, colour=False)


def timeline(text: str) -> list[str]:
    """Lines of the timeline, without its frame."""
    lines = text.splitlines()
    start = next(number for number, line in enumerate(lines) if "┼" in line)
    end = next(number for number, line in enumerate(lines) if "┴" in line)
    return lines[start + 1 : end]


def columns(line: str) -> list[tuple[int, str]]:
    """Characters of a line with the column that each begins at."""
    at, found = 0, []
    for char in line:
        found.append((at, char))
        at += cell_len(char)
    return found


@pytest.mark.parametrize("name", TRACES)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(name: str, width: int, language: str) -> None:
    assert max(map(cell_len, rendered(name, width, language).splitlines())) <= width


@pytest.mark.parametrize("name", ["case", "twin", "trouble", "large"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_borders_of_lanes_stand_under_each_other(name: str, width: int, language: str) -> None:
    """Chinese characters have two columns; an arrow may hide a border, and moves none."""
    lines = timeline(rendered(name, width, language))
    borders = {at for line in lines for at, char in columns(line) if char == "│"}
    assert len(borders) == (4 if name == "trouble" else 3)
    for line in lines:
        if "●" not in line:
            assert {at for at, char in columns(line) if char == "│"} == borders, line


def test_legs_and_contradictions_stand_in_their_lanes() -> None:
    lines = timeline(render_terminal(TRACES["case"], width=80, colour=False))
    lane_of = {}
    for line in lines:
        cells = line.split("│")[1:]
        for lane, cell in enumerate(cells):
            if cell.strip().startswith(("[", "▲")):
                lane_of.setdefault(cell.strip(), []).append(lane)
    assert lane_of["[1] EXPORT"] == [0]
    assert lane_of["[2] IMPORT"] == [1]
    assert lane_of["[3] RE-EXPORT"] == [1]
    assert lane_of["[4] IMPORT"] == [2]
    assert lane_of["▲ R02 HIGH density"] == [0]
    assert lane_of["▲ R09 MEDIUM leg"] == [1, 1]
    text = "\n".join(lines)
    assert text.index("[1] EXPORT") < text.index("R02") < text.index("[2] IMPORT") < text.index("R09")


def test_crossings_are_arrows_between_lanes() -> None:
    lines = timeline(render_terminal(TRACES["trouble"], width=100, colour=False))
    arrows = [line for line in lines if "●" in line]
    assert len(arrows) == 4
    assert re.search(r"^ *│ ●─ road 粤Z.*▶ ", arrows[0])
    borders = sorted({at for line in lines if "●" not in line for at, char in columns(line) if char == "│"})
    # back from VN over MO to HK: the arrow ends in HK's lane and begins at VN's border
    assert [at for at, char in columns(arrows[-1]) if char in "◀●"] == [borders[1] + 2, borders[3]]


def test_the_wide_drawing_says_why_in_place() -> None:
    narrow = timeline(render_terminal(TRACES["case"], width=80, colour=False))
    wide = timeline(render_terminal(TRACES["case"], width=140, colour=False))
    assert not any("19 % of lead" in line for line in narrow)
    assert any("19 % of lead" in line for line in wide)


def test_times_are_local_with_their_zone_under_their_day() -> None:
    lines = timeline(render_terminal(TRACES["case"], width=80, colour=False))
    heads = [line.split("│")[0].strip() for line in lines]
    assert [head for head in heads if head][:4] == ["2026", "01-15 Thu", "08:06 +08", "08:19 +08"]
    assert "01-16 Fri" in heads


def test_inputs_thresholds_links_and_answers_are_listed() -> None:
    text = render_terminal(TRACES["case"], case.GROUNDS, width=140, colour=False)
    for said in (
        "3 contradictions: 1 high, 1 medium, 1 low",
        "▲ R02 HIGH density mismatch at [1], item 1",
        "density_g_cm3 = 2.104",
        "impossibly_light = 0.2",
        "false declaration; confidence of the rule: medium",
        "[3] – [2]  0.95  hk/HKR-2026-004902 gives HKI2026004711 as its previous document",
        "Asked for export_control on Customs cooperation arrangement, article 5 (placeholder), case SZ-2026-0117",
        "Rules 2026.1",
    ):
        assert said in text, said


def test_an_innocent_consignment_says_so() -> None:
    text = render_terminal(TRACES["twin"], width=100, colour=False)
    assert "No contradictions" in text
    assert "What doesn't add up" not in text
    assert "▲" not in text
    assert "◆ under control: 8110101000" in text


def test_records_that_nothing_links_are_no_good_news() -> None:
    """As a trace by a commodity code finds them: no rule compared two of them, and nothing says that one did."""
    apart = Trace()
    apart.CopyFrom(TRACES["twin"])
    for leg in apart.legs:
        del leg.links[:]
    text = " ".join(render_terminal(apart, width=100, colour=False).split())
    assert f"No contradictions within {len(apart.legs)} records, none of which is linked with another" in text
    assert "they weren't compared with each other" in text
    assert "What doesn't add up" not in text


def test_who_did_not_answer_is_said_with_the_reason() -> None:
    nothing = render_terminal(TRACES["nothing"], width=100, colour=False)
    assert "No record of this consignment was found." in nothing
    assert "Not answered whole by hk, mo" in nothing
    assert "no answer within 5,000 ms" in nothing
    assert "agreement mo-cn clause 4" in nothing
    trouble = render_terminal(TRACES["trouble"], width=140, colour=False)
    assert "This is a part" in trouble
    assert "complete; 1 of 2 questions not answered whole" in trouble
    assert "hk withheld 3 fields: 1 personal, 2 commercial" in trouble
    assert "(3 fields withheld)" in trouble


def test_colours_are_there_or_not_at_all() -> None:
    assert "\x1b" not in render_terminal(TRACES["case"], width=80, colour=False)
    coloured = render_terminal(TRACES["case"], width=80, colour=True)
    assert "\x1b[1;31m▲ R02 HIGH" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).replace(" ", "") == render_terminal(
        TRACES["case"], width=80, colour=False
    ).replace(" ", "")


def test_text_of_records_cannot_repaint_the_terminal() -> None:
    text = render_terminal(TRACES["trouble"], width=140, colour=False)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "\\u{001b}" in text


def test_further_territories_share_a_lane_where_there_is_no_room() -> None:
    trace = traces.in_trouble()
    trace.legs[4].record.shipment.route.append(
        case.way(traces.HAIPHONG, case.goods_pb2.Place(territory="LA", name="Vientiane"), 130, 140, case.lorry())
    )
    assert picture_of(trace, 5).lanes == ("CN", "HK", "MO", "VN", "LA")
    shared = picture_of(trace, 4)
    assert shared.lanes == ("CN", "HK", "MO", OTHER)
    crossings = [row.what.to_lane for row in shared.rows if isinstance(row.what, Crossing)]
    assert crossings == [1, 2, 3, 1]  # within the shared lane no arrow is drawn
    blocks = [row.what.number for row in shared.rows if isinstance(row.what, LegBlock)]
    assert blocks == [1, 2, 3, 4, 5]


def test_links_that_were_not_followed_are_told() -> None:
    text = " ".join(render_terminal(TRACES["trouble"], width=100, colour=False).split())
    assert "2 links not followed: hk doesn't release them to mo (seal, UCR)" in text


def test_each_draft_has_a_file_of_its_own() -> None:
    drafts = [DraftAlert(recipients=["hk"]), DraftAlert(recipients=["cn", "mo"]), DraftAlert()]
    files = [path.name for path, _ in draft_files(Path("out/draft.json"), drafts)]
    assert files == ["draft-hk.json", "draft-cn-mo.json", "draft.json"]
    assert draft_files(Path("draft.json"), drafts[:1]) == [(Path("draft.json"), drafts[0])]


def test_json_is_the_message_in_the_contracts_names() -> None:
    answer = TraceConsignmentResponse(trace=TRACES["case"], draft=DraftAlert(recipients=["hk"]))
    text = to_json(as_dict(answer))
    data = json.loads(text)
    assert read_message(data, TraceConsignmentResponse) == answer
    assert data["trace"]["discrepancies"][0]["rule_id"] == "R02"
    assert data["trace"]["legs"][2]["links"][0]["because"].startswith("hk/HKR-2026-004902")


@given(st.text(max_size=80), st.integers(6, 40))
def test_folded_lines_hold_all_of_the_text_and_no_more_than_their_width(text: str, width: int) -> None:
    lines = list(folded(text, width, hang="  "))
    assert all(cell_len(line) <= width for line in lines)
    assert "".join(lines).replace(" ", "") == "".join(folded(text, 10_000)).replace(" ", "")
    assert cell_len(cut(text.strip(), width)) <= width
