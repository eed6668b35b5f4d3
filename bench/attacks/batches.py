"""Attacks with calls that are allowed: many at once, and costly ones."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from itertools import cycle

import grpc.aio

from bench import alerts, list_names, shipment_records
from bench.attacks import stocks
from bench.attacks.attack import Attack, Tally, Target, at_once
from bench.attacks.calls import channel, flood
from gateway.client.bulk import new_alert
from gateway.contract.ids import UUID7_RANDOM_BYTES, FeedOrigin, uuid7
from gateway.contract.limits import MAX_PAGE_SIZE, MAX_STREAM_ITEMS
from gateway.contract.messages import to_timestamp
from gateway.contract.status import WRITE_FAILED
from gateway.history.codec.signed_texts import encode_query, query_digest, question_origin, question_text
from gateway.tlog.note import sign_note
from gateway.trust.pki.keys import load_signing_key
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import exchange_service_pb2, exchange_service_pb2_grpc, history_pb2
from gateway.v1.alert_service_pb2 import ListAlertsRequest
from gateway.v1.screening_pb2 import ScreenPartiesRequest

_AGAIN_S = 0.05
"""Seconds after a stream that was refused."""


async def list_alerts(target: Target, size: int, tally: Tally) -> None:
    """ListAlerts with the largest pages, `size` at once, by an own system."""
    request = ListAlertsRequest(page_size=MAX_PAGE_SIZE).SerializeToString()
    async with channel(target, target.local_port, target.system) as opened:
        await flood(opened, "/gateway.v1.AlertService/ListAlerts", request, size, tally)


async def publish(target: Target, size: int, tally: Tally) -> None:
    """PublishAlert, `size` at once, by an own system."""
    contents = cycle(alerts.contents())

    def request() -> bytes:
        return new_alert(next(contents), [target.partner_name]).SerializeToString()

    async with channel(target, target.local_port, target.system) as opened:
        await flood(opened, "/gateway.v1.AlertService/PublishAlert", request, size, tally)


async def screening(target: Target, size: int, tally: Tally) -> None:
    """ScreenParties with 500 subjects, `size` at once, by an own system."""
    chance = random.Random(1)
    batches = []
    for _ in range(20):
        made = ScreenPartiesRequest()
        for _ in range(MAX_STREAM_ITEMS):
            made.subjects.add().names.add(text=list_names.query_name(chance)[0])
        batches.append(made.SerializeToString())
    again = cycle(batches)
    async with channel(target, target.local_port, target.system) as opened:
        await flood(opened, "/gateway.v1.WatchlistService/ScreenParties", lambda: next(again), size, tally)


async def fetch(target: Target, size: int, tally: Tally) -> None:
    """Fetch of the whole alerts feed, `size` streams at once, by the partner that it is for."""
    origin = FeedOrigin.parse(f"{FEDERATION}/{target.node}/{target.partner_name}/alerts").line
    opening = exchange_service_pb2.FetchOpening(origin=origin, until_current=True)

    async with channel(target, target.peer_port, target.partner) as opened:
        stub = exchange_service_pb2_grpc.ExchangeServiceStub(opened)

        async def fetch_once() -> None:
            async for response in stub.Fetch(iter([exchange_service_pb2.FetchRequest(open=opening)])):
                tally["entries"] += len(response.batch.entries)

        await _again_and_again(fetch_once, size, tally)


async def query_history(target: Target, size: int, tally: Tally) -> None:
    """QueryHistory for 1,000 records, `size` at once, by a partner that signs each question."""
    async with channel(target, target.peer_port, target.partner) as opened:
        stub = exchange_service_pb2_grpc.ExchangeServiceStub(opened)

        async def ask_once() -> None:
            async for response in stub.QueryHistory(question(target)):
                tally["records"] += len(response.records.records)

        await _again_and_again(ask_once, size, tally)


async def _again_and_again(read_stream: Callable[[], Awaitable[None]], size: int, tally: Tally) -> None:
    """Reads streams to their end, `size` at once, without an end."""

    async def once() -> None:
        try:
            await read_stream()
            tally["OK"] += 1
        except grpc.aio.AioRpcError as error:
            is_cut = (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, WRITE_FAILED)
            tally["ended while sending" if is_cut else error.code().name] += 1
            await asyncio.sleep(_AGAIN_S)

    await at_once(size, once)


def question(target: Target) -> exchange_service_pb2.QueryHistoryRequest:
    """A partner's signed question for a place and a code that one of forty shipments has."""
    now_ms = time.time_ns() // 1_000_000
    query = history_pb2.HistoryQuery(
        query_id=uuid7(now_ms, random.randbytes(UUID7_RANDOM_BYTES)),
        federation=FEDERATION,
        asker=target.partner_name,
        answerer=target.node,
        asked_at=to_timestamp(now_ms),
        grounds=history_pb2.QueryGrounds(
            purpose="export_control", legal_basis="Arrangement, article 5", case_reference="ATTACK-1"
        ),
        criteria=history_pb2.SearchCriteria(
            commodity_codes=[shipment_records.COMMON_CODE], places=[shipment_records.COMMON_PLACE]
        ),
        mode=history_pb2.ANSWER_MODE_RECORDS,
        limit=1_000,
    )
    data = encode_query(query)
    origin = question_origin(FEDERATION, target.partner_name, target.node)
    key = load_signing_key(target.partner_log_key, name=origin, passphrase=None)
    note = sign_note(question_text(origin, query.query_id, query_digest(data)), [key])
    return exchange_service_pb2.QueryHistoryRequest(query=data, note=note, reads_unindexed=True)


ATTACKS = (
    Attack(name="list-alerts", summary="the largest pages", run=list_alerts, size=256, small=32),
    Attack(name="publish", summary="PublishAlert without a pause", run=publish, size=256, small=32),
    Attack(name="screening", summary="batches of 500 parties", run=screening, size=64, small=4, stock=stocks.listed),
    Attack(name="fetch", summary="a partner fetches its feed again and again", run=fetch, size=32, small=8),
    Attack(
        name="query-history",
        summary="a partner's questions with 1,000 hits",
        run=query_history,
        size=24,
        small=4,
        stock=stocks.recorded,
    ),
)
