"""Whose verdict each change of a list has changed: the reports, and the verdicts of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.page import client, render
from gateway.console.pages.watchlists.paths import entry_path
from gateway.console.views.lists.matches import source_words
from gateway.console.views.words import capitalised
from gateway.translation.labels import label_of
from gateway.translation.messages import gettext as _
from gateway.v1.match_pb2 import ChangedVerdict
from gateway.v1.watchlist_pb2 import MatchClass

PAGE_SIZE: Final = 25


@dataclass(frozen=True, slots=True)
class VerdictView:
    """A changed verdict in words."""

    source: str
    entry: str
    entry_href: str
    match_href: str
    before: str
    after: str
    is_hit: bool


async def show_reports(request: Request) -> Response:
    """Reports of all lists, newest first."""
    token = request.query_params.get("page", "")
    page = await client(request).screening.reports_page(page_size=PAGE_SIZE, page_token=token)
    here = "/watchlists/changes"
    return render(
        request,
        "watchlists/changes.html",
        title=_("Changed verdicts"),
        reports=page.reports,
        next_href=f"{here}?page={page.next_page_token}" if page.next_page_token else "",
        first_href=here if token else "",
    )


async def show_report(request: Request) -> Response:
    """One report with the verdicts that it names."""
    report = await client(request).screening.changed_verdicts(request.path_params["number"])
    total = report.became + report.ceased + report.regraded
    return render(
        request,
        "watchlists/change.html",
        title=_("Changed verdicts after a change of {list}", list=f"{report.publisher.upper()} {report.list}"),
        report=report,
        verdicts=[_view(verdict) for verdict in report.verdicts],
        unnamed=max(0, total - len(report.verdicts)),
    )


def _view(verdict: ChangedVerdict) -> VerdictView:
    source = verdict.source
    return VerdictView(
        source=source_words(source),
        entry=verdict.entry.id,
        entry_href=entry_path(verdict.entry),
        match_href=f"/watchlists/matches/{verdict.match_id}",
        before=_class(verdict.class_before),
        after=_class(verdict.class_after),
        is_hit=bool(verdict.class_after),
    )


def _class(match_class: MatchClass.ValueType) -> str:
    return capitalised(label_of(MatchClass, match_class)) if match_class else _("No hit")
