"""Client for screening parties and handling matches and hits (`client.screening`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import islice
from typing import Any

import grpc.aio

from gateway.client.bulk import new_request_id
from gateway.client.connection import Connection
from gateway.client.pages import all_rows
from gateway.client.resuming import resumed
from gateway.contract.limits import MAX_STREAM_ITEMS
from gateway.errors import GatewayError
from gateway.v1 import watchlist_service_pb2 as service
from gateway.v1.alert_pb2 import AlertReference
from gateway.v1.match_pb2 import (
    DecideMatchRequest,
    DecideMatchResponse,
    DismissMatchesRequest,
    DismissMatchesResponse,
    ListMatchesRequest,
    ListMatchesResponse,
    ListMatchGroupsRequest,
    ListMatchGroupsResponse,
    ListScreeningReportsRequest,
    ListScreeningReportsResponse,
    Match,
    MatchConfirmation,
    MatchDismissal,
    MatchGrouping,
    ScreeningReport,
    WatchMatchesRequest,
    WatchMatchesResponse,
)
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


@dataclass(frozen=True, slots=True)
class WatchedMatches:
    """New or changed matches. Store `position` in one transaction with their effect."""

    matches: Sequence[Match]
    position: int


class ScreeningClient:
    """The screening part of WatchlistService. The contract names each method's roles."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def screen(self, subjects: Iterable[ScreeningSubject], *, max_hits: int = 0) -> Sequence[ScreenedSubject]:
        """Screens up to 500 subjects, in order; one with a reference is screened against later entries too.

        `max_hits` is per subject; 0: the gateway's default.
        """
        request = ScreenPartiesRequest(subjects=subjects, max_hits=max_hits)
        method = self._connection.stubs.watchlist.ScreenParties
        return (await self._connection.unary(method, request, ScreenPartiesResponse)).subjects

    async def screen_many(
        self, subjects: Iterable[ScreeningSubject], *, max_hits: int = 0, batch: int = 100
    ) -> AsyncGenerator[ScreenedSubject, None]:
        """Screens any number of subjects over one stream, with at most 500 in a `batch`."""

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
        derived_from: Sequence[AlertReference] = (),
        request_id: str | None = None,
    ) -> service.ReportHitResponse:
        """Records a hit; one on a partner's entry is reported to the partner.

        Args:
            hit: from screening.
            subject: the party, as far as the partner may learn it.
            purpose: a code of the agreements; needed for a partner's entry.
            case_reference: the authority's.
            derived_from: alerts in which the party was found; their handling must allow the report.
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
            derived_from=derived_from,
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
        """Answers a hit on an own entry; the reporting node is informed."""
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
        request = service.ListHitsRequest(filter=filter, page_size=page_size, page_token=page_token)
        method = self._connection.stubs.watchlist.ListHits
        return await self._connection.unary(method, request, service.ListHitsResponse)

    def hits(self, *, filter: str = "", page_size: int = 100) -> AsyncGenerator[service.ListedHit, None]:
        """Hits, newest first; `filter` e.g. `list = "un-sc" AND outcome = none`."""
        return all_rows(
            lambda token: self.hits_page(filter=filter, page_size=page_size, page_token=token), lambda page: page.hits
        )

    async def matches_page(self, *, filter: str = "", page_size: int = 0, page_token: str = "") -> ListMatchesResponse:
        request = ListMatchesRequest(filter=filter, page_size=page_size, page_token=page_token)
        method = self._connection.stubs.watchlist.ListMatches
        return await self._connection.unary(method, request, ListMatchesResponse)

    def matches(self, *, filter: str = "", page_size: int = 100) -> AsyncGenerator[Match, None]:
        """Matches, newest first; `filter` e.g. `status = open AND class = identical`.

        Filter fields: status, class, source, source_id, publisher, list and id.
        """
        return all_rows(
            lambda token: self.matches_page(filter=filter, page_size=page_size, page_token=token),
            lambda page: page.matches,
        )

    async def reports_page(
        self, list: str = "", *, page_size: int = 0, page_token: str = ""
    ) -> ListScreeningReportsResponse:
        request = ListScreeningReportsRequest(list=list, page_size=page_size, page_token=page_token)
        method = self._connection.stubs.watchlist.ListScreeningReports
        return await self._connection.unary(method, request, ListScreeningReportsResponse)

    def reports(self, list: str = "", *, page_size: int = 100) -> AsyncGenerator[ScreeningReport, None]:
        """Counts of whose verdict each change of a list has changed, newest first; `list`: NAME or PUBLISHER/NAME."""
        return all_rows(
            lambda token: self.reports_page(list, page_size=page_size, page_token=token), lambda page: page.reports
        )

    async def changed_verdicts(self, number: int) -> ScreeningReport:
        """One such report with its verdicts; raises NotFoundError."""
        method = self._connection.stubs.watchlist.ListScreeningReports
        request = ListScreeningReportsRequest(number=number)
        return (await self._connection.unary(method, request, ListScreeningReportsResponse)).reports[0]

    async def watch_matches(
        self,
        position: int = 0,
        *,
        until_current: bool = False,
        on_interruption: Callable[[GatewayError], None] | None = None,
        on_resumption: Callable[[], None] | None = None,
    ) -> AsyncGenerator[WatchedMatches, None]:
        """New and changed matches; reconnects. Arguments and errors are as in `GatewayClient.watch`.

        A match that changed twice since the position comes once, in its last state.
        """

        def connect() -> grpc.aio.UnaryStreamCall[Any, WatchMatchesResponse]:
            request = WatchMatchesRequest(position=position, until_current=until_current)
            return self._connection.stubs.watchlist.WatchMatches(request)

        stream = resumed(
            self._connection,
            connect,
            until_end=until_current,
            on_interruption=on_interruption,
            on_resumption=on_resumption,
        )
        async with aclosing(stream):
            async for response in stream:
                if response.changes or response.position > position:
                    position = response.position
                    yield WatchedMatches(tuple(response.changes), position)

    async def confirm(
        self,
        match_id: str,
        *,
        purpose: str = "",
        case_reference: str = "",
        without_subject: bool = False,
        request_id: str | None = None,
    ) -> DecideMatchResponse:
        """Confirms a match and records a hit, as `report` does; `without_subject` omits the party."""
        confirm = MatchConfirmation(purpose=purpose, case_reference=case_reference, without_subject=without_subject)
        request = DecideMatchRequest(request_id=request_id or new_request_id(), match_id=match_id, confirm=confirm)
        return await self._connection.unary(self._connection.stubs.watchlist.DecideMatch, request, DecideMatchResponse)

    async def match_groups(
        self,
        by: MatchGrouping.ValueType,
        *,
        match_id: str = "",
        page_size: int = 0,
        page_token: str = "",
    ) -> ListMatchGroupsResponse:
        """Open matches by entry or by party, the largest groups first; with `match_id` the group of that match."""
        request = ListMatchGroupsRequest(by=by, match_id=match_id, page_size=page_size, page_token=page_token)
        method = self._connection.stubs.watchlist.ListMatchGroups
        return await self._connection.unary(method, request, ListMatchGroupsResponse)

    async def dismiss_alike(
        self,
        match_id: str,
        by: MatchGrouping.ValueType,
        reason: str,
        *,
        newest_match_id: str,
        request_id: str | None = None,
    ) -> DismissMatchesResponse:
        """Dismisses the open matches that are alike with one, up to the newest that was seen, at most 2,000."""
        request = DismissMatchesRequest(
            request_id=request_id or new_request_id(),
            match_id=match_id,
            by=by,
            newest_match_id=newest_match_id,
            reason=reason,
        )
        method = self._connection.stubs.watchlist.DismissMatches
        return await self._connection.unary(method, request, DismissMatchesResponse)

    async def dismiss(self, match_id: str, reason: str, *, request_id: str | None = None) -> DecideMatchResponse:
        """Dismisses a match; no other node is informed."""
        request = DecideMatchRequest(
            request_id=request_id or new_request_id(), match_id=match_id, dismiss=MatchDismissal(reason=reason)
        )
        return await self._connection.unary(self._connection.stubs.watchlist.DecideMatch, request, DecideMatchResponse)

    async def statistics(self) -> Sequence[service.ListStatistics]:
        """Counts of each list's entries, hits and matches: confirmed, false, open, dismissed."""
        method = self._connection.stubs.watchlist.GetListStatistics
        request = service.GetListStatisticsRequest()
        return (await self._connection.unary(method, request, service.GetListStatisticsResponse)).lists


def _chunks(subjects: Iterable[ScreeningSubject], size: int) -> Iterator[list[ScreeningSubject]]:
    left = iter(subjects)
    while chunk := list(islice(left, size)):
        yield chunk
