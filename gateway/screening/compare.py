"""Compares two names: match class, score and reasons.

1. Names of different kinds never match: a person isn't the company of that name.
2. Each variant of one name is compared with each of the other. Where both have a Han variant, Han decides: Latin
   variants that agree can't outvote different characters.
3. What agrees only by look (`PreparedName.notes`) is strong at most.
4. The highest class wins, then the highest score.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    """Class and score; `explain` makes the whole comparison."""

    match_class: MatchClass
    score: float
    explain: Callable[[], Comparison]


_NO_RULE = NameEvaluation(MatchClass.NONE, 0.0, lambda: NO_RULE)
_OTHER_KIND = NameEvaluation(MatchClass.NONE, 0.0, lambda: OTHER_KIND)


def evaluate(
    query: PreparedName, candidate: PreparedName, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> NameEvaluation:
    """In the module's order."""
    if query.kind != candidate.kind:
        return _OTHER_KIND
    verdicts = _verdicts(query, candidate)
    return _conclude(verdicts, thresholds, query.notes, candidate.notes) if verdicts else _NO_RULE


def compare(query: PreparedName, candidate: PreparedName, thresholds: Thresholds = DEFAULT_THRESHOLDS) -> Comparison:
    """Evaluates two names and explains the result."""
    return evaluate(query, candidate, thresholds).explain()


def compare_texts(
    query: str, candidate: str, kind: NameKind = NameKind.UNKNOWN, thresholds: Thresholds = DEFAULT_THRESHOLDS
) -> Comparison:
    """For one text with many, prepare each once."""
    return compare(prepare(query, kind), prepare(candidate, kind), thresholds)


def _verdicts(query: PreparedName, candidate: PreparedName) -> list[Verdict]:
    if query.plains:
        verdicts = [compare_plain(mine, yours) for mine in query.plains for yours in candidate.plains]
    elif query.persons:
        verdicts = _each(compare_persons, query.persons, candidate.persons)
    else:
        verdicts = _each(compare_organisations, query.organisations, candidate.organisations)
    return [verdict for verdict in verdicts if verdict is not None]


Form = TypeVar("Form", PersonVariant, OrganisationVariant)


def _each(
    rule: Callable[[Form, Form], Verdict | None], ours: tuple[Form, ...], theirs: tuple[Form, ...]
) -> list[Verdict | None]:
    """Of Han variants alone where both names have them."""
    if len(ours) == len(theirs) == 1:
        return [rule(ours[0], theirs[0])]
    han_decides = _any_han(ours) and _any_han(theirs)
    return [rule(our, other) for our in ours for other in theirs if not han_decides or (our.han and other.han)]


def _any_han(variants: tuple[PersonVariant, ...] | tuple[OrganisationVariant, ...]) -> bool:
    return any(variant.han for variant in variants)


_Ranked = tuple[MatchClass, float, Verdict]


def _rank(ranked: _Ranked) -> tuple[MatchClass, float]:
    return ranked[:2]


def _conclude(
    verdicts: Sequence[Verdict], thresholds: Thresholds, notes: Mapping[str, str], listed_notes: Mapping[str, str]
) -> NameEvaluation:
    if notes or listed_notes:
        verdicts = [_by_look(verdict, notes, listed_notes) for verdict in verdicts]
    ranked = [(class_of(verdict.score, verdict.ceiling, thresholds), verdict.score, verdict) for verdict in verdicts]
    if len(ranked) > 1:
        ranked.sort(key=_rank, reverse=True)
    match_class, score, _ = ranked[0]
    return NameEvaluation(match_class, score, partial(_explain, ranked, thresholds, notes, listed_notes))


def _by_look(verdict: Verdict, notes: Mapping[str, str], listed_notes: Mapping[str, str]) -> Verdict:
    if notes.get(verdict.query) or listed_notes.get(verdict.candidate):
        return verdict._replace(ceiling=min(verdict.ceiling, MatchClass.STRONG))
    return verdict


def _explain(
    ranked: Sequence[_Ranked], thresholds: Thresholds, notes: Mapping[str, str], listed_notes: Mapping[str, str]
) -> Comparison:
    match_class, score, winner = ranked[0]
    because, parts, tokens = winner.explain()
    if note := notes.get(winner.query):
        because += f"; in the name {note}"
    if note := listed_notes.get(winner.candidate):
        because += f"; in the listed name {note}"
    if not match_class:
        because = f"the score stays below {thresholds.compatible}"
    elif match_class < winner.ceiling:
        because += f"; the score stays below {thresholds.strong}"
    variants = tuple([VariantPair(verdict.query, verdict.candidate, verdict.score) for _, _, verdict in ranked])
    return Comparison(match_class, score, because, variants, tokens, parts)
