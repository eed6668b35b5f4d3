"""Compares two names: the class of the match, its score, and why.

1. Names of different kinds never match: a person isn't the company that carries the name.
2. Each form of one name is compared with each form of the other; where both names have a Han form, Han decides, and
   Latin forms that agree can't outvote characters that differ.
3. The verdict with the highest class wins, then the one with the highest score.

`judge` gives class and score, and explains when asked: an index explains what it gives back alone. `compare` explains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from gateway.screening.organisations.rules import compare_organisations
from gateway.screening.organisations.variant import OrganisationVariant
from gateway.screening.persons.reading import PersonVariant
from gateway.screening.persons.rules import compare_persons
from gateway.screening.plain import compare_plain
from gateway.screening.prepared_name import PreparedName, prepare
from gateway.screening.result import (
    DEFAULT_THRESHOLDS,
    Comparison,
    MatchClass,
    NameKind,
    Thresholds,
    VariantPair,
    Verdict,
    class_of,
)

NO_RULE = Comparison(MatchClass.NONE, 0.0, "no rule connects the two names")
OTHER_KIND = Comparison(
    MatchClass.NONE, 0.0, "one names a person, the other an organisation, or things of different kinds"
)


class NameEvaluation(NamedTuple):
    """Class and score of a comparison; `explain` gives all of it."""

    match_class: MatchClass
    score: float
    explain: Callable[[], Comparison]


_NO_RULE = NameEvaluation(MatchClass.NONE, 0.0, lambda: NO_RULE)
_OTHER_KIND = NameEvaluation(MatchClass.NONE, 0.0, lambda: OTHER_KIND)


def evaluate(
    query: PreparedName, candidate: PreparedName, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> NameEvaluation:
    """Judges two prepared names; see the module's text for the order of decisions."""
    if query.kind != candidate.kind:
        return _OTHER_KIND
    verdicts = _verdicts(query, candidate)
    return _conclude(verdicts, thresholds) if verdicts else _NO_RULE


def compare(query: PreparedName, candidate: PreparedName, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> Comparison:
    """Judges two prepared names and explains it."""
    return evaluate(query, candidate, thresholds).explain()


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


Form = TypeVar("Form", PersonVariant, OrganisationVariant)


def _each(
    rule: Callable[[Form, Form], Verdict | None], ours: tuple[Form, ...], theirs: tuple[Form, ...]
) -> list[Verdict | None]:
    """Verdict on each form of one with each of the other; those in Han alone where both have one."""
    if len(ours) == len(theirs) == 1:
        return [rule(ours[0], theirs[0])]
    han_decides = _any_han(ours) and _any_han(theirs)
    return [rule(one, other) for one in ours for other in theirs if not han_decides or (one.han and other.han)]


def _any_han(variants: tuple[PersonVariant, ...] | tuple[OrganisationVariant, ...]) -> bool:
    return any(variant.han for variant in variants)


_Ranked = tuple[MatchClass, float, Verdict]


def _rank(ranked: _Ranked) -> tuple[MatchClass, float]:
    return ranked[:2]


def _conclude(verdicts: Sequence[Verdict], thresholds: Thresholds) -> NameEvaluation:
    ranked = [(class_of(verdict.score, verdict.ceiling, thresholds), verdict.score, verdict) for verdict in verdicts]
    if len(ranked) > 1:
        ranked.sort(key=_rank, reverse=True)
    match_class, score, _ = ranked[0]
    return NameEvaluation(match_class, score, partial(_explain, ranked, thresholds))


def _explain(ranked: Sequence[_Ranked], thresholds: Thresholds) -> Comparison:
    match_class, score, winner = ranked[0]
    because, parts, tokens = winner.explain()
    if not match_class:
        because = f"the score stays below {thresholds.compatible}"
    elif match_class < winner.ceiling:
        because += f"; the score stays below {thresholds.strong}"
    variants = tuple([VariantPair(verdict.query, verdict.candidate, verdict.score) for _, _, verdict in ranked])
    return Comparison(match_class, score, because, variants, tokens, parts)
