"""Links by partner: state, connection, the oldest entry that waits, what lags, and each feed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.translation.feed_names import channel_text, feed_of
from gateway.translation.messages import N_, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1.node_service_pb2 import Link, LinkState

_STATES: Final = {
    LinkState.LINK_STATE_QUARANTINED: (N_("Quarantine"), "bad"),
    LinkState.LINK_STATE_RECOVERY_REQUIRED: (N_("To be recovered"), "bad"),
    LinkState.LINK_STATE_SUSPENDED: (N_("Suspended"), "bad"),
    LinkState.LINK_STATE_CONNECTED: (N_("Connected"), "good"),
    LinkState.LINK_STATE_PULLED: (N_("Partner fetches"), "good"),
    LinkState.LINK_STATE_CONNECTING: (N_("Not reached"), "bad"),
    LinkState.LINK_STATE_ELSEWHERE: (N_("At another replica"), "quiet"),
    LinkState.LINK_STATE_CLOSED: (N_("Ended"), "quiet"),
}
"""Word and colour of each state, what needs an operator first."""

_OBSTACLES: Final = list(_STATES)[:3]
_CONNECTIONS: Final = list(_STATES)[3:7]


@dataclass(frozen=True, slots=True)
class PartnerFeedRow:
    """A feed of a partner: what it carries, its state, and how many entries have no receipt or are pending."""

    link: Link
    name: str
    state: tuple[str, str]
    lag: int


@dataclass(frozen=True, slots=True)
class PartnerRow:
    """A partner, or this node with feeds of its own that are blocked.

    Attributes:
        states: what stands in the way; in order where nothing does.
        connection: None for this node.
        oldest: when the oldest entry was recorded that waits; None for none.
        lags: what waits, in words.
        error: the last one of a feed; empty for none.
    """

    partner: str
    states: Sequence[tuple[str, str]]
    connection: tuple[str, str] | None
    oldest: Timestamp | None
    last_exchange: Timestamp | None
    lags: Sequence[str]
    error: str
    feeds: Sequence[PartnerFeedRow]

    @property
    def is_own(self) -> bool:
        return self.connection is None


def state_of(link: Link) -> tuple[str, str]:
    """Word and colour of a link's state."""
    return _state(link.state)


def partner_rows(links: Iterable[Link]) -> list[PartnerRow]:
    """A row for each partner, by name, this node's own feeds last."""
    groups = groupby(sorted(links, key=lambda link: (_is_own(link), link.partner)), key=lambda link: link.partner)
    return [_row(partner, list(group)) for partner, group in groups]


def _row(partner: str, links: Sequence[Link]) -> PartnerRow:
    present = {link.state for link in links}
    if any(link.suspension for link in links):
        present.add(LinkState.LINK_STATE_SUSPENDED)
    states = [_state(state) for state in _OBSTACLES if state in present]
    own = all(map(_is_own, links))
    return PartnerRow(
        partner=partner,
        states=states or [(_("In order"), "good")],
        connection=None if own else _connection(present),
        oldest=min(
            (link.oldest_waiting_at for link in links if link.HasField("oldest_waiting_at")), key=_at, default=None
        ),
        last_exchange=max((link.last_exchange_at for link in links), key=_at) if links else None,
        lags=_lags(links),
        error=next((link.last_error for link in links if link.last_error), ""),
        feeds=[PartnerFeedRow(link, _name(link), state_of(link), _lag(link)) for link in links],
    )


def _connection(present: set[LinkState.ValueType]) -> tuple[str, str]:
    if {LinkState.LINK_STATE_CONNECTED, LinkState.LINK_STATE_CONNECTING} <= present:
        return _("Connected in part"), "warn"
    return next((_state(state) for state in _CONNECTIONS if state in present), ("—", "quiet"))


def _lags(links: Sequence[Link]) -> list[str]:
    backlog, waiting = (sum(getattr(link, name) for link in links) for name in ("backlog", "waiting"))
    texts = [
        (backlog, ngettext("{number} entry without a receipt", "{number} entries without a receipt", backlog)),
        (waiting, ngettext("{number} entry pending here", "{number} entries pending here", waiting)),
    ]
    return [text for number, text in texts if number]


def _lag(link: Link) -> int:
    return link.backlog if link.direction == "out" else link.waiting


def _name(link: Link) -> str:
    feed = feed_of(link.origin)
    return channel_text(feed) if feed is not None else link.origin


def _is_own(link: Link) -> bool:
    feed = feed_of(link.origin)
    return feed is not None and feed.publisher == feed.recipient


def _state(state: LinkState.ValueType) -> tuple[str, str]:
    name, colour = _STATES.get(state, (N_("Unknown"), "quiet"))
    return _(name), colour


def _at(time: Timestamp) -> tuple[int, int]:
    return time.seconds, time.nanos
