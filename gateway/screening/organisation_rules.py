"""Compares two forms of organisations' names and says which parts agree by which rule.

Owns the rules and weights for organisations. Doesn't own the split (`organisations`), the vocabulary (`lexicon`) or the
class (`compare`).

1. The cores must agree: the same Han characters, one the romanisation of the other, or the same letters.
2. A line of business that one name lacks, or that differs, is contrary: sister companies share a core.
3. Different places are contrary; a place in one name alone is not.
4. Legal forms that can't be one and the same are a difference; one that is left out is not.
5. Names without a core (厦门钨业, Banco da China) are made of place and line of business: both must agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

from rapidfuzz.distance import Indel

from gateway.screening.lexicon import Weight, is_within
from gateway.screening.organisation_form import OrganisationForm, Unit
from gateway.screening.organisation_keys import MIN_SKELETON, any_spellings, is_syllables, pinyin_letters, spellings_of
from gateway.screening.result import MatchClass, TokenMatch, Verdict, weigh
from gateway.screening.skeleton import skeleton
from gateway.screening.sounds import ANY_SYLLABLE, SCHEME_NAMES, SYLLABLES, Scheme
from gateway.screening.text import has_han

CORE_WEIGHT = 0.6
ACTIVITY_WEIGHT = 0.35
WEAK_WEIGHT = 0.1
PLACE_WEIGHT = 0.1
OTHER_PLACE_WEIGHT = 0.3
LEGAL_WEIGHT = 0.05
OTHER_LEGAL_WEIGHT = 0.12
CORELESS_PLACE_WEIGHT = 0.4
CORELESS_ACTIVITY_WEIGHT = 0.6

ROMANISED = 0.95
TRANSLATED = 0.95
MIXED = 0.85
OTHER_ROMANISATION = 0.85
OTHER_ORDER = 0.95
SPELT_ALIKE = 0.85
NEAR_ROMANISED = 0.7
"""Enough only where the line of business agrees as well."""
UNTRANSLATED_CORE = 0.72
UNTRANSLATED = 0.65
"""Words of both names that aren't in the vocabulary stand where a line of business is expected."""
MIN_NEAR = 0.6
MAX_REST_CHARACTERS = 4
"""Han characters at the end of a core that may be words beyond the vocabulary."""
MIN_ALIKE = 0.8

_SCHEMES = (Scheme.MAINLAND, Scheme.HONG_KONG, Scheme.MACAO, Scheme.CANTONESE)
_WHOLE_SCHEMES = (Scheme.MAINLAND, Scheme.HONG_KONG, Scheme.MACAO)


class _Core(NamedTuple):
    agreement: float
    tokens: tuple[TokenMatch, ...]
    rest: bool = False  # words of one name are left over where the other has a line of business


def compare_organisations(query: OrganisationForm, candidate: OrganisationForm) -> Verdict | None:
    """Verdict on two forms; None where no rule connects them."""
    if query.han and query.han == candidate.han:
        token = TokenMatch(query.han, candidate.han, "same Han form", 1.0)
        parts = weigh([("Han form", 1.0, 1.0)])
        return Verdict(query.text, candidate.text, parts, (token,), MatchClass.IDENTICAL, "the Han forms are the same")
    if not query.core and not candidate.core:
        return _compare_coreless(query, candidate)
    if not query.core or not candidate.core:
        return None
    core = _core(query, candidate)
    if core is None:
        return None
    terms = _terms(query, candidate, core.rest)
    place, legal = _places(query, candidate), _legal(query, candidate)
    raw = [("core", CORE_WEIGHT, core.agreement), *terms.parts, *place.parts, *legal.parts]
    tokens = (*core.tokens, *terms.tokens, *place.tokens, *legal.tokens)
    return Verdict(query.text, candidate.text, weigh(raw), tokens, *_ceiling(query, candidate))


def _ceiling(query: OrganisationForm, candidate: OrganisationForm) -> tuple[MatchClass, str]:
    if query.han and candidate.han:
        return MatchClass.STRONG, "the Han names are the same apart from what carries little identity"
    if query.han or candidate.han:
        return MatchClass.COMPATIBLE, "several Han names are romanised or translated so"
    return MatchClass.COMPATIBLE, "only Latin letters agree"


