"""ScreeningClient: parties screened against the lists, and hits reported, answered and counted.

Reached as `client.screening`. Owns request ids, the messages of a stream and pages. Doesn't own what a hit means (the
contract) or the lists (`client.watchlist`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice

import grpc.aio

from gateway.client.bulk import new_request_id
from gateway.client.connection import Connection
from gateway.client.pages import every
from gateway.v1 import watchlist_service_pb2 as service
from gateway.v1.party_pb2 import Party
from gateway.v1.screening_pb2 import (
    ScreenedSubject,
    ScreeningHit,
    ScreeningSubject,
    ScreenPartiesRequest,
    ScreenPartiesResponse,
    ScreenStreamRequest,
)
from gateway.v1.watchlist_pb2 import HitOutcome
from gateway.wire.limits import MAX_STREAM_ITEMS


class ScreeningClient:
    """The screening part of WatchlistService. Who may call what stands in the contract."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def screen(self, subjects: Iterable[ScreeningSubject], *, max_hits: int = 0) -> Sequence[ScreenedSubject]:
        """Screens up to 500 subjects; the answers come in their order.

        Args:
            subjects: who and what to look for. One with a reference is remembered for entries yet to come.
            max_hits: most hits for one subject; 0 for as many as the gateway thinks fit.
        """
        request = ScreenPartiesRequest(subjects=subjects, max_hits=max_hits)
        method = self._connection.stubs.watchlist.ScreenParties
        return (await self._connection.unary(method, request, ScreenPartiesResponse)).subjects

    async def screen_many(
        self, subjects: Iterable[ScreeningSubject], *, max_hits: int = 0, batch: int = 100
    ) -> AsyncGenerator[ScreenedSubject, None]:
        """Screens any number over one stream; the answers come in their order, as they are found.

        Args:
            subjects: taken as the gateway takes them.
            max_hits: as in `screen`.
            batch: subjects in one message, at most 500.
        """

        async def messages() -> AsyncIterator[ScreenStreamRequest]:
            for chunk in _chunks(subjects, min(batch, MAX_STREAM_ITEMS)):
                yield ScreenStreamRequest(subjects=chunk, max_hits=max_hits)

        call = self._connection.stubs.watchlist.ScreenStream(messages())
        try:
            async for response in call:
                for subject in response.subjects:
                    yield subject
        except grpc.aio.AioRpcError as error:
            raise self._connection.error(error) from error
        finally:
            call.cancel()

    async def report(
        self,
        hit: ScreeningHit,
        *,
        subject: Party | None = None,
        purpose: str = "",
        case_reference: str = "",
        request_id: str | None = None,
    ) -> service.ReportHitResponse:
        """Records a hit; one on a partner's entry is reported to its owner.

        Args:
            hit: as screening gave it.
            subject: the party, as far as its owner shall have it.
            purpose: a code of the agreements; needed for a partner's entry.
            case_reference: of the own authority.
            request_id: a UUID; None makes a UUIDv7.
        """
        request = service.ReportHitRequest(
            request_id=request_id or new_request_id(),
            entry=hit.entry,
            revision=hit.revision,
            match_class=hit.match_class,
            score=hit.score,
            subject=subject,
            purpose=purpose,
            case_reference=case_reference,
        )
        method = self._connection.stubs.watchlist.ReportHit
        return await self._connection.unary(method, request, service.ReportHitResponse)

    async def answer(
        self,
        reporter: str,
        hit_id: str,
        outcome: HitOutcome.ValueType,
        *,
        remarks: str = "",
        request_id: str | None = None,
    ) -> service.AnswerHitResponse:
        """Says what a hit on an own entry turned out to be; the node that met it is told."""
        request = service.AnswerHitRequest(
            request_id=request_id or new_request_id(),
            reporter=reporter,
            hit_id=hit_id,
            outcome=outcome,
            remarks=remarks,
        )
        method = self._connection.stubs.watchlist.AnswerHit
        return await self._connection.unary(method, request, service.AnswerHitResponse)

    async def hits_page(
        self, *, filter: str = "", page_size: int = 0, page_token: str = ""
    ) -> service.ListHitsResponse:
        """One page of hits, newest first; `filter` e.g. `list = "un-sc" AND outcome = none`."""
        request = service.ListHitsRequest(filter=filter, page_size=page_size, page_token=page_token)
        method = self._connection.stubs.watchlist.ListHits
        return await self._connection.unary(method, request, service.ListHitsResponse)

    def hits(self, *, filter: str = "", page_size: int = 100) -> AsyncGenerator[service.ListedHit, None]:
        """Hits, newest first, page after page."""
        return every(
            lambda token: self.hits_page(filter=filter, page_size=page_size, page_token=token), lambda page: page.hits
        )

    async def statistics(self) -> Sequence[service.ListStatistics]:
        """Entries and hits of each list: how many, confirmed, false."""
        method = self._connection.stubs.watchlist.GetListStatistics
        request = service.GetListStatisticsRequest()
        return (await self._connection.unary(method, request, service.GetListStatisticsResponse)).lists


def _chunks(subjects: Iterable[ScreeningSubject], size: int) -> Iterator[list[ScreeningSubject]]:
    left = iter(subjects)
    while chunk := list(islice(left, size)):
        yield chunk
