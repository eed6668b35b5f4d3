"""Reads feeds, projections and the index from the database, for gauges and alarms."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from gateway.alerts.tables.due_conditions import count_overdue
from gateway.contract.ids import ALERT_CHANNELS, KEPT
from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.feed.codec import parse_header
from gateway.feed.service.alarms import BACKLOG, UNRECEIPTED, Alarms
from gateway.feed.service.maintenance import Announced
from gateway.feed.tables import dispositions, feeds, journal
from gateway.feed.tables.dispositions import DefectRow
from gateway.feed.tables.feeds import Feed, FeedState
from gateway.history.tables import progress as record_progress
from gateway.history.tables import shipments
from gateway.node.observation.feed_alarms import MAX_DEFECTS_SHOWN, tell_of_feeds
from gateway.node.sections.observed_settings import AlarmSettings
from gateway.telemetry.gauges import Labels
from gateway.telemetry.metrics import Metrics

GROWTH_MS: Final = 60_000
"""Milliseconds over which a backlog is compared with itself: long enough for a burst to drain."""

SUSPENDED: Final = "suspended"
"""State of a feed that an operator has stopped, beside those of FeedState."""


@dataclass(frozen=True, slots=True)
class FeedView:
    """A feed and its lag; `oldest_at` is the time of the oldest entry that lags, in ms since 1970, 0 for none."""

    feed: Feed
    lag: int
    oldest_at: int

    @property
    def labels(self) -> Labels:
        return self.feed.partner, self.feed.origin.channel.value, self.feed.direction


@dataclass(slots=True)
class _Trend:
    """A backlog as it was a minute ago, and whether it has grown since, or before without shrinking."""

    at: int
    lag: int
    growing: bool = False

    def moved(self, lag: int, now: int) -> bool:
        """Takes a new value; True while the backlog grows."""
        self.growing = self.growing or lag > self.lag
        if now - self.at >= GROWTH_MS:
            self.growing = self.growing and lag >= self.lag
            self.at, self.lag = now, lag
        return self.growing


@dataclass(frozen=True, slots=True)
class FeedsSnapshot:
    """What the database says, in one snapshot."""

    views: Sequence[FeedView]
    defects: Sequence[DefectRow]
    head: int
    projected: int
    recorded: int
    indexed: int
    evaluated: int
    unfindable_since: int


class FeedObserver:
    """Keeps gauges and alarms as the database says. `observe` runs in one thread at a time."""

    def __init__(
        self,
        database: Database,
        *,
        settings: AlarmSettings,
        alarms: Alarms,
        metrics: Metrics,
        clock: Callable[[], int],
        former: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self._former = former
        self._database = database
        self._settings = settings
        self._alarms = alarms
        self._metrics = metrics
        self._clock = clock
        self._trends: dict[Labels, _Trend] = {}

    def observe(self) -> None:
        """Reads and compares once; raises StoreUnavailableError."""
        with self._database.read() as conn:
            state, announced = read_state(conn), Announced.of(conn)
            now = self._clock()
            overdue = count_overdue(conn, now, self._former())
        self._metrics.alerts_overdue.replace(overdue)
        self._show_feeds(state.views, now)
        self._show_progress(state, now)
        tell_of_feeds(self._alarms, [view.feed for view in state.views], state.defects)
        open_views = [view for view in state.views if view.feed.state is not FeedState.CLOSED]
        reachable = [view for view in open_views if not announced.is_excused(view.feed.partner, now)]
        self._alarms.keep(BACKLOG, self._growing(reachable, now))
        self._alarms.keep(UNRECEIPTED, self._unreceipted(reachable, now))

    def _show_feeds(self, views: Sequence[FeedView], now: int) -> None:
        metrics = self._metrics
        metrics.feed_size.replace({view.labels: view.feed.size for view in views})
        open_views = [view for view in views if view.feed.state is not FeedState.CLOSED]
        metrics.link_lag.replace({view.labels: view.lag for view in open_views})
        metrics.link_lag_seconds.replace({view.labels: _age_s(view.oldest_at, now) for view in open_views})
        metrics.oldest_unreceipted.replace(
            {(partner,): _age_s(oldest, now) for partner, oldest in _oldest_alerts(views).items()}
        )
        metrics.feed_state.replace(
            {
                (*view.labels, state): float(state == _state(view.feed))
                for view in views
                for state in (*FeedState, SUSPENDED)
            }
        )

    def _show_progress(self, state: FeedsSnapshot, now: int) -> None:
        metrics = self._metrics
        metrics.projection_lag.set(state.head - state.projected)
        metrics.index_lag.set(state.recorded - state.indexed)
        metrics.evaluation_lag.set(state.recorded - state.evaluated)
        metrics.findable_behind.set(_age_s(state.unfindable_since, now))
        metrics.defects.set(len(state.defects))

    def _growing(self, views: Sequence[FeedView], now: int) -> Mapping[str, tuple[str, int]]:
        """Feeds with a large backlog that grows."""
        messages = {}
        for view in views:
            if view.feed.direction != "out" or view.lag < self._settings.backlog_entries:
                self._trends.pop(view.labels, None)
                continue
            trend = self._trends.setdefault(view.labels, _Trend(now, view.lag))
            if trend.moved(view.lag, now):
                messages[view.feed.origin.line] = (
                    f"{view.feed.origin}: {view.lag:,} entries have no receipt, and they become more",
                    0,
                )
        return messages

    def _unreceipted(self, views: Sequence[FeedView], now: int) -> Mapping[str, tuple[str, int]]:
        bound = self._settings.unreceipted_minutes
        return {
            partner: (f"the oldest alert for {partner} without a receipt is {minutes:,} min old", 0)
            for partner, oldest in _oldest_alerts(views).items()
            if (minutes := int(_age_s(oldest, now)) // 60) >= bound
        }


def read_state(conn: Connection) -> FeedsSnapshot:
    """Everything in one snapshot: a few rows for each feed."""
    indexed = record_progress.indexed(conn)
    return FeedsSnapshot(
        views=[view_of(conn, feed) for feed in feeds.list_all(conn) if feed.origin.channel not in KEPT],
        defects=dispositions.oldest_defects(conn, MAX_DEFECTS_SHOWN),
        head=journal.head_position(conn),
        projected=journal.projected_position(conn),
        recorded=shipments.last_position(conn),
        indexed=indexed,
        evaluated=record_progress.evaluated(conn),
        unfindable_since=shipments.recorded_after(conn, indexed),
    )


def view_of(conn: Connection, feed: Feed) -> FeedView:
    """A feed with what has no receipt, or is pending."""
    done = feed.receipted_size if feed.direction == "out" else feed.journaled_size
    if done >= feed.size:
        return FeedView(feed, 0, 0)
    return FeedView(feed, feed.size - done, _recorded_at(feeds.read_headers(conn, feed.id, done, done + 1)))


def _recorded_at(headers: Sequence[bytes]) -> int:
    """When an entry was recorded, by its publisher; 0 where the database is damaged: other checks tell of that."""
    try:
        return parse_header(headers[0]).recorded_at_unix_ms if headers else 0
    except GatewayError:
        return 0


def _oldest_alerts(views: Sequence[FeedView]) -> Mapping[str, int]:
    """By partner the time of the oldest alert without a receipt; 0 for none."""
    oldest: dict[str, int] = {}
    for view in views:
        if view.feed.state is FeedState.CLOSED:
            continue
        if view.feed.direction == "out" and view.feed.origin.channel in ALERT_CHANNELS:
            times = [at for at in (oldest.get(view.feed.partner, 0), view.oldest_at) if at]
            oldest[view.feed.partner] = min(times, default=0)
    return oldest


def _state(feed: Feed) -> str:
    return SUSPENDED if feed.suspended and feed.state is FeedState.ACTIVE else feed.state.value


def _age_s(at: int, now: int) -> float:
    """Age in seconds of what happened at a time; 0 for nothing, or by a clock that went back."""
    return max(0, now - at) / 1000 if at else 0.0
