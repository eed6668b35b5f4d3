"""What the product shall reach, row by row of the table in docs/performance.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.performance_results import Figure, number


@dataclass(frozen=True)
class Limit:
    """A bound on one figure.

    Attributes:
        figure: its name in docs/performance.json.
        at_least, at_most: the bound, in the figure's unit.
        label: before the value where a row has several, e.g. `p99`.
    """

    figure: str
    at_least: float | None = None
    at_most: float | None = None
    label: str = ""

    def met(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def wanted(self, unit: str) -> str:
        sign, bound = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        return f"{sign} {number(bound or 0)} {unit}".rstrip()


@dataclass(frozen=True)
class Target:
    """One row: what is measured, and its limits."""

    what: str
    wanted: str
    limits: tuple[Limit, ...]

    def measured(self, results: Mapping[str, Figure]) -> str:
        """The figures of the row, in the order of its limits."""
        texts = []
        for limit in self.limits:
            figure = results.get(limit.figure)
            texts.append(f"{limit.label} {figure.text if figure else 'not measured'}".strip())
        return "; ".join(texts)

    def verdict(self, results: Mapping[str, Figure]) -> str:
        """`met` when every limit is; `not met` when one isn't; else `not measured`, in whole or part."""
        known = [limit.met(results[limit.figure].median) for limit in self.limits if limit.figure in results]
        if not all(known):
            return "**not met**"
        if len(known) < len(self.limits):
            return "met so far" if known else "not measured"
        return "met"

    def dates(self, results: Mapping[str, Figure]) -> str:
        return ", ".join(sorted({results[limit.figure].date for limit in self.limits if limit.figure in results}))


TARGETS = (
    Target(
        "processor time of a lone alert at 100/s, both nodes, in bare calls of the run",
        "≤ 9 ×",
        (Limit("lone: an alert, in bare calls", at_most=9),),
    ),
    Target("publish, 1 in flight, beside `echo-1`", "≥ 0.16 ×", (Limit("publish-1 / echo-1", 0.16),)),
    Target("publish, 64 in flight, beside `echo-64`", "≥ 0.25 ×", (Limit("publish-64 / echo-64", 0.25),)),
    Target("bulk, receipted, beside `stream`", "≥ 0.8 ×", (Limit("bulk / stream", 0.8),)),
    Target(
        "latency to the partner's watcher at 100/s; at 300/s",
        "p50 ≤ 10, p99 ≤ 30 ms; p99 ≤ 80 ms",
        (
            Limit("latency p50 at 100/s", at_most=10, label="p50"),
            Limit("latency p99 at 100/s", at_most=30, label="p99"),
            Limit("latency p99 at 300/s", at_most=80, label="at 300/s p99"),
        ),
    ),
    Target(
        "full sync of a list of a million to the partner's lists",
        "≥ 25,000/s on two cores",
        (Limit("lists: full sync", at_least=25_000),),
    ),
    Target(
        "a change of 100 entries in a list of a million at the partner's watcher, p99",
        "≤ 200 ms",
        (Limit("lists: change p99", at_most=200),),
    ),
    Target(
        "screening against 10,000; against a million; single query p99",
        "≥ 10k; ≥ 1k; ≤ 10 ms",
        (
            Limit("screening: 10,000 entries", at_least=10_000, label="10,000"),
            Limit("screening: a million entries", at_least=1_000, label="a million"),
            Limit("screening: single query p99", at_most=10, label="p99"),
        ),
    ),
    Target(
        "indexing a list of a million for screening",
        "≤ 2 min",
        (Limit("screening: indexing a million", at_most=2),),
    ),
    Target(
        "recording shipments in bulk; findable; judged by the rules, SQLite",
        "≥ 20k; ≥ 10k; ≥ 5k /s",
        (
            Limit("history: durable", at_least=20_000, label="durable"),
            Limit("history: findable", at_least=10_000, label="findable"),
            Limit("history: judged", at_least=5_000, label="judged"),
        ),
    ),
    Target(
        "search over 5 million, own node; three nodes; trace: p99 beside a bare call's in the same run",
        "≤ 2 ×; ≤ 6 ×; ≤ 15 ×",
        (
            Limit("search: own node p99 / call", at_most=2, label="own"),
            Limit("search: three nodes p99 / call", at_most=6, label="three"),
            Limit("search: trace p99 / call", at_most=15, label="trace"),
        ),
    ),
    Target(
        "PostgreSQL beside SQLite, same run: bulk; record; search",
        "≥ 0.7 ×",
        (
            Limit("postgresql / sqlite: bulk", at_least=0.7, label="bulk"),
            Limit("postgresql / sqlite: record", at_least=0.7, label="record"),
            Limit("postgresql / sqlite: search", at_least=0.7, label="search"),
        ),
    ),
    Target("idle node, processor time", "≤ 0.5 % of a core", (Limit("idle node", at_most=0.5),)),
    Target(
        "memory of a node with workers, a million entries and a million shipments",
        "≤ 600 MB in all",
        (
            Limit("memory: node and workers", at_most=600, label="as it comes"),
            Limit("memory: node and workers, all capabilities on", at_most=600, label="every capability on"),
        ),
    ),
)
