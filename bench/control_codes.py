"""Counts how often the suggested control code is right, over descriptions of goods with the code that they stand under.

`python -m bench.control_codes` prints the counts; docs/controlled-goods.md has them, and a test holds it to them. The
descriptions (`tests/reference/goods_descriptions.csv`) were written before the rules, by the same hand, as declarations
have them, in four languages; some name a substance and are under no control.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from gateway.risk.control_suggestions import ControlSuggester, ControlSuggestion
from gateway.risk.controlled_goods_file import load_controlled_goods
from gateway.risk.goods_words import load_goods_words

DESCRIPTIONS = Path(__file__).parents[1] / "tests" / "reference" / "goods_descriptions.csv"


@dataclass(frozen=True)
class Counts:
    """Of descriptions.

    Attributes:
        controlled: under control; `first` of them with the right suggestion first, `three` among the first three,
            `none` without any right one.
        free: under no control; `silent` of them without a suggestion, `fitting` with one that lacks nothing.
    """

    controlled: int
    first: int
    three: int
    none: int
    free: int
    silent: int
    fitting: int


def cases() -> Iterator[tuple[dict[str, str], Sequence[ControlSuggestion]]]:
    """Each description with its suggestions."""
    suggester = ControlSuggester(load_controlled_goods(), load_goods_words())
    with DESCRIPTIONS.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            purity = float(row["purity"]) if row["purity"] else None
            found = suggester.suggest(row["description"], element=row["element"], purity=purity, form=row["form"])
            yield row, found


def place_of(row: dict[str, str], suggestions: Sequence[ControlSuggestion]) -> int:
    """Place of the right suggestion, from 1; 0 for none."""
    right = row["expected"].split("|")
    places = (
        number
        for number, each in enumerate(suggestions, 1)
        if each.good.control_code in right or each.good.substance in right
    )
    return next(places, 0)


def count(*, seen: bool) -> Counts:
    """Counts over the descriptions written before the rules, or over those written after them and never looked at."""
    controlled, free = [], []
    for row, suggestions in cases():
        if (row["seen"] == "yes") != seen:
            continue
        if row["expected"]:
            controlled.append(place_of(row, suggestions))
        else:
            free.append(suggestions)
    return Counts(
        controlled=len(controlled),
        first=controlled.count(1),
        three=sum(1 <= place <= 3 for place in controlled),
        none=controlled.count(0),
        free=len(free),
        silent=sum(not each for each in free),
        fitting=sum(any(one.fits for one in each) for each in free),
    )


def main() -> None:
    """Prints the counts, and each description whose first suggestion is wrong."""
    known, new = count(seen=True), count(seen=False)
    table = Table("descriptions", "before the rules", "after them")
    for name, number in vars(known).items():
        table.add_row(name, str(number), str(vars(new)[name]))
    console = Console()
    console.print(table)
    for row, suggestions in cases():
        wrong = place_of(row, suggestions) != 1 if row["expected"] else bool(suggestions)
        if wrong:
            found = "; ".join(
                f"{one.good.control_code or one.good.substance}{'' if one.fits else '?'}" for one in suggestions[:3]
            )
            console.print(
                f"{row['description']}: {found or 'nothing'} instead of {row['expected'] or 'nothing'}", markup=False
            )


if __name__ == "__main__":
    main()
