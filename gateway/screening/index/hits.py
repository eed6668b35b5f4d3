"""Evaluates the candidates of one party and returns the best entries.

Only returned hits are explained: that costs as much as the evaluation.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from itertools import islice, zip_longest
from typing import NamedTuple

from gateway.screening.compare import NameEvaluation, evaluate
from gateway.screening.identifiers import compare_identifiers
from gateway.screening.index.entries import KIND_CODES, KIND_MASK, WEAK, ListedName
from gateway.screening.prepared_name import PreparedName
from gateway.screening.result import Comparison, MatchClass, NameKind, Thresholds

WEAK_FACTOR = 0.9
"""Factor on a weak alias's score; its class is compatible at most."""


class EntryReference(NamedTuple):
    """A list and the id of an entry in it."""

    group: str
    id: str


class Hit(NamedTuple):
    """An entry that the party may be, and the two texts compared."""

    reference: EntryReference
    revision: int
    kind: int
    action: int
    comparison: Comparison
    query: str
    listed: str
    weak: bool

    @property
    def rank(self) -> tuple[MatchClass, float]:
        return self.comparison.match_class, self.comparison.score


class SearchResult(NamedTuple):
    """Hits, best first, and their number before the limit."""

    hits: list[Hit]
    total: int


def owner_of(group: str) -> str:
    """Whose list a group is: groups are named `owner/list`."""
    return group.partition("/")[0]


def taken_in_turn(names: list[ListedName], groups: Sequence[str], most: int) -> list[ListedName]:
    """At most so many names, of each owner as many: no owner's entries hide another's."""
    if len(names) <= most:
        return names
    by_owner: dict[str, list[ListedName]] = {}
    for name in names:
        by_owner.setdefault(owner_of(groups[name.group]), []).append(name)
    in_turn = (name for turn in zip_longest(*by_owner.values()) for name in turn if name is not None)
    return sorted(islice(in_turn, most))


Visible = Callable[[str], bool]
"""Whether a caller may see a group's entries."""

Limits = Callable[[str], Thresholds]
"""Thresholds of a group."""


Read = Callable[[str, NameKind, str], PreparedName]
"""Prepares a listed name; its form may be empty."""

_Rank = tuple[MatchClass, float]
_Texts = tuple[str, str]
"""Of the query, and as listed."""
_Best = tuple[_Rank, Callable[[], Comparison], _Texts, ListedName]


def _rank(best: _Best) -> _Rank:
    return best[0]


class GroupLimits:
    """Which entries count, and from which scores on, for some searches that go on together."""

    def __init__(self, groups: Sequence[str], visible: Visible, thresholds: Limits, at_ms: int) -> None:
        """`groups`: names by number. `at_ms`: entries must be valid then; 0: at any time."""
        self.groups = groups
        self._visible = visible
        self._thresholds = thresholds
        self._at_ms = at_ms
        self._of_group: dict[int, Thresholds | None] = {}

    def of(self, listed: ListedName) -> Thresholds | None:
        """None if the entry isn't valid or not visible."""
        if self._at_ms and (listed.valid_from > self._at_ms or 0 < listed.valid_until <= self._at_ms):
            return None
        group = listed.group
        if group not in self._of_group:
            name = self.groups[group]
            self._of_group[group] = self._thresholds(name) if self._visible(name) else None
        return self._of_group[group]


class HitCollector:
    """The best comparison of each entry."""

    def __init__(self, limits: GroupLimits) -> None:
        self._limits = limits.of
        self._groups = limits.groups
        self._best: dict[int, _Best] = {}

    def identifiers(self, query: tuple[str, str], rows: Iterable[ListedName]) -> None:
        wanted = KIND_CODES[NameKind.IDENTIFIER]
        for row in rows:
            if row.flags & KIND_MASK == wanted and self._limits(row) is not None:
                scheme, _, value = row.text.partition("\t")
                comparison = compare_identifiers(query, (scheme, value))
                if comparison is not None:
                    text, rank = ":".join(query) if query[0] else query[1], (comparison.match_class, comparison.score)
                    self._keep(rank, partial(_as_it_is, comparison), (text, row.text), row)

    def names(self, query: PreparedName, rows: Iterable[ListedName], read: Read) -> None:
        """Evaluates names once that were read as the same, or have one text."""
        wanted, kind = KIND_CODES[query.kind], query.kind
        known: dict[tuple[str, int], NameEvaluation] = {}
        for row in rows:
            flags, form, text = row.flags, row.form, row.text
            if flags & KIND_MASK != wanted or (limits := self._limits(row)) is None:
                continue
            key = form or text, id(limits)  # thresholds live as long as the search
            comparison = known.get(key)
            if comparison is None:
                comparison = known[key] = evaluate(query, read(text, kind, form), limits)
            match_class, score, explain = comparison
            if match_class and flags & WEAK:
                match_class, score = _weaker(score, limits)
                explain = partial(_weakened, explain, limits)
            if match_class:
                self._keep((match_class, score), explain, (query.text, text), row)

    def _keep(self, rank: _Rank, explain: Callable[[], Comparison], texts: _Texts, row: ListedName) -> None:
        known = self._best.get(row.entry)
        if known is None or rank > known[0]:
            self._best[row.entry] = (rank, explain, texts, row)

    def result(self, limit: int) -> SearchResult:
        """The best entries; where there are more, each owner of lists has its share of the places."""
        if not self._best:
            return SearchResult([], 0)
        fit = len(self._best) <= limit
        best = sorted(self._best.values(), key=_rank, reverse=True) if fit else self._shared(limit)
        return SearchResult([self._hit(*hit[1:]) for hit in best], len(self._best))

    def _shared(self, limit: int) -> list[_Best]:
        by_owner: dict[str, list[_Best]] = {}
        for hit in sorted(self._best.values(), key=_rank, reverse=True):
            by_owner.setdefault(owner_of(self._groups[hit[3].group]), []).append(hit)
        share = max(1, limit // len(by_owner))
        first = [hit for of_owner in by_owner.values() for hit in of_owner[:share]]
        further = [hit for of_owner in by_owner.values() for hit in of_owner[share:]]
        chosen = heapq.nlargest(limit, first, key=_rank)
        chosen += heapq.nlargest(limit - len(chosen), further, key=_rank)
        return sorted(chosen, key=_rank, reverse=True)

    def _hit(self, explain: Callable[[], Comparison], texts: _Texts, row: ListedName) -> Hit:
        query, listed = texts
        return Hit(
            EntryReference(self._groups[row.group], row.id),
            row.revision,
            row.kind,
            row.action,
            explain(),
            query,
            listed.replace("\t", ":"),
            bool(row.flags & WEAK),
        )


def _as_it_is(comparison: Comparison) -> Comparison:
    return comparison


def _weaker(score: float, limits: Thresholds) -> _Rank:
    lower = round(score * WEAK_FACTOR, 4)
    return (MatchClass.COMPATIBLE if lower >= limits.compatible else MatchClass.NONE), lower


def _weakened(explain: Callable[[], Comparison], limits: Thresholds) -> Comparison:
    return weakened(explain(), limits)


def weakened(comparison: Comparison, limits: Thresholds) -> Comparison:
    """Lowered for a weak alias."""
    because = f"{comparison.because}; a weak alias: compatible at most, and its score counts {WEAK_FACTOR}"
    return Comparison(
        *_weaker(comparison.score, limits), because, comparison.variants, comparison.tokens, comparison.parts
    )