def _core(query: OrganisationForm, candidate: OrganisationForm) -> _Core | None:
    if query.han and candidate.han:
        if query.core != candidate.core:
            return None
        text = "".join(query.core)
        return _Core(1.0, (TokenMatch(text, text, "same Han core", 1.0),))
    if query.han:
        return _han_latin(query, candidate)
    if candidate.han:
        found = _han_latin(candidate, query)
        return found and found._replace(
            tokens=tuple(t.__class__(t.candidate, t.query, t.rule, t.agreement) for t in found.tokens)
        )
    return _latin_latin(query, candidate)


def _han_latin(han: OrganisationForm, latin: OrganisationForm) -> _Core | None:
    """Han core against Latin words: romanised or translated throughout, or as far as the vocabulary goes, or nearly."""
    if not _may_begin(han, latin):
        return _near(han, latin)
    letters, reached = "".join(latin.core), dict[Scheme, set[tuple[int, int]]]()
    for scheme in _SCHEMES:
        reached[scheme] = _reached(han, latin, letters, scheme)
        if (len(han.core), len(letters)) in reached[scheme]:
            tokens = _align(han, latin, len(han.core), len(latin.core), scheme)
            return _Core(ROMANISED if scheme != Scheme.CANTONESE else MIXED, tokens)
    return _beyond_vocabulary(han, latin, reached) or _near(han, latin)


def _reached(han: OrganisationForm, latin: OrganisationForm, letters: str, scheme: Scheme) -> set[tuple[int, int]]:
    """How far the cores agree from their beginnings: (units of the Han core, letters of the Latin one)."""
    core, found, ahead = han.core, set[tuple[int, int]](), [(0, 0)]
    meanings = _by_letter(latin) if han.names and latin.names else {}
    while ahead:
        unit, at = ahead.pop()
        if unit == len(core) or at == len(letters):
            continue
        following = [
            (unit + 1, at + len(spelling))
            for spelling in spellings_of(core[unit], scheme)
            if letters.startswith(spelling, at)
        ]
        if at in meanings:
            end, concepts = meanings[at]
            following += [(stop, end) for start, stop, meant in han.names if start == unit and meant & concepts]
        for place in following:
            if place not in found:
                found.add(place)
                ahead.append(place)
    return found


def _by_letter(latin: OrganisationForm) -> dict[int, tuple[int, frozenset[str]]]:
    """Translated stretches of a Latin core, by the letter at which they begin: where they end, and their meanings."""
    offsets = _offsets(latin)
    return {offsets[start]: (offsets[end], concepts) for start, end, concepts in latin.names}


def _offsets(latin: OrganisationForm) -> list[int]:
    """Where each word of a Latin core begins, and where the last ends, in letters."""
    return [0, *accumulate(map(len, latin.core))]


def _may_begin(han: OrganisationForm, latin: OrganisationForm) -> bool:
    if "".join(latin.core).startswith(any_spellings(han.core[0])):
        return True
    return any(a == c == 0 and mine & yours for a, _, mine in han.names for c, _, yours in latin.names)


def _beyond_vocabulary(
    han: OrganisationForm, latin: OrganisationForm, reached: Mapping[Scheme, set[tuple[int, int]]]
) -> _Core | None:
    """The cores agree at their beginning; what follows is taken for words that the vocabulary lacks.

    That needs a counterpart: words left over in one name stand against words left over in the other, or against its
    line of business. Hang Seng and Hang Seng Foo Bank have none.
    """
    if not any(reached[scheme] for scheme in _WHOLE_SCHEMES):
        return None
    pairs, *unmatched = _pair_terms(han.terms, latin.terms)
    open_han, open_latin = (any(u.term.weight == Weight.ACTIVITY for u in side) for side in unmatched)
    matched = any(unit.term.weight == Weight.ACTIVITY for unit, _ in pairs)
    offsets = _offsets(latin)
    for units in range(len(han.core), max(1, len(han.core) - MAX_REST_CHARACTERS - 1), -1):
        for count in range(len(latin.core), 0, -1):
            scheme = next((s for s in _WHOLE_SCHEMES if (units, offsets[count]) in reached[s]), None)
            if scheme is None:
                continue
            left, right = units < len(han.core), count < len(latin.core)
            explained = (matched if right else open_latin) if left else (right and open_han)
            if explained and not _is_known(han, units) and not _is_known(latin, count):
                tokens = _align(han, latin, units, count, scheme)
                return _Core(UNTRANSLATED_CORE if left and right else ROMANISED, tokens, rest=True)
    return None


