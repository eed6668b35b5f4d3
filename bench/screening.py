"""Screening at scale: `python -m bench.screening [--entries N]`.

Makes a list (`bench.list_names`), indexes it, writes a snapshot, and measures on one core: names a second against
10,000 entries and against all, p50 and p99 of a single query, recall against an exhaustive comparison (`bench.recall`),
and, in a process of its own, memory and the time from its start to the first answer. Beside it, in the same run and
turn by turn, the peer: rapidfuzz `process.cdist` with `token_sort_ratio` over the same names. Each target is printed as
met or not. The other peer, nomenklatura, has a page of its own: `bench.peer`.

Names a second are those of distinct names, none of which was asked for before; in operation the same parties come again
and again, and a party that is remembered costs no reading.
"""

from __future__ import annotations

import argparse
import gc
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil
from rapidfuzz import process
from rapidfuzz.fuzz import token_sort_ratio

from bench import recall
from bench.environment import busy
from bench.list_names import query_name
from bench.recall import Query, records
from gateway.screening.index import snapshot
from gateway.screening.index.index import GC_THRESHOLD, NameIndex, PartyQuery
from gateway.screening.result import NameKind

SMALL = 10_000
QUERIES = 2_000
ROUNDS = 5
PEER_QUERIES = 2
"""Queries of the peer in one round: one alone takes a second against a million."""


class Target(NamedTuple):
    name: str
    wanted: float
    unit: str
    at_least: bool


def queries(count: int, seed: int) -> list[Query]:
    """Distinct names as they stand in declarations."""
    rng, found = random.Random(seed), dict[Query, None]()
    while len(found) < count:
        text, kind = query_name(rng)
        found[text, NameKind(kind)] = None
    return list(found)


def ask(index: NameIndex, asked: Sequence[Query]) -> list[float]:
    """Seconds of each query."""
    taken = []
    for query in asked:
        began = time.perf_counter()
        index.search(PartyQuery((query,)))
        taken.append(time.perf_counter() - began)
    return taken


def rate_beside_peer(
    title: str, index: NameIndex, names: Sequence[str], asked: Sequence[Query]
) -> tuple[float, list[float]]:
    """Names a second, the median of rounds in turn with the peer; and the seconds of each query."""
    own, peer, taken = [], [], []
    share = len(asked) // ROUNDS
    for number in range(ROUNDS):
        chosen = asked[number * share : (number + 1) * share]
        began = time.process_time()
        taken += ask(index, chosen)
        own.append(share / (time.process_time() - began))
        texts = [text for text, _ in chosen[:PEER_QUERIES]]
        began = time.process_time()
        process.cdist(texts, names, scorer=token_sort_ratio, workers=1)
        peer.append(PEER_QUERIES / (time.process_time() - began))
    taken.sort()
    print(
        f"{title:<24}{median(own):>9,.0f} names/s ({min(own):,.0f} – {max(own):,.0f})   "
        f"peer {median(peer):>8,.2f} names/s   {median(own) / median(peer):>6,.0f} ×"
        f"   p50 {at(taken, 0.5):.2f} ms  p99 {at(taken, 0.99):.2f} ms"
        f"  most {taken[-1] * 1e3:.0f} ms"
    )
    return median(own), taken


def at(ordered: Sequence[float], share: float) -> float:
    """Milliseconds at a share of ordered seconds."""
    return ordered[int(len(ordered) * share)] * 1e3


def start_only(path: Path) -> None:
    """In a process of its own: from its start to the first answer, and its memory after two thousand queries."""
    index = snapshot.read(path).index
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    index.search(PartyQuery((("Chan Tai Man", NameKind.PERSON),)))
    started = time.time() - psutil.Process().create_time()
    ask(index, queries(2_000, seed=5))
    print(f"{started} {psutil.Process().memory_info().rss}")


def restart(path: Path) -> tuple[float, float]:
    """Seconds to the first answer and bytes, of another process that has the snapshot alone."""
    command = [sys.executable, "-m", "bench.screening", "--start", str(path)]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(out[0]), float(out[1])


def build(count: int) -> NameIndex:
    index = NameIndex()
    began = time.perf_counter()
    index.load(records(count))
    took = time.perf_counter() - began
    print(
        f"{count:,} entries with {index.rows:,} names and identifiers indexed in {took:,.0f} s: {count / took:,.0f}/s"
    )
    gc.collect()
    gc.freeze()  # what is held for ever needn't be looked at again and again, as in the screening process
    return index


def names_of(count: int) -> list[str]:
    return [name.text for record in records(count) for name in record.names]


def run(count: int) -> None:
    print(f"others use {busy():.0%} of this machine's cores")
    gc.set_threshold(GC_THRESHOLD)
    asked = queries(QUERIES + 500, seed=2)
    small = build(SMALL)
    ask(small, asked[QUERIES:])  # tables that are made at first use
    small_rate, _ = rate_beside_peer(f"against {SMALL:,}", small, names_of(SMALL), asked[:QUERIES])
    index = small if count <= SMALL else build(count)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        began = time.perf_counter()
        size = snapshot.write(path, index, source="bench", seq=1)
        print(f"snapshot: {size / 1e6:,.0f} MB written in {time.perf_counter() - began:.1f} s")
        started, memory = restart(path)
    rate, taken = rate_beside_peer(f"against {count:,}", index, names_of(count), asked[:QUERIES])
    found = recall.measure(recall.ENTRIES, recall.PAIRS)
    recall.report(found, recall.ENTRIES)
    report(
        [
            (Target(f"names/s against {SMALL:,}", 10_000, "/s", True), small_rate),
            (Target(f"names/s against {count:,}", 1_000, "/s", True), rate),
            (Target("p99 of a single query", 20, " ms", False), at(taken, 0.99)),
            (Target(f"recall over {found.pairs:,} pairs", 99.5, " %", True), found.share * 100),
            (Target("memory (resident)", 1_500, " MB", False), memory / 1e6),
            (Target("start-up to first answer", 10, " s", False), started),
        ]
    )


def report(reached: Sequence[tuple[Target, float]]) -> None:
    for target, value in reached:
        met = value >= target.wanted if target.at_least else value <= target.wanted
        sign = "≥" if target.at_least else "≤"
        print(
            f"{target.name:<32}{value:>12,.2f}{target.unit:<4} wanted {sign} {target.wanted:,g}{target.unit}"
            f"   {'met' if met else 'not met'}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Screening at scale, beside rapidfuzz.")
    parser.add_argument("--entries", type=int, default=1_000_000, help="entries of the large list")
    parser.add_argument("--start", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.start:
        start_only(options.start)
    else:
        run(options.entries)


if __name__ == "__main__":
    main()
