"""Small numbers are withheld, and can't be computed from what is shown for others and for all."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.figures.rules.small_numbers import ALL, Cell, NumberTable

PARTNERS, DIRECTIONS = ("hk", "mo", "sg"), ("in", "out")


def tables(*coordinates: tuple[str, ...]) -> st.SearchStrategy[dict[Cell, int]]:
    return st.dictionaries(st.sampled_from(list(product(*coordinates))), st.integers(0, 12))


def computable(table: NumberTable) -> set[Cell]:
    """Withheld cells whose number follows from the others by the table's sums: Gaussian elimination over them."""
    unknown = sorted(table.withheld)
    rows = []
    for cell in table.cells:
        for at in (at for at, value in enumerate(cell) if value == ALL):
            parts = [other for other in table.cells if other[at] != ALL and _without(other, at) == _without(cell, at)]
            row = [Fraction((one in parts) - (one == cell)) for one in unknown]
            if any(row):
                rows.append(row)
    reduced: list[list[Fraction]] = []
    for column in range(len(unknown)):
        pivot = next((row for row in rows if row[column]), None)
        if pivot is None:
            continue
        rows.remove(pivot)
        pivot = [value / pivot[column] for value in pivot]
        for others in (rows, reduced):
            others[:] = [[value - row[column] * by for value, by in zip(row, pivot, strict=True)] for row in others]
        reduced.append(pivot)
    return {unknown[row.index(1)] for row in reduced if sum(map(bool, row)) == 1}


def _without(cell: Cell, at: int) -> Cell:
    return cell[:at] + cell[at + 1 :]


@settings(max_examples=40)
@given(tables(PARTNERS, DIRECTIONS), st.integers(0, 6))
def test_no_small_number_of_a_partner_is_shown_or_computable(numbers: dict[Cell, int], least: int) -> None:
    table = NumberTable(numbers, least)
    assert all(number >= least for cell, number in table.cells.items() if cell not in table.withheld)
    assert not computable(table)


@settings(max_examples=40)
@given(tables(("a", "b"), PARTNERS[:2], DIRECTIONS), st.integers(0, 6))
def test_nor_by_name(numbers: dict[Cell, int], least: int) -> None:
    table = NumberTable(numbers, least)
    assert all(number >= least for cell, number in table.cells.items() if cell not in table.withheld)
    assert not computable(table)


def test_the_smallest_other_is_withheld_too() -> None:
    table = NumberTable({("a",): 2, ("b",): 40, ("d",): 7}, 5)
    assert table.withheld == {("a",), ("d",)}
    apart = NumberTable({("a",): 2, ("b",): 40, ("d",): 7}, 5, apart=1)
    assert apart.withheld == {("a",)}
    assert NumberTable({("a",): 2, ("b",): 3, ("c",): 40}, 5).withheld == {("a",), ("b",)}


def test_a_sum_that_one_number_makes_is_withheld_with_it() -> None:
    table = NumberTable({("a", "hk"): 3}, 5)
    assert table.withheld == set(table.cells)


def test_what_is_withheld_elsewhere_is_completed() -> None:
    table = NumberTable({("hk",): 10, ("mo",): 30}, 5)
    assert table.withhold([("hk",), ("sg",)])
    assert table.withheld == {("hk",), ("mo",)}
    assert not table.withhold([("hk",)])


@given(tables(("a", "b"), PARTNERS[:2]), st.integers(0, 6), st.data())
def test_further_ones_are_completed_whichever_they_are(
    numbers: dict[Cell, int], least: int, data: st.DataObject
) -> None:
    table = NumberTable(numbers, least)
    further = data.draw(st.sets(st.sampled_from(sorted(table.cells)))) if table.cells else set()
    table.withhold(further)
    assert further <= table.withheld
    assert not computable(table)


def test_nothing_is_withheld_without_a_least_number() -> None:
    assert NumberTable({("a",): 1, ("b",): 2}, 0).withheld == set()
