"""Every metric of a node, by its stable name: the registry that docs/metrics.md and the monitoring files are held to.

A new metric is one line in `Metrics.__init__`, and a row of docs/metrics.md (`python scripts/metrics.py`). Labels have
few values: names of the directory or of the code, never a caller's text.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from gateway.telemetry.gauges import StateGauge

CALL_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of latencies in seconds: a lone alert takes some 5 ms, a deadline is at most 30 s."""

COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0)
"""Upper bounds of a commit's time in seconds; after 15 s a database counts as gone."""

COMMIT_ITEMS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000)
"""Upper bounds of the items in a commit; a group has 1,000 at most, and one large command more."""


disable_created_metrics()  # type: ignore[no-untyped-call]  # a series more for each counter, which nobody reads


class MetricKind(StrEnum):
    """Kind of a metric, in Prometheus's words."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class MetricDescription:
    """What the documentation says of a metric."""

    name: str
    kind: MetricKind
    labels: tuple[str, ...]
    documentation: str

    @property
    def series(self) -> tuple[str, ...]:
        """Names of its series, as queries use them."""
        if self.kind is MetricKind.HISTOGRAM:
            return tuple(f"{self.name}_{ending}" for ending in ("bucket", "sum", "count"))
        return (self.name,)


class Metrics:
    """The metrics of one node. Thread-safe."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.descriptions: list[MetricDescription] = []
        self._calls()
        self._commits()
        self._feeds()
        self._projections()
        self._machine()
        self._people()

    def with_process(self) -> Metrics:
        """Adds what prometheus-client tells of the process itself: memory, processor time, garbage collections."""
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        return self

    def _calls(self) -> None:
        self.calls = self._counter("gateway_calls_total", "Calls that have ended.", "port", "method", "code")
        self.call_seconds = self._histogram(
            "gateway_call_seconds", "Time of unary calls in seconds.", CALL_SECONDS, "port", "method"
        )
        self.running_calls = self._gauge("gateway_running_calls", "Calls that run, streams too.", "port", "method")
        self.limit_refusals = self._counter(
            "gateway_limit_refusals_total", "Calls and messages refused at a limit of their caller.", "caller", "limit"
        )
        self.watchers = self._gauge("gateway_watchers", "Open streams of watchers.", "method")
        self.publishes = self._counter(
            "gateway_publishes_total", "Alerts that own systems gave: accepted, repeated or refused.", "result"
        )

    def _commits(self) -> None:
        self.commits = self._counter("gateway_commits_total", "Transactions of the writer.", "kind", "result")
        self.commit_seconds = self._histogram(
            "gateway_commit_seconds", "Time of a transaction of the writer in seconds.", COMMIT_SECONDS, "kind"
        )
        self.commit_items = self._histogram(
            "gateway_commit_items", "Items in a group commit, e.g. alerts or received entries.", COMMIT_ITEMS
        )
        self.signatures = self._counter("gateway_signatures_total", "Signatures that this node made.", "key")
        self.writer_queue = self._gauge("gateway_writer_queue_items", "Items that wait for the writer.")
        self.audit_queue = self._gauge("gateway_audit_queue_events", "Audit events that wait for the writer.")

    def _feeds(self) -> None:
        feed = ("partner", "channel", "direction")
        self.entries = self._counter("gateway_feed_entries_total", "Entries committed to a feed.", *feed)
        self.feed_size = self._gauge("gateway_feed_size_entries", "Entries of a feed.", *feed)
        self.feed_state = self._gauge("gateway_feed_state", "1 for the state that a feed is in.", *feed, "state")
        self.link_up = self._gauge("gateway_link_up", "1 while a feed's stream is open.", *feed)
        self.link_lag = self._gauge(
            "gateway_link_lag_entries", "Entries out: without a receipt; in: stored and not in the local log.", *feed
        )
        self.link_lag_seconds = self._gauge(
            "gateway_link_lag_seconds", "Age of the oldest such entry in seconds; 0 without one.", *feed
        )
        self.link_failures = self._counter(
            "gateway_link_failures_total", "Failures of a link that starts here.", *feed, "reason"
        )
        self.oldest_unreceipted = self._gauge(
            "gateway_oldest_unreceipted_alert_seconds", "Age of the oldest alert without a receipt.", "partner"
        )
        self.unreachable = self._gauge(
            "gateway_partner_unreachable_seconds", "Time since a partner was last reached; 0 while it is.", "partner"
        )
        self.clock_ahead = self._gauge(
            "gateway_partner_clock_ahead_seconds", "How far a partner's signed times were last ahead.", "partner"
        )
        self.receipts = self._counter(
            "gateway_receipts_total", "Receipts, taken for own entries (out) or given for theirs (in).", *feed
        )
        self.refusals = self._counter(
            "gateway_batches_refused_total", "Batches of partners that were refused.", "partner", "channel", "reason"
        )
        self.quarantines = self._counter(
            "gateway_quarantines_total", "Feeds put into quarantine.", "partner", "channel", "reason"
        )

    def _projections(self) -> None:
        self.projection_lag = self._gauge(
            "gateway_projection_lag_entries", "Entries of the local log that aren't projected yet."
        )
        self.index_lag = self._gauge("gateway_index_lag_records", "Recorded shipments that aren't indexed yet.")
        self.evaluation_lag = self._gauge(
            "gateway_evaluation_lag_records", "Recorded shipments that the risk rules haven't seen yet."
        )
        self.findable_behind = self._gauge(
            "gateway_findable_behind_seconds", "Age of the oldest recorded shipment that searches don't find yet."
        )
        self.defects = self._gauge("gateway_defects", "Entries that the software couldn't apply.")

    def _machine(self) -> None:
        self.ready = self._gauge(
            "gateway_ready", "1 while a dependency works: database, writer, disk, directory.", "dependency"
        )
        self.database_bytes = self._gauge("gateway_database_size_bytes", "Size of the database, SQLite's WAL included.")
        self.database_seconds = self._gauge(
            "gateway_database_answer_seconds", "Time of the newest probe of the database in seconds."
        )
        self.disk_free = self._gauge("gateway_disk_free_bytes", "Free disk for data_dir.")
        self.disk_size = self._gauge("gateway_disk_size_bytes", "Size of the file system of data_dir.")
        self.worker_up = self._gauge("gateway_worker_up", "1 while a worker process serves.", "worker")
        self.worker_rss = self._gauge(
            "gateway_worker_resident_memory_bytes", "Memory of a worker process in bytes.", "worker"
        )
        self.worker_starts = self._counter("gateway_worker_starts_total", "Starts of a worker process.", "worker")
        self.resource_used = self._gauge(
            "gateway_resource_used", "Descriptors, and connections to each port, in use.", "resource"
        )
        self.resource_limit = self._gauge("gateway_resource_limit", "The most of each that can be in use.", "resource")
        self.quota_used = self._gauge(
            "gateway_quota_used", "What a partner has had stored here today (UTC).", "partner", "kind", "unit"
        )
        self.quota_limit = self._gauge(
            "gateway_quota_limit", "The most that it can have stored in a day.", "partner", "kind", "unit"
        )

    def _people(self) -> None:
        self.days_left = self._gauge(
            "gateway_days_left", "Days until something ends; negative after it.", "kind", "subject"
        )
        self.directory_version = self._gauge("gateway_directory_version", "Version of the directory in force.")
        self.alarms = self._gauge("gateway_alarms", "Alarms that last, by code.", "code")
        self.build = self._gauge("gateway_build_info", "1, with version and node.", "version", "node", "federation")
        self.started = self._gauge("gateway_start_time_seconds", "When the node started, in seconds since 1970.")
        self.notifications = self._counter("gateway_notifications_total", "Notifications that were made.", "kind")
        self.deliveries = self._counter(
            "gateway_notification_deliveries_total",
            "Attempts to send notifications: taken, failed or given_up.",
            "way",
            "result",
        )
        self.deliveries_waiting = self._gauge(
            "gateway_notification_deliveries_waiting", "Notifications that wait for a way out.", "way"
        )
        self.outbox_messages = self._counter(
            "gateway_outbox_messages_total", "Changes that the outbox's other side has taken."
        )
        self.outbox_lag = self._gauge(
            "gateway_outbox_lag_entries", "Entries of the local log that the outbox hasn't been through yet."
        )
        self.time_stamp_lag = self._gauge(
            "gateway_time_stamp_lag_seconds", "Age of the oldest receipt that is due for a time stamp; 0 without one."
        )
        self.witness_lag = self._gauge(
            "gateway_witness_lag_seconds", "Age of the oldest receipt that a witness fails to cosign; 0 without one."
        )
        self.signing_token_state = self._gauge(
            "gateway_signing_token_state", "1 for the state that a token with signing keys is in.", "token", "state"
        )
        self.alerts_overdue = self._gauge(
            "gateway_alerts_overdue", "Open alerts with a deadline that has passed.", "deadline", "direction"
        )
        self.trace_spans = self._counter("gateway_trace_spans_total", "Spans of traces, exported or lost.", "result")

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        self._describe(name, MetricKind.COUNTER, labels, documentation)
        return Counter(name, documentation, labels, registry=self.registry)

    def _histogram(self, name: str, documentation: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        self._describe(name, MetricKind.HISTOGRAM, labels, documentation)
        return Histogram(name, documentation, labels, registry=self.registry, buckets=buckets)

    def _gauge(self, name: str, documentation: str, *labels: str) -> StateGauge:
        self._describe(name, MetricKind.GAUGE, labels, documentation)
        gauge = StateGauge(name, documentation, labels)
        self.registry.register(gauge)
        return gauge

    def _describe(self, name: str, kind: MetricKind, labels: tuple[str, ...], documentation: str) -> None:
        self.descriptions.append(MetricDescription(name, kind, labels, documentation))
