"""Opens and runs links to partners by directory and settings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from gateway.contract.ids import BETWEEN_NODES, FeedOrigin
from gateway.feed.rpc.auditing import PublisherAuditor
from gateway.feed.rpc.intake import Intake
from gateway.feed.rpc.links import Link, PullLink, PushLink
from gateway.feed.rpc.sending import FeedSender
from gateway.feed.service.sender import Outgoing
from gateway.node.defaults import LinkMode
from gateway.node.settings import LinkSettings, Settings
from gateway.rpc.peers import Peers
from gateway.telemetry.metrics import Metrics
from gateway.trust.rules.directory import Directory


class Links:
    """The links of one node, by feed."""

    def __init__(
        self,
        settings: Settings,
        *,
        directory: Callable[[], Directory],
        peers: Peers,
        outgoing: Outgoing,
        intake: Intake,
        sender: FeedSender,
        auditor: PublisherAuditor,
        clock: Callable[[], int],
        metrics: Metrics,
    ) -> None:
        self._metrics = metrics
        self._settings = settings
        self._directory = directory
        self._peers = peers
        self._outgoing = outgoing
        self._intake = intake
        self._sender = sender
        self._auditor = auditor
        self._clock = clock
        self._links: dict[FeedOrigin, Link] = {}
        self._running: list[asyncio.Task[None]] = []

    @property
    def by_feed(self) -> Mapping[FeedOrigin, Link]:
        """A live view."""
        return self._links

    @property
    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """Running tasks, to cancel."""
        return self._running

    def open(self, now: datetime) -> None:
        """Opens missing links for feeds whose connection starts here."""
        federation, own = self._settings.federation, self._settings.node
        for partner in sorted(self._directory().partners(own, now)):
            how = self._settings.links.get(partner, LinkSettings())
            for channel in BETWEEN_NODES:
                outgoing = FeedOrigin(federation, own, partner, channel)
                if how.mode is LinkMode.PUSH and outgoing not in self._links:
                    self._run(self._push(outgoing))
                if how.fetch and outgoing.reverse not in self._links:
                    self._run(self._pull(outgoing.reverse))

    def _push(self, feed: FeedOrigin) -> PushLink:
        return PushLink(
            feed,
            peers=self._peers,
            clock=self._clock,
            outgoing=self._outgoing,
            sender=self._sender,
            auditor=self._auditor,
            on_open=self._reached,
            metrics=self._metrics,
        )

    def _pull(self, feed: FeedOrigin) -> PullLink:
        return PullLink(
            feed,
            peers=self._peers,
            clock=self._clock,
            outgoing=self._outgoing,
            intake=self._intake,
            auditor=self._auditor,
            on_open=self._reached,
            metrics=self._metrics,
        )

    def _reached(self, opened: Link) -> None:
        """Lets the partner's other links connect now, or ordinary alerts might go before urgent ones."""
        for link in self._links.values():
            if link.partner == opened.partner and link is not opened:
                link.hurry()

    def _run(self, link: Link) -> None:
        self._links[link.origin] = link
        self._running.append(asyncio.create_task(link.run(), name=f"link {link.origin}"))
