"""Puts together how persons sign in at a node and call in their own name."""

from __future__ import annotations

import asyncio
import secrets
from functools import partial

from sqlalchemy import Connection

from gateway.contract.ids import UUID7_RANDOM_BYTES, uuid7
from gateway.feed.service.writing.commands import random_bytes
from gateway.node.capabilities.capability import Capability
from gateway.node.capabilities.parts import NodeParts
from gateway.persons.service.pseudonyms import Pseudonyms
from gateway.persons.tables import sessions
from gateway.rpc.authentication import DeferredPersonCalls

SEED_BYTES = 32

DAY_MS = 24 * 3_600_000


async def start_persons(parts: NodeParts, *, calls: DeferredPersonCalls, pseudonyms: Pseudonyms) -> Capability | None:
    """Persons, whom `calls` admits from now on; None where they are off.

    What only this needs is imported here: a node without persons doesn't load it.

    Raises:
        ConfigurationError: the provider's CA can't be read.
    """
    settings, database, writer, clock = parts.settings, parts.database, parts.writer, parts.clock
    if not settings.persons.enabled:
        return None
    from gateway.persons.commands.key_rotation import first_key  # noqa: PLC0415
    from gateway.persons.commands.transactions import PersonCommand  # noqa: PLC0415
    from gateway.persons.rpc.asserted import AssertedPersons  # noqa: PLC0415
    from gateway.persons.rpc.break_glass import BreakGlassAlarms  # noqa: PLC0415
    from gateway.persons.rpc.key_upkeep import AssertionKeyUpkeep  # noqa: PLC0415
    from gateway.persons.rpc.own_account import OwnAccount  # noqa: PLC0415
    from gateway.persons.rpc.service import PersonServicer  # noqa: PLC0415
    from gateway.persons.rpc.sign_in import SignIn  # noqa: PLC0415
    from gateway.persons.service.assertion_keys import AssertionKeys  # noqa: PLC0415
    from gateway.persons.service.directory import PersonQueries  # noqa: PLC0415
    from gateway.persons.service.passwords import Passwords  # noqa: PLC0415

    policy = settings.persons.policy(settings.node)
    keys = AssertionKeys(await writer.run(PersonCommand(first_key)), clock=clock)
    key_upkeep = AssertionKeyUpkeep(
        keys, database=database, writer=writer, clock=clock, oldest_ms=settings.persons.assertion_key_days * DAY_MS
    )
    pseudonyms.start(await writer.run(PersonCommand(partial(_secret, "pseudonyms"))))
    asserted = AssertedPersons(policy, keys=keys, database=database, writer=writer, clock=clock)
    passwords = await asyncio.to_thread(Passwords)
    break_glass = BreakGlassAlarms(database, parts.alarms, clock)
    servicer = PersonServicer(
        policy,
        sign_in=SignIn(policy, asserted=asserted, passwords=passwords, database=database, writer=writer, clock=clock),
        own=OwnAccount(policy, asserted=asserted, passwords=passwords, database=database, writer=writer, clock=clock),
        asserted=asserted,
        queries=PersonQueries(policy, database=database, clock=clock),
        alarms=break_glass,
        keys=key_upkeep,
        writer=writer,
        new_id=lambda: uuid7(clock(), random_bytes(UUID7_RANDOM_BYTES)),
    )
    calls.start(asserted)
    return Capability(
        {"gateway.v1.PersonService": servicer.register},
        everywhere={"break-glass": break_glass.run, "assertion-keys": key_upkeep.run},
    )


def _secret(purpose: str, conn: Connection, now_ms: int) -> bytes:
    """A secret of the node, which its replicas share; made at the first start with persons."""
    sessions.keep_secret(conn, purpose, secrets.token_bytes(SEED_BYTES), now_ms)
    kept = sessions.secret(conn, purpose)
    assert kept is not None  # noqa: S101  it was kept above
    return kept
