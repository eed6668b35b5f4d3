"""Names of everybody: accuracy by culture, one-letter slips, innocents and decoys: `python -m bench.everybody`.

The pairs (`tests/unit/screening/held_out/everybody_*.csv`) were written before the rules. Of the sealed half nothing
but these figures is looked at: failures are printed of the tuning half alone, with `--failures`.
"""

from __future__ import annotations

import argparse
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache

from bench.names import print_group
from bench.screening_build import records
from gateway.screening.compare import compare_texts
from gateway.screening.index.entries import EntryName, IndexEntry
from gateway.screening.index.index import NameIndex, PartyQuery
from gateway.screening.result import MatchClass, NameKind
from gateway.screening.text.normalisation import words
from tests.support.innocents import CULTURES, SLIPS, innocents, slips_of
from tests.support.names import Pair, held_out_pairs
from tests.support.public_files import UN_LIST, sampled

CHINESE = ("chinese", "compound", "hokkien")
FIRMS = ("pinyin", "abbreviated", "forms", "parent")
BOTH = ("formerly", "disguised")
INNOCENTS = 1_000
LISTED = 200
"""Made names of each culture on the list, beside the United Nations'."""
DECOYS = 3_000
PARTS = {"tuning": 1, "sealed": 2}
"""Halves of the pairs, and the seed of what is made beside them."""


def matched(a: str, b: str, kind: NameKind) -> bool:
    return compare_texts(a, b, kind).match_class > MatchClass.NONE


def report_pairs(part: str, *, failures: bool) -> None:
    groups = held_out_pairs(f"everybody_{part}")
    persons = {title: pairs for title, pairs in groups.items() if title not in FIRMS + BOTH}
    print(f"\nNames of everybody, {part} half; 95 % intervals")
    totals = {
        "persons": _joined(persons.values()),
        "persons, Chinese alone": _joined(persons[title] for title in CHINESE if title in persons),
        "organisations": _joined(groups[title] for title in FIRMS),
    }
    for title, pairs in {**totals, **groups}.items():
        print_group(title, pairs)
    for title, pairs in groups.items() if failures else ():
        for pair in pairs:
            if matched(pair.a, pair.b, pair.name_kind) != pair.same:
                print(f"  wrong: {title}: {pair.a!r} | {pair.b!r} ({'same' if pair.same else 'different'})")


def _joined(groups: Iterable[Sequence[Pair]]) -> list[Pair]:
    return [pair for pairs in groups for pair in pairs]


@cache
def listed_names() -> tuple[list[str], list[str]]:
    """Persons and organisations of the United Nations' list, with their aliases."""
    root = ET.parse(UN_LIST.path).getroot()  # noqa: S314 (a file of the test data)
    parts = ("FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME")
    people = [" ".join(filter(None, (entry.findtext(part) for part in parts))) for entry in root.iter("INDIVIDUAL")]
    people += [alias.findtext("ALIAS_NAME") or "" for alias in root.iter("INDIVIDUAL_ALIAS")]
    firms = [entry.findtext("FIRST_NAME") or "" for entry in root.iter("ENTITY")]
    return [name for name in people if len(name.split()) > 1], [name for name in firms if name]


def report_slips(seed: int, *, failures: bool) -> None:
    print(f"\nOne slip of a letter in names of the United Nations' list, seed {seed}: found")
    for title, names, kind in zip(
        ("persons", "organisations"), listed_names(), (NameKind.PERSON, NameKind.ORGANISATION), strict=True
    ):
        latin = [name for name in dict.fromkeys(names) if name.isascii()]
        for how in SLIPS:
            pairs = slips_of(latin, how, seed)
            missed = [pair for pair in pairs if not matched(*pair, kind)]
            share = 1 - len(missed) / len(pairs)
            print(f"  {title + ', ' + how:<28}{len(pairs) - len(missed):>6} of {len(pairs):<6}{share:>7.1%}")
            for name, slip in missed[:8] if failures else ():
                print(f"    missed: {name} | {slip}")


def index_of(names: Sequence[tuple[str, NameKind]], beside: Iterable[IndexEntry] = ()) -> NameIndex:
    index = NameIndex()
    listed = (IndexEntry("un/made", f"N{n}", 1, 1, 1, 0, 0, (EntryName(*name),), ()) for n, name in enumerate(names))
    index.load([*beside, *listed])
    return index


def report_innocents(seed: int, *, failures: bool) -> None:
    people, _ = listed_names()
    made = [name for culture in CULTURES for name in innocents(culture, LISTED, 100 + seed, half=1)]
    index = index_of([(name, NameKind.PERSON) for name in (*people, *made)])
    print(f"\nInnocents with a hit against {len(people):,} names of the United Nations' list and {len(made)} made ones")
    for culture in CULTURES:
        hits = [(name, hit) for name in innocents(culture, INNOCENTS, seed) if (hit := _other(index, name))]
        print(f"  {culture:<14}{len(hits):>5} of {INNOCENTS:,}")
        for name, hit in hits[:12] if failures else ():
            print(f"    hit: {name} | {hit}")


def _other(index: NameIndex, name: str) -> str:
    """A listed name that is found and isn't the same words; empty for none."""
    found = index.search(PartyQuery(((name, NameKind.PERSON),))).hits
    return next((hit.listed for hit in found if sorted(words(hit.listed)) != sorted(words(name))), "")


def report_decoys(part: str) -> None:
    """The right entry among the first five, where others are listed beside it."""
    pairs = [pair for pair in _joined(held_out_pairs(f"everybody_{part}").values()) if pair.same]
    listed = list(dict.fromkeys((pair.a, pair.name_kind) for pair in pairs))
    index = index_of(listed, records(DECOYS))
    places = Counter[str]()
    for pair in pairs:
        found = [hit.listed for hit in index.search(PartyQuery(((pair.b, pair.name_kind),))).hits[:5]]
        places["first five" if pair.a in found else "missed"] += 1
    share = places["first five"] / len(pairs)
    print(f"\nAmong {DECOYS:,} made entries, the right one among the first five: {share:.3f} of {len(pairs)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy of comparing everybody's names.")
    parser.add_argument("--failures", action="store_true", help="of the tuning half, and no sealed one")
    failures = parser.parse_args().failures
    if note := sampled():
        print(note)
    for part, seed in PARTS.items():
        if failures and part == "sealed":
            continue
        report_pairs(part, failures=failures)
        report_slips(seed, failures=failures)
        report_innocents(seed, failures=failures)
        report_decoys(part)


if __name__ == "__main__":
    main()
