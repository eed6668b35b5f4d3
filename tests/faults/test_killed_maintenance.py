"""kill -9 in the middle of backup, restore, migration and recovery: each is run again and ends well."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from gateway.client import GatewayClient, new_alert
from gateway.db.database import Database
from gateway.errors import ConfigurationError
from gateway.node.backups.manifest import read_manifest, require_digests
from gateway.node.backups.restore import ASIDE_FOLDER
from gateway.node.backups.start import require_no_cut_off_restore
from gateway.node.projections import metadata
from tests.support.command_line import Cli
from tests.support.federation import Federation, NodeProcess, alert, eventually, origin, with_logs
from tests.support.killed import back_up, kills, restore_backup, run, upgrade

KILLS = 6
FIRST, MORE = 100, 1500
"""Alerts before the backup, and after it."""

CN_HK = origin("cn", "hk")


async def publish(client: GatewayClient, count: int) -> None:
    requests = [new_alert(alert(), ["hk"]) for _ in range(count)]
    for outcome in [outcome async for outcome in client.publish_many(requests)]:
        outcome.result()


async def exchange(nodes: Federation, count: int) -> None:
    async with nodes.client("cn", "publisher") as risk:
        await publish(risk, count)
    await nodes.converged(("cn", "hk"), ("hk", "cn"))


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """cn and hk have exchanged alerts; cn is stopped, hk runs."""
    for made in with_logs(tmp_path_factory.mktemp("killed")):
        made.start("cn", "hk")
        made.run(exchange(made, FIRST))
        Cli(made, "cn").run("", "backup", made.root / "first")
        made.run(exchange(made, MORE))
        made["cn"].stop()
        yield made


def test_backup(nodes: Federation, tmp_path: Path) -> None:
    cn = nodes["cn"]
    for at, moment in enumerate(kills(_back_up_anew, cn.config, tmp_path / "whole", times=KILLS)):
        out = tmp_path / f"killed-{at}"
        run(back_up, cn.config, out, kill_after_s=moment)
        if not out.exists():  # nothing that isn't whole has the name
            run(back_up, cn.config, out)
        require_digests(out, read_manifest(out))
        assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []
        shutil.rmtree(out)
    Cli(nodes, "cn").run("", "verify")


def _back_up_anew(config: Path, out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    back_up(config, out)


def test_restore(nodes: Federation, tmp_path: Path) -> None:
    cn = nodes["cn"]
    whole = shutil.copytree(cn.data, tmp_path / "data")
    for moment in kills(restore_backup, cn.config, nodes.root / "first", times=KILLS):
        _put(cn, whole)
        run(restore_backup, cn.config, nodes.root / "first", kill_after_s=moment)
        try:
            require_no_cut_off_restore(cn.settings)
            assert cn.feed(CN_HK).size in (FIRST, FIRST + MORE)
        except ConfigurationError:
            assert not cn.database.exists()
        run(restore_backup, cn.config, nodes.root / "first")
        assert cn.feed(CN_HK).size == FIRST
        findings = Cli(nodes, "cn").json("", "verify", code=1)["findings"]
        assert {finding["place"] for finding in findings} == {"audit"}  # the head beside the database is newer
        assert len(list((cn.data / ASIDE_FOLDER).iterdir())) in (1, 2)
    _put(cn, whole)


def _put(node: NodeProcess, data: Path) -> None:
    shutil.rmtree(node.data)
    shutil.copytree(data, node.data)


def test_migration(tmp_path: Path) -> None:
    old = tmp_path / "old.sqlite3"
    with closing(Database(f"sqlite:///{old}")) as database, database.write() as conn:
        config = Config()
        config.set_main_option("script_location", "gateway.db:migrations")
        config.attributes.update(target_metadata=metadata, connection=conn)
        command.upgrade(config, "0001")
    url = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    for moment in kills(_upgrade_anew, old, url, times=KILLS):
        _copy_anew(old, url)
        run(upgrade, url, kill_after_s=moment)
        run(upgrade, url)


def _upgrade_anew(old: Path, url: str) -> None:
    _copy_anew(old, url)
    upgrade(url)


def _copy_anew(old: Path, url: str) -> None:
    new = Path(url.removeprefix("sqlite:///"))
    for path in new.parent.glob(f"{new.name}*"):
        path.unlink()
    shutil.copyfile(old, new)


def test_recovery(nodes: Federation) -> None:
    """The node is killed while its entries come back, three times."""
    cn, cli = nodes["cn"], Cli(nodes, "cn")
    cli.run("", "restore", nodes.root / "first", "--accept-loss")
    for least in (FIRST, FIRST + MORE // 3, FIRST + 2 * MORE // 3):
        cn.start()
        nodes.run(kill_while_recovering(nodes, least))
    cn.start()
    cli.run("operator", "recover", CN_HK)
    nodes.run(nodes.converged(("cn", "hk"), ("hk", "cn")))


async def kill_while_recovering(nodes: Federation, least: int) -> None:
    """Kills cn once it has so many entries."""
    cn = nodes["cn"]

    async def reached() -> bool:
        return cn.feed(CN_HK).size >= least

    async with nodes.client("cn", "operator") as operator:
        recovering = asyncio.ensure_future(eventually(lambda: operator.node.recover_feed(CN_HK), what="the recovery"))
        await eventually(reached, every_s=0.002, what=f"{least} entries")
        cn.kill()
        recovering.cancel()
        await asyncio.gather(recovering, return_exceptions=True)
