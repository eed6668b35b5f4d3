"""Screening at scale: `python -m bench.screening [--entries N] [--json FILE]`.

Makes a list (`bench.list_names`), indexes it with a process for each core (`bench.screening_build`), writes a snapshot,
and measures on one core: names a second against 10,000 entries and against all, in slices as a node searches a batch,
p50 and p99 of a single query, by the clock and in processor time, what the stages of a query take
(`bench.screening_stages`), recall against an exhaustive comparison (`bench.recall`), memory of each process, and the
time from a start to the first answer. Beside it, in the same run and turn by turn, the peer: rapidfuzz `process.cdist`
with `token_sort_ratio` over the same names. Each target is printed as met or not. The other peer, nomenklatura, has a
page of its own: `bench.peer`.

Names a second are those of distinct names, none of which was asked for before; in operation the same parties come again
and again, and a party that is remembered costs no reading.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
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
from bench.screening_build import Built, made, peak_mb
from bench.screening_build import build as build_index
from bench.screening_stages import print_stages
from gateway.screening.index import snapshot
from gateway.screening.index.index import GC_THRESHOLD, NameIndex, PartyQuery
from gateway.screening.result import NameKind

SMALL = 10_000
QUERIES = 4_000
SLICE = 32
"""Names searched together, as of a batch in a node (`watchlists.rpc.screening.SLICE_SUBJECTS`)."""
ROUNDS = 5
STAGED = 500
"""Queries that are run stage by stage."""
PEER_QUERIES = 2
"""Queries of the peer in one round: one alone takes a second against a million."""


class Target(NamedTuple):
    name: str
    figure: str
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


class Asked(NamedTuple):
    """Seconds of a query, by the clock and in processor time."""

    clock: float
    processor: float


def ask(index: NameIndex, asked: Sequence[Query]) -> list[Asked]:
    """Times of each query."""
    taken = []
    for query in asked:
        began, used = time.perf_counter(), time.thread_time()
        index.search(PartyQuery((query,)))
        taken.append(Asked(time.perf_counter() - began, time.thread_time() - used))
    return taken


class Rates(NamedTuple):
    """Names a second by round, the peer's, and times of each query, in order."""

    own: list[float]
    peer: list[float]
    clock: list[float]
    processor: list[float]


def ask_together(index: NameIndex, asked: Sequence[Query]) -> None:
    for start in range(0, len(asked), SLICE):
        index.search_all([PartyQuery((query,)) for query in asked[start : start + SLICE]])


def rate_beside_peer(title: str, index: NameIndex, names: Sequence[str], asked: Sequence[Query]) -> Rates:
    """In rounds, in turn with the peer; half of the names come in slices, half of them alone."""
    own, peer, taken = list[float](), list[float](), list[Asked]()
    share = len(asked) // 2 // ROUNDS
    for number in range(ROUNDS):
        chosen, alone = (asked[at : at + share] for at in (2 * number * share, (2 * number + 1) * share))
        began = time.process_time()
        ask_together(index, chosen)
        own.append(share / (time.process_time() - began))
        taken += ask(index, alone)
        texts = [text for text, _ in chosen[:PEER_QUERIES]]
        began = time.process_time()
        process.cdist(texts, names, scorer=token_sort_ratio, workers=1)
        peer.append(PEER_QUERIES / (time.process_time() - began))
    rates = Rates(own, peer, sorted(one.clock for one in taken), sorted(one.processor for one in taken))
    print(
        f"{title:<24}{median(own):>9,.0f} names/s ({min(own):,.0f} – {max(own):,.0f})   "
        f"peer {median(peer):>8,.2f} names/s   {median(own) / median(peer):>6,.0f} ×"
    )
    for what, ordered in (("by the clock", rates.clock), ("processor time", rates.processor)):
        p50, p99, most = at(ordered, 0.5), at(ordered, 0.99), ordered[-1] * 1e3
        print(f"{'':<24}{what}: p50 {p50:.2f} ms  p99 {p99:.2f} ms  most {most:.0f} ms")
    return rates


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


