"""The third authority cosigns what two exchange, remembers it over its end, and refuses another history."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from gateway.client import new_alert
from gateway.contract.channel_options import channel_options
from gateway.evidence.codec.bundle import WITNESSED, Bundle, parts_of
from gateway.evidence.codec.bundle_text import render
from gateway.evidence.service.check import examine
from gateway.evidence.service.report import StepStatus
from gateway.rpc.listener.tls import channel_credentials
from gateway.tlog.checkpoint import Checkpoint, sign_checkpoint, verify_cosignature
from gateway.tlog.consistency_file import ConsistencyProof, parse_consistency_file
from gateway.tlog.note import SignatureType, UnverifiedNote, Verifier, parse_note
from gateway.trust.pki.keys import load_signing_key
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub
from tests.support.command_line import Cli
from tests.support.federation import FEDERATION, Federation, alert, eventually, origin
from tests.support.witnesses import witnessing

FEED = origin("cn", "hk")


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Federation]:
    yield from witnessing(tmp_path)


def publish(nodes: Federation) -> str:
    async def published() -> str:
        async with nodes.client("cn", "publisher") as risk:
            return (await risk.publish(new_alert(alert(), ["hk"]).content, ["hk"])).alert_id

    return nodes.run(published())


def rows(nodes: Federation, node: str, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{nodes[node].database}?mode=ro", uri=True)) as database:
        return database.execute(query).fetchall()


def wait_until_cosigned(nodes: Federation, size: int) -> bytes:
    """Waits for mo's cosignature on cn's feed to hk; its lines."""

    async def lines() -> bytes:
        query = f"SELECT lines FROM witness_cosignatures JOIN feeds ON feeds.id = feed_id WHERE origin = '{FEED}'"
        found = rows(nodes, "cn", f"{query} AND witness_cosignatures.size = {size}")
        return found[0][0] if found else b""

    return nodes.run(eventually(lines, what=f"a cosignature on {size} entries"))


def add_checkpoint(nodes: Federation, body: bytes, *, caller: str = "cn") -> pb.AddCheckpointResponse:
    """What mo's witness answers a gateway."""
    folder = nodes[caller].folder
    credentials = channel_credentials(
        nodes["mo"].folder.ca.read_bytes(), folder.certificate.read_bytes(), folder.key.read_bytes()
    )
    options = channel_options(server_name=f"mo.{FEDERATION}")
    with grpc.secure_channel(f"127.0.0.1:{nodes['mo'].peer_port}", credentials, options=options) as channel:
        request = pb.AddCheckpointRequest(body=body)
        response: pb.AddCheckpointResponse = ExchangeServiceStub(channel).AddCheckpoint(request, timeout=30)
        return response


def signed(nodes: Federation, size: int, root: bytes, feed: str = FEED) -> bytes:
    """A checkpoint with the signature of cn's log key."""
    key = load_signing_key(nodes["cn"].settings.keys.log, name=feed)  # type: ignore[arg-type]
    return sign_checkpoint(Checkpoint(feed, size, root), key)


def refused(nodes: Federation, body: bytes, *, caller: str = "cn") -> str:
    with pytest.raises(grpc.RpcError) as caught:
        add_checkpoint(nodes, body, caller=caller)
    return str(caught.value.details())  # type: ignore[attr-defined]


