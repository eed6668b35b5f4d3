"""Says which feed or link a name means: `alerts to MO` for `gba.customs.example/cn/mo/alerts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.contract.ids import Channel, FeedOrigin
from gateway.errors import MalformedError
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

_CHANNELS: Final[Mapping[Channel, str]] = {
    Channel.ALERTS_A: N_("Urgent alerts"),
    Channel.ALERTS_B: N_("Alerts of priority B"),
    Channel.ALERTS: N_("Alerts"),
    Channel.WATCHLIST: N_("Lists"),
    Channel.LICENCES: N_("Licences"),
    Channel.RISK_PROFILES: N_("Risk profiles"),
    Channel.LISTS: N_("Own lists and decisions"),
    Channel.RECORDS: N_("Records of shipments"),
    Channel.AUDIT: N_("Heads of the audit log"),
    Channel.LICENCE_REGISTER: N_("Register of licences"),
    Channel.PROFILE_REGISTER: N_("Register of risk profiles"),
}


def feed_of(line: str) -> FeedOrigin | None:
    """The feed of a name; None where it is none."""
    try:
        return FeedOrigin.parse(line)
    except MalformedError:
        return None


def channel_text(feed: FeedOrigin) -> str:
    """What a feed carries."""
    name = _(_CHANNELS[feed.channel])
    return _("{feed}, epoch {number}", feed=name, number=feed.epoch) if feed.epoch > 1 else name


def link_text(line: str, own: str) -> str:
    """Which link a feed's name means, seen from the node `own`; the name itself where it is no feed's."""
    feed = feed_of(line)
    if feed is None:
        return line
    if feed.publisher == own:
        return _("to {node} ({feed})", node=feed.recipient.upper(), feed=channel_text(feed))
    return _("from {node} ({feed})", node=feed.publisher.upper(), feed=channel_text(feed))
