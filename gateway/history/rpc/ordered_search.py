"""Searches several nodes for one page in the order of declaration over all of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace

from gateway.contract.messages import to_ms
from gateway.history.codec.signed_texts import in_messages
from gateway.history.rpc.fanout import COUNTING, HistoryFanout, NodeEnd, NodeSearch
from gateway.history.rpc.search_pages import START, SearchPosition, decode_places, encode_places
from gateway.history.rules.ordered_reading import (
    MOST_QUESTIONS,
    MergedPage,
    NodePlace,
    NodeReading,
    RecordKey,
    SpanQuestion,
    merge,
)
from gateway.history.service.search import MAX_LIMIT
from gateway.plurals import counted
from gateway.rpc.calls import Call
from gateway.v1 import history_pb2
from gateway.v1 import history_service_pb2 as pb

DEFAULT_SIZE = 100
"""Records of a page of all nodes."""

_COMPLETE, _PARTIAL = history_pb2.ANSWER_STATUS_COMPLETE, history_pb2.ANSWER_STATUS_PARTIAL


@dataclass(slots=True)
class _NodePage:
    """The first records of a node after a place; `reading` is None where it didn't answer as far as is needed."""

    place: NodePlace
    answer: history_pb2.NodeAnswer
    records: dict[str, history_pb2.HistoryRecord]
    reading: NodeReading | None

    @property
    def may_answer_later(self) -> bool:
        return self.reading is None and self.answer.status != history_pb2.ANSWER_STATUS_DENIED


class OrderedSearch:
    """Pages of SEARCH_ORDER_OVERALL; used in one event loop."""

    def __init__(self, fanout: HistoryFanout, *, clock: Callable[[], int]) -> None:
        self._fanout = fanout
        self._clock = clock

    async def search(
        self, call: Call, request: pb.SearchShipmentsRequest, remaining_s: float | None
    ) -> AsyncGenerator[pb.SearchShipmentsResponse]:
        """Answers SearchShipments within `remaining_s` seconds (None: no limit).

        A node that fails keeps its place, so that the next page has the records which this one lacks.

        Raises:
            InvalidRequestError: too wide criteria, an unknown node, a token of another search.
        """
        nodes = self._fanout.asked_nodes(request.nodes)
        known = decode_places(request)
        places = {node: NodePlace() for node in nodes} if known is None else known
        places = {node: places[node] for node in nodes if node in places}
        query = self._fanout.begin(call, request, list(places), remaining_s)
        size = request.page_size or DEFAULT_SIZE
        async with asyncio.TaskGroup() as reading:
            tasks = {
                node: reading.create_task(self._read(call, node, query, place, size), name=f"read {node}")
                for node, place in places.items()
            }
        pages = {node: task.result() for node, task in tasks.items()}
        readings = {node: page.reading for node, page in pages.items() if page.reading is not None}
        merged = merge(readings, {node: page.place for node, page in pages.items()}, size)
        further = {**merged.places, **{node: page.place for node, page in pages.items() if page.may_answer_later}}
        for message in _messages(pages, merged):
            yield message
        token = encode_places(request, further)
        answers = [page.answer for page in pages.values()]
        yield pb.SearchShipmentsResponse(
            answers=answers, end=pb.SearchEnd(next_page_token=token, count=len(merged.records))
        )

    async def _read(self, call: Call, node: str, query: NodeSearch, place: NodePlace, size: int) -> _NodePage:
        """Asks a node on until its first records after a place are sure."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        reading = NodeReading(place.after, size, now_ms=self._clock(), most=MAX_LIMIT)
        page = _NodePage(place, history_pb2.NodeAnswer(node=node), {}, None)
        further: SearchPosition | None = None
        for number in range(MOST_QUESTIONS):
            question = reading.question
            if question is None:
                page.reading = reading
                break
            messages: list[pb.SearchShipmentsResponse] = []
            search = _asked(query, question, loop.time() - began, is_first=not number)
            start = further if question.goes_on and further is not None else START
            end = await self._fanout.ask(call, node, search, start=start, put=messages.append)
            page.answer, further = end.answer, end.further
            if end.answer.status not in (_COMPLETE, _PARTIAL):
                break
            records = [record for message in messages for record in message.records.records]
            page.place = _begun(page.place, end, records)
            keys = {record.shipment.record_id: _key_of(record, question) for record in records}
            shown = [record for record in records if not _is_new(record, page.place)]
            page.records.update((record.shipment.record_id, record) for record in shown)
            reading.take(question, (keys[record.shipment.record_id] for record in shown), more=further is not None)
        else:
            page.answer.status = history_pb2.ANSWER_STATUS_FAILED
            most = counted(MOST_QUESTIONS, "question")
            page.answer.reason = f"its records can't be put in order by {most}; narrow the search"
        page.answer.elapsed_ms = int((loop.time() - began) * 1000)
        return page


def _asked(query: NodeSearch, question: SpanQuestion, gone_s: float, *, is_first: bool) -> NodeSearch:
    own_s = query.own_timeout_s
    return replace(
        query,
        limit=question.limit,
        order=pb.SEARCH_ORDER_UNSPECIFIED,
        span=(question.declared_from, question.declared_until),
        timeout_s=max(0.1, query.timeout_s - gone_s),
        own_timeout_s=None if own_s is None else max(0.1, own_s - gone_s),
        wait_ms=query.wait_ms if is_first else 0,
    )


def _begun(place: NodePlace, end: NodeEnd, records: list[history_pb2.HistoryRecord]) -> NodePlace:
    """The place with the time since which records are new, by the node's first answer."""
    if place.as_of or not end.answer.HasField("searched_until"):
        return place
    times = (to_ms(record.recorded_at) for record in records)
    return place._replace(as_of=max(to_ms(end.answer.searched_until), *times, 0))


def _is_new(record: history_pb2.HistoryRecord, place: NodePlace) -> bool:
    """Whether a record was first recorded after the first page was read; of an amended one that can't be told."""
    return bool(place.as_of) and record.revision == 1 and to_ms(record.recorded_at) > place.as_of


def _key_of(record: history_pb2.HistoryRecord, question: SpanQuestion) -> RecordKey:
    told = record.match_declared_at if record.HasField("match_declared_at") else record.shipment.declared_at
    return RecordKey(question.within(to_ms(told)), record.shipment.record_id)


def _messages(pages: Mapping[str, _NodePage], merged: MergedPage) -> list[pb.SearchShipmentsResponse]:
    """The page's records in order; each node's answer gets what of it is on the page."""
    records = [pages[node].records[record_id] for node, record_id in merged.records]
    for node, page in pages.items():
        answer, own = page.answer, [record for record in records if record.node == node]
        answer.count, answer.withheld = len(own), sum(len(record.withheld) for record in own)
        if answer.status in COUNTING and page.reading is not None:
            lacks = node in merged.places or answer.unindexed or answer.HasField("lost_before")
            answer.status = _PARTIAL if lacks else _COMPLETE
            if lacks:
                answer.ClearField("proven_until")
                answer.ClearField("untold")
    return [
        pb.SearchShipmentsResponse(records=pb.HistoryRecords(records=some))
        for some in in_messages(records, history_pb2.HistoryRecord.ByteSize)
    ]
