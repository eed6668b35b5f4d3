"""Evidence: what is exported verifies, says what it proves, and no bit of it can change unseen."""

import io
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from gateway.console.pages.alert.show import packed_evidence
from gateway.contract.messages import to_timestamp
from gateway.errors import (
    ConfigurationError,
    ErasedError,
    GatewayError,
    InvalidRequestError,
    MalformedError,
    NotFoundError,
    VerificationError,
)
from gateway.evidence.codec.bundle import Bundle, EvidenceParts, decode_zip, encode_zip, parts_of
from gateway.evidence.codec.bundle_entries import read_entry
from gateway.evidence.codec.bundle_text import FORMS, render
from gateway.evidence.service.check import examine, verify
from gateway.evidence.service.export import export, export_parts
from gateway.evidence.service.files import read_bundle, read_bundles
from gateway.evidence.service.report import STEPS, Examination, StepStatus, VerifiedEvidence
from gateway.feed.tables.schema import checkpoints, entries
from gateway.tlog.note import NoteSignature, Verifier, sign_note
from gateway.tlog.proof_file import parse_proof, verify_proof
from gateway.trust.codec.directory import encode_directory
from gateway.trust.pki.keys import load_signing_key
from gateway.trust.rules.directory import Directory, directory_key_name
from gateway.trust.service.directory_versions import RootOfTrust, unsafe_reopen
from gateway.trust.service.trial_federation import FEDERATION, FederationFolder
from gateway.v1 import alert_pb2
from tests.support.databases import MakeDatabase, new_database
from tests.support.hostile_text import is_harmless
from tests.support.nodes import NODES, PaperNode, deliver, exchange, paper_nodes


@dataclass
class Case:
    """An alert with a rich life, at both nodes."""

    folder: Path
    cn: PaperNode
    hk: PaperNode
    alert_id: str
    bundle: Bundle

    @property
    def directory(self) -> bytes:
        return self.cn.trust.note

    @property
    def anchors(self) -> RootOfTrust:
        folder = self.folder / "federation"
        vkeys = [(folder / "offline" / name / "directory.vkey").read_text().strip() for name in NODES]
        return RootOfTrust.from_vkeys(vkeys, federation=FEDERATION, threshold=3)

    def exported(self, node: PaperNode | None = None) -> Bundle:
        node = node or self.cn
        return export(node.database, node.trust, publisher="cn", alert_id=self.alert_id).bundle

    def with_directory(self, **changes: object) -> bytes:
        """A further version, signed by all authorities."""
        old = self.cn.trust.directory
        directory: Directory = replace(old, version=old.version + 1, **changes)  # type: ignore[arg-type]
        made = FederationFolder(self.folder / "federation", self.anchors)
        keys = [load_signing_key(made.directory_key(n), name=directory_key_name(FEDERATION, n)) for n in NODES]
        return sign_note(encode_directory(directory), keys)


def rich_life(cn: PaperNode, hk: PaperNode) -> str:
    for _ in range(3):
        cn.publish("hk")
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1, case_reference="HK-7"))
    question = alert_pb2.AlertQuestion(
        question_id=hk.publisher.new_id(), text="哪個貨櫃？", deadline=to_timestamp(hk.clock.now + 3_600_000)
    )
    hk.step("cn", alert_id, question=question)
    exchange(cn, hk)
    cn.amend(alert_id, 2, case_reference="CASE-2026-0002")
    exchange(cn, hk)
    hk.step(
        "cn",
        alert_id,
        finding=alert_pb2.AlertFinding(
            result=alert_pb2.FINDING_RESULT_CONFIRMED,
            inspected_at=to_timestamp(hk.clock.now),
            remarks="Sb 99.65 %",
            revision=2,
        ),
    )
    exchange(cn, hk)
    return alert_id


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    folder = tmp_path_factory.mktemp("evidence")
    numbers = iter(range(9))
    with paper_nodes(folder, lambda: new_database(f"sqlite:///{folder}/{next(numbers)}.sqlite3")) as (cn, hk):
        alert_id = rich_life(cn, hk)
        yield Case(folder, cn, hk, alert_id, export(cn.database, cn.trust, publisher="cn", alert_id=alert_id).bundle)
    cn.database.close()
    hk.database.close()


