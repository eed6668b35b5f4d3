"""The audit log of a running gateway is edited by hand in its database, between two runs: `gateway verify` finds it."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from tests.support.federation import Federation, alert, eventually, with_logs

MOST_HEADS_WHILE_IDLE = 1
LEAST_EVENTS = 4
"""Equal calls are merged."""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    yield from with_logs(tmp_path_factory.mktemp("audit"))


def gateway(nodes: Federation, *arguments: object, code: int = 0) -> Result:
    environment = {"COLUMNS": "240", "GATEWAY_CONFIG": str(nodes["cn"].config), "GATEWAY_SYSTEM": ""}
    result = CliRunner(env=environment).invoke(app, [str(each) for each in arguments])
    assert result.exit_code == code, f"gateway {arguments}: {result.exit_code}\n{result.output}"
    return result


def verified(nodes: Federation, *arguments: object, code: int = 0) -> Any:
    return json.loads(gateway(nodes, "verify", *arguments, "--json", code=code).stdout)


def rows(nodes: Federation) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(nodes["cn"].database)) as connection:
        return connection.execute("SELECT seq, body FROM audit_events ORDER BY seq").fetchall()


def heads(nodes: Federation) -> int:
    with closing(sqlite3.connect(nodes["cn"].database)) as connection:
        (size,) = connection.execute("SELECT size FROM feeds WHERE channel = 'audit'").fetchone()
    return int(size)


def without_the_last(nodes: Federation, count: int) -> None:
    """Cuts events as an administrator does, with hashes that fit."""
    with closing(sqlite3.connect(nodes["cn"].database)) as connection, connection:
        connection.execute("DELETE FROM audit_events WHERE seq > (SELECT max(seq) FROM audit_events) - ?", (count,))


def reassigned(nodes: Federation, seq: int) -> None:
    """Gives an event to somebody else and chains the later ones anew."""
    with closing(sqlite3.connect(nodes["cn"].database)) as connection, connection:
        chain = bytes(32)
        for number, stored in connection.execute("SELECT seq, body FROM audit_events ORDER BY seq").fetchall():
            document = json.loads(stored)
            if number == seq:
                document["principal"] = "system/cn/somebody"
            body = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            chain = hashlib.sha256(chain + body).digest()
            connection.execute(
                "UPDATE audit_events SET body = ?, hash = ?, principal = ? WHERE seq = ?",
                (body, chain, document["principal"], number),
            )


def calls(nodes: Federation, count: int) -> None:
    async def run() -> None:
        async with nodes.client("cn", "officer") as officer:
            for _ in range(count):
                await officer.list_alerts_page()

    nodes.run(run())


@pytest.fixture(scope="module")
def head(nodes: Federation, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A head that an auditor fetched, after which the node recorded more and was stopped."""
    nodes.start("cn")
    calls(nodes, 5)
    nodes["cn"].stop()
    nodes["cn"].start()
    file = tmp_path_factory.mktemp("auditor") / "cn.head"
    gateway(nodes, "audit", "head", "--out", file, "--system", "auditor")
    calls(nodes, 5)
    nodes["cn"].stop()
    return file


def test_every_event_is_signed_at_a_stop(nodes: Federation, head: Path) -> None:
    report = verified(nodes, "--head", head)
    assert report["sound"]
    coverage = report["audit_coverage"]
    assert coverage["signed"] == report["audit_events"] == len(rows(nodes)) > LEAST_EVENTS
    assert coverage["recorded_before"] == 0
    assert "Signed heads vouch for audit events up to" in gateway(nodes, "verify").stdout


def test_an_idle_node_signs_nothing(nodes: Federation, head: Path) -> None:
    before = heads(nodes)
    nodes["cn"].start()
    nodes["cn"].stop()
    assert heads(nodes) - before <= MOST_HEADS_WHILE_IDLE
    assert verified(nodes)["sound"]


@pytest.mark.parametrize("edit", ["cut", "reassigned", "emptied", "feed dropped too"])
def test_an_edit_by_hand_is_found_and_its_place_named(nodes: Federation, head: Path, edit: str) -> None:
    database = nodes["cn"].database
    saved = database.read_bytes()
    last = len(rows(nodes))
    try:
        if edit == "cut":
            without_the_last(nodes, 4)
        elif edit == "reassigned":
            reassigned(nodes, 3)
        else:
            without_the_last(nodes, last)
        if edit == "feed dropped too":
            with closing(sqlite3.connect(database)) as connection, connection:
                for table in ("entries", "tiles", "checkpoints", "journal"):
                    connection.execute(
                        f"DELETE FROM {table} WHERE feed_id IN (SELECT id FROM feeds WHERE channel = 'audit')"
                    )
                connection.execute("DELETE FROM feeds WHERE channel = 'audit'")
        findings = [finding for finding in verified(nodes, code=1)["findings"] if finding["place"] == "audit"]
        assert [finding["step"] for finding in findings] == ["8 audit"]
        first, most = {"cut": (last - 3, last - 3), "reassigned": (1, 3)}.get(edit, (1, 1))
        assert first <= findings[0]["index"] <= most, findings
        assert not verified(nodes, "--head", head, code=1)["sound"]
    finally:
        for path in database.parent.glob(database.name + "-*"):
            path.unlink()
        database.write_bytes(saved)


def test_a_killed_node_signs_what_it_had_recorded_at_its_next_start(nodes: Federation, head: Path) -> None:
    nodes["cn"].start()
    calls(nodes, 3)
    nodes["cn"].kill()
    recorded = len(rows(nodes))
    assert verified(nodes)["sound"]
    nodes["cn"].start()

    async def signed() -> bool:
        return bool(verified(nodes)["audit_coverage"]["signed"] >= recorded)

    nodes.run(eventually(signed))
    nodes["cn"].stop()


def test_a_stop_with_an_error_signs_all_the_same(nodes: Federation, head: Path) -> None:
    async def fails() -> None:
        raise RuntimeError("on the way")

    async def run() -> None:
        async with nodes.inside("cn") as node:
            async with nodes.client("cn", "publisher") as publisher:
                await publisher.publish(alert(), ["hk"])
            node._peers.close = fails  # type: ignore[method-assign]

    with pytest.raises(RuntimeError, match="on the way"):
        nodes.run(run())
    report = verified(nodes)
    assert report["audit_coverage"]["signed"] == report["audit_events"] == len(rows(nodes))


def test_a_damaged_head_in_the_data_folder_is_a_finding(nodes: Federation, head: Path) -> None:
    kept = nodes["cn"].data / "audit.head"
    saved = kept.read_bytes()
    kept.write_bytes(b"nonsense")
    (finding,) = verified(nodes, code=1)["findings"]
    assert (finding["place"], finding["step"]) == ("audit", "8 audit")
    kept.write_bytes(saved)


def test_a_file_that_is_no_head_is_refused(nodes: Federation, head: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.head"
    other.write_bytes(head.read_bytes().replace(b"index ", b"index 1", 1))
    assert "isn't a signed head" in gateway(nodes, "verify", "--head", other, code=2).stderr
