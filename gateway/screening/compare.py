"""Compares two names: the class of the match, its score, and why.

Owns the choice among forms and the class that follows from score, evidence and thresholds. Doesn't own the rules
(`person_rules`, `organisation_rules`, `plain`) or an index.

1. Names of different kinds never match: a person isn't the company that carries the name.
2. Each form of one name is compared with each form of the other; where both names have a Han form, Han decides, and
   Latin forms that agree can't outvote characters that differ.
3. The verdict with the highest class wins, then the one with the highest score.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from gateway.screening.forms import PreparedName, prepare
from gateway.screening.organisation_form import OrganisationForm
from gateway.screening.organisation_rules import compare_organisations
from gateway.screening.person_rules import compare_persons
from gateway.screening.persons import PersonForm
from gateway.screening.plain import compare_plain
from gateway.screening.result import (
    DEFAULT_THRESHOLDS,
    Comparison,
    FormTried,
    MatchClass,
    NameKind,
    Thresholds,
    Verdict,
    class_of,
)

NO_RULE = Comparison(MatchClass.NONE, 0.0, "no rule connects the two names")
OTHER_KIND = Comparison(
    MatchClass.NONE, 0.0, "one names a person, the other an organisation, or things of different kinds"
)


def compare(query: PreparedName, candidate: PreparedName, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> Comparison:
    """Compares two prepared names; see the module's text for the order of decisions."""
    if query.kind != candidate.kind:
        return OTHER_KIND
    verdicts = [verdict for verdict in _verdicts(query, candidate) if verdict is not None]
    return _conclude(verdicts, thresholds) if verdicts else NO_RULE


def compare_texts(
    query: str, candidate: str, kind: NameKind = NameKind.UNKNOWN, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> Comparison:
    """Compares two names as they are written; to compare one with many, prepare each once."""
    return compare(prepare(query, kind), prepare(candidate, kind), thresholds)


def compare_parties(
    queries: Sequence[PreparedName], candidates: Iterable[PreparedName], thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> Comparison:
    """Best comparison between any name of one party and any name of another: how aliases on an entry come in."""
    comparisons = (compare(query, candidate, thresholds) for candidate in candidates for query in queries)
    return max(comparisons, key=lambda found: (found.match_class, found.score), default=NO_RULE)


def _verdicts(query: PreparedName, candidate: PreparedName) -> Iterator[Verdict | None]:
    if query.plain is not None and candidate.plain is not None:
        yield compare_plain(query.plain, candidate.plain)
    elif query.persons:
        yield from _persons(query.persons, candidate.persons)
    else:
        yield from _organisations(query.organisations, candidate.organisations)


def _persons(ours: tuple[PersonForm, ...], theirs: tuple[PersonForm, ...]) -> Iterator[Verdict | None]:
    han_decides = _any_han(ours) and _any_han(theirs)
    for one in ours:
        for other in theirs:
            if not han_decides or (one.han and other.han):
                yield compare_persons(one, other)


def _organisations(
    ours: tuple[OrganisationForm, ...], theirs: tuple[OrganisationForm, ...]
) -> Iterator[Verdict | None]:
    han_decides = _any_han(ours) and _any_han(theirs)
    for one in ours:
        for other in theirs:
            if not han_decides or (one.han and other.han):
                yield compare_organisations(one, other)


def _any_han(forms: tuple[PersonForm, ...] | tuple[OrganisationForm, ...]) -> bool:
    return any(form.han for form in forms)


def _conclude(verdicts: Sequence[Verdict], thresholds: Thresholds) -> Comparison:
    def rank(verdict: Verdict) -> tuple[MatchClass, float]:
        return class_of(verdict.score, verdict.ceiling, thresholds), verdict.score

    ordered = sorted(verdicts, key=rank, reverse=True)
    winner = ordered[0]
    match_class, score = rank(winner)
    forms = tuple(FormTried(v.query, v.candidate, v.score) for v in ordered)
    because = winner.because if match_class else f"the score stays below {thresholds.compatible}"
    if MatchClass.NONE < match_class < winner.ceiling:
        because += f"; the score stays below {thresholds.strong}"
    return Comparison(match_class, score, because, forms, winner.tokens, winner.parts)
