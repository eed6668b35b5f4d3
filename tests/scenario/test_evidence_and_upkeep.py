"""Evidence and upkeep against running gateways: exported over the local port, verified with the directory alone."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from google.protobuf.json_format import MessageToJson
from typer.testing import CliRunner, Result

from gateway.cli.main import app
from gateway.client import GatewayClient
from gateway.db.database import Database
from gateway.db.migrate import newest_revision
from gateway.errors import ConfigurationError, InvalidRequestError, NotFoundError, PermissionDeniedError
from gateway.node.assembly.node import Node
from gateway.node.projections import metadata
from gateway.trust.service.directory_versions import unsafe_reopen
from gateway.v1 import evidence_service_pb2
from gateway.v1.alert_pb2 import AlertReference
from tests.support.cose import verdict
from tests.support.federation import Federation, alert, new_id, with_logs

PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("evidence")):
        made.start("cn", "hk")
        yield made


def gateway(nodes: Federation, node: str, *arguments: object, code: int = 0) -> Result:
    environment = {"COLUMNS": "240", "GATEWAY_CONFIG": str(nodes[node].config), "GATEWAY_SYSTEM": ""}
    result = CliRunner(env=environment).invoke(app, [str(each) for each in arguments])
    assert result.exit_code == code, f"gateway {arguments}: {result.exit_code}\n{result.output}"
    return result


def gateway_json(nodes: Federation, node: str, *arguments: object, code: int = 0) -> Any:
    return json.loads(gateway(nodes, node, *arguments, "--json", code=code).stdout)


@pytest.fixture(scope="module")
def received(nodes: Federation, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An alert of cn that hk has received, acknowledged and answered for."""
    file = tmp_path_factory.mktemp("alert") / "alert.json"
    file.write_text(MessageToJson(alert()))
    alert_id = gateway_json(nodes, "cn", "alert", "publish", file, "--to", "hk", "--system", "publisher")["alert_id"]
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = gateway_json(nodes, "cn", "alert", "show", f"cn/{alert_id}", "--system", "officer")
        (delivery,) = found["deliveries"]
        if delivery.get("disposition") and delivery.get("receipted_at"):
            return str(alert_id)
        assert time.monotonic() < deadline, found
        time.sleep(0.1)


def test_old_evidence_is_consistent_with_the_feed_of_today(nodes: Federation, received: str, tmp_path: Path) -> None:
    note, bundle = nodes["cn"].settings.directory.file, tmp_path / "case.zip"
    trusted = ("--directory", note)
    gateway(nodes, "cn", "evidence", "export", f"cn/{received}", "--out", bundle, "--system", "officer")
    file = tmp_path / "alert.json"
    file.write_text(MessageToJson(alert()))
    gateway(nodes, "cn", "alert", "publish", file, "--to", "hk", "--system", "publisher")
    proof = tmp_path / "case.consistency"
    asked = ("evidence", "consistency", bundle, *trusted, "--system", "officer")
    shown = gateway_json(nodes, "cn", *asked, "--out", proof)
    assert shown["feed"] == "gba.customs.example/cn/hk/alerts"
    assert shown["newer_size"] > shown["older_size"] > 0
    offline = ("evidence", "consistency", bundle, *trusted, "--proof", proof)
    assert gateway_json(nodes, "cn", *offline) == shown
    assert gateway_json(nodes, "hk", *asked)["older_size"] == shown["older_size"]  # the recipient proves it too

    lines = proof.read_bytes().split(b"\n")
    lines[1] = b"A" * 43 + b"="
    proof.write_bytes(b"\n".join(lines))
    assert "NOT PROVED: the proof doesn't lead" in gateway(nodes, "cn", *offline, code=1).stderr
    gateway(nodes, "cn", "evidence", "consistency", bundle, code=2)
    gateway(nodes, "cn", *offline, "--out", tmp_path / "other", code=2)