def failed_step(examination: Examination[VerifiedEvidence]) -> int:
    assert examination.evidence is None
    assert examination.steps[-1].status is StepStatus.FAILED
    assert all(step.status is StepStatus.PASSED for step in examination.steps[:-1])
    return examination.steps[-1].number


def flipped(data: bytes, at: int, bit: int = 0) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :]


def resealed(files: dict[str, bytes]) -> Bundle:
    """The files under a manifest that lists their present digests: what a forger would do."""
    manifest = json.loads(files["manifest.json"])
    for listed in manifest["files"]:
        content = files[listed["name"]]
        listed["bytes"], listed["sha256"] = len(content), sha256(content).hexdigest()
    text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True, separators=(",", ": ")) + "\n"
    return Bundle(files | {"manifest.json": text.encode()})


# --- what is exported


@pytest.mark.parametrize("most_events", [1, 2, 4, 6])
def test_an_alert_with_more_steps_than_a_bundle_holds_is_exported_in_several(case: Case, most_events: int) -> None:
    database, trust = case.cn.database, case.cn.trust
    bundles = list(export_parts(database, trust, publisher="cn", alert_id=case.alert_id, most_events=most_events))
    proved = [verify(bundle, directory_note=case.directory) for bundle in bundles]
    assert len(bundles) > 1 or most_events == 6
    assert max(len(evidence.events) for evidence in proved) <= max(2, most_events)
    alert = verify(case.bundle, directory_note=case.directory).alert
    assert {(evidence.alert.origin, evidence.alert.index) for evidence in proved} == {(alert.origin, alert.index)}
    together = {(event.origin, event.index) for evidence in proved for event in evidence.events}
    later = verify(case.bundle, directory_note=case.directory).events
    assert together == {(event.origin, event.index) for event in later}, "a disposition may answer several steps"


def test_bundles_packed_for_a_download_verify_each_alone(case: Case, tmp_path: Path) -> None:
    """As an officer does it: unpack the file of the console, and verify what is in it."""
    database, trust = case.cn.database, case.cn.trust
    bundles = list(export_parts(database, trust, publisher="cn", alert_id=case.alert_id, most_events=2))
    assert len(bundles) > 1
    with zipfile.ZipFile(io.BytesIO(packed_evidence("evidence-cn", [bundle.files for bundle in bundles]))) as outer:
        outer.extractall(tmp_path)
    parts = sorted(tmp_path.iterdir())
    assert [path.name for path in parts][:2] == ["evidence-cn-part-001.zip", "evidence-cn-part-002.zip"]
    assert [read_bundle(path) for path in parts] == bundles
    for path in parts:
        verify(read_bundle(path), directory_note=case.directory)
    outer = tmp_path / "evidence-cn.zip"
    outer.write_bytes(packed_evidence("evidence-cn", [bundle.files for bundle in bundles]))
    assert read_bundles(outer) == bundles, "or packed as it is"
    with pytest.raises(MalformedError, match=f"{len(bundles)} bundles"):
        read_bundle(outer)
    damaged = bytearray(outer.read_bytes())
    damaged[60] ^= 1
    outer.write_bytes(damaged)
    with pytest.raises(MalformedError):
        read_bundles(outer)
    alone = tmp_path / "alone.zip"
    alone.write_bytes(packed_evidence("evidence-cn", [case.bundle.files]))
    assert read_bundle(alone) == case.bundle


def test_a_bundle_holds_no_more_steps_than_its_bytes_allow(case: Case) -> None:
    size = sum(map(len, case.bundle.files.values()))
    after, seen = 0, set()
    while after or not seen:
        part = export(
            case.cn.database,
            case.cn.trust,
            publisher="cn",
            alert_id=case.alert_id,
            after_steps=after,
            most_bytes=size - 1,
        )
        assert sum(map(len, part.bundle.files.values())) < size
        seen |= {(event.origin, event.index) for event in verify(part.bundle, directory_note=case.directory).events}
        assert bool(part.next_after) == bool(part.more)
        after = part.next_after
    later = verify(case.bundle, directory_note=case.directory).events
    assert seen == {(event.origin, event.index) for event in later}


