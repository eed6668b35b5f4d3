"""Renders a trace as one HTML document for a case file.

Its content policy forbids loading and scripts; templates escape every text.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.tracing.report import tables, words
from gateway.tracing.report.criteria_words import criteria_lines
from gateway.tracing.report.picture import draw
from gateway.tracing.report.rows import picture_of
from gateway.tracing.report.steps import steps
from gateway.translation.messages import gettext as _
from gateway.translation.messages import language, listed, ngettext
from gateway.translation.plain_text import printable
from gateway.translation.substance_names import listed_substance
from gateway.translation.trace_sentences import link_reason
from gateway.v1.history_pb2 import QueryGrounds, SearchCriteria
from gateway.v1.trace_pb2 import Trace

MOST_LED_WITH: Final = 5
"""Contradictions that the report begins with; the table has all."""

MAX_LANES: Final = 5
"""More are too narrow on a page."""

PORTRAIT_LANES: Final = 4
"""Drawings with more lanes are printed on pages in landscape."""

_TEMPLATE: Final = "report.j2"


def render_html(
    trace: Trace,
    grounds: QueryGrounds | None = None,
    *,
    criteria: SearchCriteria | None = None,
    made_at: datetime | None = None,
) -> str:
    """The report in the current language; `made_at` has a zone."""
    picture = picture_of(trace, MAX_LANES) if trace.legs else None
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            language=language(),
            trace=trace,
            way=words.way_in_words(trace),
            conclusion=words.conclusion(trace),
            verdict_kind=_verdict_kind(trace),
            gaps=words.gaps_in_words(trace),
            refusals=words.refusals_in_words(trace),
            facts=_facts(trace, grounds, criteria, made_at),
            discrepancies=[tables.discrepancy_cells(discrepancy) for discrepancy in trace.discrepancies],
            drawings=list(draw(picture)) if picture else [],
            is_wide=picture is not None and len(picture.lanes) > PORTRAIT_LANES,
            steps=list(steps(picture)) if picture else [],
            legs=[tables.leg_cells(number, leg) for number, leg in enumerate(trace.legs, start=1)],
            links=[(number, link) for number, leg in enumerate(trace.legs, start=1) for link in leg.links],
            controlled=[(number, item) for number, leg in enumerate(trace.legs, start=1) for item in leg.controlled],
            answers=[tables.answer_cells(node, answers) for node, answers in words.answers_by_node(trace).items()],
            any_proven=any(answer.HasField("proven_until") for answer in trace.answers),
            withheld=[
                (number, words.leg_name(leg), field)
                for number, leg in enumerate(trace.legs, start=1)
                for field in leg.record.withheld
            ],
            statements=[tables.statement_cells(answer) for answer in trace.answers if answer.statement],
        )
    )


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("gateway.tracing.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update({"_": _, "ngettext": ngettext, "MOST_LED_WITH": MOST_LED_WITH})
    made.filters |= {
        "listed_substance": listed_substance,
        "listed": listed,
        "number": lambda value: f"{value:g}",
        "moment": words.moment,
        "happened_at": words.happened_at,
        "event_kind": words.event_kind,
        "link_kind": words.link_kind,
        "link_reason": link_reason,
        "confidence": words.confidence,
        "class_word": words.class_word,
        "place": tables.place_in_words,
    }
    return made


def _harmless(value: Any) -> Any:
    """Makes control characters visible, except in macros' HTML."""
    return printable(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _verdict_kind(trace: Trace) -> str:
    worst = max((discrepancy.severity for discrepancy in trace.discrepancies), default=None)
    if worst is not None:
        return words.severity_kind(worst)
    is_whole = (
        words.linked_legs(trace)
        and not trace.truncated
        and not words.incomplete_nodes(trace)
        and not trace.onward_refusals
    )
    return "fine" if is_whole else "notice"


def _facts(
    trace: Trace, grounds: QueryGrounds | None, criteria: SearchCriteria | None, made_at: datetime | None
) -> list[tuple[str, str]]:
    facts = (
        (_("Searched for"), listed(criteria_lines(criteria)) if criteria else ""),
        (_("Asked"), listed(words.answers_by_node(trace))),
        (_("Way"), words.way_in_words(trace)),
        (_("Records"), _records(trace)),
        (_("Purpose"), grounds.purpose if grounds else ""),
        (_("Legal basis"), grounds.legal_basis if grounds else ""),
        (_("Case"), grounds.case_reference if grounds else ""),
        (_("Rules"), trace.rules_version),
        (_("Controlled goods list"), trace.controlled_goods_version),
        (_("Report made"), words.moment(made_at) if made_at else ""),
    )
    return [(name, value) for name, value in facts if value]


def _records(trace: Trace) -> str:
    span = words.span_of_events(trace)
    if span is None:
        return ""
    start, end = map(words.moment, span)
    return ngettext(
        "{number} record, {start} to {end}", "{number} records, {start} to {end}", len(trace.legs), start=start, end=end
    )
