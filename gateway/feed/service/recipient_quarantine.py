"""Raises an alarm about an own feed that its recipient has in quarantine: nothing published on it arrives."""

from __future__ import annotations

from gateway.contract.ids import FeedOrigin
from gateway.errors import GatewayError, MisbehaviourError, QuarantinedError
from gateway.feed.service.alarms import QUARANTINED_AT_PARTNER, Alarms

MAX_REASON_CHARS = 1_024
"""Longest reason kept, in characters: partners write them."""


class RecipientQuarantine:
    """Our feeds of which a recipient has said so, with an alarm for each. Thread-safe."""

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms

    def refused(self, origin: FeedOrigin, error: GatewayError) -> bool:
        """Whether a recipient's refusal tells of a quarantine, which is an alarm then."""
        if not isinstance(error, (QuarantinedError, MisbehaviourError)):
            return False
        reason = error.message
        for prefix in (f"{origin} is in quarantine at its recipient: ", f"{origin}: "):
            reason = reason.removeprefix(prefix)
        self.note(origin, reason)
        return True

    def note(self, origin: FeedOrigin, reason: str) -> None:
        """Takes the recipient's word."""
        message = f"{origin} is in quarantine at its recipient: {reason[:MAX_REASON_CHARS]}"
        self._alarms.set(QUARANTINED_AT_PARTNER, origin.line, message)

    def ended(self, origin: FeedOrigin) -> None:
        """The recipient takes the feed, or another replica asks it now."""
        self._alarms.clear(QUARANTINED_AT_PARTNER, origin.line)

    def has(self, origin: FeedOrigin) -> bool:
        """Whether the recipient has said so, as far as this process knows."""
        return any(
            alarm.subject == origin.line for alarm in self._alarms.list() if alarm.code == QUARANTINED_AT_PARTNER
        )