def test_both_nodes_export_evidence_that_verifies(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        alert_id = rich_life(cn, hk)
        for node in (cn, hk):
            bundle = export(node.database, node.trust, publisher="cn", alert_id=alert_id).bundle
            evidence = verify(bundle, directory_note=cn.trust.note)
            assert (evidence.key.publisher, evidence.key.alert_id, evidence.key.recipient) == ("cn", alert_id, "hk")
            assert evidence.alert.index == 3
            assert evidence.received_at is not None
            kinds = sorted(event.kind for event in evidence.events)
            assert evidence.steps[0].event == "published"
            assert {step.outcome for step in evidence.steps} == {"applied"}
            assert set(kinds) == {"acknowledged", "amended", "disposition", "finding", "question"}


def test_a_signature_that_a_partner_adds_does_not_spoil_the_evidence_against_it(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    """Nobody reads it, and a bundle with an unread signature would be refused."""
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        alert_id = cn.publish("hk")
        deliver(cn, hk)
        with hk.database.write() as conn:
            for size, note in conn.execute(select(checkpoints.c.size, checkpoints.c.note)).all():
                junk = NoteSignature("cn/extra", b"\x01\x02\x03\x04", bytes(64)).line()
                conn.execute(update(checkpoints).where(checkpoints.c.size == size).values(note=bytes(note) + junk))
        bundle = export(hk.database, hk.trust, publisher="cn", alert_id=alert_id).bundle
        assert b"cn/extra" not in bundle.files["alert.tlog-proof"]
        assert verify(bundle, directory_note=hk.trust.note).received_at is not None


def test_the_receipt_is_the_first_one_that_covers_the_entry(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        first = cn.publish("hk")
        deliver(cn, hk)
        received_s = hk.clock.now // 1000
        hk.clock.forward(3_600_000)
        cn.publish("hk")
        exchange(cn, hk)
        evidence = verify(
            export(cn.database, cn.trust, publisher="cn", alert_id=first).bundle, directory_note=cn.trust.note
        )
        assert evidence.received_at is not None
        assert int(evidence.received_at.timestamp()) == received_s


def test_without_a_receipt_origin_alone_is_proved(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, _hk):
        alert_id = cn.publish("hk")
        cn.settle()
        bundle = export(cn.database, cn.trust, publisher="cn", alert_id=alert_id).bundle
    assert b"NO RECEIPT" in bundle.files["README.txt"]
    examination = examine(bundle, directory_note=cn.trust.note)
    assert failed_step(examination) == 8
    assert "nothing shows that hk has received it" in examination.steps[-1].detail
    origin_alone = examine(bundle, directory_note=cn.trust.note, require_receipt=False)
    assert origin_alone.steps[7].status is StepStatus.ABSENT
    assert origin_alone.evidence is not None
    assert origin_alone.evidence.received_at is None


def test_a_withdrawal_that_wasnt_received_is_told_so(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        alert_id = cn.publish("hk")
        exchange(cn, hk)
        hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
        exchange(cn, hk)
        cn.step("cn", alert_id, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="Wrong container"))
        cn.settle()  # hk is down

        def proved() -> tuple[dict[str, tuple[bool, str]], str, str]:
            bundle = export(cn.database, cn.trust, publisher="cn", alert_id=alert_id).bundle
            examination = examine(bundle, directory_note=cn.trust.note)
            assert examination.evidence is not None
            shown = {step.event: (step.received_at is not None, step.outcome) for step in examination.evidence.steps}
            manifest = json.loads(bundle.files["manifest.json"])
            listed = {
                e["event"]: e["outcome"] and e["outcome"]["outcome"] for e in manifest["entries"] if "outcome" in e
            }
            assert listed == {event: outcome or None for event, (_, outcome) in shown.items()}
            return shown, bundle.files["README.txt"].decode(), examination.steps[9].detail

        shown, readme, detail = proved()
        before = {"published": (True, "applied"), "acknowledged": (True, "applied")}
        assert shown == before | {"withdrawn": (False, "")}
        (name,) = {line.strip() for line in readme.splitlines() if line.endswith("-withdrawn") and "," not in line}
        assert f"NOT proved to be received; export them again when there are receipts:\n     {name}\n" in readme
        assert "received by hk: NO RECEIPT: nothing here shows that it was received" in readme
        assert detail.endswith(f"NOT proved to be received: {name} by hk")
        deliver(cn, hk)
        assert proved()[0] == before | {"withdrawn": (True, "")}, "stored, and nothing says what was made of it"
        exchange(cn, hk)
        shown, readme, detail = proved()
        assert shown == before | {"withdrawn": (True, "applied")}
        assert "NO RECEIPT" not in readme
        assert "NOT proved to be received; export them again when there are receipts:\n     none\n" in readme
        assert "NOT proved" not in detail


def test_each_recipient_has_evidence_of_its_own(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database, NODES) as (cn, hk, mo):
        alert_id = cn.publish("hk", "mo")
        exchange(cn, hk, mo)
        hk.step("cn", alert_id, acknowledged=alert_pb2.AlertAcknowledged(revision=1))
        exchange(cn, hk, mo)
        with pytest.raises(InvalidRequestError, match="hk, mo"):
            export(cn.database, cn.trust, publisher="cn", alert_id=alert_id)
        with pytest.raises(NotFoundError, match="for sg"):
            export(cn.database, cn.trust, publisher="cn", alert_id=alert_id, recipient="sg")
        bundle = export(cn.database, cn.trust, publisher="cn", alert_id=alert_id, recipient="mo").bundle
        assert verify(bundle, directory_note=cn.trust.note).key.recipient == "mo"
        # as a name, not as two letters of a digest
        named = [name for name, content in bundle.files.items() if re.search(rb"[\"\s/]hk[\"\s/.,]", content)]
        assert named == ["directory.note"]


def test_what_is_damaged_or_erased_in_the_store_is_not_handed_out(tmp_path: Path, make_database: MakeDatabase) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        alert_id = cn.publish("hk")
        exchange(cn, hk)
        with cn.database.write() as conn:
            conn.execute(update(entries).where(entries.c.idx == 0).values(salt=bytes(32)))
        with pytest.raises(VerificationError, match="doesn't verify") as caught:
            export(cn.database, cn.trust, publisher="cn", alert_id=alert_id)
        assert caught.value.step == "4 payload"
        with cn.database.write() as conn:
            conn.execute(update(entries).where(entries.c.idx == 0).values(salt=b"", payload=b""))
        with pytest.raises(ErasedError):
            export(cn.database, cn.trust, publisher="cn", alert_id=alert_id)
        with pytest.raises(NotFoundError):
            export(cn.database, cn.trust, publisher="hk", alert_id=alert_id)


# --- what it is judged by


def test_all_steps_are_told_in_order(case: Case) -> None:
    examination = examine(case.bundle, directory_note=case.directory)
    assert [(step.number, step.name) for step in examination.steps] == list(STEPS.items())[:-1]  # no witnesses
    assert [step.status for step in examination.steps] == [StepStatus.PASSED] * 11 + [StepStatus.ABSENT]


def test_anchors_or_a_directory_vouch_for_the_keys_and_nothing_else(case: Case) -> None:
    assert verify(case.bundle, anchors=case.anchors).directory_version == 1
    assert verify(case.bundle, anchors=case.anchors, directory_note=case.directory).directory_version == 1
    with pytest.raises(ConfigurationError, match="directory or by anchors"):
        verify(case.bundle)


def test_a_federation_of_the_same_name_with_other_keys_proves_nothing(case: Case, tmp_path: Path) -> None:
    numbers = iter(range(9))
    database = lambda: new_database(f"sqlite:///{tmp_path}/{next(numbers)}.sqlite3")  # noqa: E731
    with paper_nodes(tmp_path, database, members=("cn", "hk")) as (cn, hk):  # of other members, so with other keys
        alert_id = cn.publish("hk")
        exchange(cn, hk)
        forged = export(cn.database, cn.trust, publisher="cn", alert_id=alert_id).bundle
    cn.database.close()
    hk.database.close()
    assert verify(forged, directory_note=cn.trust.note)
    assert failed_step(examine(forged, anchors=case.anchors)) == 2
    assert failed_step(examine(forged, directory_note=case.directory)) == 2  # two versions 1
    files = dict(forged.files) | {"directory.note": case.directory}
    assert failed_step(examine(resealed(files), directory_note=case.directory)) == 6
    newer = case.with_directory()
    assert failed_step(examine(forged, directory_note=newer)) == 6


def test_a_newer_directory_still_proves_old_evidence_and_an_expired_one_too(case: Case) -> None:
    old = case.cn.trust.directory
    newer = case.with_directory(
        issued_at=old.issued_at + timedelta(days=3000), expires_at=old.expires_at + timedelta(days=3000)
    )
    evidence = verify(case.bundle, directory_note=newer)
    assert evidence.directory_version == 2
    assert verify(case.bundle, anchors=case.anchors).received_at  # years after it expired: no clock is asked


@pytest.mark.parametrize(
    ("keys", "lost_before_the_receipt", "step"),
    [("log_keys", False, None), ("log_keys", True, 6), ("cosign_keys", False, None), ("cosign_keys", True, 8)],
)
def test_a_key_counts_when_it_was_valid_at_the_receipt(
    case: Case, keys: str, lost_before_the_receipt: bool, step: int | None
) -> None:
    received = verify(case.bundle, directory_note=case.directory).received_at
    assert received is not None
    revoked_at = received if lost_before_the_receipt else received + timedelta(days=1)
    node = "cn" if keys == "log_keys" else "hk"
    old = case.cn.trust.directory.nodes[node]
    records = tuple(replace(record, revoked_at=revoked_at) for record in getattr(old, keys))
    directory = case.with_directory(nodes={**case.cn.trust.directory.nodes, node: replace(old, **{keys: records})})
    examination = examine(case.bundle, directory_note=directory)
    assert (failed_step(examination) if step else examination.evidence) == (step or examination.evidence)
    assert (examination.evidence is None) == (step is not None)


def test_a_revoked_key_proves_nothing_when_only_its_owner_states_the_time(case: Case, tmp_path: Path) -> None:
    alert_id = case.cn.publish("hk")
    case.cn.settle()
    bundle = export(case.cn.database, case.cn.trust, publisher="cn", alert_id=alert_id).bundle
    assert verify(bundle, directory_note=case.directory, require_receipt=False).received_at is None
    old = case.cn.trust.directory.nodes["cn"]
    records = tuple(replace(record, revoked_at=record.not_after - timedelta(days=1)) for record in old.log_keys)
    directory = case.with_directory(nodes={**case.cn.trust.directory.nodes, "cn": replace(old, log_keys=records)})
    assert failed_step(examine(bundle, directory_note=directory, require_receipt=False)) == 6


# --- what can't be changed


def test_no_byte_of_any_file_can_change(case: Case) -> None:
    for name, content in case.bundle.files.items():
        stride = max(1, len(content) // 40)
        for at in {*range(0, len(content), stride), len(content) - 1}:
            changed = dict(case.bundle.files) | {name: flipped(content, at, at % 8)}
            failed_step(examine(Bundle(changed), directory_note=case.directory))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_byte_can_change_even_when_the_manifest_is_made_to_fit(case: Case, data: st.DataObject) -> None:
    names = [name for name in case.bundle.files if name not in ("manifest.json", "directory.note")]
    name = data.draw(st.sampled_from(names))
    content = case.bundle.files[name]
    at, bit = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 7))
    changed = resealed(dict(case.bundle.files) | {name: flipped(content, at, bit)})
    assert failed_step(examine(changed, directory_note=case.directory)) > 1


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_original_can_change_even_when_all_words_are_made_to_fit(case: Case, data: st.DataObject) -> None:
    parts = parts_of(case.bundle)
    number = data.draw(st.integers(-1, len(parts.events) - 1))
    entry = parts.alert if number < 0 else parts.events[number]
    part = data.draw(st.sampled_from(["header", "salt", "payload", "proof"]))
    content = getattr(entry, part)
    at, bit = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 7))
    forged = replace(entry, **{part: flipped(content, at, bit)})
    events = tuple(forged if n == number else event for n, event in enumerate(parts.events))
    try:
        bundle = render(EvidenceParts(parts.directory_note, forged if number < 0 else parts.alert, events))
    except GatewayError:
        return  # it can't even be put into words
    assert 2 < failed_step(examine(bundle, directory_note=case.directory)) < 11


