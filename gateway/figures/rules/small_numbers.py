"""Withholds numbers so small that they could point to a case, and what they could be computed from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Final

ALL: Final = "*"
"""Stands in a cell for the sum over a coordinate."""

_PRIME: Final = 2**61 - 1

_MOST_UNKNOWN: Final = 2_000
"""Numbers so small over a period so long that more than these would be withheld are withheld altogether."""

Cell = tuple[str, ...]
"""Coordinates of a number, e.g. group, name, month, partner and direction."""


class NumberTable:
    """Numbers by coordinates with all their sums, of which some are withheld.

    Numbers from 1 to below `least` are. Whoever has all other numbers of a sum, and the sum, could compute one that is
    withheld alone: then the smallest other of them is withheld too, be it the sum. So what is shown for one partner,
    and for all, never gives another partner's number away.

    Attributes:
        cells: each number that isn't 0, and each sum, of those that are ever shown.
        withheld: cells that are.
    """

    def __init__(
        self,
        numbers: Mapping[Cell, int],
        least: int,
        *,
        apart: int = 0,
        is_shown: Callable[[Cell], bool] = lambda _: True,
    ) -> None:
        """
        Args:
            least: 0 for none.
            apart: how many first coordinates are never summed over.
            is_shown: whether anybody is ever shown a cell, if its number allows it; the others aren't in the table.
        """
        self.cells = _with_sums(numbers, apart, is_shown)
        self._apart = apart
        self.withheld = {cell for cell, number in self.cells.items() if 0 < number < least}
        self._complete()

    def number(self, *cell: str) -> int:
        """The number of a cell, whether it is withheld or not."""
        return self.cells.get(cell, 0)

    def withhold(self, cells: Collection[Cell]) -> bool:
        """Withholds further ones, and what they could be computed from; whether any wasn't yet."""
        new = set(cells) & self.cells.keys() - self.withheld
        self.withheld |= new
        self._complete()
        return bool(new)

    def _complete(self) -> None:
        sums = list(_sums(self.cells, self._apart)) if self.withheld else []
        if len(self.withheld) > _MOST_UNKNOWN:
            self.withheld = set(self.cells)
        while open_ := self._alone_in_a_sum(sums) or _computable(sums, self.withheld):
            for cell, members in open_:
                if not self._withhold_least(members):
                    self._withhold_least(self._group(cell))

    def _withhold_least(self, cells: Iterable[Cell]) -> bool:
        """Withholds the smallest one that is shown; False if none is."""
        shown = [cell for cell in cells if cell not in self.withheld]
        if shown:
            self.withheld.add(min(shown, key=lambda cell: (self.cells[cell], cell)))
        return bool(shown)

    def _group(self, cell: Cell) -> list[Cell]:
        """All cells that have sums in common with one."""
        return [other for other in self.cells if other[: self._apart] == cell[: self._apart]]

    def _alone_in_a_sum(self, sums: Iterable[Sequence[Cell]]) -> list[tuple[Cell, Sequence[Cell]]]:
        found = [([cell for cell in members if cell in self.withheld], members) for members in sums]
        return [(alone[0], members) for alone, members in found if len(alone) == 1 < len(members)]


def _computable(sums: Iterable[Sequence[Cell]], withheld: Collection[Cell]) -> list[tuple[Cell, Sequence[Cell]]]:
    """Withheld cells that follow from the shown ones by several sums together, each with a sum that has others to show.

    Elimination in whole numbers modulo a prime, over the sums' unknown numbers.
    """
    pivots: dict[Cell, dict[Cell, int]] = {}
    for members in sums:
        row = {cell: _PRIME - 1 if cell == members[0] else 1 for cell in members if cell in withheld}
        while row and (at := min(row)) in pivots:
            row = _minus(row, pivots[at], row[at])
        if row:
            at = min(row)
            inverse = pow(row[at], -1, _PRIME)
            pivots[at] = {cell: value * inverse % _PRIME for cell, value in row.items()}
    for at in sorted(pivots, reverse=True):
        for other in [cell for cell in pivots[at] if cell != at and cell in pivots]:
            pivots[at] = _minus(pivots[at], pivots[other], pivots[at][other])
    alone = {at for at, row in pivots.items() if len(row) == 1}
    found: dict[Cell, Sequence[Cell]] = {}
    for members in sums if alone else ():
        for cell in alone.intersection(members):
            if cell not in found or any(other not in withheld for other in members):
                found[cell] = members
    return list(found.items())[:1]


def _minus(row: Mapping[Cell, int], other: Mapping[Cell, int], times: int) -> dict[Cell, int]:
    values = dict(row)
    for cell, value in other.items():
        values[cell] = (values.get(cell, 0) - value * times) % _PRIME
    return {cell: value for cell, value in values.items() if value}


def _with_sums(numbers: Mapping[Cell, int], apart: int, is_shown: Callable[[Cell], bool]) -> dict[Cell, int]:
    cells: dict[Cell, int] = {}
    for cell, number in numbers.items():
        if not number:
            continue
        for summed in product(*((value,) if at < apart else (value, ALL) for at, value in enumerate(cell))):
            if is_shown(summed):
                cells[summed] = cells.get(summed, 0) + number
    return cells


def _sums(cells: Collection[Cell], apart: int) -> Iterator[list[Cell]]:
    """Each sum with its parts after it."""
    parts: dict[tuple[int, Cell], list[Cell]] = {}
    for cell in sorted(cells):
        for at in range(apart, len(cell)):
            total = (*cell[:at], ALL, *cell[at + 1 :])
            if cell != total and total in cells:
                parts.setdefault((at, total), [total]).append(cell)
    return iter(parts.values())
