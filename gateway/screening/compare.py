"""Compares two names: the class of the match, its score, and why.

Owns the choice among forms and the class that follows from score, evidence and thresholds. Doesn't own the rules
(`person_rules`, `organisation_rules`, `plain`) or an index.

1. Names of different kinds never match: a person isn't the company that carries the name.
2. Each form of one name is compared with each form of the other; where both names have a Han form, Han decides, and
   Latin forms that agree can't outvote characters that differ.
3. The verdict with the highest class wins, then the one with the highest score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

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
    verdicts = _verdicts(query, candidate)
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


def _verdicts(query: PreparedName, candidate: PreparedName) -> list[Verdict]:
    if query.plain is not None and candidate.plain is not None:
        verdicts = [compare_plain(query.plain, candidate.plain)]
    elif query.persons:
        verdicts = _each(compare_persons, query.persons, candidate.persons)
    else:
        verdicts = _each(compare_organisations, query.organisations, candidate.organisations)
    return [verdict for verdict in verdicts if verdict is not None]


Form = TypeVar("Form", PersonForm, OrganisationForm)


def _each(
    rule: Callable[[Form, Form], Verdict | None], ours: tuple[Form, ...], theirs: tuple[Form, ...]
) -> list[Verdict | None]:
    """Verdict on each form of one with each of the other; those in Han alone where both have one."""
    if len(ours) == len(theirs) == 1:
        return [rule(ours[0], theirs[0])]
    han_decides = _any_han(ours) and _any_han(theirs)
    return [rule(one, other) for one in ours for other in theirs if not han_decides or (one.han and other.han)]


def _any_han(forms: tuple[PersonForm, ...] | tuple[OrganisationForm, ...]) -> bool:
    return any(form.han for form in forms)


def _rank(ranked: tuple[MatchClass, float, Verdict]) -> tuple[MatchClass, float]:
    return ranked[:2]


def _conclude(verdicts: Sequence[Verdict], thresholds: Thresholds) -> Comparison:
    ranked = []
    for verdict in verdicts:
        score = verdict.score
        ranked.append((class_of(score, verdict.ceiling, thresholds), score, verdict))
    if len(ranked) > 1:
        ranked.sort(key=_rank, reverse=True)
    match_class, score, winner = ranked[0]
    forms = tuple([FormTried(verdict.query, verdict.candidate, score) for _, score, verdict in ranked])
    because = winner.because if match_class else f"the score stays below {thresholds.compatible}"
    if MatchClass.NONE < match_class < winner.ceiling:
        because += f"; the score stays below {thresholds.strong}"
    return Comparison(match_class, score, because, forms, winner.tokens, winner.parts)