def test_the_failing_step_is_named(case: Case) -> None:
    parts = parts_of(case.bundle)
    other = export(case.cn.database, case.cn.trust, publisher="cn", alert_id=_first_alert(case)).bundle
    foreign = parts_of(other).alert
    tampered = {
        4: EvidenceParts(parts.directory_note, replace(parts.alert, salt=bytes(32)), ()),
        6: EvidenceParts(parts.directory_note, replace(parts.alert, proof=parts.events[0].proof), ()),
        7: EvidenceParts(parts.directory_note, replace(parts.alert, proof=foreign.proof), ()),
        10: EvidenceParts(parts.directory_note, parts.alert, (foreign,)),
    }
    for step, forged in tampered.items():
        with pytest.raises(VerificationError) as caught:
            verify(render(forged), directory_note=case.directory)
        assert caught.value.step == f"{step} {STEPS[step]}"
    twice = EvidenceParts(parts.directory_note, parts.alert, (parts.events[0], parts.events[0]))
    assert failed_step(examine(render(twice), directory_note=case.directory)) == 10
    about_another = parts_of(other).events
    assert about_another
    mixed = EvidenceParts(parts.directory_note, foreign, parts.events)
    assert failed_step(examine(render(mixed), directory_note=case.directory)) == 10


def _first_alert(case: Case) -> str:
    with case.cn.database.read() as conn:
        payload = conn.execute(entries.select().where(entries.c.idx == 0, entries.c.feed_id == 1)).one().payload
    return alert_pb2.AlertEvent.FromString(payload).published.id


