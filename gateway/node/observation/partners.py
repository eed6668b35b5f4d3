"""Knows which partners this node reaches, and raises an alarm about those that it hasn't for long."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from gateway.contract.ids import FeedOrigin
from gateway.feed.rpc.links import Link, LinkStatus
from gateway.feed.service.alarms import UNREACHABLE, Alarms
from gateway.feed.service.maintenance import Announced
from gateway.node.roles import Roles
from gateway.telemetry.gauges import Labels
from gateway.telemetry.metrics import Metrics


class PartnerObserver:
    """Compares the links and streams of one node with the time, on its event loop.

    A partner is reached while a stream to or from it is open, or its gateway answers at all, if only with a refusal.
    Of several replicas the one with the links to a partner judges it; streams that a partner opened count everywhere.

    Args:
        partners: names of the nodes that exchange something with this one at a time.
        links: those that start here, by feed.
        streams: those that partners opened, by feed.
        roles: tells other replicas which partners have streams here.
        minutes: after which an unreached partner is an alarm.
    """

    def __init__(
        self,
        *,
        node: str,
        partners: Callable[[datetime], Iterable[str]],
        links: Mapping[FeedOrigin, Link],
        streams: Mapping[FeedOrigin, LinkStatus],
        roles: Roles,
        minutes: int,
        started_at: int,
        alarms: Alarms,
        metrics: Metrics,
    ) -> None:
        self._node = node
        self._partners = partners
        self._links = links
        self._streams = streams
        self._roles = roles
        self._minutes = minutes
        self._started_at = started_at
        self._alarms = alarms
        self._metrics = metrics
        metrics.link_up.follow(self._open_streams)

    def observe(self, now: datetime, announced: Announced) -> None:
        """Compares once. A partner in maintenance is no alarm, and later counts as silent from its end on."""
        now_ms = int(now.timestamp() * 1000)
        partners = list(self._partners(now))
        for partner in partners:
            opened = any(status.connected for status in self._streams_of(partner))
            self._roles.share(streams_of(partner), shared=opened)
        since = {
            partner: self._unreached_since(partner) for partner in partners if not announced.is_excused(partner, now_ms)
        }
        since = {
            partner: max(at, announced.excused_until(partner, now_ms)) if at else 0 for partner, at in since.items()
        }
        silent = {partner: max(0, now_ms - at) if at else 0 for partner, at in since.items()}
        self._metrics.unreachable.replace({(partner,): ms / 1000 for partner, ms in silent.items()})
        self._alarms.keep(
            UNREACHABLE,
            {
                partner: (self._silence(partner, ms // 60_000), since[partner])
                for partner, ms in silent.items()
                if ms >= self._minutes * 60_000
            },
        )

    def _unreached_since(self, partner: str) -> int:
        """Since when a partner isn't reached, in milliseconds since 1970; 0 while it is."""
        streams = self._streams_of(partner)
        own = [link.status for link in self._links.values() if link.partner == partner]
        if any(status.connected for status in (*streams, *own)) or self._roles.others_share(streams_of(partner)):
            return 0
        if own:  # all fail: since the last of them began to
            return min((status.unreachable_since for status in own), default=0) and max(
                status.unreachable_since for status in own
            )
        return max((status.last_exchange_at for status in streams), default=self._started_at)

    def _streams_of(self, partner: str) -> list[LinkStatus]:
        return [status for feed, status in self._streams.items() if partner in (feed.publisher, feed.recipient)]

    def _silence(self, partner: str, minutes: int) -> str:
        errors = [link.status.last_error for link in self._links.values() if link.partner == partner]
        why = next(filter(None, errors), "")
        if why:
            return f"{partner} hasn't been reached for {minutes:,} min: {why}"
        return f"{partner} hasn't been reached for {minutes:,} min"

    def _open_streams(self) -> Mapping[Labels, float]:
        up = {feed: status.connected for feed, status in list(self._streams.items())}  # from the scrape's thread
        for feed, link in list(self._links.items()):
            up[feed] = up.get(feed, False) or link.status.connected
        return {self._labels(feed): float(connected) for feed, connected in up.items()}

    def _labels(self, feed: FeedOrigin) -> Labels:
        outgoing = feed.publisher == self._node
        return feed.recipient if outgoing else feed.publisher, feed.channel.value, "out" if outgoing else "in"


def streams_of(partner: str) -> str:
    """Marks a replica at which a partner has an open stream."""
    return f"streams of {partner}"
