"""A hit on a list entry in words: what was found, where, and what its owner made of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.console.filters import actor
from gateway.console.views.lists.matches import score_text
from gateway.console.views.words import address_text, capitalised, identifier_text
from gateway.translation.labels import PURPOSE, label, label_of
from gateway.translation.messages import gettext as _
from gateway.v1.party_pb2 import Party, PartyRole
from gateway.v1.watchlist_pb2 import HitOutcome, MatchClass, WatchlistHit
from gateway.v1.watchlist_service_pb2 import ListedHit

OUTCOMES: Final[Mapping[str, HitOutcome.ValueType]] = {
    "confirmed": HitOutcome.HIT_OUTCOME_CONFIRMED,
    "false": HitOutcome.HIT_OUTCOME_FALSE,
    "undecided": HitOutcome.HIT_OUTCOME_UNDECIDED,
}
"""Words of filters and forms."""

_NAMES: Final[Mapping[int, Callable[[], str]]] = {
    HitOutcome.HIT_OUTCOME_CONFIRMED: lambda: _("The listed one"),
    HitOutcome.HIT_OUTCOME_FALSE: lambda: _("Somebody or something else"),
    HitOutcome.HIT_OUTCOME_UNDECIDED: lambda: _("Not known"),
}
_KINDS: Final[Mapping[int, str]] = {HitOutcome.HIT_OUTCOME_CONFIRMED: "bad", HitOutcome.HIT_OUTCOME_FALSE: "good"}


@dataclass(frozen=True, slots=True)
class HitView:
    """A hit for its page.

    Attributes:
        title: the party that was found; where it wasn't told, the entry's id.
        outcome: in words, and the kind of its tag.
        found: facts of the party, name and value.
        score: in percent, in words.
        reporter: who reported it: a system or a person of the reporter.
        answerer: who answered, likewise; empty without an answer.
        waits: its owner hasn't answered.
    """

    listed: ListedHit
    title: str
    outcome: str
    outcome_kind: str
    class_word: str
    score: str
    purpose: str
    found: Sequence[tuple[str, list[str]]]
    reporter: str
    answerer: str
    waits: bool

    @property
    def hit(self) -> WatchlistHit:
        return self.listed.hit


def outcome_name(outcome: int) -> str:
    """What a hit turned out to be."""
    return _NAMES[outcome]() if outcome in _NAMES else _("Not answered yet")


def hit_view(listed: ListedHit) -> HitView:
    """A hit in words."""
    hit, outcome = listed.hit, listed.outcome
    return HitView(
        listed=listed,
        title=next((name.text for name in hit.subject.names), "") or hit.entry.id,
        outcome=outcome_name(outcome),
        outcome_kind=_KINDS.get(outcome, "quiet" if outcome else "warn"),
        class_word=capitalised(label_of(MatchClass, hit.match_class)),
        score=score_text(hit.score),
        purpose=capitalised(label(PURPOSE, hit.purpose)) if hit.purpose else "",
        found=_found(hit.subject),
        reporter=actor(listed.own_actor or listed.actor),
        answerer=actor(listed.own_answer_actor or listed.answer_actor),
        waits=not outcome,
    )


def _found(party: Party) -> list[tuple[str, list[str]]]:
    role = capitalised(label_of(PartyRole, party.role)) if party.role else ""
    facts = [
        (_("Names"), [name.text for name in party.names]),
        (_("Identifiers"), [identifier_text(identifier) for identifier in party.identifiers]),
        (_("Addresses"), [address_text(address) for address in party.addresses]),
        (_("Role"), [role] if role else []),
    ]
    return [(name, values) for name, values in facts if values]
