"""Next and second keys come into use: nothing is lost, and evidence of before and after is right."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.client import new_alert
from gateway.contract.ids import FeedOrigin
from gateway.errors import VerificationError
from gateway.evidence.codec.bundle import Bundle, parts_of
from gateway.evidence.codec.bundle_text import render
from gateway.evidence.service.check import verify
from gateway.evidence.service.files import read_bundle
from gateway.feed.service.continuity.releases import Releases
from gateway.tlog.note import NoteSignature, UnverifiedNote, parse_note
from gateway.tlog.proof_file import parse_proof
from gateway.trust.pki.keys import (
    NEXT_LOG_KEY,
    NEXT_RECEIPTS_KEY,
    SECOND_LOG_KEY,
    SECOND_RECEIPTS_KEY,
    create_second_keys,
    create_signing_key,
)
from gateway.trust.service.directory_drafts import next_version
from gateway.trust.service.trial_federation import key_record
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, origin, with_logs

CN_HK = origin("cn", "hk")


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Federation]:
    for made in with_logs(tmp_path):
        made.start("cn", "hk")
        yield made


async def publish(nodes: Federation) -> str:
    async with nodes.client("cn", "publisher") as risk:
        return (await risk.publish(new_alert(alert(), ["hk"]).content, ["hk"])).alert_id


def name_keys(config: Path, **files: Path) -> None:
    """Names files of keys in a node's settings."""
    text = config.read_text(encoding="utf-8")
    assert text.count("[keys]\n") == 1
    named = "".join(f'{name} = "{file}"\n' for name, file in files.items())
    config.write_text(text.replace("[keys]\n", f"[keys]\n{named}"), encoding="utf-8")


def make_second_keys(nodes: Federation, *names: str) -> None:
    """Second keys in files and settings, and a version of the directory that names them."""
    now = datetime.now(UTC).replace(microsecond=0)
    needed_from = now + timedelta(seconds=1)
    later = next_version(nodes.directory, issued_at=now)
    for name in names:
        folder, config = nodes[name].folder.log_key.parent, nodes[name].config
        log, receipts = create_second_keys(folder)
        name_keys(config, log_second=folder / SECOND_LOG_KEY, receipts_second=folder / SECOND_RECEIPTS_KEY)
        node = later.nodes[name]
        node = replace(
            node,
            log_keys=(*node.log_keys, replace(key_record(log, now), not_before=needed_from)),
            cosign_keys=(*node.cosign_keys, replace(key_record(receipts, now), not_before=needed_from)),
        )
        later = replace(later, nodes={**later.nodes, name: node})
    nodes.put_directory(later)
    while datetime.now(UTC) < needed_from:
        time.sleep(0.05)


def verifies(bundle: Bundle, nodes: Federation) -> bool:
    try:
        verify(bundle, anchors=nodes.folder.anchors)
    except VerificationError:
        return False
    return True


def file_of(node: str, alert_id: str, folder: Path) -> Path:
    return folder / f"{node}-{alert_id}.zip"


def exported(nodes: Federation, node: str, alert_id: str, folder: Path) -> Bundle:
    """The evidence of cn's alert as a node exports it, verified."""
    file = file_of(node, alert_id, folder)
    file.unlink(missing_ok=True)
    Cli(nodes, node).run("officer", "evidence", "export", f"cn/{alert_id}", "--out", file)
    bundle = read_bundle(file)
    verify(bundle, anchors=nodes.folder.anchors)
    return bundle


def lines(bundle: Bundle) -> list[NoteSignature]:
    return list(parse_note(parse_proof(parts_of(bundle).alert.proof).checkpoint_note).signatures)


def with_lines(bundle: Bundle, signatures: Sequence[NoteSignature]) -> Bundle:
    """The bundle with other signature lines of its alert, otherwise in order."""
    parts = parts_of(bundle)
    proof = parse_proof(parts.alert.proof)
    text = parse_note(proof.checkpoint_note).unverified_text
    changed = replace(proof, checkpoint_note=UnverifiedNote(text, tuple(signatures)).encode())
    return render(replace(parts, alert=replace(parts.alert, proof=changed.encode())))


def without(bundle: Bundle, line: int) -> Bundle:
    return with_lines(bundle, [each for at, each in enumerate(lines(bundle)) if at != line])


