"""One shipment record: an own one with its revisions, or a partner's as far as it lets it be seen."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.console.filters import moment_text
from gateway.console.page import client, form, reader_locale, render
from gateway.console.pages.history.answers import answer_view, withheld_paths
from gateway.console.pages.history.question import HistoryQuestion, read_question
from gateway.console.pages.history.search import show_form
from gateway.console.pages.law import suggested_by_goods
from gateway.console.pictures.map import MapLeg, map_place, route_map
from gateway.console.pictures.svg import Illustration
from gateway.console.views.controls import SuggestionRow
from gateway.contract.messages import clipped_moment, to_ms
from gateway.errors import MalformedError
from gateway.tracing.report.tables import discrepancy_cells, event_cells, leg_cells, mass_cells, place_in_words
from gateway.translation.labels import label_of
from gateway.translation.messages import gettext as _
from gateway.translation.substance_names import substance_title
from gateway.v1.goods_pb2 import RouteLeg, TransportMode
from gateway.v1.history_pb2 import AnswerMode, HistoryRecord, NodeAnswer, SearchCriteria
from gateway.v1.shipment_pb2 import Shipment
from gateway.v1.trace_pb2 import TraceLeg

MODES = {
    TransportMode.TRANSPORT_MODE_SEA: "sea",
    TransportMode.TRANSPORT_MODE_INLAND_WATER: "sea",
    TransportMode.TRANSPORT_MODE_RAIL: "rail",
    TransportMode.TRANSPORT_MODE_ROAD: "road",
    TransportMode.TRANSPORT_MODE_AIR: "air",
}
"""Styles of legs on a map."""

MOST_GOODS = 200
"""Most goods of one question about control codes."""


async def show_own_record(request: Request) -> Response:
    """An own record with everything that was recorded of it."""
    found = await client(request).history.get(request.path_params["record_id"])
    return render(
        request,
        "history/record.html",
        title=_("Record {record}", record=found.record.shipment.record_id),
        found=found,
        question=None,
        answer=None,
        risk_hits=[discrepancy_cells(hit.discrepancy) for hit in found.risk_hits],
        controlled=await _controls(request, found.record.shipment),
        **record_context(found.record),
    )


async def _controls(request: Request, shipment: Shipment) -> list[tuple[str, list[SuggestionRow]]]:
    """Control codes that may apply to the goods on the day of the declaration."""
    goods = [item for item in shipment.goods[:MOST_GOODS] if item.description or item.substance or item.element]
    texts = [item.description or substance_title(item.substance, item.element) for item in goods]
    declared = clipped_moment(to_ms(shipment.declared_at) + shipment.utc_offset_minutes * 60_000)
    return await suggested_by_goods(request, goods, texts, on=declared.date().isoformat())


async def show_record(request: Request) -> Response:
    """A record of any node, asked for with the grounds of the search that it was found by."""
    sent = form(request)
    node, _slash, record_id = sent.text("record").partition("/")
    question = read_question(sent, reader_locale(request).zone)
    if not sent.is_good:
        return await show_form(request, sent)
    if not node or not record_id:
        raise MalformedError(_("This form names no record."))
    answer, record = await _fetched(client(request), question, node, record_id)
    if record is None:
        view = answer_view(answer, [], AnswerMode.ANSWER_MODE_RECORDS)
        return render(
            request, "history/no_record.html", title=_("Record"), status=404, answer=view, record_id=record_id
        )
    return render(
        request,
        "history/record.html",
        title=_("Record {record}", record=record.shipment.record_id),
        found=None,
        question=question,
        answer=answer_view(answer, [record], AnswerMode.ANSWER_MODE_RECORDS),
        risk_hits=[],
        controlled=[],
        **record_context(record),
    )


async def _fetched(
    gateway: GatewayClient, question: HistoryQuestion, node: str, record_id: str
) -> tuple[NodeAnswer, HistoryRecord | None]:
    record, answer = None, NodeAnswer(node=node)
    found = gateway.history.search_page(
        SearchCriteria(record_ids=[record_id]), question.grounds, nodes=[node], page_size=1
    )
    async with aclosing(found):
        async for item in found:
            if isinstance(item, HistoryRecord):
                record = item
            elif isinstance(item, NodeAnswer):
                answer = item
    return answer, record


def record_context(record: HistoryRecord) -> dict[str, Any]:
    """What the template of a record shows."""
    shipment = record.shipment
    return {
        "record": record,
        "shipment": shipment,
        "cells": leg_cells(0, TraceLeg(record=record)),
        "office": place_in_words(shipment.office) if shipment.HasField("office") else "",
        "withheld": withheld_paths([record]),
        "route": route_picture(shipment.route),
        "masses": [
            (mass, source, moment_text(at) if at else "", where) for mass, source, at, where in mass_cells(shipment)
        ],
        "events": [(moment_text(at), where, said) for at, where, _kind, said in event_cells(record)],
    }


def route_picture(route: Sequence[RouteLeg], title: str = "") -> Illustration | None:
    """The legs of a route on a map."""
    return route_map([_leg(leg) for leg in route], title=title)


def _leg(leg: RouteLeg) -> MapLeg:
    means = leg.means
    said = (
        label_of(TransportMode, means.mode) if means.mode else "",
        means.name,
        means.journey,
        *(registration.value for registration in means.registrations),
    )
    times = [
        _("left {time}", time=moment_text(leg.departure)) if leg.HasField("departure") else "",
        _("arrived {time}", time=moment_text(leg.arrival)) if leg.HasField("arrival") else "",
    ]
    return MapLeg(
        start=map_place(getattr(leg, "from")),
        end=map_place(leg.to),
        mode=MODES.get(means.mode, ""),
        means=", ".join(filter(None, said)),
        when=", ".join(filter(None, times)),
    )
