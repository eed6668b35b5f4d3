"""Finds the listed names that a name may be, by keys and features, before they are read.

Rows by a `SURE` key are candidates, up to `MAX_SURE`, of each owner of lists as many. Of the others those with the most
and rarest common keys are, without those whose features contradict the name's.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

from gateway.screening.index.entries import ListedName
from gateway.screening.index.hits import taken_in_turn
from gateway.screening.index.key_numbers import LOW, OTHER_SIDE, KeyKind, kind_of
from gateway.screening.index.keys import query_keys
from gateway.screening.index.organisation_features import HOPELESS_BELOW, OrganisationFilter
from gateway.screening.index.person_features import HOPELESS_BELOW as HOPELESS_WORDS_BELOW
from gateway.screening.index.person_features import PersonFilter
from gateway.screening.index.prefilter import CorePrefilter
from gateway.screening.index.tables import FoundKeys, TableReader
from gateway.screening.prepared_name import PreparedName, prepare
from gateway.screening.result import NameKind

SURE = frozenset(
    {
        KeyKind.PERSON_HAN,
        KeyKind.PERSON_VARIANT,
        KeyKind.PERSON_LETTERS,
        KeyKind.HAN_IN_LINE,
        KeyKind.LETTERS_IN_LINE,
        KeyKind.IDENTIFIER,
    }
)
"""Kinds of keys shared only by (nearly) equal names, which are always compared."""

MAX_SURE = 1_000
"""More would all have one name."""

MAX_CANDIDATES = 150

MAX_GATHERED = 3_000
"""Most rows weighed per name."""

NO_FILTER_BELOW = max(HOPELESS_BELOW, HOPELESS_WORDS_BELOW)
"""Lower thresholds have no prefilter."""


_Span = tuple[int, int, int, int]
"""Of a key, on one side or both: rows, first key, last key, and the group."""


class PreparedQuery(NamedTuple):
    """A name with what its keys and features say, for any number of searches."""

    name: PreparedName
    filter: OrganisationFilter
    prefilter: CorePrefilter
    person: PersonFilter
    keys: tuple[int, ...]


def prepare_query(text: str, kind: NameKind, held: int) -> PreparedQuery:
    """A name to be searched for; `held`: kinds of keys that the index has."""
    name = prepare(text, kind)
    keys = tuple(query_keys(name, held))
    return PreparedQuery(name, OrganisationFilter(name), CorePrefilter(name), PersonFilter(name), keys)


def key_ranges(keys: Sequence[int], any_may_pass: bool) -> list[tuple[int, int, int]]:
    """Keys (first, last), of one side or both, with the group whose candidates share a prefilter.

    Args:
        any_may_pass: those for low thresholds too, behind the others.
    """
    given = set(keys)
    ranges: list[tuple[int, int, int]] = []
    in_any_business: list[tuple[int, int, int]] = []
    for key in keys:
        if not key & OTHER_SIDE:
            last = key | OTHER_SIDE if key | OTHER_SIDE in given else key
        elif key ^ OTHER_SIDE not in given:
            last = key
        else:
            continue
        group = _GROUP_OF[key & LOW]
        (in_any_business if group == _ANY_BUSINESS else ranges).append((key, last, group))
    return ranges + in_any_business if any_may_pass else ranges


_SURE, _OTHER, _BRAND, _OPENING, _NEAR, _WORDS, _SOUNDS, _ANY_BUSINESS = range(8)
_SPECIAL = {
    KeyKind.CORE_SPELT: _OPENING,
    KeyKind.CORE_SOUNDS: _OPENING,
    KeyKind.CORE_NEAR: _NEAR,
    KeyKind.WORDS: _WORDS,
    KeyKind.PERSON_SOUNDS: _SOUNDS,
    KeyKind.CORE_BRAND: _BRAND,
    KeyKind.CORE_HAN: _ANY_BUSINESS,
    KeyKind.CORE_LETTERS: _ANY_BUSINESS,
}
_GROUPS = [_SURE if kind in SURE else _SPECIAL.get(kind, _OTHER) for kind in KeyKind]
"""By kind of key: the group whose candidates share a prefilter."""
_GROUP_OF = [_GROUPS[kind_of(low)] if kind_of(low) < len(_GROUPS) else _OTHER for low in range(LOW + 1)]
"""The same by a key's kind and side."""


