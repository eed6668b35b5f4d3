"""Searches shipment records: the answers of all nodes appear on the page when they come, without script."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.client.history import RecordOrAnswer
from gateway.console.agreed import agreed
from gateway.console.form import Form
from gateway.console.page import client, form, reader_locale, render, rendered
from gateway.console.pages.history.answers import answer_view, found_record
from gateway.console.pages.history.question import (
    CHECKED,
    GRAPH,
    PROBLEM_FIELDS,
    SIMPLE,
    HistoryQuestion,
    procedure_options,
    read_question,
)
from gateway.console.problems import problem_of
from gateway.console.views.remarks import remarks_of
from gateway.errors import GatewayError, InvalidRequestError
from gateway.tracing.report.criteria_words import criteria_lines
from gateway.translation.messages import gettext as _
from gateway.translation.messages import in_language
from gateway.v1.history_pb2 import HistoryRecord, NodeAnswer
from gateway.v1.history_service_pb2 import SearchEnd, SearchOrder

PAGE_SIZE: Final = 50
"""Most records on a page."""

PARTNER_TIMEOUT_MS: Final = 5_000
"""Milliseconds for which a page waits for a partner: the records that it lacks come with the next one."""

PLACE_OF_ANSWERS: Final = "<!--answers-->"
"""Where the page is cut: what is before goes out at once, answers follow."""

Found = RecordOrAnswer | SearchEnd


async def ask(request: Request) -> Response:
    """The form, empty or filled in by a link of another page (what is looked for, never why)."""
    begun = {name: request.query_params[name] for name in SIMPLE if name in request.query_params}
    return await show_form(request, Form.with_values({"mode": "records", **begun}))


async def show_form(request: Request, sent: Form) -> Response:
    """The form with what was typed, and its problems."""
    return render(
        request,
        "history/ask.html",
        title=_("Ask partners") if sent.all("partners") else _("Shipments"),
        status=200 if sent.is_good else 422,
        form=sent,
        graph={name: sent.all(name) for name in GRAPH},
        partners=[(node, _node_name(request, node), "") for node in sent.all("partners")],
        purposes=(await agreed(request)).purpose_options(),
        procedures=procedure_options(),
        remarks=remarks_of(sent, lambda name: CHECKED.get(name, ""), sought=True),
    )


def _node_name(request: Request, node: str) -> str:
    own = node == client(request).node_name
    return _("{node} (own records)", node=node.upper()) if own else node.upper()


async def search(request: Request) -> Response:
    """Asks all nodes, or those that the form names."""
    sent = form(request)
    question = read_question(sent, reader_locale(request).zone)
    if not sent.is_good:
        return await show_form(request, sent)
    found = client(request).history.search_page(
        question.criteria,
        question.grounds,
        nodes=question.nodes,
        mode=question.mode,
        order=_order_of(question),
        page_size=PAGE_SIZE,
        page_token=sent.raw("page_token"),
        partner_timeout_ms=PARTNER_TIMEOUT_MS,
    )
    try:
        first = await anext(found, None)
    except InvalidRequestError as error:
        await found.aclose()
        sent.add_violations(error, PROBLEM_FIELDS)
        return await show_form(request, sent)
    page = rendered(
        request,
        "history/results.html",
        title=_("Answers from history"),
        question=question,
        sought=criteria_lines(question.criteria),
        page_number=int(sent.text("page_number") or "1") if sent.text("page_number").isdecimal() else 1,
        place_of_answers=PLACE_OF_ANSWERS,
    )
    return StreamingResponse(_streamed(request, page, question, first, found), media_type="text/html")


def _order_of(question: HistoryQuestion) -> SearchOrder.ValueType:
    """A link graph takes all records of a node's one answer."""
    return SearchOrder.SEARCH_ORDER_UNSPECIFIED if question.is_of_graph else SearchOrder.SEARCH_ORDER_OVERALL


async def _streamed(
    request: Request, page: str, question: HistoryQuestion, first: Found | None, found: AsyncGenerator[Found, None]
) -> AsyncIterator[str]:
    """The page's beginning, each node's answer, the records of all in order, the page's end."""
    head, _place, tail = page.partition(PLACE_OF_ANSWERS)
    yield head
    language = reader_locale(request).language
    records: list[HistoryRecord] = []
    end, may_be_linked = SearchEnd(), False
    async with aclosing(found):
        try:
            async for item in _with_first(first, found):
                if isinstance(item, HistoryRecord):
                    records.append(item)
                elif isinstance(item, NodeAnswer):
                    with in_language(language):
                        of_node = [record for record in records if record.node == item.node]
                        view = answer_view(item, of_node, question.mode)
                        linked = question.is_of_graph and view.has_held_records
                        may_be_linked = may_be_linked or linked
                        yield rendered(request, "history/answer.html", answer=view, linked=linked)
                else:
                    end = item
        except GatewayError as error:
            with in_language(language):
                yield rendered(request, "history/interrupted.html", problem=problem_of(error))
    with in_language(language):
        if records:
            yield rendered(request, "history/records.html", records=[found_record(record) for record in records])
        yield rendered(request, "history/end.html", end=end, next_page=_next_page(request), linked=may_be_linked)
    yield tail


async def _with_first(first: Found | None, rest: AsyncIterator[Found]) -> AsyncIterator[Found]:
    if first is not None:
        yield first
    async for item in rest:
        yield item


def _next_page(request: Request) -> int:
    number = form(request).text("page_number")
    return (int(number) if number.isdecimal() and len(number) < 9 else 1) + 1
