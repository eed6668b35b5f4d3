"""Several replicas of cn on one PostgreSQL database: one history, one holder of each link, no lost news."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from gateway.db.database import Database
from gateway.db.membership import ROLE_CLASS, role_key
from gateway.errors import ConfigurationError
from gateway.node.assembly.links import role_of
from gateway.node.assembly.node import Node
from gateway.node.sole_use import sole_use
from gateway.v1 import node_service_pb2
from tests.support.federation import Federation, alert, eventually, origin, with_logs
from tests.support.postgres import PostgresServer
from tests.support.replicas import ReplicaProcess, add_replicas
from tests.support.stored import published_ids

HOLDER = text(
    "SELECT substring(a.application_name FROM '[^ ]+$') FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = :role_class AND l.objid::bigint = :key"
)
BACKEND = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name")


class Replicas:
    """Four replicas of cn, of which two run at first, and hk."""

    def __init__(self, federation: Federation, url: str) -> None:
        self.federation = federation
        self.all = add_replicas(federation, "cn", url, 4)
        self._engine = create_engine(Database(url).engine.url, isolation_level="AUTOCOMMIT")

    def named(self, name: str) -> ReplicaProcess:
        return next(replica for replica in self.all if replica.config.parent.name[-1] == name[-1])

    def holder(self, role: str) -> str:
        """Name of the replica that holds a role; empty for none."""
        with self._engine.connect() as conn:
            key = role_key(role) % (1 << 32)
            return conn.execute(HOLDER, {"role_class": ROLE_CLASS, "key": key}).scalar_one_or_none() or ""

    def end_session(self, name: str) -> None:
        """Ends the session of a replica, as a database does that is restarted."""
        with self._engine.connect() as conn:
            conn.execute(BACKEND, {"name": f"gateway cn {name}"})

    def start(self, *replicas: ReplicaProcess) -> None:
        for replica in replicas:
            replica.start(wait=False)
        for replica in replicas:
            replica.wait_ready()

    def close(self) -> None:
        self._engine.dispose()


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Replicas]:
    name = postgres_server.create()
    for federation in with_logs(tmp_path_factory.mktemp("replicas")):
        made = Replicas(federation, postgres_server.url_of(name))
        federation.start("hk")
        made.start(*made.all[:2])
        yield made
        made.close()
        for replica in made.all:
            replica.kill()
    postgres_server.drop(name)


async def publish(replicas: Replicas, replica: ReplicaProcess, reference: str, count: int, done: set[str]) -> None:
    """Publishes through a replica, one alert after the other; adds the ids of those that it acknowledged to `done`."""
    async with replicas.federation.client_at(replica.local_port, "cn", "publisher") as client:
        for number in range(count):
            published = await client.publish(alert(case_reference=f"{reference}-{number}"), ["hk"])
            done.add(published.alert_id)


async def arrived(replicas: Replicas, acknowledged: set[str]) -> None:
    """Waits until hk has each of these alerts once, and the same history as cn."""

    async def all_there() -> bool:
        there = published_ids(replicas.federation["hk"].feed(origin("cn", "hk")))
        assert len(there) == len(set(there)), "an alert is there twice"
        return acknowledged <= set(there)

    await eventually(all_there, what="the alerts at hk")


def test_four_replicas_publish_to_one_feed_and_one_is_killed(replicas: Replicas) -> None:
    replicas.start(*replicas.all[2:])

    done: set[str] = set()

    async def run() -> None:
        publishing = {
            replica.config.parent.name: asyncio.gather(
                *[publish(replicas, replica, f"{replica.config.parent.name}-{caller}", 12, done) for caller in range(3)]
            )
            for replica in replicas.all
        }
        await asyncio.sleep(0.3)
        replicas.all[3].kill()
        publishing.pop("replica-4").cancel()
        await asyncio.gather(*publishing.values())
        assert len(done) >= 3 * 3 * 12
        await arrived(replicas, done)

    replicas.federation.run(run())
    replicas.all[2].stop()


def test_the_links_of_a_killed_or_stopped_replica_are_taken_over(replicas: Replicas) -> None:
    links, done = role_of("hk"), set[str]()

    async def run() -> None:
        for number in (signal.SIGKILL, signal.SIGSTOP):
            before = await eventually(lambda: _holder(replicas, links), what="a holder of the links")
            holder, other = (
                replicas.named(before),
                next(one for one in replicas.all[:2] if one is not replicas.named(before)),
            )
            os.kill(holder.pid, number)
            if number == signal.SIGKILL:
                holder.kill()
            await eventually(lambda before=before: _holder(replicas, links, but=before), what="another holder")
            await publish(replicas, other, f"after-{number}", 3, done)
            await arrived(replicas, done)
            if number == signal.SIGKILL:
                holder.start()
            else:
                os.kill(holder.pid, signal.SIGCONT)
        await publish(replicas, holder, "continued", 3, done)
        await arrived(replicas, done)

    replicas.federation.run(run())


async def _holder(replicas: Replicas, role: str, *, but: str = "") -> str:
    """Name of a role's holder, other than one; empty for none."""
    holder = await asyncio.to_thread(replicas.holder, role)
    return "" if holder == but else holder