_NO_FILTER = OrganisationFilter(None)

_SIEVES = (_OTHER, _NEAR, _WORDS, _SOUNDS)
"""Groups that are weighed together, with `_BRAND` among `_OTHER`."""

_WEIGHED_WITH = {_ANY_BUSINESS: _SURE, _BRAND: _OTHER}


def candidates(
    tables: TableReader, query: PreparedQuery, groups: Sequence[str], most: int, any_may_pass: bool
) -> list[ListedName]:
    """Listed names that may be a name.

    Args:
        groups: names of the groups of entries, by number.
        most: names beyond those by `SURE` keys.
        any_may_pass: a threshold is too low for a prefilter.
    """
    keys = tables.find(query.keys)
    spans: dict[int, list[_Span]] = {}
    for first, last, group in key_ranges(keys.present(query.keys), any_may_pass):
        if count := keys.count(first, last):
            spans.setdefault(_WEIGHED_WITH.get(group, group), []).append((count, first, last, group))
    if not spans:
        return []
    sure, surely = set[int](), list[ListedName]()
    if of_sure := spans.pop(_SURE, None):
        sure.update(*[keys.rows(first, last) for _, first, last, _ in of_sure])
        plausible = (_NO_FILTER if any_may_pass else query.filter).plausible
        surely = taken_in_turn(tables.names(plausible(sorted(sure), keys.features)), groups, MAX_SURE)
    weighed = _weighed(tables, keys, spans, query, sure, any_may_pass=any_may_pass)
    if len(weighed) > most:
        weighed = heapq.nlargest(most, weighed)
    return surely + tables.names([row for _, row in weighed])


_Sieve = Callable[[list[int], Mapping[int, int]], list[int]]
"""Of rows and the features of rows, gives those rows that may agree."""


def _weighed(
    tables: TableReader,
    keys: FoundKeys,
    spans: Mapping[int, list[_Span]],
    query: PreparedQuery,
    sure: Collection[int],
    *,
    any_may_pass: bool,
) -> list[tuple[float, int]]:
    """Rows by other than sure keys, behind their weights, those by opening syllables last."""
    weights: dict[int, float] = {}
    for group in _SIEVES:
        if of_group := spans.get(group):
            _weigh(keys, of_group, query, _sieve(group, query, any_may_pass), weights)
    weighed = [(weight, row) for row, weight in weights.items() if row not in sure]
    if opening := spans.get(_OPENING):
        by_opening = _weigh(keys, opening, query, _sieve(_OPENING, query, any_may_pass), {})
        others = [row for row in by_opening if row not in sure and row not in weights]
        may_contain = query.prefilter.may_contain
        weighed += [(by_opening[name.row], name.row) for name in tables.names(others) if may_contain(name.text)]
    return weighed


def _sieve(group: int, query: PreparedQuery, any_may_pass: bool) -> _Sieve:
    if group == _SOUNDS:
        return query.person.by_sound
    if any_may_pass:
        return _NO_FILTER.plausible
    if group == _WORDS:
        return query.person.by_words
    if group == _NEAR:
        return query.filter.in_line
    return query.filter.in_length if group == _OPENING else query.filter.plausible


def _weigh(
    keys: FoundKeys, spans: list[_Span], query: PreparedQuery, plausible: _Sieve, weights: dict[int, float]
) -> dict[int, float]:
    """Weighs plausible rows by number and rarity of common keys."""
    gathered, any_plausible = 0, bool(weights)
    features, brands = keys.features, keys.brands
    for count, first, last, group in sorted(spans, key=_count) if len(spans) > 1 else spans:
        if gathered > MAX_GATHERED and any_plausible:
            break
        gathered += count
        rarity = 1.0 / (8 + count)
        rows = plausible(keys.rows(first, last), features)
        any_plausible = any_plausible or bool(rows)
        if group == _BRAND:
            rows = query.prefilter.as_brands([(row, brands[row]) for row in rows if row in brands])
        for row in rows:
            weights[row] = weights.get(row, 0.0) + rarity
    return weights


def _count(span: _Span) -> int:
    return span[0]
