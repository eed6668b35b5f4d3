"""Finds the rows of an index that a name may be, by keys and features, before any name is read.

Rows by a `SURE` key are candidates, up to `MAX_SURE`, of each owner of lists as many. Of the others those with the most
and rarest common keys are, without those whose features contradict the name's.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from gateway.screening.index.columns import EntryColumns
from gateway.screening.index.hits import taken_in_turn
from gateway.screening.index.key_numbers import LOW, OTHER_SIDE, KeyKind, kind_of
from gateway.screening.index.keys import query_keys
from gateway.screening.index.organisation_features import HOPELESS_BELOW, OrganisationFilter
from gateway.screening.index.person_features import HOPELESS_BELOW as HOPELESS_WORDS_BELOW
from gateway.screening.index.person_features import PersonFilter
from gateway.screening.index.prefilter import CorePrefilter
from gateway.screening.index.runs import Run
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
"""Most rows weighed per name; more common keys don't discriminate."""

NO_FILTER_BELOW = max(HOPELESS_BELOW, HOPELESS_WORDS_BELOW)
"""Lower thresholds have no prefilter."""


CandidateRows = tuple[EntryColumns, list[int]]
"""Rows of a run."""


_GroupedSpan = tuple[tuple[int, int], int]


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
    runs: Sequence[Run], query: PreparedQuery, groups: Sequence[str], most: int, any_may_pass: bool
) -> Iterator[CandidateRows]:
    """Rows of each run that may be a name, before their names are read.

    Args:
        groups: names of the groups of entries, by number.
        most: rows beyond those by `SURE` keys.
        any_may_pass: a threshold is too low for a prefilter.
    """
    weighed: list[tuple[float, int, int]] = []
    for number, run in enumerate(runs):
        spans: dict[int, list[_GroupedSpan]] = {}
        for grouped in run.spans_by_group(key_ranges(run.may_hold(query.keys), any_may_pass)):
            group = grouped[1]
            spans.setdefault(_WEIGHED_WITH.get(group, group), []).append(grouped)
        sure: set[int] = set()
        if of_sure := spans.pop(_SURE, None):
            sure.update(*[run.rows(span) for span, _ in of_sure])
            plausible = (_NO_FILTER if any_may_pass else query.filter).plausible
            rows = plausible(sorted(sure), run.columns.features)
            yield run.columns, taken_in_turn(rows, run.columns, groups, MAX_SURE)
        if spans:
            weighed += [(weight, number, row) for row, weight in _weighed(run, spans, query, sure, any_may_pass)]
    if len(weighed) > most:
        weighed = heapq.nlargest(most, weighed)
    by_run: dict[int, list[int]] = {}
    for _, number, row in weighed:
        by_run.setdefault(number, []).append(row)
    for number, rows in by_run.items():
        yield runs[number].columns, rows


_Sieve = Callable[[list[int], Sequence[int]], list[int]]


def _weighed(
    run: Run,
    spans: Mapping[int, Sequence[_GroupedSpan]],
    query: PreparedQuery,
    sure: Collection[int],
    any_may_pass: bool,
) -> list[tuple[int, float]]:
    """Rows of a run by other than sure keys, with their weights, those by opening syllables last."""
    weights: dict[int, float] = {}
    for group in _SIEVES:
        if of_group := spans.get(group):
            _weigh(run, of_group, query, _sieve(group, query, any_may_pass), weights)
    weighed = [(row, weight) for row, weight in weights.items() if row not in sure]
    if opening := spans.get(_OPENING):
        text, may_contain = run.columns.text, query.prefilter.may_contain
        weighed += [
            (row, weight)
            for row, weight in _weigh(run, opening, query, _sieve(_OPENING, query, any_may_pass), {}).items()
            if row not in sure and row not in weights and may_contain(text(row))
        ]
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
    run: Run,
    spans: Sequence[_GroupedSpan],
    query: PreparedQuery,
    plausible: _Sieve,
    weights: dict[int, float],
) -> dict[int, float]:
    """Weighs plausible rows by number and rarity of common keys."""
    gathered, any_plausible = 0, bool(weights)
    features = run.columns.features
    for span, group in spans:
        count = span[1] - span[0]
        if gathered > MAX_GATHERED and any_plausible:
            break
        gathered += count
        rarity = 1.0 / (8 + count)
        rows = plausible(run.rows(span)[:MAX_GATHERED], features)
        any_plausible = any_plausible or bool(rows)
        if group == _BRAND:
            rows = query.prefilter.as_brands(rows, run.columns.brands_of)
        for row in rows:
            weights[row] = weights.get(row, 0.0) + rarity
    return weights
