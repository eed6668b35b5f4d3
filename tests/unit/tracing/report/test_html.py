"""The report is one file that loads nothing, runs nothing and shows everything escaped."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from gateway.cli.history.trace_terminal import render_terminal
from gateway.tracing.report.html import render_html
from gateway.tracing.report.picture import GUTTER, LANE, bold_width, text_width
from gateway.tracing.report.quantities import measured, quantity
from gateway.tracing.rules.events import events_of
from gateway.translation.messages import LANGUAGES, in_language
from gateway.v1.history_pb2 import (
    ANSWER_STATUS_COMPLETE,
    ANSWER_STATUS_PARTIAL,
    QueryGrounds,
    SearchCriteria,
    SearchReference,
)
from gateway.v1.trace_pb2 import Discrepancy, Trace
from tests.support import consignments as case
from tests.support import traces
from tests.support.hostile_text import HOSTILE, is_harmless

TRACES = {
    "case": traces.the_case(),
    "twin": traces.the_twin(),
    "nothing": traces.nothing(),
    "trouble": traces.in_trouble(),
    "large": traces.large(),
}
each_trace = pytest.mark.parametrize("trace", TRACES.values(), ids=TRACES)
each_language = pytest.mark.parametrize("language", LANGUAGES)

HTML_TAGS = frozenset({"html", "head", "meta", "title", "style", "body", "header", "section", "figure", "figcaption"})
HTML_TAGS |= {"h1", "h2", "p", "div", "ul", "ol", "li", "dl", "dt", "dd", "b", "br", "span", "pre"}
HTML_TAGS |= {"table", "colgroup", "col", "thead", "tbody", "tr", "th", "td"}
SVG_TAGS = frozenset({"svg", "rect", "circle", "line", "path", "text"})
VOID = frozenset({"meta", "br", "col"})


class Reader(HTMLParser):
    """Tags, attributes and text of a document; tags must close in order."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.values: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(document)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.values += [value or "" for _, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] != ["style"]:
            self.text.append(data)


