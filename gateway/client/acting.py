"""Calls on a connection in a person's name: each carries the person's assertion, and an approval where one is given."""

from __future__ import annotations

from dataclasses import fields
from functools import partial
from typing import Any

from gateway.client.connection import Connection, Stubs
from gateway.contract.person_metadata import APPROVAL_KEY, PERSON_KEY


class ActingConnection(Connection):
    """A person's calls on the channel of another connection, which stays open when this one is closed."""

    def __init__(self, base: Connection, *, assertion: str, approval: str = "") -> None:
        self._base = base
        self.address, self.timeout_s, self.attempt, self.node = base.address, base.timeout_s, base.attempt, base.node
        approvals = ((APPROVAL_KEY, approval),) if approval else ()
        self._metadata = ((PERSON_KEY, assertion), *approvals)
        self._bare: Stubs | None = None
        self._acting: Stubs | None = None

    @property
    def stubs(self) -> Stubs:
        bare = self._base.stubs
        if self._acting is None or self._bare is not bare:
            self._bare, self._acting = bare, self._with_metadata(bare)
        return self._acting

    async def close(self) -> None:
        """Does nothing: the channel isn't its own."""

    def _with_metadata(self, bare: Stubs) -> Stubs:
        services: dict[str, Any] = {
            field.name: _ActingService(getattr(bare, field.name), self._metadata)
            for field in fields(Stubs)
            if field.name != "channel"
        }
        return Stubs(channel=bare.channel, **services)


class _ActingService:
    """A service's methods, each called with the metadata."""

    def __init__(self, service: Any, metadata: tuple[tuple[str, str], ...]) -> None:
        self._service = service
        self._metadata = metadata

    def __getattr__(self, method: str) -> Any:
        return partial(getattr(self._service, method), metadata=self._metadata)