def test_a_cose_receipt_is_exported_and_verified_offline(nodes: Federation, received: str, tmp_path: Path) -> None:
    trusted = ("--directory", nodes["hk"].settings.directory.file)
    bundle = tmp_path / "cose"
    asked = ("evidence", "cose-receipt", "--system", "officer")
    exported = gateway_json(nodes, "cn", *asked, f"cn/{received}", "--out", bundle)
    verified = gateway_json(nodes, "hk", "evidence", "verify", bundle, *trusted)
    assert verified["verified"] is True
    proved = verified["evidence"]
    assert (proved["feed"], proved["entry"], proved["key_id"]) == tuple(
        exported[name] for name in ("feed", "entry", "key_id")
    )
    by_place = ("--feed", exported["feed"], "--entry", exported["entry"], "--out", tmp_path / "again.zip")
    assert gateway_json(nodes, "cn", *asked, *by_place)["entry"] == exported["entry"]
    gateway(nodes, "hk", "evidence", "verify", tmp_path / "again.zip", *trusted)

    (key,) = unsafe_reopen(nodes["hk"].settings.directory.file.read_bytes()).directory.signer("cn").log_keys
    receipt = bundle / "receipt.cose"
    foreign = verdict(receipt.read_bytes(), (bundle / "header.binpb").read_bytes(), key.public_key)
    assert foreign.ok, foreign.errors
    assert (foreign.subject, foreign.leaf_index) == (exported["feed"], exported["entry"])

    refused = gateway(nodes, "hk", *asked, f"cn/{received}", "--out", tmp_path / "other", code=2)
    assert "only cn can sign a receipt" in refused.stderr
    gateway(nodes, "cn", *asked, "--out", tmp_path / "other", code=2)
    receipt.write_bytes(receipt.read_bytes()[:-1])
    assert "NOT VERIFIED" in gateway(nodes, "hk", "evidence", "verify", bundle, *trusted, code=1).stderr


def test_a_node_proves_only_what_it_has(nodes: Federation, received: str) -> None:
    async def run() -> None:
        async with nodes.client("cn", "auditor") as auditor:
            feed = "gba.customs.example/cn/hk/alerts"
            for origin, size in (("nonsense", 1), (feed, 10**6)):
                with pytest.raises(InvalidRequestError):
                    await auditor.evidence.prove_consistency(origin, size)
            with pytest.raises(NotFoundError):
                await auditor.evidence.prove_consistency("gba.customs.example/cn/mo/watchlist", 0)
        async with nodes.client("cn", "publisher") as publisher:
            with pytest.raises(PermissionDeniedError):
                await publisher.evidence.prove_consistency(feed, 1)

    asyncio.run(run())


@pytest.mark.parametrize("node", ["cn", "hk"])
@pytest.mark.parametrize("name", ["case.zip", "case"])
def test_evidence_is_exported_and_verified_offline(
    nodes: Federation, received: str, tmp_path: Path, node: str, name: str
) -> None:
    bundle, note = tmp_path / name, nodes[node].settings.directory.file
    exported = gateway_json(nodes, node, "evidence", "export", f"cn/{received}", "--out", bundle, "--system", "officer")
    assert exported["receipted"] is True
    assert bundle.is_dir() is (name == "case")
    verified = gateway_json(nodes, node, "evidence", "verify", bundle, "--directory", note)
    assert verified["verified"] is True
    assert verified["evidence"]["alert"] == f"cn/{received}"
    assert verified["evidence"]["received_at"]
    assert [step["status"] for step in verified["steps"]] == ["passed"] * 11 + ["absent"]
    anchors = [word for vkey in nodes[node].settings.directory.anchors for word in ("--anchor", vkey)]
    assert "received" in gateway(nodes, node, "evidence", "verify", bundle, *anchors).stdout.lower()
    gateway(nodes, node, "evidence", "verify", bundle, code=2)
    gateway(nodes, node, "evidence", "export", f"cn/{received}", "--out", bundle, "--system", "officer", code=2)


