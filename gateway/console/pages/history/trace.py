"""A consignment's trace as a picture: the conclusion first, contradictions in place, what may be missing above."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.filters import moment_text
from gateway.console.page import client, form, reader_locale, render
from gateway.console.pages.history.question import PROBLEM_FIELDS, HistoryQuestion, read_question
from gateway.console.pages.history.record import route_picture
from gateway.console.pages.history.search import show_form
from gateway.console.pictures.lanes import trace_lanes
from gateway.errors import InvalidRequestError
from gateway.tracing.report import tables, words
from gateway.tracing.report.criteria_words import criteria_lines
from gateway.translation.messages import gettext as _
from gateway.translation.trace_sentences import link_reason
from gateway.v1.goods_pb2 import RouteLeg
from gateway.v1.history_pb2 import NodeAnswer, SearchCriteria
from gateway.v1.trace_pb2 import DraftAlert, Trace, TraceLeg, TraceLink

LED_WITH: Final = 5
"""Contradictions that the page begins with; the table has all."""


async def trace(request: Request) -> Response:
    """Traces the consignment of a record, or of what the form looks for."""
    sent = form(request)
    question = read_question(sent, reader_locale(request).zone)
    if not sent.is_good:
        return await show_form(request, sent)
    criteria = _beginning(sent.text("trace"), question)
    try:
        found = await client(request).history.trace(criteria, question.grounds, nodes=question.nodes, draft_alert=True)
    except InvalidRequestError as error:
        sent.add_violations(error, PROBLEM_FIELDS)
        return await show_form(request, sent)
    trace = found.trace
    return render(
        request,
        "history/trace.html",
        title=words.conclusion(trace),
        trace=trace,
        question=question,
        sought=criteria_lines(criteria),
        made_at=datetime.now(UTC),
        way=words.way_in_words(trace),
        conclusion=words.conclusion(trace),
        led_with=LED_WITH,
        kind=_kind(trace),
        gaps=words.gaps_in_words(trace),
        refusals=words.refusals_in_words(trace),
        discrepancies=[tables.discrepancy_cells(discrepancy) for discrepancy in trace.discrepancies],
        route=route_picture(list(_route(trace)), _("The way on a map")),
        lanes=trace_lanes(trace),
        legs=[_leg(number, leg) for number, leg in enumerate(trace.legs, start=1)],
        links=[_link(number, link) for number, leg in enumerate(trace.legs, start=1) for link in leg.links],
        held=[
            f"{node}/{answer.query_id}"
            for node, answers in words.answers_by_node(trace).items()
            for answer in answers
            if question.is_of_graph and answer.query_id and answer.count
        ],
        answers=[_answer(node, answers) for node, answers in words.answers_by_node(trace).items()],
        any_proven=any(answer.HasField("proven_until") for answer in trace.answers),
        withheld=[
            (number, words.leg_name(leg), field.path, field.reason or words.class_word(field))
            for number, leg in enumerate(trace.legs, start=1)
            for field in leg.record.withheld
        ],
        drafts=[_draft(draft) for draft in found.drafts],
    )


def _beginning(record: str, question: HistoryQuestion) -> SearchCriteria:
    """Where a trace begins: at a record of the results, or at what was looked for."""
    record_id = record.partition("/")[2]
    return SearchCriteria(record_ids=[record_id]) if record_id else question.criteria


def _kind(trace: Trace) -> str:
    """Style of the conclusion."""
    worst = max((discrepancy.severity for discrepancy in trace.discrepancies), default=None)
    if worst is not None:
        return {"high": "bad", "medium": "warn"}.get(words.severity_kind(worst), "info")
    whole = (
        words.linked_legs(trace)
        and not trace.truncated
        and not words.incomplete_nodes(trace)
        and not trace.onward_refusals
    )
    return "good" if whole else "info"


def _route(trace: Trace) -> Iterator[RouteLeg]:
    """The legs of all records in order of time, those that two authorities recorded once."""
    legs = [leg for part in trace.legs for leg in part.record.shipment.route]
    dated = [leg for leg in legs if leg.HasField("departure") or leg.HasField("arrival")]
    seen: set[tuple[str, str, int]] = set()
    for leg in sorted(dated, key=_instant) + [leg for leg in legs if leg not in dated]:
        start, end = getattr(leg, "from"), leg.to
        key = (
            start.territory + start.unlocode + start.name,
            end.territory + end.unlocode + end.name,
            _instant(leg) // 3600,
        )
        if key not in seen:
            seen.add(key)
            yield leg


def _instant(leg: RouteLeg) -> int:
    """Seconds, of the departure or else of the arrival."""
    return (leg.departure if leg.HasField("departure") else leg.arrival).seconds


def _leg(number: int, leg: TraceLeg) -> dict[str, object]:
    """A record, its time in the reader's zone."""
    cells = dict(tables.leg_cells(number, leg))
    office = leg.record.shipment.office
    when = moment_text(leg.record.shipment.declared_at)
    cells["declared"] = list(filter(None, (when, tables.place_in_words(office))))
    return cells


def _link(number: int, link: TraceLink) -> tuple[str, str, str, str, str]:
    """Two records, and by what and how strongly they belong together."""
    numbers, strength = f"{number} – {link.leg + 1}", f"{link.strength:.2f}"
    return numbers, words.link_kind(link.kind), link.value, strength, link_reason(link.because)


def _answer(node: str, answers: Sequence[NodeAnswer]) -> dict[str, object]:
    """A node's answers, their times in the reader's zone."""
    until = answers[-1].searched_until
    searched = moment_text(until) if answers[-1].HasField("searched_until") else ""
    proof = words.proof_in_words(answers, moment_text)
    return {**tables.answer_cells(node, answers), "searched": searched, "proof": proof}


def _draft(draft: DraftAlert) -> dict[str, object]:
    """A draft alert with the form's value that hands it to the page of new alerts."""
    return {
        "recipients": list(draft.recipients),
        "to_complete": len(draft.to_complete),
        "rules": [hit.rule_id for hit in draft.content.rule_hits],
        "value": urlsafe_b64encode(draft.SerializeToString(deterministic=True)).decode(),
    }