def drawings(document: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", document, re.DOTALL)]  # noqa: S314


def filled(message: Message, text: str) -> None:
    """Puts a text into every text field that the message has or may have below what is there."""
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value[text] = text
        elif field.type == FieldDescriptor.TYPE_STRING:
            if field.is_repeated:
                value.append(text)
            else:
                setattr(message, field.name, text)
        elif field.message_type is not None:
            for below in value if field.is_repeated else [value] if message.HasField(field.name) else []:
                filled(below, text)


@each_language
@each_trace
def test_it_is_whole_and_needs_nothing(trace: Trace, language: str) -> None:
    with in_language(language):
        document = render_html(trace, case.GROUNDS, made_at=datetime(2026, 1, 17, tzinfo=UTC))
    assert f'<html lang="{language}">' in document
    read = Reader(document)
    assert read.tags <= HTML_TAGS | SVG_TAGS
    assert not read.attributes & {"src", "href", "xlink:href", "srcset", "action", "data"}
    assert not any(name.startswith("on") for name in read.attributes)
    assert not re.search(r"https?:|//|url\(|@import|javascript:", document.replace("<!DOCTYPE", ""))
    assert (
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">"
    ) in document
    assert document.index("Content-Security-Policy") < document.index("<style>")


@each_language
@pytest.mark.parametrize("text", ['<x onload="1">&amp;\'', '"><script>alert(1)</script>', f"]]>-->{HOSTILE}"])
def test_whatever_a_record_says_is_text(text: str, language: str) -> None:
    trace = traces.in_trouble()
    filled(trace, text)
    grounds = QueryGrounds(purpose=text, legal_basis=text, case_reference=text)
    with in_language(language):
        read = Reader(render_html(trace, grounds))
        drawn = render_terminal(trace, grounds, width=80, colour=False)
    assert read.tags <= HTML_TAGS | SVG_TAGS
    assert not any(name.startswith("on") for name in read.attributes)
    shown = "".join(read.text) + "".join(read.values)
    assert is_harmless(shown, allowed="\n")
    assert is_harmless(drawn, allowed="\n")


def test_the_report_holds_what_a_case_file_needs() -> None:
    document = render_html(TRACES["trouble"], case.GROUNDS, made_at=datetime(2026, 1, 17, 9, 30, tzinfo=UTC))
    text = " ".join("".join(Reader(document).text).split())
    for said in (
        "CN → HK → MO → VN → HK",
        "export_control",
        "Customs cooperation arrangement, article 5 (placeholder)",
        "SZ-2026-0117",
        "2026-01-17 09:30 +00",
        "4 contradictions: 1 high, 1 medium, 1 low, 1 notice",
        "Not answered whole by hk, vn.",
        "2 links not followed: hk doesn't release them to mo (seal, UCR)",
        "019bbf30-0000-7000-8000-000000000002",
        "no agreement lists export_control for trace",
        "parties[0].names",
        "gba.customs.example/mo/history",
        "hk/HKR-2026-004902 gives HKI2026004711 as its previous document",
        "Inspected (x-ray, laboratory): suspicion confirmed. Antimony, 99.65 %.",
        "<b>Not bold</b>",
    ):
        assert said in text, said
    twin = "".join(Reader(render_html(TRACES["twin"])).text)
    assert "No contradictions among" in twin
    assert "MOFCOM & GACC 2024 No. 33" in twin


def test_what_was_not_compared_is_said_and_is_no_good_news() -> None:
    """As a trace by a commodity code finds them: records that nothing links, so that no rule compares two of them."""
    apart = Trace()
    apart.CopyFrom(TRACES["twin"])
    for leg in apart.legs:
        del leg.links[:]
    document = render_html(apart)
    assert f"No contradictions within {len(apart.legs)} records, none of which is linked" in document
    assert "they weren't compared with each other" in unescape(document)
    assert 'class="verdict fine"' not in document
    assert 'class="verdict fine"' in render_html(TRACES["twin"])
    del apart.legs[1:]
    assert "there was none to compare it with" in render_html(apart)
    apart.legs.add().CopyFrom(apart.legs[0])
    apart.legs[1].links.add(leg=0, kind="seal")
    apart.legs.add().CopyFrom(apart.legs[0])
    apart.answers.add(node="hk", status=ANSWER_STATUS_PARTIAL)
    apart.legs[0].record.withheld.add(path="net_mass_kg")
    text = unescape(render_html(apart))
    assert "among 2 linked records; 1 record without a link wasn't compared with others" in text
    assert "What partners withheld of 1 record wasn't compared." in text
    assert "Not every question was answered whole" in text


def test_no_full_stop_stands_before_a_comma() -> None:
    held = Trace()
    held.CopyFrom(TRACES["case"])
    for leg in held.legs:
        for item in leg.record.shipment.goods:
            item.description += "."
        for happened in leg.record.shipment.events:
            happened.remarks = "Goods are held."
            happened.place.name = "HZMB Macao Port"
    del held.events[:]
    held.events.extend(events_of([leg.record for leg in held.legs]))
    text = "".join(Reader(render_html(held)).text)
    assert "Goods are held, HZMB Macao Port" in text
    assert "Goods are held.," not in text
    assert "Lead ingots, 20,000 kg" in text
    assert not re.search(r"(?:ingots|unwrought|transit)\.,", text)


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (
            "zh-Hans",
            ("托运货物", "5 条记录", "密度不符", "香港", "电子关锁", "个人资料", "2026-01-15 星期四"),
        ),
        (
            "zh-Hant",
            ("托運貨物", "5 項記錄", "密度不符", "澳門", "電子鎖", "個人資料", "2026-01-15 星期四"),
        ),
        ("pt", ("Remessa", "5 registos", "densidade incompatível", "Macau", "cadeado eletrónico", "3 campos omitidos")),
    ],
)
def test_the_report_is_in_the_readers_language(language: str, said: tuple[str, ...]) -> None:
    with in_language(language):
        document = render_html(TRACES["trouble"], case.GROUNDS, made_at=datetime(2026, 1, 17, 9, 30, tzinfo=UTC))
    text = "".join(Reader(document).text)
    assert [word for word in said if word not in text] == []
    # what records, answers and rules say is theirs
    assert "By the cases' volume the goods have 2.10 g/cm³" in " ".join(text.split())


def test_it_leads_with_its_conclusion_and_what_was_searched_for() -> None:
    criteria = SearchCriteria(references=[SearchReference(kind=case.UCR, value="6CN-1")], containers=["GWDU2601174"])
    document = render_html(TRACES["case"], case.GROUNDS, criteria=criteria)
    text = " ".join("".join(Reader(document).text).split())
    text = text.partition("Consignment: CN → HK → MO ")[2]  # behind the title
    order = (
        "3 contradictions: 1 high, 1 medium, 1 low",
        "HIGH By the cases' volume the goods have 2.10 g/cm³",
        "(records 2, 3)",
        "Searched for",
        "UCR 6CN-1, container GWDU2601174",
        "Asked",
        "cn, hk, mo",
        "What doesn't add up",
    )
    places = [text.index(said) for said in order]
    assert places == sorted(places)
    assert 'class="verdict high"' in document
    for said in ("declared density: 11.3 g/cm³", "net: 20,000 kg", "gap: 1 day", "time: 30 days"):
        assert said in text, said


def test_numbers_of_rules_have_units() -> None:
    found = Discrepancy(measured=0.186, unit="g/cm³")
    assert measured(found) == "0.186 g/cm³"
    assert measured(Discrepancy(measured=0.1234, unit="share")) == "12.3 %"
    assert measured(Discrepancy(measured=0.5)) == "0.5"
    assert measured(Discrepancy()) == ""
    assert quantity("kg_in", "20000") == ("mass in", "20,000 kg")
    assert quantity("usd", "44000") == ("value", "44,000 USD")
    assert quantity("gap_days", "1") == ("gap", "1 day")
    # numbers that name something, and words, stay as they are
    assert quantity("exported_hs6", "811010") == ("exported hs6", "811010")
    assert quantity("record", "531620260000260117") == ("record", "531620260000260117")
    assert quantity("suspects", "antimony ingot") == ("suspects", "antimony ingot")