def _is_known(form: OrganisationForm, end: int) -> bool:
    """Whether a core has a word of known meaning at or behind `end`; that can't be one the vocabulary lacks."""
    return any(stop > end for _, stop, _ in form.names)


def _near(han: OrganisationForm, latin: OrganisationForm) -> _Core | None:
    spoken, letters = pinyin_letters(han.core), "".join(latin.core)
    code = skeleton(spoken)
    if code != skeleton(letters) or len(code) < MIN_SKELETON or is_syllables(letters, Scheme.MAINLAND):
        return None
    if Indel.normalized_similarity(spoken, letters) < MIN_NEAR:
        return None
    token = TokenMatch("".join(han.core), " ".join(latin.core), "sounds near the pinyin", NEAR_ROMANISED)
    return _Core(NEAR_ROMANISED, (token,))


def _align(
    han: OrganisationForm, latin: OrganisationForm, units: int, count: int, scheme: Scheme
) -> tuple[TokenMatch, ...]:
    """Reads the first `count` Latin words as the first `units` of the Han core, which `_reached` says can be done."""
    letters, meanings = "".join(latin.core[:count]), _by_letter(latin)
    dead: set[tuple[int, int]] = set()

    def walk(unit: int, at: int) -> tuple[TokenMatch, ...] | None:
        if unit == units:
            return () if at == len(letters) else None
        if at >= len(letters) or (unit, at) in dead:
            return None
        stop, concepts = meanings.get(at, (0, frozenset[str]()))
        for start, end, meant in han.names:
            if start == unit and meant & concepts and (rest := walk(end, stop)) is not None:
                return (TokenMatch("".join(han.core[unit:end]), letters[at:stop], "translation", ROMANISED), *rest)
        for spelling in spellings_of(han.core[unit], scheme):
            if letters.startswith(spelling, at) and (rest := walk(unit + 1, at + len(spelling))) is not None:
                return (_syllable(han.core[unit], spelling, scheme), *rest)
        dead.add((unit, at))
        return None

    return walk(0, 0) or ()


def _syllable(unit: str, spelling: str, scheme: Scheme) -> TokenMatch:
    rule = f"{SCHEME_NAMES[scheme]} of {unit}" if has_han(unit) else "same word"
    return TokenMatch(unit, spelling, rule, ROMANISED)


def _latin_latin(query: OrganisationForm, candidate: OrganisationForm) -> _Core | None:
    mine, yours = "".join(query.core), "".join(candidate.core)
    agreement, rule = 1.0, "same Latin letters"
    if mine != yours:
        if len(mine) == len(yours) and sorted(query.core) == sorted(candidate.core):
            agreement, rule = OTHER_ORDER, "same words in another order"
        elif _same_meaning(query, candidate):
            agreement, rule = TRANSLATED, "translation"
        elif _one_han(query.core, candidate.core):
            agreement, rule = OTHER_ROMANISATION, "syllables of the same Han characters"
        elif (
            len(skeleton(mine)) >= MIN_SKELETON
            and skeleton(mine) == skeleton(yours)
            and Indel.normalized_similarity(mine, yours) >= MIN_ALIKE
        ):
            if any(is_syllables(mine, scheme) and is_syllables(yours, scheme) for scheme in Scheme):
                return None
            agreement, rule = SPELT_ALIKE, "spelt alike"
        else:
            return None
    return _Core(agreement, (TokenMatch(" ".join(query.core), " ".join(candidate.core), rule, agreement),))