def test_a_stripped_receipt_is_seen(case: Case) -> None:
    parts = parts_of(case.bundle)
    lines = parts.alert.proof.split(b"\n")
    stripped = replace(parts.alert, proof=b"\n".join([*lines[:-2], b""]))
    assert failed_step(examine(render(replace(parts, alert=stripped)), directory_note=case.directory)) == 8
    files = dict(case.bundle.files) | {"alert.tlog-proof": stripped.proof}
    assert failed_step(examine(resealed(files), directory_note=case.directory)) == 8


def test_a_strangers_signature_and_extra_data_are_refused(case: Case) -> None:
    parts = parts_of(case.bundle)
    line = parts.alert.proof.rstrip(b"\n").split(b"\n")[-1]
    more = replace(parts.alert, proof=parts.alert.proof + line.replace(b"/hk/", b"/mo/") + b"\n")
    assert failed_step(examine(render(replace(parts, alert=more)), directory_note=case.directory)) == 6
    extra = replace(parse_proof(parts.alert.proof), extra=b"free").encode()
    with_extra = replace(parts, alert=replace(parts.alert, proof=extra))
    assert failed_step(examine(render(with_extra), directory_note=case.directory)) == 7


@pytest.mark.parametrize("member", ["format", "federation", "directory_version", "alert", "entries"])
def test_every_word_of_the_manifest_is_compared(case: Case, member: str) -> None:
    manifest = json.loads(case.bundle.files["manifest.json"])
    value = manifest[member]
    manifest[member] = value + 1 if isinstance(value, int) else "x" if isinstance(value, str) else type(value)()
    text = json.dumps(manifest, ensure_ascii=False, indent=2, sort_keys=True, separators=(",", ": ")) + "\n"
    failed_step(
        examine(Bundle(dict(case.bundle.files) | {"manifest.json": text.encode()}), directory_note=case.directory)
    )


