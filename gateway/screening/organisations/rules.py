"""Compares two variants of organisations' names.

1. The cores must agree: equal Han characters, a romanisation, or equal letters.
2. A line of business that is missing or differs is contrary: sister companies share a core.
3. Different places are contrary; a place in one name alone isn't.
4. Different numbers are contrary, and so is one in one name alone: factory no. 2 isn't factory no. 3.
5. Incompatible legal forms are a difference; a missing one isn't.
6. Names without a core (厦门钨业, Banco da China) consist of place and line of business: both must agree.
"""

from __future__ import annotations

from functools import lru_cache, partial

from gateway.screening.organisations.cores import CoreAgreement, compare_cores
from gateway.screening.organisations.lexicon import is_within
from gateway.screening.organisations.terms import (
    TermPairs,
    is_other_business,
    pair_terms,
    paired_tokens,
    term_parts,
    term_tokens,
)
from gateway.screening.organisations.variant import OrganisationVariant
from gateway.screening.result import Explanation, MatchClass, RawPart, TokenMatch, Verdict, same_han, score_of, weigh

CORE_WEIGHT = 0.6
PLACE_WEIGHT = 0.1
OTHER_PLACE_WEIGHT = 0.3
NUMBER_WEIGHT = 0.05
OTHER_NUMBER_WEIGHT = 0.4
LEGAL_WEIGHT = 0.05
OTHER_LEGAL_WEIGHT = 0.12
CORELESS_PLACE_WEIGHT = 0.4
CORELESS_ACTIVITY_WEIGHT = 0.6


def compare_organisations(query: OrganisationVariant, candidate: OrganisationVariant) -> Verdict | None:
    """None if no rule connects the variants."""
    if query.han and query.han == candidate.han:
        return Verdict(query.text, candidate.text, 1.0, MatchClass.IDENTICAL, partial(same_han, query.han))
    if not query.core and not candidate.core:
        return _compare_coreless(query, candidate)
    if not query.core or not candidate.core:
        return None
    core = compare_cores(query, candidate)
    if core is None:
        return None
    paired = pair_terms(query.terms, candidate.terms)
    raw = (
        ("core", CORE_WEIGHT, core.agreement),
        *term_parts(query, candidate, paired, core.rest),
        *_number_parts(query, candidate),
        *_place_parts(query, candidate),
        *_legal_parts(query, candidate),
    )
    explain = partial(_explain, query, candidate, core, paired, raw)
    return Verdict(query.text, candidate.text, score_of(raw), _ceiling(query, candidate), explain)


def _explain(
    query: OrganisationVariant,
    candidate: OrganisationVariant,
    core: CoreAgreement | None,
    paired: TermPairs,
    raw: tuple[RawPart, ...],
) -> Explanation:
    tokens = [*core.tokens(), *term_tokens(paired)] if core is not None else paired_tokens(paired)
    tokens += [*_number_tokens(query, candidate), *_place_tokens(query, candidate), *_legal_tokens(query, candidate)]
    return Explanation(_because(query, candidate), weigh(raw), tuple(tokens))


def _ceiling(query: OrganisationVariant, candidate: OrganisationVariant) -> MatchClass:
    return MatchClass.STRONG if query.han and candidate.han else MatchClass.COMPATIBLE


def _because(query: OrganisationVariant, candidate: OrganisationVariant) -> str:
    if query.han and candidate.han:
        return "the Han names are the same apart from what carries little identity"
    if query.han or candidate.han:
        return "several Han names are romanised or translated so"
    return "only Latin letters agree"


def _number_parts(query: OrganisationVariant, candidate: OrganisationVariant) -> tuple[RawPart, ...]:
    if not query.numbers and not candidate.numbers:
        return ()
    return (_ONE_NUMBER if query.numbers == candidate.numbers else _OTHER_NUMBER,)


_ONE_NUMBER = ("number", NUMBER_WEIGHT, 1.0)
_OTHER_NUMBER = ("number", OTHER_NUMBER_WEIGHT, 0.0)


