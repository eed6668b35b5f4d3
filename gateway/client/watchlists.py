"""Client for own watchlists and copies of the partners' (`client.watchlist`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc.aio

from gateway.client.bulk import new_request_id
from gateway.client.connection import Connection, is_transient
from gateway.client.pages import all_rows
from gateway.client.resuming import resumed
from gateway.contract.limits import BATCH_BYTES, MAX_STREAM_ITEMS
from gateway.errors import GatewayError, TooLargeError
from gateway.v1 import watchlist_service_pb2 as service
from gateway.v1.watchlist_pb2 import WatchlistReference

PAGE_SIZE = 500
"""Entries per request when a list is read to its end."""

ImportRows = Iterable[service.ImportRow] | AsyncIterable[service.ImportRow]


@dataclass(frozen=True, slots=True)
class WatchedChanges:
    """Changes that belong together. Store `position` in one transaction with their effect.

    Attributes:
        changes: in order; empty where only the position moved.
        position: where to continue; 0 within the full state, which can't be continued.
        full_state: these are part of the whole present state, not recent changes.
        begins: the full state begins, possibly again after an interruption: drop stored entries.
    """

    changes: Sequence[service.PublishedChange]
    position: int
    full_state: bool = False
    begins: bool = False


class WatchlistClient:
    """WatchlistService. The contract names each method's roles."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def propose(
        self,
        list_name: str,
        *,
        entries: Iterable[service.ProposedEntry] = (),
        withdrawals: Iterable[service.ProposedWithdrawal] = (),
        note: str = "",
        request_id: str | None = None,
    ) -> service.ProposeEntriesResponse:
        """Proposes changes of an own list; without four eyes they take effect at once, and there is no proposal's id.

        Args:
            list_name: of our list.
            entries: new ones (revision 0) and amendments (the revision that was read).
            withdrawals: each with its reason and the revision that was read.
            note: purpose.
        """
        request = service.ProposeEntriesRequest(
            request_id=request_id or new_request_id(),
            list=list_name,
            note=note,
            entries=entries,
            withdrawals=withdrawals,
        )
        method = self._connection.stubs.watchlist.ProposeEntries
        return await self._connection.unary(method, request, service.ProposeEntriesResponse)

    async def decide(
        self, proposal_id: str, *, approve: bool, remarks: str = "", request_id: str | None = None
    ) -> service.DecideProposalResponse:
        """Approves or rejects another user's proposal; a rejection needs `remarks`."""
        request = service.DecideProposalRequest(
            request_id=request_id or new_request_id(), proposal_id=proposal_id, approve=approve, remarks=remarks
        )
        method = self._connection.stubs.watchlist.DecideProposal
        return await self._connection.unary(method, request, service.DecideProposalResponse)

    async def proposals_page(self, *, page_size: int = 0, page_token: str = "") -> service.ListProposalsResponse:
        request = service.ListProposalsRequest(page_size=page_size, page_token=page_token)
        method = self._connection.stubs.watchlist.ListProposals
        return await self._connection.unary(method, request, service.ListProposalsResponse)

    def proposals(self, *, page_size: int = 50) -> AsyncGenerator[service.Proposal, None]:
        """Proposals that wait for a decision, oldest first."""
        return all_rows(
            lambda token: self.proposals_page(page_size=page_size, page_token=token), lambda page: page.proposals
        )

    async def preview(
        self,
        proposal_id: str,
        *,
        search: str = "",
        kind: service.ProposedChangeKind.ValueType = service.PROPOSED_CHANGE_KIND_UNSPECIFIED,
        spread: bool = False,
        page_size: int = 0,
        page_token: str = "",
    ) -> service.PreviewProposalResponse:
        """What a proposal would do: counts, and its changes in pages, or with `spread` some from all over it."""
        request = service.PreviewProposalRequest(
            proposal_id=proposal_id, search=search, kind=kind, spread=spread, page_size=page_size, page_token=page_token
        )
        method = self._connection.stubs.watchlist.PreviewProposal
        return await self._connection.unary(method, request, service.PreviewProposalResponse)

    def proposed_changes(self, proposal_id: str) -> AsyncGenerator[service.ProposedChange, None]:
        """All changes of a proposal in order."""
        return all_rows(
            lambda token: self.preview(proposal_id, page_size=PAGE_SIZE, page_token=token), lambda page: page.changes
        )

    async def estimate(
        self, proposal_id: str = "", *, list_name: str = "", rows: Iterable[service.ImportRow] = ()
    ) -> service.EstimateMatchesResponse:
        """How many matches a proposal's entries, or up to 500 rows for a list, would have made in the last month."""
        request = service.EstimateMatchesRequest()
        if proposal_id:
            request.proposal_id = proposal_id
        else:
            request.entries.list = list_name
            request.entries.rows.extend(rows)
        method = self._connection.stubs.watchlist.EstimateMatches
        return await self._connection.unary(method, request, service.EstimateMatchesResponse)

    async def import_entries(
        self,
        list_name: str,
        rows: ImportRows,
        *,
        note: str = "",
        prune_reason: str = "",
        on_progress: Callable[[int], None] | None = None,
    ) -> service.ImportEntriesResponse:
        """Brings an own list to the state of a source; unchanged rows produce nothing.

        An interrupted import isn't repeated: import the source again. On a list with four eyes it is one proposal.

        Args:
            list_name: of our list.
            rows: read at the gateway's pace; a refused row doesn't stop the rest.
            note: purpose.
            prune_reason: withdraws entries without a row, so the source must be complete; empty: they are counted.
            on_progress: called for each message sent, with its number of rows.

        Raises:
            TooLargeError: a row doesn't fit into a message.
        """
        opening = service.ImportOpening(list=list_name, note=note, prune=bool(prune_reason), prune_reason=prune_reason)
        call = self._connection.stubs.watchlist.ImportEntries()
        try:
            await self._send(call, opening, rows, on_progress)
            response: service.ImportEntriesResponse = await call
        except grpc.aio.AioRpcError as rpc_error:
            error = self._connection.error(rpc_error)
            refusal = await self._refusal(opening) if is_transient(error) else None
            raise refusal or error from None
        finally:
            call.cancel()
        return response

    async def _refusal(self, opening: service.ImportOpening) -> GatewayError | None:
        """Why the gateway refuses an import, whatever its rows are."""
        request = service.ImportEntriesRequest(open=opening)
        return await self._connection.refusal(self._connection.stubs.watchlist.ImportEntries, request, "stream.end")

    async def _send(
        self, call: Any, opening: service.ImportOpening, rows: ImportRows, on_progress: Callable[[int], None] | None
    ) -> None:
        if not await _written(call, service.ImportEntriesRequest(open=opening)):
            return
        sent = 0
        async for message in _messages(rows):
            if not await _written(call, service.ImportEntriesRequest(rows=message)):
                return
            sent += len(message.rows)
            if on_progress is not None:
                on_progress(len(message.rows))
        if await _written(call, service.ImportEntriesRequest(end=service.ImportEnd(rows=sent))):
            await call.done_writing()

    async def get(self, entry: WatchlistReference, *, earlier_revisions: int = 0) -> service.GetEntryResponse:
        """An entry of any list, absent after its end; for an own one also where it is active, even then.

        `earlier_revisions`: most of the revisions before it that are wanted, newest first, at most 100.
        """
        method = self._connection.stubs.watchlist.GetEntry
        request = service.GetEntryRequest(entry=entry, earlier_revisions=earlier_revisions)
        return await self._connection.unary(method, request, service.GetEntryResponse)

    async def entries_page(
        self, *, filter: str = "", page_size: int = 0, page_token: str = ""
    ) -> service.ListEntriesResponse:
        request = service.ListEntriesRequest(page_size=page_size, page_token=page_token, filter=filter)
        method = self._connection.stubs.watchlist.ListEntries
        return await self._connection.unary(method, request, service.ListEntriesResponse)

    def entries(self, *, filter: str = "", page_size: int = PAGE_SIZE) -> AsyncGenerator[service.ListedEntry, None]:
        """Entries of all lists, by publisher, list and id; `filter` on these and kind, e.g. `kind = person`."""
        return all_rows(
            lambda token: self.entries_page(filter=filter, page_size=page_size, page_token=token),
            lambda page: page.entries,
        )

    async def watch(
        self,
        position: int = 0,
        *,
        full_state: bool = False,
        until_current: bool = False,
        on_interruption: Callable[[GatewayError], None] | None = None,
        on_resumption: Callable[[], None] | None = None,
    ) -> AsyncGenerator[WatchedChanges, None]:
        """Every change of any list after a position; otherwise as `GatewayClient.watch`.

        With `full_state`, all present entries come first; a change made meanwhile may come twice, with one revision.
        """
        state = _WatchState(position, full_state)

        def connect() -> grpc.aio.UnaryStreamCall[Any, service.WatchEntriesResponse]:
            request = service.WatchEntriesRequest(
                position=state.position, full_state=state.in_full_state, until_current=until_current
            )
            state.connected()
            return self._connection.stubs.watchlist.WatchEntries(request)

        stream = resumed(
            self._connection,
            connect,
            until_end=until_current,
            on_interruption=on_interruption,
            on_resumption=on_resumption,
        )
        async with aclosing(stream):
            async for response in stream:
                watched = state.take(response)
                if watched is not None:
                    yield watched

    async def compare(self, partner: str) -> service.CompareCopyResponse:
        """Compares a partner's copy of our lists, queried now, with what was distributed."""
        method = self._connection.stubs.watchlist.CompareCopy
        request = service.CompareCopyRequest(partner=partner)
        return await self._connection.unary(method, request, service.CompareCopyResponse)