def test_a_narrow_screen_gets_lists_and_cards_with_the_same_words() -> None:
    document = render_html(TRACES["trouble"])
    lists = re.findall(r'<li class="record">(.*?)</li>', document, re.DOTALL)
    assert len(lists) == len(TRACES["trouble"].legs)
    marks = document.count('<p class="mark ')
    assert marks >= sum(len(found.legs) for found in TRACES["trouble"].discrepancies)
    cells = re.findall(r"<td([^>]*)>", document)
    assert all(re.fullmatch(r' data-label="[^"]+"', cell) for cell in cells)


def test_what_may_be_missing_stands_above() -> None:
    trace = traces.the_twin()
    trace.answers.add(
        node="hk", status=ANSWER_STATUS_PARTIAL, unindexed=1, reason="1 record recorded and not indexed yet"
    )
    document = render_html(trace)
    assert "Records may be missing. hk: 1 record recorded and not indexed yet" in document
    assert document.index("Records may be missing") < document.index("<h2>")
    assert 'class="verdict notice"' in document
    assert 'class="verdict fine"' in render_html(TRACES["twin"])


def test_an_empty_trace_is_a_short_report() -> None:
    document = render_html(Trace())
    assert "No record of this consignment was found." in document
    assert "Nobody was asked." in document
    assert "<svg" not in document


@pytest.mark.parametrize("name", ["case", "twin", "trouble", "large"])
def test_the_picture_has_every_leg_in_its_lane(name: str) -> None:
    trace = TRACES[name]
    parts = drawings(render_html(trace))
    titles = [
        (text.text or "", float(text.get("x", "0")))
        for part in parts
        for text in part.iter("text")
        if text.get("class") == "card-title"
    ]
    assert [int(title.split()[0]) for title, _ in titles] == list(range(1, len(trace.legs) + 1))
    lanes = {"cn": 0, "hk": 1, "mo": 2}
    for (_, x), leg in zip(titles, trace.legs, strict=True):
        assert (x - GUTTER) // LANE == lanes[leg.record.node]
    arrows = sum(1 for part in parts for line in part.iter("line") if line.get("class") == "way")
    assert arrows == {"case": 2, "twin": 2, "trouble": 4, "large": 60}[name]


@pytest.mark.parametrize("name", ["case", "trouble", "large"])
def test_contradictions_stand_at_their_legs(name: str) -> None:
    trace = TRACES[name]
    marks = sum(
        1
        for part in drawings(render_html(trace))
        for box in part.iter("rect")
        if (box.get("class") or "").startswith("mark ")
    )
    assert marks == sum(len(found.legs) for found in trace.discrepancies)


@each_language
@pytest.mark.parametrize("name", ["case", "twin", "trouble"])
def test_no_text_of_the_picture_leaves_its_lane_and_no_shape_its_drawing(name: str, language: str) -> None:
    with in_language(language):
        document = render_html(TRACES[name])
    for part in drawings(document):
        _, _, width, height = map(float, (part.get("viewBox") or "").split())
        for text in part.iter("text"):
            x, y, kind = float(text.get("x", "0")), float(text.get("y", "0")), text.get("class") or ""
            assert 0 < y < height
            if kind in ("time", "way-label"):
                continue
            measure = bold_width if kind in ("record", "controlled") or "first" in kind else text_width
            end = (x - GUTTER) % LANE + measure(text.text or "")
            assert end <= LANE, text.text
        for box in part.iter("rect"):
            assert float(box.get("x", "0")) + float(box.get("width", "0")) <= width
            assert float(box.get("y", "0")) + float(box.get("height", "0")) <= height


def test_it_says_whether_answers_are_proven_complete_and_what_that_isnt() -> None:
    trace = Trace()
    trace.CopyFrom(TRACES["case"])
    for answer in trace.answers:
        answer.query_id, answer.status = "019bbf30-0000-7000-8000-000000000000", ANSWER_STATUS_COMPLETE
    limits = "no proof says that everything that happened was recorded"
    told = " ".join(Reader(render_html(trace)).text)
    assert "as told" in told
    assert limits not in told
    for answer in trace.answers:
        answer.proven_until.FromDatetime(datetime(2026, 1, 10, 4, 0, tzinfo=UTC))
    proven = " ".join(Reader(render_html(trace)).text)
    assert "proven complete up to 2026-01-10 04:00 +00" in proven
    assert limits in proven
    assert "proven complete up to" in " ".join(render_terminal(trace, width=200, colour=False).split())
