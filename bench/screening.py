"""Screening at scale: `python -m bench.screening [--entries N] [--json FILE]`.

Makes a list (`bench.list_names`), indexes it with a process for each core (`bench.screening_build`), and measures on
one core: names a second against 10,000 entries and against all, in slices as a node searches a batch, and p50 and p99
of a single query. Beside it, in the same run and turn by turn, the peer: rapidfuzz `process.cdist` with
`token_sort_ratio` over the same names. The other peer, nomenklatura, has a command of its own: `bench.peer`.

Names a second are those of distinct names, none of which was asked for before; in operation the same parties come again
and again, and a party that is remembered costs no reading.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from rapidfuzz import process
from rapidfuzz.fuzz import token_sort_ratio

from bench.environment import busy
from bench.list_names import query_name
from bench.results import Figures, quantile, show, write
from bench.screening_build import build, made, peak_mb, records
from gateway.screening.index.index import GC_THRESHOLD, NameIndex, PartyQuery
from gateway.screening.result import NameKind

SMALL, LARGE = 10_000, 1_000_000
QUERIES = 4_000
SLICE = 32
"""Names searched together, as of a batch in a node (`watchlists.rpc.screening.SLICE_SUBJECTS`)."""
ROUNDS = 5
PEER_QUERIES = 2
"""Queries of the peer in one round: one alone takes a second against a million."""

Query = tuple[str, NameKind]


def queries(count: int, seed: int) -> list[Query]:
    """Distinct names as they stand in declarations."""
    rng, found = random.Random(seed), dict[Query, None]()
    while len(found) < count:
        text, kind = query_name(rng)
        found[text, NameKind(kind)] = None
    return list(found)


def ask(index: NameIndex, asked: Sequence[Query]) -> list[float]:
    """Milliseconds of each query, by the clock."""
    taken = []
    for query in asked:
        began = time.perf_counter()
        index.search(PartyQuery((query,)))
        taken.append(1000 * (time.perf_counter() - began))
    return taken


def rate_beside_peer(figures: Figures, title: str, index: NameIndex, names: Sequence[str]) -> list[float]:
    """In rounds, in turn with the peer; half of the names come in slices, half of them alone.

    Returns:
        Milliseconds of each query alone.
    """
    asked, taken = queries(QUERIES, seed=2), list[float]()
    share = len(asked) // 2 // ROUNDS
    for number in range(ROUNDS):
        chosen, alone = (asked[at : at + share] for at in (2 * number * share, (2 * number + 1) * share))
        began = time.process_time()
        for start in range(0, share, SLICE):
            index.search_all([PartyQuery((query,)) for query in chosen[start : start + SLICE]])
        figures.note(f"screening: {title}", "/s", share / (time.process_time() - began))
        taken += ask(index, alone)
        texts = [text for text, _ in chosen[:PEER_QUERIES]]
        began = time.process_time()
        process.cdist(texts, names, scorer=token_sort_ratio, workers=1)
        figures.note(f"screening: cdist, {title}", "/s", PEER_QUERIES / (time.process_time() - began))
    return taken


def indexed(figures: Figures, title: str, count: int, folder: Path) -> NameIndex:
    """An index of so many entries in a file; notes what it took."""
    listed = made(count)
    done = build(listed, folder / f"{count}.db")
    figures.note(f"screening: indexing {title}", "min", done.seconds / 60)
    figures.note(f"screening: indexing {title}, processor", "min", done.processor / 60)
    for peak in (peak_mb(), *done.peaks):
        figures.note(f"screening: indexing {title}, most memory of a process", "MB", peak)
    gc.collect()
    gc.freeze()  # what is held for ever needn't be looked at again and again, as in the screening process
    return done.names


def names_of(count: int) -> list[str]:
    return [name.text for record in records(count) for name in record.names]


def run(count: int, json_file: Path | None) -> None:
    with TemporaryDirectory() as folder:
        measure(count, json_file, Path(folder))


def measure(count: int, json_file: Path | None, folder: Path) -> None:
    facts, figures = {"busy_before": round(busy(), 2)}, Figures()
    gc.set_threshold(GC_THRESHOLD)
    small = indexed(figures, "10,000", SMALL, folder)
    ask(small, queries(500, seed=3))  # tables that are made at first use
    rate_beside_peer(figures, "10,000 entries", small, names_of(SMALL))
    large = indexed(figures, "a million" if count == LARGE else f"{count:,}", count, folder)
    title = "a million entries" if count == LARGE else f"{count:,} entries"
    taken = rate_beside_peer(figures, title, large, names_of(count))
    for label, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
        figures.note(f"screening: single query {label}", "ms", quantile(taken, share))
    show(figures, f"Screening; others used {facts['busy_before']:.0%} of this machine's cores")
    write(json_file, figures, command="python -m bench.screening", facts=facts)


def main() -> None:
    parser = argparse.ArgumentParser(description="Screening at scale, beside rapidfuzz.")
    parser.add_argument("--entries", type=int, default=LARGE, help="entries of the large list")
    parser.add_argument("--json", type=Path, help="file for the figures, as `bench.charts --add` reads them")
    options = parser.parse_args()
    run(options.entries, options.json)


if __name__ == "__main__":
    main()