def test_a_watcher_hears_of_other_replicas_also_when_notices_are_lost(replicas: Replicas) -> None:
    watched, other = replicas.all[:2]

    async def run() -> None:
        async with (
            replicas.federation.client_at(watched.local_port, "cn", "officer") as officer,
            replicas.federation.client_at(other.local_port, "cn", "publisher") as risk,
        ):
            seen: set[str] = set()

            async def watch() -> None:
                async for change in officer.watch():
                    seen.add(change.alert.alert_id)

            watching = asyncio.create_task(watch())
            for lost in (False, True):
                if lost:
                    await asyncio.to_thread(replicas.end_session, "cn-1")
                published = await risk.publish(alert(case_reference=f"watched-{lost}"), ["hk"])

                async def shown(alert_id: str = published.alert_id) -> bool:
                    assert not watching.done() or watching.result()
                    return alert_id in seen

                await eventually(shown, within_s=60, what="the alert at the watcher")
            watching.cancel()

    replicas.federation.run(run())


def test_status_names_the_replicas_and_what_each_holds(replicas: Replicas) -> None:
    async def run() -> None:
        async with replicas.federation.client_at(replicas.all[0].local_port, "cn", "operator") as operator:

            async def all_roles_held() -> bool:
                status = await operator.node.status()
                assert [replica.name for replica in status.replicas if replica.answering] == ["cn-1"]
                assert {replica.name for replica in status.replicas} == {"cn-1", "cn-2"}
                roles = [role for replica in status.replicas for role in replica.roles if "streams" not in role]
                assert len(roles) == len(set(roles)), "two replicas hold one role"
                return {role_of("hk"), role_of("mo"), "housekeeping", "projections", "history-index"} <= set(roles)

            await eventually(all_roles_held, within_s=60, what="a holder of each role")

            async def links_shown() -> bool:
                links = await operator.node.links()
                held = await asyncio.to_thread(replicas.holder, role_of("hk")) == "cn-1"
                there = node_service_pb2.LINK_STATE_CONNECTED if held else node_service_pb2.LINK_STATE_ELSEWHERE
                return {link.state for link in links if link.partner == "hk" and link.direction == "out"} == {there}

            await eventually(links_shown, within_s=60, what="the state of the links")

    replicas.federation.run(run())


def test_what_is_no_replica_is_refused(replicas: Replicas, tmp_path: Path) -> None:
    first = replicas.all[0].settings
    with pytest.raises(ConfigurationError, match=f"process {replicas.all[0].pid} holds the lock"):
        Node(first)
    with Federation(tmp_path / "other") as other:
        for folder, settings, complaint in (
            ("hk", replicas.federation["hk"].settings, "this is the database of cn in"),
            ("other", other["cn"].settings, "a key that this node's directory doesn't list"),
        ):
            given = settings.model_copy(update={"database_url": first.database_url, "data_dir": tmp_path / folder})
            with pytest.raises(ConfigurationError, match=complaint):
                Node(given)
    unused = first.model_copy(update={"data_dir": tmp_path / "data"})
    with pytest.raises(ConfigurationError, match="stop all replicas"), sole_use(unused, command="gateway rebuild"):
        pass