# --- others can verify it


def test_the_readme_s_own_commands_and_keys_verify_it(case: Case, tmp_path: Path) -> None:
    for name in ("salt.bin", "payload.binpb", "header.binpb"):
        (tmp_path / name).write_bytes(case.bundle.files[name])
    readme = case.bundle.files["README.txt"].decode()
    digest_command, leaf_command = (line.strip() for line in readme.splitlines() if "sha256sum" in line)
    digest, leaf = (
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split()[
            0
        ]
        for command in (digest_command, leaf_command)
    )
    assert bytes.fromhex(digest) in case.bundle.files["header.binpb"]
    assert f"This prints {leaf}:" in readme
    log, receipts = (
        Verifier.from_vkey(line.split()[-1])
        for line in readme.splitlines()
        if line.strip().startswith(("log key", "receipts key"))
    )
    proof = verify_proof(case.bundle.files["alert.tlog-proof"], bytes.fromhex(leaf), log, [receipts], 1)
    assert proof.index == 3


@pytest.mark.parametrize("number", [0, 1])
def test_the_wording_of_a_format_stays(case: Case, number: int) -> None:
    """Old bundles are rendered again to be verified: a changed word here breaks every one of them."""
    parts = parts_of(case.bundle)
    events = parts.events if FORMS[number] == FORMS[0] else ()
    readme = render(replace(parts, events=events), FORMS[number]).files["README.txt"].decode()
    claimed = read_entry(parts.alert)
    for varying in (
        case.alert_id,
        claimed.leaf.hex(),
        *(word for line in readme.splitlines() if " key  " in line for word in line.split()[-1:]),
        *(word.rstrip(",") for word in readme.split() if word.rstrip(",").endswith("Z") and word.startswith("2026-")),
    ):
        readme = readme.replace(varying, "…")
    assert sha256(readme.encode()).hexdigest() == WORDINGS[number]


