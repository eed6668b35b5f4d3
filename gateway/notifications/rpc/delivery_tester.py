"""Sends test messages for callers, at once and in their call, but not over and over."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Final

from gateway.contract.messages import to_timestamp
from gateway.errors import OverloadedError
from gateway.notifications.rpc.delivery import DeliveryLoop
from gateway.notifications.rules.audience import Addressee
from gateway.notifications.service.sending import AnswerClass, DeliveryWay
from gateway.v1.notification_service_pb2 import DeliveryAnswer, TestNotificationDeliveryResponse

SPACING_S: Final = 5.0
"""Seconds between two test messages to a webhook, or to a person: a receiver isn't to be flooded."""

_ANSWERS: Final = {one: DeliveryAnswer.Value(f"DELIVERY_ANSWER_{one.name}") for one in AnswerClass}


class DeliveryTester:
    """Test messages by the ways of the settings; for one event loop."""

    def __init__(self, ways: Sequence[DeliveryLoop], *, clock: Callable[[], int]) -> None:
        self._ways: dict[str, DeliveryWay] = {loop.way.name: loop.way for loop in ways}
        self._clock = clock
        self._began: dict[str, float] = {}

    def has(self, name: str) -> bool:
        """Whether there is such a way."""
        return name in self._ways

    async def run(self, name: str, addressee: Addressee | None) -> TestNotificationDeliveryResponse:
        """Sends one, and says what became of it.

        Raises:
            OverloadedError: another one went by this way a moment ago.
        """
        way, began = self._ways[name], time.monotonic()
        key = f"{name} {addressee.id}" if addressee is not None else name
        left = self._began.get(key, float("-inf")) + SPACING_S - began
        if left > 0:
            raise OverloadedError("a test message went there a moment ago; try again in a moment", retry_after_s=left)
        self._began = {one: at for one, at in self._began.items() if at + SPACING_S > began} | {key: began}
        sent_at, message_id = self._clock(), f"test-{uuid.uuid4()}"
        answer = await asyncio.to_thread(way.test, addressee, message_id)
        return TestNotificationDeliveryResponse(
            way=name,
            target=way.target,
            answer=_ANSWERS[answer.kind],
            status=answer.status,
            sent_at=to_timestamp(sent_at),
            took_ms=round((time.monotonic() - began) * 1000),
            message_id=message_id,
        )
