"""Publishes changes to a webhook of the settings: one signed request for each, in order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from gateway.errors import UnavailableError
from gateway.notifications.codec.outbox import OutboxMessage
from gateway.notifications.service.webhooks import SignedPoster, WebhookTarget


class PostingPublisher:
    """Posts in a thread; an answer of 2xx says that the receiver has stored the change."""

    def __init__(self, target: WebhookTarget, *, clock: Callable[[], int]) -> None:
        self._target = target
        self._poster = SignedPoster(target, clock=clock)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="outbox")

    @property
    def target(self) -> str:
        return self._target.host

    async def publish(self, messages: Sequence[OutboxMessage]) -> None:
        """Raises UnavailableError for the first that isn't taken; those before it come again with the same ids."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._post_all, messages)

    async def close(self) -> None:
        self._executor.submit(self._poster.close)

    def _post_all(self, messages: Sequence[OutboxMessage]) -> None:
        for message in messages:
            problem = self._poster.post(message.id, message.body)
            if problem:
                raise UnavailableError(f"{self.target}: {problem}")
