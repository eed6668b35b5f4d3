"""Accuracy and speed of comparing names: `python -m bench.names`.

Reads the pairs of real names (`tests/reference/name_pairs.json`) and the project's own
(`tests/unit/screening/name_pairs.csv`), prints for each kind how many matches were found and non-matches left alone,
the balanced accuracy, and every failure with its explanation. Trade names that no rule leads to are counted apart. Of
the pairs held out (`tests/unit/screening/held_out`) it prints totals by group with intervals, and the failures of the
tuning part alone: nobody reads the sealed and the later pairs. Then rates of reading, keys and comparison, over the
names of the pairs and of the United Nations list, where it lies beside the repository, else of a sample.
"""

from __future__ import annotations

import json
import math
import statistics
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence

from gateway.screening.compare import compare, compare_texts
from gateway.screening.index.keys import index_keys
from gateway.screening.prepared_name import PreparedName, prepare
from gateway.screening.result import MatchClass, NameKind
from gateway.screening.text.normalisation import has_han
from tests.support.names import TRADE_NAMES, Pair, balanced_accuracy, development_pairs, held_out_pairs, own_pairs
from tests.support.public_files import UN_LIST, sampled


def report(title: str, pairs: Sequence[Pair]) -> None:
    print(f"\n{title}")
    outcomes: dict[str, list[tuple[bool, bool]]] = {}
    failures, latin_only_above = [], 0
    for pair in pairs:
        found = compare_texts(pair.a, pair.b, pair.name_kind)
        matched = found.match_class > MatchClass.NONE
        kind = f"{pair.kind} (trade name)" if {pair.a, pair.b} & TRADE_NAMES else pair.kind
        outcomes.setdefault(kind, []).append((pair.same, matched))
        both_han = has_han(pair.a) and has_han(pair.b)
        latin_only_above += not both_han and found.match_class > MatchClass.COMPATIBLE
        if matched != pair.same:
            failures.append((pair, found))
    print(f"  {'kind':<28}{'found':>12}{'left alone':>14}{'balanced accuracy':>20}")
    for kind, of_kind in sorted(outcomes.items()):
        counts = Counter(of_kind)
        found_text = f"{counts[True, True]}/{counts[True, True] + counts[True, False]}"
        alone = f"{counts[False, False]}/{counts[False, False] + counts[False, True]}"
        print(f"  {kind:<28}{found_text:>12}{alone:>14}{balanced_accuracy(of_kind):>20.3f}")
    asked = [o for kind in ("org", "person") for o in outcomes.get(kind, [])]
    with_trade = asked + outcomes.get("org (trade name)", [])
    without, with_all = balanced_accuracy(asked), balanced_accuracy(with_trade)
    print(f"  persons and organisations {without:.3f}; with trade names {with_all:.3f}")
    print(f"  pairs without Han on both sides called more than compatible: {latin_only_above}")
    for pair, found in failures:
        print(f"  wrong: {pair.a} | {pair.b} ({'same' if pair.same else 'different'}, {pair.why or pair.kind})")
        print(f"         {json.dumps(found.as_json(), ensure_ascii=False)}")


def report_held_out(part: str, *, failures: bool) -> None:
    print(f"\nHeld-out pairs, {part} part; 95 % intervals")
    print(f"  {'group':<24}{'found':>10}{'left alone':>13}{'balanced accuracy':>24}")
    for group, pairs in held_out_pairs(part).items():
        by_origin = {origin: [p for p in pairs if p.why.startswith("made") == (origin == "made")] for origin in ORIGINS}
        for title, chosen in ((group, pairs), *((f"  {origin}", found) for origin, found in by_origin.items())):
            if (chosen and chosen is not pairs) or title == group:
                print_group(title, chosen)
        for pair in pairs if failures else ():
            if _matched(pair) != pair.same:
                print(f"  wrong: {pair.a} | {pair.b} ({'same' if pair.same else 'different'}, {pair.why})")


