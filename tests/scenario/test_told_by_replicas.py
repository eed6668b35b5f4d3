"""Notifications and the outbox of two replicas on one PostgreSQL database: each change once, whichever dies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import Engine, create_engine, text

from gateway.db.database import Database
from gateway.db.membership import ROLE_CLASS, role_key
from gateway.notifications.rpc.outbox import PUBLISHING
from gateway.notifications.rpc.teller import TELLING
from gateway.notifications.tables.progress import OUTBOX, PROGRESS
from gateway.v1.notification_service_pb2 import NotificationKind, NotificationRule
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.postgres import PostgresServer
from tests.support.programs import NATS_SERVER
from tests.support.receivers import NatsProcess, nats_process
from tests.support.replicas import ReplicaProcess, add_replicas

HOLDER = text(
    "SELECT substring(a.application_name FROM '[^ ]+$') FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
    "WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint = :role_class AND l.objid::bigint = :key"
)
BACKENDS = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = :name")
AT_ONCE = 8


@dataclass
class HongKong:
    nodes: Federation
    replicas: list[ReplicaProcess]
    nats: NatsProcess
    engine: Engine

    def holder(self, role: str) -> str:
        with self.engine.connect() as conn:
            key = role_key(role) % (1 << 32)
            return conn.execute(HOLDER, {"role_class": ROLE_CLASS, "key": key}).scalar_one_or_none() or ""

    def named(self, name: str) -> ReplicaProcess:
        return self.replicas[int(name[-1]) - 1]

    async def begun(self) -> bool:
        """Both have noted where they begin: what happened before that isn't told."""
        with self.engine.connect() as conn:
            return None not in (PROGRESS.read(conn).alert_position, OUTBOX.read(conn).alert_position)

    async def held(self, role: str) -> str:
        async def somebody() -> str:
            return self.holder(role)

        return await eventually(somebody, within_s=60, what=f"a replica with the role {role}")


@pytest.fixture(scope="module")
def hk(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[HongKong]:
    NATS_SERVER.require()
    folder = tmp_path_factory.mktemp("told-by-replicas")
    name = postgres_server.create()
    url = postgres_server.url_of(name)
    with nats_process(folder / "nats") as nats:
        lines = f'[notifications]\nenabled = true\n[notifications.outbox]\nnats = "{nats.url}"\n'
        for made in with_logs(folder / "nodes", settings_of=lambda node: lines if node == "hk" else ""):
            both = add_replicas(made, "hk", url, 2)
            made.start("cn")
            for replica in both:
                replica.start()
            engine = create_engine(Database(url).engine.url, isolation_level="AUTOCOMMIT")
            yield HongKong(made, both, nats, engine)
            engine.dispose()
            for replica in both:
                replica.kill()
    postgres_server.drop(name)


def test_each_is_told_once_though_the_replica_that_tells_is_killed_or_loses_its_session(hk: HongKong) -> None:
    async def run() -> None:
        rule = NotificationRule(kinds=[NotificationKind.NOTIFICATION_KIND_NEW_ALERT])
        for replica in hk.replicas:  # each remembers rules for some seconds, but for a change of its own
            async with hk.nodes.client_at(replica.local_port, "hk", "officer") as officer:
                await officer.notifications.set_rules([rule])
        await eventually(hk.begun, within_s=60)
        sent: list[str] = []
        async with hk.nodes.client("cn", "publisher") as publisher:
            for role in (TELLING, PUBLISHING):
                sent += [(await publisher.publish(alert(), ["hk"])).alert_id for _ in range(AT_ONCE)]
                dead = hk.named(await hk.held(role))
                dead.kill()
                sent += [(await publisher.publish(alert(), ["hk"])).alert_id for _ in range(AT_ONCE)]
                await hk.held(role)  # the other one has it
                dead.start()
                name = await hk.held(role)
                sent += [(await publisher.publish(alert(), ["hk"])).alert_id for _ in range(AT_ONCE)]
                with hk.engine.connect() as conn:  # as a database that is restarted: the process goes on
                    conn.execute(BACKENDS, {"name": f"gateway hk {name}"})
                sent += [(await publisher.publish(alert(), ["hk"])).alert_id for _ in range(AT_ONCE)]

        async with hk.nodes.client_at(hk.replicas[1].local_port, "hk", "officer") as officer:

            async def all_told() -> list[str]:
                found = [one.alert.alert_id async for one in officer.notifications.all()]
                assert not (missing := {*sent} - {*found}), [sent.index(one) for one in missing]
                return found

            assert sorted(await eventually(all_told, within_s=120)) == sorted(sent)

        async def all_published() -> list[str]:
            found = [json.loads(one.data)["alert"]["alert_id"] for one in await hk.nats.messages()]
            assert not (missing := {*sent} - {*found}), [sent.index(one) for one in missing]
            return found

        assert sorted(await eventually(all_published, within_s=120, every_s=0.5)) == sorted(sent)
        ids = Counter(message.headers["Nats-Msg-Id"] for message in await hk.nats.messages())
        assert set(ids.values()) == {1}

    hk.nodes.run(run())