def test_what_waits_gets_both_signatures_and_evidence_needs_both(nodes: Federation, tmp_path: Path) -> None:
    before = nodes.run(publish(nodes))
    nodes.run(nodes.converged(("cn", "hk"), ("hk", "cn")))
    nodes["hk"].stop()
    waiting = nodes.run(publish(nodes))
    nodes["cn"].stop()
    make_second_keys(nodes, "cn", "hk")
    nodes.start("cn", "hk")
    after = nodes.run(publish(nodes))
    nodes.run(nodes.converged(("cn", "hk"), ("hk", "cn")))

    receipts = f"{nodes.directory.federation}/hk/receipts"
    anchors = [f"--anchor={vkey}" for vkey in nodes.folder.anchor_vkeys]
    bundles: dict[str, Bundle] = {}
    for alert_id, both in ((before, False), (waiting, True), (after, True)):
        for node in ("cn", "hk"):
            bundle = exported(nodes, node, alert_id, tmp_path)
            verified = (
                Cli(nodes, node).run("", "evidence", "verify", file_of(node, alert_id, tmp_path), *anchors).stdout
            )
            assert ("signed with Ed25519 and ML-DSA-44" in verified) == both
            expected = [(CN_HK, 64), (CN_HK, 2428), (receipts, 72), (receipts, 2428)]
            assert [(line.name, len(line.signature)) for line in lines(bundle)] == (expected if both else expected[::2])
            bundles[alert_id] = bundle
            if both:
                assert bundle.files["README.txt"].count(b"\n       and           ") == 2
                assert [line for line in range(4) if verifies(without(bundle, line), nodes)] == []
    nodes["cn"].stop()
    (file,) = nodes["cn"].data.rglob("*.releases")
    kept = Releases(f"{nodes.directory.federation}/cn", [file], marked=[]).receipt_of(FeedOrigin.parse(CN_HK))
    assert kept is not None
    assert [len(line.signature) for line in parse_note(kept.note).signatures] == [64, 72]  # a slot holds no more
    log, receipt = lines(bundles[before])
    second = lines(bundles[after])[1]
    assert verifies(with_lines(bundles[before], [log, receipt]), nodes)
    assert not verifies(with_lines(bundles[before], [log, second, receipt]), nodes)  # not needed then, and wrong


def test_a_node_without_the_second_keys_that_the_directory_names_does_not_start(nodes: Federation) -> None:
    nodes["cn"].stop()
    make_second_keys(nodes, "cn")
    settings = nodes["cn"].config.read_text(encoding="utf-8")
    nodes["cn"].config.write_text(
        "\n".join(line for line in settings.splitlines() if not line.startswith("receipts_second")), encoding="utf-8"
    )
    nodes["cn"].start(wait=False)
    assert nodes["cn"].stop() != 0


def test_signing_keys_change_without_a_restart_and_old_evidence_stays(nodes: Federation, tmp_path: Path) -> None:
    """The settings name the next keys, SIGHUP takes them, and from the directory's time on they sign."""
    first = nodes.run(publish(nodes))
    nodes.run(nodes.converged(("cn", "hk"), ("hk", "cn")))
    old = {name: lines(exported(nodes, name, first, tmp_path)) for name in ("cn", "hk")}
    now = datetime.now(UTC).replace(microsecond=0)
    begin = now + timedelta(seconds=8)
    later = next_version(nodes.directory, issued_at=now)
    for name in ("cn", "hk"):
        folder = nodes[name].folder.log_key.parent
        log = create_signing_key(folder / NEXT_LOG_KEY, name="log")
        receipts = create_signing_key(folder / NEXT_RECEIPTS_KEY, name="receipts")
        name_keys(nodes[name].config, log_next=folder / NEXT_LOG_KEY, receipts_next=folder / NEXT_RECEIPTS_KEY)
        os.kill(nodes[name].pid, signal.SIGHUP)
        node = later.nodes[name]
        node = replace(
            node,
            log_keys=(*node.log_keys, replace(key_record(log, now), not_before=begin)),
            cosign_keys=(*node.cosign_keys, replace(key_record(receipts, now), not_before=begin)),
        )
        later = replace(later, nodes={**later.nodes, name: node})
    nodes.put_directory(later)

    async def in_force() -> bool:
        for name in ("cn", "hk"):
            async with nodes.client(name, "operator") as operator:
                if (await operator.node.status()).directory_version != later.version:
                    return False
        return datetime.now(UTC) > begin

    nodes.run(eventually(in_force, what="the next version at both nodes, and its time"))
    second = nodes.run(publish(nodes))
    nodes.run(nodes.converged(("cn", "hk"), ("hk", "cn")))
    for name in ("cn", "hk"):
        assert "settings reloaded; in force now: keys" in nodes[name].log
        assert lines(exported(nodes, name, first, tmp_path)) == old[name]
        new = lines(exported(nodes, name, second, tmp_path))
        assert [line.name for line in new] == [line.name for line in old[name]]
        assert not {line.key_id for line in new} & {line.key_id for line in old[name]}


def test_a_key_file_that_partners_would_refuse_is_not_taken(nodes: Federation) -> None:
    cn = nodes["cn"]
    cn.folder.log_key.unlink()
    create_signing_key(cn.folder.log_key, name="log")
    os.kill(cn.pid, signal.SIGHUP)

    async def told() -> bool:
        async with nodes.client("cn", "operator") as operator:
            alarms = (await operator.node.status()).alarms
        return any("keys.log: directory version 1 doesn't list this key for cn" in alarm.message for alarm in alarms)

    nodes.run(eventually(told, what="an alarm about the key"))
    nodes.run(publish(nodes))
    nodes.run(nodes.converged(("cn", "hk"), ("hk", "cn")))