WORDINGS = (
    "1bc1340e069e09980f92ad9aef6d548e01bee2bfbee4501aa6fa3e6ea6eeb25d",
    "323985df9dd04390e0a48e72865429d726b5fb4c3f238319b18d39ac4c28893f",
)
"""By number in FORMS."""


# --- as one file


def test_the_zip_is_the_same_everywhere_and_no_byte_of_it_can_change(case: Case) -> None:
    data = encode_zip(case.bundle)
    assert encode_zip(Bundle(dict(reversed(case.bundle.files.items())))) == data
    assert decode_zip(data) == case.bundle
    for at in range(0, len(data), 97):
        try:
            changed = decode_zip(flipped(data, at, at % 8))
        except MalformedError:
            continue
        failed_step(examine(changed, directory_note=case.directory))


def test_directories_of_the_bundle_that_are_damaged_are_seen(case: Case) -> None:
    note = case.directory
    for at in range(0, len(note), 211):
        changed = resealed(dict(case.bundle.files) | {"directory.note": flipped(note, at)})
        assert failed_step(examine(changed, directory_note=note)) == 2
    assert unsafe_reopen(note).version == 1


def test_foreign_text_in_a_bundle_prints_and_bundles_made_before_verify(case: Case) -> None:
    text = "\x1b[2J\x9b31m\u202e\u2028\u200b\U000e0041 范"
    alert_id = case.cn.publish("hk", case_reference=text)
    exchange(case.cn, case.hk)
    bundle = export(case.cn.database, case.cn.trust, publisher="cn", alert_id=alert_id).bundle
    shown = bundle.files["alert.json"].decode()
    assert is_harmless(shown, allowed="\n")
    assert json.loads(shown)["published"]["content"]["case_reference"] == text
    earlier = [render(parts_of(bundle), form) for form in FORMS[1:]]
    assert bundle not in earlier
    for made in (bundle, *earlier):
        assert verify(made, directory_note=case.directory).key.alert_id == alert_id
    mixed = Bundle({**bundle.files, "alert.json": earlier[-1].files["alert.json"]})
    assert failed_step(examine(mixed, directory_note=case.directory)) == 1
