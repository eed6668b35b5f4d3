"""A match explained: the two names aligned token by token, and what the score is made of, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gateway.console.filters import moment_text, number
from gateway.console.views.lists.entries import entry_text
from gateway.console.views.words import capitalised
from gateway.contract.ids import claimed_unix_ms
from gateway.contract.messages import to_timestamp
from gateway.translation.labels import label_of
from gateway.translation.match_reasons import said
from gateway.translation.messages import gettext as _
from gateway.v1.match_pb2 import Match, MatchGroup, MatchSource, MatchSourceKind, MatchStatus
from gateway.v1.screening_pb2 import MatchExplanation, ScreeningHit, TokenAgreement
from gateway.v1.watchlist_pb2 import MatchClass, WatchlistKind

FULL: Final = 0.95
CONTRARY: Final = 0.05
"""Agreement from which two tokens count as the same, and up to which as contrary."""


@dataclass(frozen=True, slots=True)
class AlignedTokens:
    """A column of the alignment: a token of each name, and how they agree.

    Attributes:
        kind: same, near, contrary or alone, for the style.
    """

    given: str
    listed: str
    rule: str
    kind: str


@dataclass(frozen=True, slots=True)
class MatchView:
    """A match for its page.

    Attributes:
        score: in percent, in words.
        parts: of the score: what was compared, its share of the score in percent, how well it agrees in percent.
        others: further pairs of forms that were compared: given, listed, score.
    """

    match: Match
    title: str
    because: str
    class_word: str
    score: str
    status: str
    kind: str
    source: str
    source_href: str
    tokens: Sequence[AlignedTokens]
    parts: Sequence[tuple[str, str, str]]
    others: Sequence[tuple[str, str, str]]

    @property
    def explanation(self) -> MatchExplanation:
        return self.match.hit.explanation


@dataclass(frozen=True, slots=True)
class MatchGroupView:
    """Open matches that are alike.

    Attributes:
        entry: whose list, which list and which entry.
        newest: explains them all.
    """

    group: MatchGroup
    newest: MatchView
    entry: str

    def title(self, by: str) -> str:
        """What they have in common: the listed name, or the party that was found."""
        explanation = self.newest.explanation
        return (explanation.listed if by == "entry" else explanation.given) or self.newest.match.hit.entry.id


def group_view(group: MatchGroup) -> MatchGroupView:
    """A group in words."""
    entry = group.newest.hit.entry
    return MatchGroupView(group, match_view(group.newest), entry_text(entry))


def match_view(match: Match) -> MatchView:
    """A match in words."""
    hit = match.hit
    return MatchView(
        match=match,
        title=hit.explanation.given or hit.entry.id,
        because=said(hit.explanation.because),
        class_word=capitalised(label_of(MatchClass, hit.match_class)),
        score=score_text(hit.score),
        status=capitalised(label_of(MatchStatus, match.status)),
        kind=label_of(WatchlistKind, hit.kind),
        source=source_words(match.source),
        source_href=_source_href(match),
        tokens=[aligned(token) for token in hit.explanation.tokens],
        parts=score_parts(hit),
        others=[(pair.given, pair.listed, _percent(pair.score)) for pair in hit.explanation.forms[:8]],
    )


def aligned(token: TokenAgreement) -> AlignedTokens:
    """Two tokens with the style of their agreement."""
    if not token.given or not token.listed:
        kind = "alone"
    elif token.agreement >= FULL:
        kind = "same"
    elif token.agreement <= CONTRARY:
        kind = "contrary"
    else:
        kind = "near"
    return AlignedTokens(token.given, token.listed, said(token.rule), kind)


def score_parts(hit: ScreeningHit) -> list[tuple[str, str, str]]:
    """What the score is made of."""
    return [(said(part.name), _percent(part.weight), _percent(part.agreement)) for part in hit.explanation.parts]


def score_text(score: float) -> str:
    """A score from 0 to 1 in words."""
    return _("score {percent} %", percent=number(round(score * 100)))


def _percent(share: float) -> str:
    return _("{number} %", number=number(round(share * 100)))


def source_words(source: MatchSource) -> str:
    """Where a party was found."""
    kind = capitalised(label_of(MatchSourceKind, source.kind))
    published_ms = claimed_unix_ms(source.id)
    if source.kind == MatchSourceKind.MATCH_SOURCE_KIND_ALERT and published_ms is not None:
        time = moment_text(to_timestamp(published_ms))
        return _("Alert of {node}, {time}", node=source.publisher.upper(), time=time)
    where = "/".join(filter(None, (source.publisher, source.id)))
    return _("{kind} {id}", kind=kind, id=where)


def _source_href(match: Match) -> str:
    if match.source.kind == MatchSourceKind.MATCH_SOURCE_KIND_ALERT:
        return f"/alerts/{match.source.publisher}/{match.source.id}"
    return ""