class _WatchState:
    """Progress of a watch: in the full state, or after a position."""

    def __init__(self, position: int, full_state: bool) -> None:
        self.position = 0 if full_state else position
        self.in_full_state = full_state
        self._begins = full_state

    def connected(self) -> None:
        # An interrupted full state begins anew.
        self._begins = self.in_full_state

    def take(self, response: service.WatchEntriesResponse) -> WatchedChanges | None:
        """Changes of a response; None when it only shows that the gateway is alive."""
        moved = response.position > self.position
        if not (response.changes or moved or self._begins):
            return None
        watched = WatchedChanges(
            tuple(response.changes), response.position, self.in_full_state and not moved, self._begins
        )
        self._begins = False
        if moved:
            self.position, self.in_full_state = response.position, False
        return watched


async def _written(call: Any, message: service.ImportEntriesRequest) -> bool:
    """Whether a message was sent; False if the gateway ended the call, whose status has the reason."""
    try:
        await call.write(message)
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
        return False
    return True


async def _messages(rows: ImportRows) -> AsyncIterator[service.ImportRows]:
    """Rows in messages of at most MAX_STREAM_ITEMS rows and BATCH_BYTES bytes."""
    message, size = service.ImportRows(), 0
    async for row in _rows(rows):
        row_size = row.ByteSize()
        if row_size > BATCH_BYTES:
            raise TooLargeError(f"row {row.id!r} of line {row.line} has {row_size} bytes, too many for a message")
        if len(message.rows) == MAX_STREAM_ITEMS or size + row_size > BATCH_BYTES:
            yield message
            message, size = service.ImportRows(), 0
        message.rows.append(row)
        size += row_size
    if message.rows:
        yield message


async def _rows(rows: ImportRows) -> AsyncIterator[service.ImportRow]:
    if isinstance(rows, AsyncIterable):
        async for row in rows:
            yield row
    else:
        for row in rows:
            yield row
