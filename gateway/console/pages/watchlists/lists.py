"""Lists, their entries with a search that reads every script, and one entry with the proof of where it is active."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import GatewayClient
from gateway.console.page import client, console_of, form, has_role, render
from gateway.console.pages.watchlists.hits import waiting_filter
from gateway.console.pages.watchlists.paths import amendment_path, entry_path, list_path, withdrawal_path
from gateway.console.views.lists.entries import entry_lines, kind_word, title_of
from gateway.console.views.lists.matches import score_text
from gateway.console.views.lists.revisions import revision_views
from gateway.errors import NotFoundError, OptionError
from gateway.translation.labels import label_of
from gateway.translation.match_reasons import said
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext
from gateway.v1.party_pb2 import Name
from gateway.v1.screening_pb2 import ScreeningSubject
from gateway.v1.watchlist_pb2 import MatchClass, WatchlistKind, WatchlistReference
from gateway.v1.watchlist_service_pb2 import CompareCopyResponse, CopyState, PartnerCopy

PAGE_SIZE: Final = 50
MAX_FOUND: Final = 100
"""Entries that a search by name shows at most."""

MAX_REVISIONS: Final = 50
"""Earlier revisions of an entry that its page shows."""

IMPORTING: Final = ("publisher", "supervisor")
CHANGING: Final = ("publisher", "officer", "supervisor")
_COUNTING: Final = ("officer", "analyst", "supervisor", "auditor")
_PROPOSING: Final = ("publisher", "officer", "supervisor", "auditor")
"""Roles that may do so."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_STATES: Final = {
    CopyState.COPY_STATE_SENT: "warn",
    CopyState.COPY_STATE_ACTIVE: "good",
    CopyState.COPY_STATE_ENDING: "warn",
    CopyState.COPY_STATE_ENDED: "quiet",
    CopyState.COPY_STATE_REFUSED: "bad",
}


async def show_lists(request: Request) -> Response:
    """All lists with what they hold and what came of them; what waits for somebody stands above."""
    gateway = client(request)
    lists = await gateway.screening.statistics() if has_role(request, *_COUNTING) else []
    own = console_of(request).client.node_name
    return render(
        request,
        "watchlists/lists.html",
        title=_("Watchlists"),
        own=[counts for counts in lists if counts.publisher == own],
        others=[counts for counts in lists if counts.publisher != own],
        may_import=has_role(request, *IMPORTING),
        open_matches=sum(counts.open_matches for counts in lists),
        open_proposals=await _open_proposals(request, gateway),
        may_change=has_role(request, *CHANGING),
        open_hits=await _open_hits(request, gateway, own),
        list_path=list_path,
    )


async def _open_proposals(request: Request, gateway: GatewayClient) -> int | None:
    if not has_role(request, *_PROPOSING):
        return None
    return len((await gateway.watchlist.proposals_page(page_size=100)).proposals)


async def _open_hits(request: Request, gateway: GatewayClient, own: str) -> int | None:
    if not has_role(request, *_COUNTING):
        return None
    return len((await gateway.screening.hits_page(filter=waiting_filter(own), page_size=100)).hits)


async def show_list(request: Request) -> Response:
    """A page of a list's entries, or those whose name is like the one looked for."""
    publisher, name = request.path_params["publisher"], request.path_params["list_name"]
    if not _NAME.fullmatch(name) or not _NAME.fullmatch(publisher):
        raise NotFoundError(_("There is no list of this name."))
    sought, kind = request.query_params.get("name", "").strip(), request.query_params.get("kind", "")
    if sought:
        found, unindexed = await _found_by_name(client(request), publisher, name, sought)
        return _list_page(request, publisher, name, found, sought=sought, kind=kind, unapplied=unindexed)
    terms = [f'publisher = "{publisher}"', f'list = "{name}"', *_kind_terms(kind)]
    token = request.query_params.get("page", "")
    page = await client(request).watchlist.entries_page(
        filter=" AND ".join(terms), page_size=PAGE_SIZE, page_token=token
    )
    rows = [
        {
            "path": entry_path(WatchlistReference(publisher=publisher, list=name, id=listed.entry.id)),
            "title": title_of(listed.entry.content, listed.entry.id),
            "id": listed.entry.id,
            "kind": kind_word(listed.entry.content.kind),
            "revision": listed.entry.revision,
            "until": listed.entry.content.valid_until if listed.entry.content.HasField("valid_until") else None,
            "expired": listed.expired_by_clock,
            "because": "",
        }
        for listed in page.entries
    ]
    following = list_path(publisher, name, kind=kind, page=page.next_page_token) if page.next_page_token else ""
    return _list_page(
        request, publisher, name, rows, kind=kind, next_href=following, unapplied=page.unapplied, is_first=not token
    )