def _same_meaning(query: OrganisationForm, candidate: OrganisationForm) -> bool:
    """Whether the cores are translated words throughout, pairwise of one meaning."""
    if len(query.names) != len(candidate.names) or not query.names:
        return False
    if any(sum(b - a for a, b, _ in form.names) != len(form.core) for form in (query, candidate)):
        return False
    return all(one[2] & other[2] for one, other in zip(query.names, candidate.names, strict=True))


def _one_han(mine: Sequence[str], yours: Sequence[str]) -> bool:
    """Whether two romanisations can come from one Han core; by two schemes, or both in single syllables."""
    if len(mine) != len(yours) or len(mine) < 2 or not ANY_SYLLABLE.get(mine[0], 0) & ANY_SYLLABLE.get(yours[0], 0):
        return False
    for one in _SCHEMES:
        for other in _SCHEMES:
            pairs = zip(mine, yours, strict=True)
            if one != other and all(SYLLABLES[one].get(a, 0) & SYLLABLES[other].get(b, 0) for a, b in pairs):
                return True
    return False


class _Part(NamedTuple):
    parts: tuple[tuple[str, float, float], ...] = ()
    tokens: tuple[TokenMatch, ...] = ()


def _pair_terms(ours: Sequence[Unit], theirs: Sequence[Unit]) -> tuple[list[tuple[Unit, Unit]], list[Unit], list[Unit]]:
    left, unmatched, pairs = list(theirs), [], []
    for unit in ours:
        partner = next((u for u in left if u.term.concepts & unit.term.concepts), None)
        if partner is None:
            unmatched.append(unit)
        else:
            left.remove(partner)
            pairs.append((unit, partner))
    return pairs, _without_repeated(unmatched, pairs), _without_repeated(left, pairs)


def _without_repeated(units: list[Unit], pairs: Sequence[tuple[Unit, Unit]]) -> list[Unit]:
    """Words that don't say again what both names say already: Transportes Aéreos Air Macau, 澳門航空."""
    return [
        unit
        for unit in units
        if not any(unit.term.concepts & one.term.concepts & other.term.concepts for one, other in pairs)
    ]


def _terms(query: OrganisationForm, candidate: OrganisationForm, rest: bool) -> _Part:
    pairs, ours, theirs = _pair_terms(query.terms, candidate.terms)
    one_script = query.is_han == candidate.is_han
    tokens = [TokenMatch(a.text, b.text, _term_rule(a, b), 1.0) for a, b in pairs]
    tokens += [TokenMatch(u.text, "", _absent_rule(u), 0.0 if u.term.weight == Weight.ACTIVITY else 0.5) for u in ours]
    tokens += [
        TokenMatch("", u.text, _absent_rule(u), 0.0 if u.term.weight == Weight.ACTIVITY else 0.5) for u in theirs
    ]
    parts: list[tuple[str, float, float]] = []
    activity = _activity(pairs, ours, theirs, one_script, rest)
    if activity is not None:
        parts.append(("line of business", ACTIVITY_WEIGHT, activity))
    weak_ours, weak_theirs = (any(u.term.weight == Weight.WEAK for u in side) for side in (ours, theirs))
    if weak_ours or weak_theirs:
        parts.append(("words of little weight", WEAK_WEIGHT, 0.0 if weak_ours and weak_theirs else 0.5))
    return _Part(tuple(parts), tuple(tokens))


def _term_rule(one: Unit, other: Unit) -> str:
    return "same word" if one.text == other.text else "same meaning"


def _absent_rule(unit: Unit) -> str:
    return (
        "line of business absent in one"
        if unit.term.weight == Weight.ACTIVITY
        else "word of little weight absent in one"
    )


