"""Pairs words of equal meaning in two organisations' names, and compares lines of business."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from gateway.screening.organisations.lexicon import Weight
from gateway.screening.organisations.variant import OrganisationVariant, Unit
from gateway.screening.result import RawPart, TokenMatch

ACTIVITY_WEIGHT = 0.35
WEAK_WEIGHT = 0.1
UNTRANSLATED = 0.65
"""Agreement of two unknown words where a line of business is expected."""


class TermPairs(NamedTuple):
    """Words of one meaning, and unpaired words."""

    pairs: list[tuple[Unit, Unit]]
    ours: list[Unit]
    theirs: list[Unit]


def pair_terms(ours: Sequence[Unit], theirs: Sequence[Unit]) -> TermPairs:
    """Pairs words of two names."""
    if not ours or not theirs:
        return TermPairs([], list(ours), list(theirs))
    left, unmatched, pairs = list(theirs), [], []
    for unit in ours:
        partner = next((u for u in left if u.term.concepts & unit.term.concepts), None)
        if partner is None:
            unmatched.append(unit)
        else:
            left.remove(partner)
            pairs.append((unit, partner))
    return TermPairs(pairs, _without_repeated(unmatched, pairs), _without_repeated(left, pairs))


def _without_repeated(units: list[Unit], pairs: Sequence[tuple[Unit, Unit]]) -> list[Unit]:
    """Drops words that repeat what both names say: Transportes Aéreos Air Macau, 澳門航空."""
    return [
        unit
        for unit in units
        if not any(unit.term.concepts & one.term.concepts & other.term.concepts for one, other in pairs)
    ]


def term_parts(
    query: OrganisationVariant, candidate: OrganisationVariant, paired: TermPairs, rest: bool
) -> list[RawPart]:
    """Parts of the score; `rest` as in `cores.CoreAgreement`."""
    pairs, ours, theirs = paired
    if not pairs and not ours and not theirs and not rest:
        return []
    parts: list[RawPart] = []
    activity = _activity(pairs, ours, theirs, query.is_han == candidate.is_han, rest)
    if activity is not None:
        parts.append(("line of business", ACTIVITY_WEIGHT, activity))
    weak_ours, weak_theirs = _any_weak(ours), _any_weak(theirs)
    if weak_ours or weak_theirs:
        parts.append(("words of little weight", WEAK_WEIGHT, 0.0 if weak_ours and weak_theirs else 0.5))
    return parts


def _any_weak(units: Sequence[Unit]) -> bool:
    return any(unit.term.weight == Weight.WEAK for unit in units)


def term_tokens(paired: TermPairs) -> list[TokenMatch]:
    """Tokens of paired, then of unpaired words."""
    tokens = paired_tokens(paired)
    tokens += [TokenMatch(unit.text, "", *_absent(unit)) for unit in paired.ours]
    return tokens + [TokenMatch("", unit.text, *_absent(unit)) for unit in paired.theirs]


def paired_tokens(paired: TermPairs) -> list[TokenMatch]:
    """Tokens of paired words."""
    return [TokenMatch(a.text, b.text, _rule(a, b), 1.0) for a, b in paired.pairs]


def _rule(one: Unit, other: Unit) -> str:
    return "same word" if one.text == other.text else "same meaning"


def _absent(unit: Unit) -> tuple[str, float]:
    if unit.term.weight == Weight.ACTIVITY:
        return "line of business absent in one", 0.0
    return "word of little weight absent in one", 0.5


def _activity(
    pairs: Sequence[tuple[Unit, Unit]], ours: Sequence[Unit], theirs: Sequence[Unit], one_script: bool, rest: bool
) -> float | None:
    """None if neither name has a line of business."""
    matched = sum(a.term.weight == Weight.ACTIVITY for a, _ in pairs)
    mine, yours = (sum(u.term.weight == Weight.ACTIVITY for u in side) for side in (ours, theirs))
    if one_script and is_other_business(ours, theirs):
        return 0.0
    if rest:
        return matched / (matched + mine + yours) if matched else UNTRANSLATED
    if not matched and not mine and not yours:
        return None
    return matched / (matched + (mine + yours) / 2)


def is_other_business(ours: Sequence[Unit], theirs: Sequence[Unit]) -> bool:
    """Whether the lines differ and not both lack one: 投资 and 贸易."""
    weights = [max((u.term.weight for u in side), default=None) for side in (ours, theirs)]
    return None not in weights and any(weight != Weight.NONE for weight in weights)