def test_the_failing_step_is_named(nodes: Federation, received: str, tmp_path: Path) -> None:
    bundle, note = tmp_path / "case", nodes["cn"].settings.directory.file
    gateway(nodes, "cn", "evidence", "export", received, "--out", bundle, "--system", "auditor")
    payload = bundle / "payload.binpb"
    payload.write_bytes(payload.read_bytes()[:-1] + b"!")
    failed = gateway_json(nodes, "cn", "evidence", "verify", bundle, "--directory", note, code=1)
    assert failed["verified"] is False
    assert failed["evidence"] is None
    assert (failed["steps"][-1]["name"], failed["steps"][-1]["status"]) == ("bundle", "failed")
    assert "payload.binpb" in failed["steps"][-1]["detail"]


def test_an_alert_under_way_has_evidence_of_its_origin_alone(nodes: Federation, tmp_path: Path) -> None:
    file, bundle, note = tmp_path / "alert.json", tmp_path / "case.zip", nodes["cn"].settings.directory.file
    file.write_text(MessageToJson(alert()))
    published = ("alert", "publish", file, "--to", "mo", "--system", "publisher")  # mo isn't there
    alert_id = gateway_json(nodes, "cn", *published)["alert_id"]
    deadline = time.monotonic() + PATIENCE_S
    export = ("evidence", "export", alert_id, "--out", bundle, "--system", "officer")
    while (
        "there is no alert"
        in (
            result := CliRunner(env={"GATEWAY_CONFIG": str(nodes["cn"].config)}).invoke(
                app, [str(each) for each in export]
            )
        ).output
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert result.exit_code == 0, result.output
    assert "no receipt" in result.output
    failed = gateway_json(nodes, "cn", "evidence", "verify", bundle, "--directory", note, code=1)
    assert failed["steps"][-1]["name"] == "receipt"
    content = gateway_json(nodes, "cn", "evidence", "verify", bundle, "--directory", note, "--origin-only")
    assert content["evidence"]["received_at"] is None


def test_the_service_verifies_refuses_and_lists_the_audit_log(nodes: Federation, received: str) -> None:
    reference = AlertReference(publisher="cn", alert_id=received)

    async def exported(client: GatewayClient) -> bool:
        events = [event async for event in client.evidence.audit_events(filter="principal = system/hk/auditor")]
        return any(received in event.details.get("subject_ids", "") for event in events)

    async def run() -> None:
        async with nodes.client("hk", "auditor") as client:
            files = await client.evidence.export(reference)
            verified = await client.evidence.verify(files)
            assert verified.verified
            assert [step.number for step in verified.steps] == list(range(1, 12))
            files[0].content += b" "
            refused = await client.evidence.verify(files)
            assert not refused.verified
            assert not refused.steps[-1].passed
            with pytest.raises(NotFoundError):
                await client.evidence.export(AlertReference(publisher="cn", alert_id=new_id()))
            events = [event async for event in client.evidence.audit_events(page_size=1)]
            assert [event.sequence for event in events] == list(range(events[0].sequence, 0, -1))
            async with asyncio.timeout(10):  # what changes nothing is written to the audit log within a moment
                while not await exported(client):  # noqa: ASYNC110  there is no event to wait for
                    await asyncio.sleep(0.05)
            page = await client.evidence.audit_events_page(filter="principal = system/hk/auditor", page_size=1_000)
            assert page.names == {received: "CASE-2026-0001"}, "by its case, and no other name"
            for wrong in ("result = maybe", "when = now", "result = allow AND result = deny"):
                with pytest.raises(InvalidRequestError):
                    await client.evidence.audit_events_page(filter=wrong)
            with pytest.raises(InvalidRequestError):
                await client.evidence.audit_events_page(page_token="bm90IG9uZQ")
        async with nodes.client("hk", "publisher") as client:
            for call in (client.evidence.export(reference), client.evidence.audit_events_page()):
                with pytest.raises(PermissionDeniedError):
                    await call
            with pytest.raises(PermissionDeniedError):
                await client.evidence.verify([evidence_service_pb2.EvidenceFile(name="x")])

    nodes.run(run())


def test_a_running_node_is_looked_over_and_a_stopped_one_rebuilt(
    nodes: Federation, received: str, tmp_path: Path
) -> None:
    looked = gateway_json(nodes, "hk", "verify")
    assert (looked["sound"], looked["findings"]) == (True, [])
    assert looked["audit_events"] > 0
    before = gateway_json(nodes, "hk", "alert", "list", "--system", "officer")
    refused = gateway(nodes, "hk", "rebuild", code=2).output
    assert f"process {nodes['hk'].pid} holds the lock" in refused
    assert f"process {nodes['hk'].pid} holds the lock" in gateway(nodes, "hk", "serve", code=2).output
    nodes["hk"].stop()
    rebuilt = gateway_json(nodes, "hk", "rebuild")
    nodes["hk"].start()
    assert rebuilt["answers_sent"] == 0
    assert rebuilt["entries"] >= sum(feed["entries"] for feed in looked["feeds"])
    assert gateway_json(nodes, "hk", "alert", "list", "--system", "officer") == before
    bundle = tmp_path / "case.zip"
    gateway(nodes, "hk", "evidence", "export", f"cn/{received}", "--out", bundle, "--from-database")
    gateway(nodes, "hk", "evidence", "verify", bundle, "--directory", nodes["cn"].settings.directory.file)
    assert "Every root" in gateway(nodes, "hk", "verify").stdout


@pytest.mark.parametrize("linked", [False, True])
def test_a_second_data_folder_doesnt_open_a_second_way_to_one_database(
    nodes: Federation, tmp_path: Path, linked: bool
) -> None:
    first, database = nodes["hk"].settings, nodes["hk"].database
    if linked:
        database = tmp_path / "elsewhere.sqlite3"
        database.symlink_to(nodes["hk"].database)
    other = first.model_copy(update={"data_dir": tmp_path / "data", "database_url": f"sqlite:///{database}"})
    with pytest.raises(ConfigurationError, match=f"process {nodes['hk'].pid} holds the lock") as refused:
        Node(other)
    assert f"database_url: {nodes['hk'].database} is in use" in refused.value.message


def test_a_database_of_an_older_schema_is_called_that(tmp_path: Path) -> None:
    """Not damaged: `gateway verify` said "no such column" and advised a restore."""
    for nodes in with_logs(tmp_path, migrated=False):
        with closing(Database(f"sqlite:///{nodes['cn'].database}")) as database, database.write() as conn:
            config = Config()
            config.set_main_option("script_location", "gateway.db:migrations")
            config.attributes.update(connection=conn, target_metadata=metadata)
            command.upgrade(config, "0030")  # as an earlier release leaves it
        refused = gateway(nodes, "cn", "verify", code=2).output
        assert f"the database has schema version 0030, and this command needs {newest_revision()}" in refused
        assert "Start the node once with this release" in " ".join(refused.split())
        nodes.start("cn")
        nodes["cn"].stop()
        assert "Every root" in gateway(nodes, "cn", "verify").stdout


def test_a_database_edited_by_hand_is_found(tmp_path: Path) -> None:
    for nodes in with_logs(tmp_path, migrated=False):
        assert "there is no database" in gateway(nodes, "cn", "verify", code=2).output
        nodes.start("cn", "hk")
        file = tmp_path / "alert.json"
        file.write_text(MessageToJson(alert()))
        gateway(nodes, "cn", "alert", "publish", file, "--to", "hk", "--system", "publisher")
        nodes["cn"].stop()
        with closing(sqlite3.connect(nodes["cn"].database)) as database, database:
            database.execute("UPDATE entries SET payload = 'nothing to see' WHERE idx = 0")
        looked = gateway_json(nodes, "cn", "verify", code=1)
        assert looked["sound"] is False
        places = {(finding["place"], finding["index"]) for finding in looked["findings"]}
        assert ("gba.customs.example/cn/hk/alerts", 0) in places
        assert "gba.customs.example/cn/hk/alerts" in gateway(nodes, "cn", "verify", code=1).output
