"""Makes the keys that sign assertions, and forgets those whose assertions have all expired."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.persons.codec.assertions import SEED_BYTES
from gateway.persons.rules.assertion_keys import forgotten_before
from gateway.persons.tables import assertion_keys, sessions
from gateway.persons.tables.assertion_keys import AssertionKeyRow


def first_key(conn: Connection, now_ms: int) -> list[AssertionKeyRow]:
    """All keys of the node; makes one where there is none."""
    if not assertion_keys.list_all(conn):
        assertion_keys.add_first(conn, AssertionKeyRow(seed=secrets.token_bytes(SEED_BYTES), made_at=now_ms))
    return assertion_keys.list_all(conn)


def rotate_key(conn: Connection, now_ms: int, *, older_than_ms: int = 0) -> list[AssertionKeyRow]:
    """Makes the next key unless the newest is younger than that; returns all, the oldest first.

    Two replicas that rotate by age at once make one key: the second sees the first one's in its transaction.
    """
    keys = first_key(conn, now_ms)
    if now_ms - keys[-1].made_at < older_than_ms:
        return keys
    made_at = max(now_ms, keys[-1].made_at + 1)
    assertion_keys.add(conn, AssertionKeyRow(seed=secrets.token_bytes(SEED_BYTES), made_at=made_at))
    keys = assertion_keys.list_all(conn)
    begins = [key.made_at for key in keys]
    forgotten = forgotten_before(begins, now_ms)
    if forgotten:
        assertion_keys.remove(conn, keys[:forgotten])
    return keys[forgotten:]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedAssertions:
    """What took the place of everything that was signed before, and how many sessions ended."""

    keys: list[AssertionKeyRow]
    sessions: int


def end_assertions(conn: Connection, now_ms: int) -> EndedAssertions:
    """Ends all sessions and grants, takes back links, and leaves one new key alone, which signs at once.

    No assertion outlives its session by more than a second, at any replica, whether it knows the new key or not.
    """
    made_at = max([now_ms, *(key.made_at + 1 for key in assertion_keys.list_all(conn))])
    ended = sessions.end_everything(conn, now_ms)
    assertion_keys.remove_all(conn)
    assertion_keys.add(conn, AssertionKeyRow(seed=secrets.token_bytes(SEED_BYTES), made_at=made_at))
    return EndedAssertions(keys=assertion_keys.list_all(conn), sessions=ended)
