"""Gauges whose values are replaced as a whole, so that a scrape never sees half of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

Labels = tuple[str, ...]
"""Values of a gauge's labels, in the order of their names; empty for a gauge without labels."""


class StateGauge(Collector):
    """A gauge of a state that is read now and then. Thread-safe.

    A partner, feed or worker that is no longer there has no series any more after `replace`.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._lock = threading.Lock()
        self._values: dict[Labels, float] = {}
        self._read: Callable[[], Mapping[Labels, float]] | None = None

    def set(self, value: float, *labels: str) -> None:
        """Sets one value."""
        with self._lock:
            self._values = {**self._values, labels: value}

    def replace(self, values: Mapping[Labels, float]) -> None:
        """Sets all values; others are gone."""
        with self._lock:
            self._values = dict(values)

    def follow(self, read: Callable[[], Mapping[Labels, float]]) -> None:
        """Reads all values at each scrape from memory: `read` is fast, and called in the scrape's thread."""
        self._read = read

    def describe(self) -> Iterable[Metric]:
        return [GaugeMetricFamily(self._name, self._documentation, labels=self._labels)]

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self._name, self._documentation, labels=self._labels)
        values = self._values if self._read is None else self._read()
        for labels, value in sorted(values.items()):
            family.add_metric(labels, value)
        return [family]
