"""Opens and runs links to partners by directory and settings; all links to one partner are one replica's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from gateway.contract.ids import BETWEEN_NODES, EARLIER, FeedOrigin
from gateway.feed.rpc.links import Link, LinkParts, PullLink, PushLink
from gateway.node.defaults import LinkMode
from gateway.node.roles import Roles
from gateway.node.settings import LinkSettings, Settings
from gateway.rpc.peers import Reconnection
from gateway.trust.rules.directory import Directory

log = logging.getLogger(__name__)


class Links:
    """The links of one node, by feed."""

    def __init__(
        self, settings: Settings, parts: LinkParts, *, directory: Callable[[], Directory], roles: Roles
    ) -> None:
        self._settings = settings
        self._parts = parts
        self._directory = directory
        self._roles = roles
        self._links: dict[FeedOrigin, Link] = {}
        self._left_over: set[FeedOrigin] = set()
        self._reconnections: dict[str, Reconnection] = {}
        self._running: dict[str, list[asyncio.Task[None]]] = {}
        self._basis = self._opened_with = parts.peers.basis()

    @property
    def by_feed(self) -> Mapping[FeedOrigin, Link]:
        """A live view."""
        return self._links

    @property
    def tasks(self) -> Sequence[asyncio.Task[None]]:
        """Running tasks, to cancel."""
        return [task for tasks in self._running.values() for task in tasks]

    def compare_again(self, feeds: Collection[FeedOrigin] | None = None) -> None:
        """Restarts connected links of own feeds, so that positions are compared; None for all."""
        for origin, link in self._links.items():
            own = origin.publisher == self._settings.node
            if own and link.status.connected and (feeds is None or origin in feeds):
                link.kick()

    def look_at_credentials(self) -> None:
        """Looks for new credentials and another directory; not on the event loop."""
        self._basis = self._parts.peers.basis()

    def follow_credentials(self) -> None:
        """Reopens all links with new credentials or another directory, if the last look found any."""
        if self._basis != self._opened_with:
            self._opened_with = self._basis
            log.info("links reopen with new credentials or another directory")
            for link in self._links.values():
                link.kick()

    def find_left_over(self) -> bool:
        """Looks for feeds of earlier channels, which links open for where they are used; whether there are more."""
        found = self._parts.outgoing.left_over()
        more = not found <= self._left_over
        self._left_over |= found
        return more

    def open(self, now: datetime) -> None:
        """Opens missing links for feeds whose connection starts here, and ends those of former members."""
        self._end_of_members()
        for partner in sorted(self._directory().partners(self._settings.node, now)):
            missing = [link for link in self._to(partner) if link.origin not in self._links]
            if missing:
                self._links.update({link.origin: link for link in missing})
                tasks = self._running.setdefault(partner, [])
                tasks.append(self._roles.run(role_of(partner), partial(_run, missing)))

    def _end_of_members(self) -> None:
        """Ends links to nodes that are no members, all if this one is none: nobody would answer them."""
        directory = self._directory()
        members = directory.nodes if self._settings.node in directory.nodes else {}
        for partner in sorted(self._running.keys() - members.keys()):
            for task in self._running.pop(partner):
                task.cancel()
            for origin in [origin for origin, link in self._links.items() if link.partner == partner]:
                del self._links[origin]
            self._reconnections.pop(partner, None)
            log.warning("links to %s end: %s", partner, directory.why_no_member(partner) or "this node is no member")

    def _to(self, partner: str) -> Iterator[Link]:
        how = self._settings.links.get(partner, LinkSettings())
        reconnection = self._reconnections.setdefault(partner, Reconnection(partner, self._parts.peers))
        for channel in BETWEEN_NODES:
            outgoing = self._directory().feed(self._settings.node, partner, channel)
            if channel in EARLIER and self._left_over.isdisjoint((outgoing, outgoing.reverse)):
                continue
            if not self._directory().carries(channel, self._settings.node, partner):
                continue
            if how.mode is LinkMode.PUSH:
                yield PushLink(outgoing, self._parts, on_open=self._reached, reconnection=reconnection)
            if how.fetch:
                yield PullLink(outgoing.reverse, self._parts, on_open=self._reached, reconnection=reconnection)

    def _reached(self, opened: Link) -> None:
        """Lets the partner's other links connect now, or ordinary alerts might go before urgent ones."""
        for link in self._links.values():
            if link.partner == opened.partner and link is not opened:
                link.hurry()


def role_of(partner: str) -> str:
    """The role of the replica that holds the links to a partner: one, since urgent alerts overtake others there."""
    return f"links to {partner}"


async def _run(links: Sequence[Link]) -> None:
    try:
        async with asyncio.TaskGroup() as group:
            for link in links:
                group.create_task(link.run(), name=f"link {link.origin}")
    finally:
        for link in links:
            link.reset()
