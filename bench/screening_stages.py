"""Where the time of a screened name goes: counts and processor time by stage, for `bench.screening`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from bench.recall import Query
from gateway.screening.compare import evaluate
from gateway.screening.index.candidates import MAX_CANDIDATES, candidates, key_ranges
from gateway.screening.index.index import NameIndex, PartyQuery
from gateway.screening.index.keys import query_keys
from gateway.screening.prepared_name import prepare


class Stages:
    """Sums over queries."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(("keys", "postings read", "names compared", "of these match", "hits"), 0)
        self.seconds = dict.fromkeys(("read the name", "make its keys", "find candidates", "read and compare"), 0.0)

    def add(self, index: NameIndex, query: Query) -> None:
        """Runs one query stage by stage."""
        internals: Any = index
        runs = [run for run in internals._runs if run.columns.rows]
        held = 0
        for run in runs:
            held |= run.held
        began = time.process_time()
        name = prepare(*query)
        read = time.process_time()
        keys = query_keys(name, held)
        keyed = time.process_time()
        prepared = internals._prepared(*query, held)
        looked = time.process_time()
        found = [
            (columns, list(rows)) for columns, rows in candidates(runs, prepared, index.groups, MAX_CANDIDATES, False)
        ]
        gathered = time.process_time()
        texts = {columns.text_and_form(row) for columns, rows in found for row in rows}
        matching = [text for text, form in texts if evaluate(name, internals._read(text, name.kind, form)).match_class]
        compared = time.process_time()
        taken = (read - began, keyed - read, gathered - looked, compared - gathered)
        for stage, seconds in zip(self.seconds, taken, strict=True):
            self.seconds[stage] += seconds
        ranges = [key_ranges(run.may_hold(prepared.keys), False) for run in runs]
        spans = [span for run, keys in zip(runs, ranges, strict=True) for span, _ in run.spans_by_group(keys)]
        counted = (len(keys), sum(end - start for start, end in spans), len(texts), len(matching))
        hits = len(index.search(PartyQuery((query,))).hits)
        for what, count in zip(self.counts, (*counted, hits), strict=True):
            self.counts[what] += count


def print_stages(title: str, index: NameIndex, asked: Sequence[Query]) -> None:
    """Prints means for each query."""
    stages = Stages()
    for query in asked:
        stages.add(index, query)
    counts = ", ".join(f"{count / len(asked):,.1f} {what}" for what, count in stages.counts.items())
    times = ", ".join(f"{what} {seconds / len(asked) * 1e6:,.0f}" for what, seconds in stages.seconds.items())
    print(f"{title:<24}{counts} a query", flush=True)
    print(f"{'':<24}processor µs: {times}", flush=True)
    compared = stages.counts["names compared"]
    if compared:
        print(
            f"{'':<24}{stages.seconds['read and compare'] / compared * 1e6:,.0f} µs for each name compared", flush=True
        )