def build(count: int) -> Built:
    listed = made(count)
    done = build_index(listed)
    print(
        f"{count:,} entries with {done.names.rows:,} names and identifiers indexed in {done.seconds:,.0f} s: "
        f"{count / done.seconds:,.0f}/s; {done.processor:,.0f} s of processor time; at most {peak_mb():,.0f} MB here"
        + "".join(f", {peak:,.0f} MB in another process" for peak in done.peaks),
        flush=True,
    )
    gc.collect()
    gc.freeze()  # what is held for ever needn't be looked at again and again, as in the screening process
    return done


def names_of(count: int) -> list[str]:
    return [name.text for record in records(count) for name in record.names]


def run(count: int, json_file: Path | None) -> None:
    environment = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "busy_before": round(busy(), 2)}
    print(f"others use {environment['busy_before']:.0%} of this machine's cores")
    gc.set_threshold(GC_THRESHOLD)
    asked = queries(QUERIES + 500, seed=2)
    small = build(SMALL).names
    ask(small, asked[QUERIES:])  # tables that are made at first use
    small_rates = rate_beside_peer(f"against {SMALL:,}", small, names_of(SMALL), asked[:QUERIES])
    fresh = queries(STAGED, seed=3)
    print_stages(f"against {SMALL:,}", small, fresh)
    large = build(count)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        began = time.perf_counter()
        size = snapshot.write(path, large.names, source="bench", seq=1)
        print(f"snapshot: {size / 1e6:,.0f} MB written in {time.perf_counter() - began:.1f} s")
        started, memory = restart(path)
    rates = rate_beside_peer(f"against {count:,}", large.names, names_of(count), asked[:QUERIES])
    print_stages(f"against {count:,}", large.names, fresh)
    found = recall.measure(recall.ENTRIES, recall.PAIRS)
    recall.report(found, recall.ENTRIES)
    reached: list[tuple[Target, list[float]]] = [
        (Target(f"names/s against {SMALL:,}", "screening: 10,000 entries", 10_000, "/s", True), small_rates.own),
        (Target(f"names/s against {count:,}", "screening: a million entries", 1_000, "/s", True), rates.own),
        (Target("p99 of a single query", "screening: single query p99", 10, "ms", False), [at(rates.clock, 0.99)]),
        (Target(f"indexing {count:,}", "screening: indexing a million", 2, "min", False), [large.seconds / 60]),
        (Target(f"recall over {found.pairs:,} pairs", "screening: recall", 99.5, "%", True), [found.share * 100]),
        (Target("memory of the searching process", "screening: memory", 1_500, "MB", False), [memory / 1e6]),
        (Target("start-up to first answer", "screening: start-up", 10, "s", False), [started]),
    ]
    report(reached)
    if json_file is not None:
        peer = ("screening: cdist, 10,000 entries", small_rates.peer)
        figures = {target.figure: figure(target.unit, values) for target, values in reached}
        figures |= {peer[0]: figure("/s", peer[1])}
        document = {"environment": environment, "command": "python -m bench.screening", "figures": figures}
        json_file.write_text(json.dumps(document, indent=1) + "\n")


def figure(unit: str, values: Sequence[float]) -> dict[str, str | float]:
    """As `bench.charts --add` reads it."""
    return {"unit": unit, "median": median(values), "min": min(values), "max": max(values)}


def report(reached: Sequence[tuple[Target, Sequence[float]]]) -> None:
    for target, values in reached:
        value = median(values)
        met = value >= target.wanted if target.at_least else value <= target.wanted
        sign = "≥" if target.at_least else "≤"
        print(
            f"{target.name:<36}{value:>12,.2f} {target.unit:<4} wanted {sign} {target.wanted:,g} {target.unit}"
            f"   {'met' if met else 'not met'}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Screening at scale, beside rapidfuzz.")
    parser.add_argument("--entries", type=int, default=1_000_000, help="entries of the large list")
    parser.add_argument("--json", type=Path, help="file for the figures, as `bench.charts --add` reads them")
    parser.add_argument("--start", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.start:
        start_only(options.start)
    else:
        run(options.entries, options.json)


if __name__ == "__main__":
    main()