def _number_tokens(query: OrganisationVariant, candidate: OrganisationVariant) -> tuple[TokenMatch, ...]:
    if not query.numbers and not candidate.numbers:
        return ()
    texts = tuple("+".join(map(str, sorted(side.numbers))) for side in (query, candidate))
    if query.numbers == candidate.numbers:
        return (TokenMatch(texts[0], texts[1], "same number", 1.0),)
    both = query.numbers and candidate.numbers
    return (TokenMatch(texts[0], texts[1], "other number" if both else "number absent in one", 0.0),)


def _place_parts(query: OrganisationVariant, candidate: OrganisationVariant) -> tuple[RawPart, ...]:
    if not query.places or not candidate.places:
        return ()
    return (_OTHER_PLACE if are_other_places(query.places, candidate.places) else _ONE_PLACE,)


_OTHER_PLACE = ("place", OTHER_PLACE_WEIGHT, 0.0)
_ONE_PLACE = ("place", PLACE_WEIGHT, 1.0)


def _place_tokens(query: OrganisationVariant, candidate: OrganisationVariant) -> tuple[TokenMatch, ...]:
    if not query.places and not candidate.places:
        return ()
    texts = ("+".join(sorted(query.places)), "+".join(sorted(candidate.places)))
    if not query.places or not candidate.places:
        return (TokenMatch(*texts, "place absent in one", 0.5),)
    if are_other_places(query.places, candidate.places):
        return (TokenMatch(*texts, "other place", 0.0),)
    return (TokenMatch(*texts, "place equal, or one lies in the other", 1.0),)


@lru_cache(maxsize=8_192)
def are_other_places(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether both have a place unrelated to the other's."""
    mine = [p for p in ours if not any(is_within(p, q) or is_within(q, p) for q in theirs)]
    yours = [q for q in theirs if not any(is_within(p, q) or is_within(q, p) for p in ours)]
    only_mine, only_yours = ours - theirs, theirs - ours
    if only_mine and only_yours:
        related = any(is_within(p, q) or is_within(q, p) for p in only_mine for q in only_yours)
        return not related
    return bool(mine and yours)


def _legal_parts(query: OrganisationVariant, candidate: OrganisationVariant) -> tuple[RawPart, ...]:
    if not query.legal or not candidate.legal:
        return ()
    return (_ONE_LEGAL if query.legal & candidate.legal else _OTHER_LEGAL,)


_ONE_LEGAL = ("legal form", LEGAL_WEIGHT, 1.0)
_OTHER_LEGAL = ("legal form", OTHER_LEGAL_WEIGHT, 0.0)


def _legal_tokens(query: OrganisationVariant, candidate: OrganisationVariant) -> tuple[TokenMatch, ...]:
    texts = (query.legal_text, candidate.legal_text)
    if not query.legal or not candidate.legal:
        return (TokenMatch(*texts, "legal form absent in one", 0.5),) if any(texts) else ()
    if query.legal & candidate.legal:
        rule = "legal form equal" if query.legal == candidate.legal else "legal form may be the same"
        return (TokenMatch(*texts, rule, 1.0),)
    return (TokenMatch(*texts, "other legal form", 0.0),)


def _compare_coreless(query: OrganisationVariant, candidate: OrganisationVariant) -> Verdict | None:
    if query.places != candidate.places or not query.terms or not candidate.terms:
        return None
    paired = pair_terms(query.terms, candidate.terms)
    pairs, ours, theirs = paired
    if not pairs or (ours and theirs and is_other_business(ours, theirs)):
        return None
    telling = max(unit.term.weight for unit in (*query.terms, *candidate.terms))
    matched = sum(a.term.weight == telling for a, _ in pairs)
    unmatched = sum(u.term.weight == telling for u in (*ours, *theirs))
    agreement = matched / (matched + unmatched) if matched else 0.0
    place = (("place", CORELESS_PLACE_WEIGHT, 1.0),) if query.places else ()
    business = ("line of business", CORELESS_ACTIVITY_WEIGHT, agreement)
    raw = (business, *place, *_number_parts(query, candidate), *_legal_parts(query, candidate))
    explain = partial(_explain, query, candidate, None, paired, raw)
    return Verdict(query.text, candidate.text, score_of(raw), _ceiling(query, candidate), explain)
