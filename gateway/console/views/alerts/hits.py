"""Entries of watchlists that things of an alert may be, with the reason in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from gateway.console.views.words import capitalised
from gateway.contract.enum_words import word_of
from gateway.translation.labels import label_of
from gateway.translation.match_reasons import said
from gateway.v1.alert_pb2 import RequestedAction
from gateway.v1.alert_service_pb2 import AlertHit
from gateway.v1.watchlist_pb2 import MatchClass

_KINDS: Final[Mapping[str, str]] = {"identical": "bad", "strong": "warn"}


@dataclass(frozen=True, slots=True)
class HitLine:
    """One entry that a thing of the alert may be."""

    path: str
    entry: str
    owner: str
    given: str
    listed: str
    because: str
    score_percent: int
    match: str
    kind: str
    action: str


def hit_rows(hits: Iterable[AlertHit]) -> list[HitLine]:
    """The hits of an alert, worst first as the gateway gives them."""
    return [_row(each) for each in hits]


def _row(each: AlertHit) -> HitLine:
    hit = each.hit
    entry = hit.entry
    return HitLine(
        path="/watchlists/entry/" + "/".join(quote(part, safe="") for part in (entry.publisher, entry.list, entry.id)),
        entry=f"{entry.publisher}/{entry.list}/{entry.id}",
        owner=entry.publisher,
        given=hit.explanation.given,
        listed=hit.explanation.listed,
        because=said(hit.explanation.because),
        score_percent=round(hit.score * 100),
        match=capitalised(label_of(MatchClass, hit.match_class)),
        kind=_KINDS.get(word_of(MatchClass, hit.match_class), "quiet"),
        action=capitalised(label_of(RequestedAction, hit.requested_action)),
    )
