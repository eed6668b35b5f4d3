"""The keys that sign assertions: replaced by age and by command, known to every replica before they sign."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.db.database import Database
from gateway.errors import SessionEndedError
from gateway.persons.codec.assertions import AssertionKey, claimed_key_id
from gateway.persons.commands.key_rotation import first_key, rotate_key
from gateway.persons.commands.transactions import PersonCommand
from gateway.persons.rpc.key_upkeep import AssertionKeyUpkeep
from gateway.persons.rules.accounts import AccountSource, PersonAccount
from gateway.persons.rules.assertion_keys import ANNOUNCED_MS, OUTLIVES_MS
from gateway.persons.rules.assertions import AssertionClaims
from gateway.persons.rules.sessions import SessionRow, SignInWay
from gateway.persons.service.assertion_keys import AssertionKeys
from gateway.persons.tables import accounts, assertion_keys, sessions
from gateway.persons.tables.assertion_keys import AssertionKeyRow
from tests.support.databases import new_database

DAY_MS = 24 * 3_600_000
OLDEST_MS = 30 * DAY_MS


@dataclass
class Cluster:
    """Replicas of a node on one database and one clock."""

    database: Database
    now_ms: int = 1_800_000_000_000

    def run(self, work: Callable[..., Any]) -> Any:
        with self.database.write() as conn:
            return work(conn, self.now_ms)

    def replica(self) -> tuple[AssertionKeys, AssertionKeyUpkeep]:
        class Writer:
            async def run(_, command: PersonCommand[Any]) -> Any:
                return self.run(command.work)

        keys = AssertionKeys(self.run(first_key), clock=lambda: self.now_ms)
        upkeep = AssertionKeyUpkeep(
            keys,
            database=self.database,
            writer=Writer(),  # type: ignore[arg-type]
            clock=lambda: self.now_ms,
            oldest_ms=OLDEST_MS,
        )
        return keys, upkeep

    def claims(self) -> AssertionClaims:
        now_s = self.now_ms // 1000
        return AssertionClaims(
            issuer="gateway/cn",
            audience="gateway/cn",
            subject="person/cn/chan",
            session="s",
            certificate="ab" * 32,
            issued_at=now_s,
            expires_at=now_s + 120,
        )

    def rows(self) -> list[AssertionKeyRow]:
        with self.database.read() as conn:
            return assertion_keys.list_all(conn)

    def made(self) -> list[int]:
        return [key.made_at for key in self.rows()]

    def begin_session(self, session_id: str) -> None:
        row = SessionRow(
            session_id=session_id,
            token_digest=sessions.digest_of_token("token"),
            person="chan",
            system="console",
            way=SignInWay.PASSWORD,
            device="",
            started_at=self.now_ms,
            used_at=self.now_ms,
            ends_at=self.now_ms + DAY_MS,
        )
        account = PersonAccount(name="chan", display_name="Chan", roles=frozenset(), source=AccountSource.LOCAL)
        with self.database.write() as conn:
            accounts.add(conn, account)
            sessions.begin(conn, row)

    def session(self, session_id: str) -> SessionRow:
        with self.database.read() as conn:
            live = sessions.find_live(conn, session_id)
        assert live is not None
        return live.session


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    database = new_database(f"sqlite:///{tmp_path / 'db.sqlite3'}")
    yield Cluster(database)
    database.close()


def test_a_new_key_signs_when_every_replica_knows_it_and_the_old_one_s_assertions_hold_until_they_expire(
    cluster: Cluster,
) -> None:
    async def run() -> None:
        here, upkeep = cluster.replica()
        there, other_upkeep = cluster.replica()
        old = here.sign(cluster.claims())
        cluster.now_ms += 1
        await upkeep.rotate()
        assert claimed_key_id(here.sign(cluster.claims())) == claimed_key_id(old)  # nobody else may know the new one
        cluster.now_ms += ANNOUNCED_MS
        new = here.sign(cluster.claims())
        assert claimed_key_id(new) != claimed_key_id(old)
        with pytest.raises(SessionEndedError):  # it hasn't looked, which it does twice meanwhile
            there.verify(new)
        await other_upkeep.look()
        for keys in (here, there):
            for assertion in (old, new):
                assert keys.verify(assertion).person == "chan"
        assert claimed_key_id(there.sign(cluster.claims())) == claimed_key_id(new)

    asyncio.run(run())


def test_what_a_replaced_key_signs_later_is_refused(cluster: Cluster) -> None:
    async def run() -> None:
        keys, upkeep = cluster.replica()
        with cluster.database.read() as conn:
            stolen = AssertionKey(assertion_keys.list_all(conn)[0].seed)
        await upkeep.rotate()
        before = stolen.sign(cluster.claims())
        cluster.now_ms += ANNOUNCED_MS + 10_000
        assert keys.verify(before)
        with pytest.raises(SessionEndedError, match="replaced"):
            keys.verify(stolen.sign(cluster.claims()))

    asyncio.run(run())


def test_keys_are_replaced_by_age_once_and_forgotten_when_nothing_of_them_holds(cluster: Cluster) -> None:
    async def run() -> None:
        _, upkeep = cluster.replica()
        _, other_upkeep = cluster.replica()
        (first,) = cluster.made()
        cluster.now_ms += OLDEST_MS - 1
        await upkeep.look()
        assert cluster.made() == [first]
        cluster.now_ms += 1
        await upkeep.look()
        await other_upkeep.look()
        second = cluster.now_ms
        assert cluster.made() == [first, second]
        cluster.now_ms += OUTLIVES_MS
        cluster.run(rotate_key)
        assert cluster.made() == [first, second, cluster.now_ms]
        cluster.now_ms += 1
        cluster.run(rotate_key)
        assert first not in cluster.made()
        assert second in cluster.made()

    asyncio.run(run())


def test_a_replica_that_starts_later_makes_no_other_key(cluster: Cluster) -> None:
    cluster.run(first_key)
    cluster.run(rotate_key)
    cluster.now_ms += OUTLIVES_MS + 1
    cluster.run(rotate_key)
    made = cluster.made()
    cluster.replica()
    assert cluster.made() == made


@pytest.mark.parametrize("wrong", ["", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "W10.e30.", "\x00é"])
def test_an_assertion_that_names_no_key_is_refused(cluster: Cluster, wrong: str) -> None:
    keys, _ = cluster.replica()
    assert claimed_key_id(wrong) == ""
    with pytest.raises(SessionEndedError):
        keys.verify(wrong)


def test_a_key_doesnt_show_its_secret(cluster: Cluster) -> None:
    (key,) = cluster.run(first_key)
    assert str(key.seed) not in repr(key)
    assert replace(key, made_at=0).seed == key.seed


def test_in_an_emergency_nothing_of_the_old_keys_holds_and_every_session_ends(cluster: Cluster) -> None:
    async def run() -> None:
        here, upkeep = cluster.replica()
        there, other_upkeep = cluster.replica()
        await upkeep.rotate()
        cluster.now_ms += ANNOUNCED_MS
        await upkeep.look()
        await other_upkeep.look()
        stolen = [AssertionKey(key.seed) for key in cluster.rows()]
        before = [key.sign(cluster.claims()) for key in stolen]
        cluster.begin_session("s")

        ended = await upkeep.end_assertions()
        assert ended.sessions == 1
        assert cluster.session("s").ended_at == cluster.now_ms
        (made,) = cluster.made()
        new = here.sign(cluster.claims())
        assert here.verify(new).person == "chan"
        await other_upkeep.look()
        assert there.verify(new).person == "chan"
        for keys in (here, there):
            for assertion in (*before, *(key.sign(cluster.claims()) for key in stolen)):
                with pytest.raises(SessionEndedError, match="no key of this node"):
                    keys.verify(assertion)
        await upkeep.end_assertions()  # in the same millisecond: another key all the same
        assert cluster.made() == [made + 1]

    asyncio.run(run())
