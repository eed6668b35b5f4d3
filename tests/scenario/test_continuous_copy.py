"""What only one node has is copied continuously by Litestream, and survives the loss of the first disk."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.client import GatewayClient
from gateway.v1.watchlist_service_pb2 import ProposedEntry
from tests.support.command_line import Cli
from tests.support.federation import Federation, eventually, with_logs
from tests.support.node_processes import end
from tests.support.nodes import listed_content
from tests.support.shipments import shipment
from tests.support.stored import opened

LITESTREAM = Path(sys.executable).with_name("litestream")
SETTINGS = """
[lists.vans]
four_eyes = false
"""
SHIPMENTS = 200


@contextmanager
def copied(database: Path, folder: Path) -> Iterator[None]:
    """Copies a database into a folder while the block runs; ends it by kill -9."""
    with (folder.parent / "litestream.log").open("wb") as log:
        command = [str(LITESTREAM), "replicate", str(database), f"file://{folder}"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            end(process, signal.SIGKILL, 30.0)


def fetch(folder: Path, out: Path) -> bool:
    """Makes a database of the copy; False while there is none."""
    out.unlink(missing_ok=True)
    done = subprocess.run([LITESTREAM, "restore", "-o", out, f"file://{folder}"], capture_output=True, check=False)
    return done.returncode == 0


async def work(client: GatewayClient) -> None:
    """What no partner has: shipments, and an entry for nobody."""
    made = [shipment(f"CN-EXP-{number}") for number in range(SHIPMENTS)]
    async for _ in client.history.record(made):
        pass
    await client.watchlist.propose("vans", entries=[ProposedEntry(id="own", content=listed_content(releasable_to=[]))])


def test_the_first_disk_is_lost(tmp_path: Path) -> None:
    for nodes in with_logs(tmp_path, settings=SETTINGS):
        cn, cli = nodes["cn"], Cli(nodes, "cn")
        cn.start()
        with copied(cn.database, tmp_path / "second disk"):
            nodes.run(do_work(nodes))
            nodes.run(copy_complete(tmp_path, cn.database))
            cn.kill()
        shutil.rmtree(cn.data)
        cli.run("", "restore", tmp_path / "fetched", "--accept-loss")
        cn.start()
        assert cli.json("operator", "status")["history"]["recorded"] == SHIPMENTS
        assert [row["entry"]["id"] for row in cli.json("officer", "watchlist", "list")] == ["own"]
        cli.run("", "verify")


async def do_work(nodes: Federation) -> None:
    async with nodes.client("cn", "publisher") as client:
        await work(client)


async def copy_complete(folder: Path, database: Path) -> None:
    """Waits until the copy has what was committed: it lags a second behind."""
    wanted = counts(database)

    async def same() -> bool:
        return fetch(folder / "second disk", folder / "fetched") and counts(folder / "fetched") == wanted

    await eventually(same, every_s=0.3, what="the copy")


def counts(database: Path) -> list[int]:
    tables = ("record_log", "list_entries", "audit_events")
    with opened(database) as connection:
        return [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]
