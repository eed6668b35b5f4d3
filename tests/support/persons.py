"""Persons of tests: enrolled at a gateway through a console's own certificate, with a passkey in software."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from gateway.client import GatewayClient, approval_of
from gateway.v1.person_pb2 import SignedIn
from gateway.v1.watchlist_service_pb2 import ProposedEntry
from tests.support.federation import Federation
from tests.support.nodes import listed_content
from tests.support.passkeys import DOMAIN, ORIGIN, SoftAuthenticator

SETTINGS = f"""
[persons]
enabled = true
domain = "{DOMAIN}"
origins = ["{ORIGIN}"]
require_passkey = false
break_glass_minutes = 30
[lists.minerals]
four_eyes = true
"""
SYSTEMS = {
    "console": ("console",),
    "console2": ("console",),
    "operator": ("operator",),
    "publisher": ("publisher",),
    "supervisor": ("supervisor",),
    "auditor": ("auditor",),
}
PASSWORD = "correct horse battery staple"


@dataclass
class Officer:
    """A person who has signed in through a console."""

    console: GatewayClient
    signed_in: SignedIn
    authenticator: SoftAuthenticator = field(default_factory=SoftAuthenticator)

    @property
    def name(self) -> str:
        return self.signed_in.person

    def client(self, approval: str = "") -> GatewayClient:
        return self.console.acting_for(self.signed_in.assertion, approval)

    async def add_passkey(self) -> None:
        asked = await self.client().persons.begin_passkey_registration()
        answer = self.authenticator.create(asked.options_json)
        await self.client().persons.finish_passkey_registration(asked.challenge_id, answer, label="blue key")

    async def approval(self, method: str, request: Any) -> str:
        asked = await self.client().persons.begin_approval(method, request)
        assert asked is not None
        return approval_of(asked.challenge_id, self.authenticator.get(asked.options_json))


@asynccontextmanager
async def desk(nodes: Federation, console: str = "console") -> AsyncIterator[tuple[GatewayClient, GatewayClient]]:
    """A console of cn, and the operator's own system."""
    async with nodes.client("cn", console) as at_console, nodes.client("cn", "operator") as operator:
        yield at_console, operator


def new_name() -> str:
    return f"officer-{uuid.uuid4().hex[:10]}"


async def enrolled(console: GatewayClient, operator: GatewayClient, *roles: str, name: str = "") -> Officer:
    name = name or new_name()
    added = await operator.persons.add(name, f"Officer {name[-4:]}", roles)
    return Officer(console, await console.persons.enrol(added.enrolment_token, PASSWORD, device="Firefox"))


def proposal() -> ProposedEntry:
    return ProposedEntry(id=uuid.uuid4().hex[:12], content=listed_content("示例稀土有限公司"))


async def audited(nodes: Federation, filter: str) -> list[Any]:
    async with nodes.client("cn", "auditor") as auditor:
        return [event async for event in auditor.evidence.audit_events(filter=filter)]
