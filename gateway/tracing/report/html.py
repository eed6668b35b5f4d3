"""Renders a trace as one HTML document for a case file.

Its content policy forbids loading and scripts; templates escape every text.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from gateway.tracing.report import tables, words
from gateway.tracing.report.picture import draw
from gateway.tracing.report.rows import picture_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import language, listed, ngettext
from gateway.translation.plain_text import printable
from gateway.v1.history_pb2 import QueryGrounds
from gateway.v1.trace_pb2 import Trace

MAX_LANES: Final = 5
"""More are too narrow on a page."""

_TEMPLATE: Final = "report.j2"


def render_html(trace: Trace, grounds: QueryGrounds | None = None, *, made_at: datetime | None = None) -> str:
    """The report in the current language; `made_at` has a zone."""
    span = words.span_of_events(trace)
    return (
        _environment()
        .get_template(_TEMPLATE)
        .render(
            language=language(),
            trace=trace,
            way=words.way_in_words(trace),
            span=span,
            verdict=words.severities_in_words(trace),
            verdict_kind=_verdict_kind(trace),
            incomplete_nodes=words.incomplete_nodes(trace),
            refusals=words.refusals_in_words(trace),
            facts=_facts(trace, grounds, made_at),
            discrepancies=[tables.discrepancy_cells(discrepancy) for discrepancy in trace.discrepancies],
            drawings=list(draw(picture_of(trace, MAX_LANES))) if trace.legs else [],
            legs=[tables.leg_cells(number, leg) for number, leg in enumerate(trace.legs, start=1)],
            links=[(number, link) for number, leg in enumerate(trace.legs, start=1) for link in leg.links],
            controlled=[(number, item) for number, leg in enumerate(trace.legs, start=1) for item in leg.controlled],
            answers=[tables.answer_cells(node, answers) for node, answers in words.answers_by_node(trace).items()],
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
    made.globals.update({"_": _, "ngettext": ngettext})
    made.filters |= {
        "listed": listed,
        "number": lambda value: f"{value:g}",
        "moment": words.moment,
        "happened_at": words.happened_at,
        "event_kind": words.event_kind,
        "link_kind": words.link_kind,
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
    return "fine" if worst is None else words.severity_kind(worst)


def _facts(trace: Trace, grounds: QueryGrounds | None, made_at: datetime | None) -> list[tuple[str, str]]:
    facts = (
        (_("Purpose"), grounds.purpose if grounds else ""),
        (_("Legal basis"), grounds.legal_basis if grounds else ""),
        (_("Case"), grounds.case_reference if grounds else ""),
        (_("Rules"), trace.rules_version),
        (_("Controlled goods list"), trace.controlled_goods_version),
        (_("Report made"), words.moment(made_at) if made_at else ""),
    )
    return [(name, value) for name, value in facts if value]