def _list_page(
    request: Request,
    publisher: str,
    name: str,
    rows: Sequence[Any],
    *,
    sought: str = "",
    kind: str = "",
    next_href: str = "",
    unapplied: int = 0,
    is_first: bool = True,
) -> Response:
    return render(
        request,
        "watchlists/list.html",
        title=_("{list} of {node}", list=name, node=publisher.upper()),
        publisher=publisher,
        name=name,
        rows=rows,
        sought=sought,
        kind=kind,
        kinds=[(word, label_of(WatchlistKind, value)) for word, value in _kinds().items()],
        next_href=next_href,
        first_href="" if is_first else list_path(publisher, name, kind=kind),
        unapplied=unapplied,
        is_own=publisher == console_of(request).client.node_name,
        may_import=has_role(request, *IMPORTING),
        may_change=has_role(request, *CHANGING),
    )


def _kinds() -> dict[str, int]:
    """Words of filters by kind."""
    prefix = "WATCHLIST_KIND_"
    return {name.removeprefix(prefix).lower(): value for name, value in WatchlistKind.items() if value}


def _kind_terms(kind: str) -> list[str]:
    if kind and kind not in _kinds():
        raise OptionError(_("This kind of entry isn't known."))
    return [f'kind = "{kind}"'] if kind else []


async def _found_by_name(
    gateway: GatewayClient, publisher: str, name: str, sought: str
) -> tuple[list[dict[str, object]], int]:
    """Entries of the list that screening finds for a name, the best first; and updates that it doesn't know yet."""
    subject = ScreeningSubject(names=[Name(text=sought[:512])])
    screened = await gateway.screening.screen([subject], max_hits=200)
    hits = [hit for hit in screened[0].hits if (hit.entry.publisher, hit.entry.list) == (publisher, name)]
    rows: list[dict[str, object]] = [
        {
            "path": entry_path(hit.entry),
            "title": hit.explanation.listed or hit.entry.id,
            "id": hit.entry.id,
            "kind": kind_word(hit.kind),
            "revision": hit.revision,
            "until": None,
            "expired": False,
            "because": f"{label_of(MatchClass, hit.match_class)}, {score_text(hit.score)}: "
            + said(hit.explanation.because),
        }
        for hit in hits[:MAX_FOUND]
    ]
    return rows, screened[0].unindexed


async def show_entry(request: Request) -> Response:
    """What an entry says, and at which partners it is active by their own signed receipts."""
    reference = entry_of(request)
    found = await client(request).watchlist.get(reference, earlier_revisions=MAX_REVISIONS)
    own = reference.publisher == console_of(request).client.node_name
    is_there = found.HasField("entry")
    return render(
        request,
        "watchlists/entry.html",
        title=title_of(found.entry.content, reference.id),
        reference=reference,
        found=found,
        is_there=is_there,
        is_own=own,
        lines=entry_lines(found.entry.content) if is_there else [],
        copies=[_copy(copy) for copy in found.copies],
        list_href=list_path(reference.publisher, reference.list),
        revisions=revision_views(found),
        not_shown=found.earlier_count - len(found.earlier),
        may_change=own and is_there and has_role(request, *CHANGING),
        withdraw_href=withdrawal_path(reference.list, reference.id),
        amend_href=amendment_path(reference.list, reference.id),
        compared=None,
        done=request.query_params.get("done", ""),
    )


def entry_of(request: Request) -> WatchlistReference:
    """The entry that the path names."""
    params = request.path_params
    publisher = params.get("publisher") or console_of(request).client.node_name
    return WatchlistReference(publisher=publisher, list=params["list_name"], id=params["entry_id"])


def _copy(copy: PartnerCopy) -> dict[str, object]:
    return {
        "partner": copy.partner,
        "state": label_of(CopyState, copy.state),
        "kind": _STATES.get(copy.state, "quiet"),
        "revision": copy.revision,
        "receipted_at": moment_of(copy.receipted_at_unix_ms),
        "outcome": copy.outcome,
        "feed": f"{copy.sent.origin} {copy.sent.index}" if copy.HasField("sent") else "",
    }


def moment_of(unix_ms: int) -> datetime | None:
    """A time of the contract in milliseconds since 1970; None for 0."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC) if unix_ms else None


async def compare(request: Request) -> Response:
    """Asks a partner now for the root of its copy, and says whether it is what was distributed."""
    partner = form(request).required("partner")
    compared = await client(request).watchlist.compare(partner)
    return render(
        request,
        "watchlists/compared.html",
        title=_("Copy at {partner}", partner=partner.upper()),
        partner=partner,
        compared=compared,
        verdict=verdict(compared),
        missing=[
            (change.entered.list or change.ended.list, change.entered.id or change.ended.id)
            for change in compared.missing
        ],
    )


def verdict(compared: CompareCopyResponse) -> str:
    """Whether the copies are identical, in a sentence."""
    if compared.identical:
        return ngettext(
            "The copy is identical: {number} entry, and both sides have the same root.",
            "The copy is identical: {number} entries, and both sides have the same root.",
            compared.active,
        )
    if compared.partner_size > compared.own_size:
        return _("The partner has more than this authority: after a restore, an operator runs gateway recover.")
    if compared.own_root != compared.partner_root:
        return _("The roots differ at the same size: one side's history isn't what was signed. Tell an operator.")
    if compared.missing_count:
        return ngettext(
            "The partner lacks {number} change. Up to there both sides agree.",
            "The partner lacks {number} changes. Up to there both sides agree.",
            compared.missing_count,
        )
    return _("Changes are on their way: ask again in a moment.")