def test_the_third_authority_cosigns_over_its_absence_and_end(nodes: Federation, tmp_path: Path) -> None:
    nodes.start("cn", "hk")
    operator = Cli(nodes, "cn")
    alert_id = publish(nodes)

    def has_alarm(status: Any) -> bool:
        return any(one["code"] == "WITNESS" and "the witness mo" in one["message"] for one in status["alarms"])

    operator.eventually("operator", "status", until=has_alarm)  # and hk has its alert all the same
    assert nodes["cn"].feed(FEED).receipted == 1
    nodes.start("mo")
    lines = wait_until_cosigned(nodes, 1)
    operator.eventually("operator", "status", until=lambda status: not has_alarm(status))
    key = load_signing_key(nodes["mo"].settings.keys.witness, name=f"{FEDERATION}/mo/witness")  # type: ignore[arg-type]
    verifier = Verifier(key.name, key.public_key, SignatureType.COSIGNATURE)
    assert f"its key for the directory's policy: {verifier.to_vkey()}" in nodes["mo"].log
    cosigned = verify_cosignature(nodes["cn"].feed(FEED).checkpoint + lines, verifier)
    assert (cosigned.checkpoint.size, cosigned.checkpoint.root) == (1, nodes["cn"].feed(FEED).root)
    nodes["mo"].kill()
    nodes.start("mo")
    publish(nodes)
    wait_until_cosigned(nodes, 2)

    folder = tmp_path / "proof"
    operator.run("officer", "evidence", "export", f"cn/{alert_id}", "--out", folder)
    verified = operator.json("", "evidence", "verify", folder, "--directory", nodes.folder.directory)
    assert verified["steps"][-1]["name"] == "witnesses"
    assert verified["steps"][-1]["status"] == "passed"
    assert verified["steps"][-1]["detail"].startswith("cosigned by mo at ")
    bundle = Bundle({path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")})
    note = nodes.folder.directory.read_bytes()
    for what, changed, problem in (
        ("another time", _other_time(bundle.files[WITNESSED]), "isn't this key's signature"),
        ("another proof", bundle.files[WITNESSED].replace(b"old 1\n", b"old 2\n"), "the proof starts at 2 entries"),
    ):
        last = examine(render(replace(parts_of(bundle), witnessed=changed)), directory_note=note).steps[-1]
        assert (last.number, last.status) == (13, StepStatus.FAILED), what
        assert problem in last.detail, what
    without = examine(render(replace(parts_of(bundle), witnessed=b"")), directory_note=note)
    assert without.evidence is not None, "too few witnesses make no forgery"
    assert without.steps[-1].status is StepStatus.ABSENT
    assert "fewer than the policy" in without.steps[-1].detail
    assert not rows(nodes, "mo", "SELECT 1 FROM entries JOIN feeds ON feeds.id = feed_id WHERE origin LIKE '%/cn/hk/%'")
    assert not rows(nodes, "mo", "SELECT 1 FROM witness_conflicts")


def _other_time(witnessed: bytes) -> bytes:
    """With another time in the last line, that of the witness."""
    proof = parse_consistency_file(witnessed)
    note = parse_note(proof.checkpoint_note)
    last = note.signatures[-1]
    changed = replace(last, signature=(1).to_bytes(8, "big") + last.signature[8:])
    forged = UnverifiedNote(note.unverified_text, (*note.signatures[:-1], changed)).encode()
    return replace(proof, checkpoint_note=forged).encode()


def test_a_policy_that_asks_for_more_is_said_not_to_be_met(tmp_path: Path) -> None:
    for nodes in witnessing(tmp_path, quorum="all"):  # the two nodes of a feed don't count
        nodes.start()
        alert_id = publish(nodes)
        wait_until_cosigned(nodes, 1)
        folder = tmp_path / "proof"
        cli = Cli(nodes, "cn")
        cli.run("officer", "evidence", "export", f"cn/{alert_id}", "--out", folder)
        verified = cli.json("", "evidence", "verify", folder, "--directory", nodes.folder.directory)
        assert verified["verified"] is True
        assert verified["steps"][-1]["status"] == "absent"
        assert verified["steps"][-1]["detail"].startswith("mo at ")
        assert "fewer than the policy in version 2 of the directory asks for" in verified["steps"][-1]["detail"]
        assert verified["evidence"]["witnesses"] == {"names": ["mo"], "is_enough": False}


def test_another_history_is_refused_and_kept(nodes: Federation) -> None:
    nodes.start()
    publish(nodes)
    wait_until_cosigned(nodes, 1)
    honest = nodes["cn"].feed(FEED)
    assert add_checkpoint(nodes, ConsistencyProof(0, (), honest.checkpoint).encode()).cosignature, "asked again"
    for stale in (signed(nodes, 3, b"\x03" * 32), signed(nodes, 2, b"\x02" * 32)):
        response = add_checkpoint(nodes, ConsistencyProof(0, (), stale).encode())
        assert (response.size, response.cosignature) == (1, b""), "a proof from another size"
    assert "isn't a feed of hk" in refused(nodes, ConsistencyProof(1, (), honest.checkpoint).encode(), caller="hk")
    to_mo = signed(nodes, 1, b"\x01" * 32, origin("cn", "mo"))
    assert "to a third node" in refused(nodes, ConsistencyProof(0, (), to_mo).encode())
    assert not rows(nodes, "mo", "SELECT 1 FROM witness_conflicts")

    nodes["mo"].kill()  # what it has cosigned is on its disk
    nodes.start("mo")
    other = ConsistencyProof(0, (), signed(nodes, 1, b"\x55" * 32)).encode()
    assert "isn't shown to continue" in refused(nodes, other)
    longer = ConsistencyProof(1, (b"\x66" * 32,), signed(nodes, 2, b"\x77" * 32)).encode()
    assert "isn't shown to continue" in refused(nodes, longer)

    def has_alarm(status: Any) -> bool:
        return any(one["code"] == "WITNESS_CONFLICT" and FEED in one["message"] for one in status["alarms"])

    Cli(nodes, "mo").eventually("operator", "status", until=has_alarm)
    nodes["mo"].stop()
    nodes.start("mo")
    assert has_alarm(Cli(nodes, "mo").json("operator", "status"))
    ((held, shown),) = rows(nodes, "mo", "SELECT held, shown FROM witness_conflicts")
    assert held == honest.checkpoint
    assert parse_consistency_file(shown).checkpoint_note == signed(nodes, 1, b"\x55" * 32)
    publish(nodes)
    wait_until_cosigned(nodes, 2)