def _activity(
    pairs: Sequence[tuple[Unit, Unit]], ours: Sequence[Unit], theirs: Sequence[Unit], one_script: bool, rest: bool
) -> float | None:
    """Agreement of the lines of business; None where neither name has one."""
    matched = sum(a.term.weight == Weight.ACTIVITY for a, _ in pairs)
    mine, yours = (sum(u.term.weight == Weight.ACTIVITY for u in side) for side in (ours, theirs))
    if one_script and _is_other_business(ours, theirs):
        return 0.0
    if rest:
        return matched / (matched + mine + yours) if matched else UNTRANSLATED
    if not matched and not mine and not yours:
        return None
    return matched / (matched + (mine + yours) / 2)


def _is_other_business(ours: Sequence[Unit], theirs: Sequence[Unit]) -> bool:
    """Whether each name has a word that the other lacks, and they aren't both empty: 投资 and 贸易, 控股 and 科技."""
    weights = [max((u.term.weight for u in side), default=None) for side in (ours, theirs)]
    return None not in weights and any(weight != Weight.NONE for weight in weights)


def _places(query: OrganisationForm, candidate: OrganisationForm) -> _Part:
    if not query.places or not candidate.places:
        if not query.places and not candidate.places:
            return _Part()
        texts = ("+".join(sorted(query.places)), "+".join(sorted(candidate.places)))
        return _Part((), (TokenMatch(*texts, "place absent in one", 0.5),))
    texts = ("+".join(sorted(query.places)), "+".join(sorted(candidate.places)))
    if are_other_places(query.places, candidate.places):
        return _Part((("place", OTHER_PLACE_WEIGHT, 0.0),), (TokenMatch(*texts, "other place", 0.0),))
    return _Part((("place", PLACE_WEIGHT, 1.0),), (TokenMatch(*texts, "place equal, or one lies in the other", 1.0),))


def are_other_places(ours: frozenset[str], theirs: frozenset[str]) -> bool:
    """Whether each side has a place of its own that has nothing to do with the other side's."""
    mine = [p for p in ours if not any(is_within(p, q) or is_within(q, p) for q in theirs)]
    yours = [q for q in theirs if not any(is_within(p, q) or is_within(q, p) for p in ours)]
    only_mine, only_yours = ours - theirs, theirs - ours
    if only_mine and only_yours:
        related = any(is_within(p, q) or is_within(q, p) for p in only_mine for q in only_yours)
        return not related
    return bool(mine and yours)


def _legal(query: OrganisationForm, candidate: OrganisationForm) -> _Part:
    texts = (query.legal_text, candidate.legal_text)
    if not query.legal or not candidate.legal:
        return _Part((), (TokenMatch(*texts, "legal form absent in one", 0.5),) if any(texts) else ())
    if query.legal & candidate.legal:
        rule = "legal form equal" if query.legal == candidate.legal else "legal form may be the same"
        return _Part((("legal form", LEGAL_WEIGHT, 1.0),), (TokenMatch(*texts, rule, 1.0),))
    return _Part((("legal form", OTHER_LEGAL_WEIGHT, 0.0),), (TokenMatch(*texts, "other legal form", 0.0),))


def _compare_coreless(query: OrganisationForm, candidate: OrganisationForm) -> Verdict | None:
    if query.places != candidate.places or not query.terms or not candidate.terms:
        return None
    pairs, ours, theirs = _pair_terms(query.terms, candidate.terms)
    if not pairs or (ours and theirs and _is_other_business(ours, theirs)):
        return None
    telling = max(unit.term.weight for unit in (*query.terms, *candidate.terms))
    matched = sum(a.term.weight == telling for a, _ in pairs)
    unmatched = sum(u.term.weight == telling for u in (*ours, *theirs))
    tokens = [TokenMatch(a.text, b.text, _term_rule(a, b), 1.0) for a, b in pairs]
    place, legal = _places(query, candidate), _legal(query, candidate)
    raw = [("line of business", CORELESS_ACTIVITY_WEIGHT, matched / (matched + unmatched) if matched else 0.0)]
    if query.places:
        raw.append(("place", CORELESS_PLACE_WEIGHT, 1.0))
    tokens += [*place.tokens, *legal.tokens]
    return Verdict(query.text, candidate.text, weigh([*raw, *legal.parts]), tuple(tokens), *_ceiling(query, candidate))
