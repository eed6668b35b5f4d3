"""What becomes of a delivery, whatever the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from gateway.notifications.tables.notifications import WaitingDelivery

MOST_ERROR_CHARS: Final = 300
"""Characters of a server's answer that are kept and shown."""

ATTEMPT_S: Final = 10.0
"""Seconds for a connection, and for each answer of a server."""


@dataclass(frozen=True, slots=True)
class DeliveryAttempt:
    """What became of some deliveries that were tried.

    Attributes:
        taken: numbers of notifications that the other side has taken.
        failed: those to be tried again, with the reason.
        refused: those that are refused for good, with the reason.
        is_down: whether the server can't be used now, so that nothing else need be tried.
    """

    taken: tuple[int, ...] = ()
    failed: dict[int, str] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    is_down: bool = False


class DeliveryWay(Protocol):
    """A way out for notifications. Used in one thread; what it has sent isn't undone."""

    @property
    def name(self) -> str:
        """`email` or `webhook/NAME`."""

    @property
    def target(self) -> str:
        """Host and port that it goes to."""

    def send(self, deliveries: Sequence[WaitingDelivery]) -> DeliveryAttempt:
        """Tries deliveries in order; raises nothing for what a server or network does."""


def cut(error: object) -> str:
    """A reason in one short line."""
    return " ".join(str(error).split())[:MOST_ERROR_CHARS]
