"""What becomes of a delivery, whatever the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from gateway.notifications.rules.audience import Addressee
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


class AnswerClass(StrEnum):
    """What the other side of a delivery did."""

    TAKEN = "taken"
    REFUSED = "refused"
    NOT_NOW = "not_now"
    REDIRECTED = "redirected"
    NO_CONNECTION = "no_connection"
    NO_TLS = "no_tls"
    TOO_LATE = "too_late"


@dataclass(frozen=True, slots=True)
class ReceiverAnswer:
    """The other side's answer.

    Attributes:
        status: of HTTP or SMTP; 0 where there is none.
        problem: why it wasn't taken, in one line; empty when it was.
    """

    kind: AnswerClass
    status: int = 0
    problem: str = ""


class DeliveryWay(Protocol):
    """A way out for notifications. `send` is used in one thread, `test` in any; what was sent isn't undone."""

    @property
    def name(self) -> str:
        """`email` or `webhook/NAME`."""

    @property
    def target(self) -> str:
        """Host and port that it goes to."""

    def send(self, deliveries: Sequence[WaitingDelivery]) -> DeliveryAttempt:
        """Tries deliveries in order; raises nothing for what a server or network does."""

    def test(self, addressee: Addressee | None, message_id: str) -> ReceiverAnswer:
        """Sends one marked test message, once; raises nothing for what a server or network does.

        Args:
            addressee: who is mailed; a webhook needs none.
        """


def cut(error: object) -> str:
    """A reason in one short line."""
    return " ".join(str(error).split())[:MOST_ERROR_CHARS]