ORIGINS = ("written by hand", "made")


def _matched(pair: Pair) -> bool:
    return compare_texts(pair.a, pair.b, pair.name_kind).match_class > MatchClass.NONE


def print_group(title: str, pairs: Sequence[Pair]) -> None:
    counts = Counter((pair.same, _matched(pair)) for pair in pairs)
    found, alone = (counts[True, True], counts[True, False]), (counts[False, False], counts[False, True])
    rates = [interval(right, right + wrong) for right, wrong in (found, alone) if right + wrong]
    middle, low, high = (statistics.mean(rate[at] for rate in rates) for at in range(3))
    texts = (f"{found[0]}/{sum(found)}", f"{alone[0]}/{sum(alone)}", f"{middle:.3f} ({low:.2f} to {high:.2f})")
    print(f"  {title:<24}{texts[0]:>10}{texts[1]:>13}{texts[2]:>24}")


def interval(right: int, total: int) -> tuple[float, float, float]:
    """Share, and Wilson's interval of 95 %."""
    share, z = right / total, 1.96
    centre, spread = (
        share + z * z / (2 * total),
        z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)),
    )
    return share, (centre - spread) / (1 + z * z / total), (centre + spread) / (1 + z * z / total)


def _un_names() -> tuple[list[str], list[str]]:
    root = ET.parse(UN_LIST.path).getroot()  # noqa: S314 (a file of the test data)
    parts = ("FIRST_NAME", "SECOND_NAME", "THIRD_NAME", "FOURTH_NAME")
    people = [" ".join(filter(None, (entry.findtext(part) for part in parts))) for entry in root.iter("INDIVIDUAL")]
    return people, [entry.findtext("FIRST_NAME") or "" for entry in root.iter("ENTITY")]


def speed(title: str, texts: Sequence[str], kind: NameKind) -> None:
    texts = list(dict.fromkeys(text for text in texts if text))
    began = time.perf_counter()
    names = [prepare(text, kind) for text in texts]
    read = time.perf_counter()
    keys = [index_keys(name) for name in names]
    keyed = time.perf_counter()
    compared = _compare_all(names[:60], names)
    ended = time.perf_counter()
    counts = [len(found) for found in keys]
    most_shared = Counter(key for found in keys for key in found).most_common(1)[0]
    print(
        f"  {title:<22}{len(texts):>5}  read {len(texts) / (read - began):>8,.0f}/s  "
        f"keys {len(texts) / (keyed - read):>8,.0f}/s  {statistics.mean(counts):>5.1f} keys (most {max(counts)})  "
        f"commonest key {most_shared[1] / len(texts):.1%}  compare {(ended - keyed) / compared * 1e6:>5.1f} µs"
    )


def _compare_all(some: Sequence[PreparedName], names: Sequence[PreparedName]) -> int:
    for one in some:
        for other in names:
            compare(one, other)
    return len(some) * len(names)


def main() -> None:
    own = own_pairs()
    report("Pairs of real names", development_pairs())
    report("Own pairs", own)
    report_held_out("tuning", failures=True)
    report_held_out("sealed", failures=False)
    report_held_out("later", failures=False)
    if note := sampled():
        print(f"\n{note}")
    print("\nRates on one core; words of the pairs were met before, those of the UN list were not")
    people, entities = _un_names()
    for kind, title in ((NameKind.PERSON, "persons"), (NameKind.ORGANISATION, "organisations")):
        texts = [text for pair in own if pair.name_kind == kind for text in (pair.a, pair.b)]
        speed(f"{title}, Han", [text for text in texts if has_han(text)], kind)
        speed(f"{title}, Latin", [text for text in texts if not has_han(text)], kind)
    speed("UN individuals", people, NameKind.PERSON)
    speed("UN entities", entities, NameKind.ORGANISATION)


if __name__ == "__main__":
    main()
