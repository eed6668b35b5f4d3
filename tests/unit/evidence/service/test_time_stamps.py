"""Time stamps: what is due is stamped, a bundle carries the stamp, and every manipulation fails."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.x509 import Certificate
from pydantic import ValidationError
from sqlalchemy import update

from gateway.contract.ids import Channel
from gateway.errors import ConfigurationError, GatewayError, MalformedError, SignatureInvalidError, UnavailableError
from gateway.evidence.codec.bundle import CONSISTENCY, TIME_STAMP, Bundle, EvidenceParts, EvidenceTimeStamp, parts_of
from gateway.evidence.codec.bundle_text import render
from gateway.evidence.codec.time_stamp import new_request, read_certificates, verified_answer, verify_time_stamp
from gateway.evidence.service.check import examine, verify
from gateway.evidence.service.export import export
from gateway.evidence.service.report import StepResult, StepStatus
from gateway.evidence.service.time_stamping import (
    KeepTimeStampsCommand,
    StampPolicy,
    TimeStampAuthority,
    TimeStamping,
)
from gateway.feed.tables import time_stamps
from gateway.feed.tables.time_stamps import StoredTimeStamp
from gateway.node.capabilities.time_stamps import time_stamp_authority
from gateway.node.sections.time_stamp_settings import TimeStampSettings
from gateway.tlog.consistency_file import parse_consistency_file
from gateway.tlog.note import UnverifiedNote, parse_note
from gateway.v1 import alert_pb2
from tests.support.databases import MakeDatabase, new_database
from tests.support.nodes import PaperNode, exchange, open_urgent, paper_nodes
from tests.support.programs import OPENSSL
from tests.support.time_stamps import Authority, StampServer

DATA = b"a checkpoint\n"
HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    OPENSSL.require()
    return Authority(tmp_path_factory.mktemp("tsa") / "one")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tsa") / "other", name="Another TSA")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[StampServer]:
    with StampServer(authority).running() as running:
        yield running


@pytest.fixture
def answering(server: StampServer) -> Iterator[StampServer]:
    """The server, as it was afterwards."""
    before = (server.status, server.location, server.answers)
    yield server
    server.status, server.location, server.answers = before


def stamped(authority: Authority, data: bytes = DATA) -> bytes:
    request = new_request(data)
    return verified_answer(authority.answer(request.encoded), request, read_certificates(authority.trusted))[0]


def now_ms() -> int:
    return int(datetime.now().timestamp() * 1000)


def stamper(node: PaperNode, server: StampServer, *, every_ms: int = HOUR_MS, urgent: bool = True) -> TimeStamping:
    tsa = TimeStampAuthority(server.url, read_certificates(server.authority.trusted), clock=now_ms)
    return TimeStamping(node.database, tsa, StampPolicy(every_ms, urgent))


def stamp_now(node: PaperNode, server: StampServer) -> tuple[StoredTimeStamp, ...]:
    """Stamps what is due after an hour and a day, and keeps it."""
    stamping = stamper(node, server)
    turn = stamping.run(stamping.due(now_ms() + 25 * HOUR_MS))
    assert not turn.problem
    node.writer.run(KeepTimeStampsCommand(turn.stamps))
    return turn.stamps


@dataclass
class Stamped:
    """An alert whose receipt, and a later one, were stamped."""

    cn: PaperNode
    hk: PaperNode
    alert_id: str
    bundle: Bundle
    unstamped: Bundle
    tsa: list[Certificate]

    @property
    def parts(self) -> EvidenceParts:
        return parts_of(self.bundle)

    @property
    def stamp(self) -> EvidenceTimeStamp:
        assert self.parts.time_stamp is not None
        return self.parts.time_stamp

    def step(self, bundle: Bundle, *tsa: Certificate) -> StepResult:
        """The last step."""
        return examine(bundle, directory_note=self.cn.trust.note, tsa_certificates=tsa or self.tsa).steps[-1]

    def with_stamp(self, **changes: bytes) -> Bundle:
        """The bundle as a forger makes it: with other bytes, and the texts that belong to them."""
        return render(replace(self.parts, time_stamp=replace(self.stamp, **changes)))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory, server: StampServer) -> Iterator[Stamped]:
    folder = tmp_path_factory.mktemp("stamped")
    numbers = iter(range(9))
    with paper_nodes(folder, lambda: new_database(f"sqlite:///{folder}/{next(numbers)}.sqlite3")) as (cn, hk):
        alert_id = cn.publish("hk")
        exchange(cn, hk)
        unstamped = export(cn.database, cn.trust, publisher="cn", alert_id=alert_id).bundle
        for _ in range(3):
            cn.publish("hk")
            exchange(cn, hk)
        stamp_now(cn, server)
        bundle = export(cn.database, cn.trust, publisher="cn", alert_id=alert_id).bundle
        yield Stamped(cn, hk, alert_id, bundle, unstamped, read_certificates(server.authority.trusted))
    cn.database.close()
    hk.database.close()


def test_a_bundle_carries_the_stamp_and_proves_the_time(case: Stamped, authority: Authority, tmp_path: Path) -> None:
    evidence = verify(case.bundle, directory_note=case.cn.trust.note, tsa_certificates=case.tsa)
    assert evidence.time_stamp is not None
    assert evidence.time_stamp.is_trusted
    assert abs(evidence.time_stamp.time.timestamp() - datetime.now().timestamp()) < 300
    last = case.step(case.bundle)
    assert (last.number, last.status) == (12, StepStatus.PASSED)
    assert last.detail.startswith("existed before 20")
    assert last.detail.endswith("by CN=Placeholder TSA")

    proof = parse_consistency_file(case.bundle.files[CONSISTENCY])
    assert proof.hashes, "the stamped checkpoint is a later one"
    stamp, checkpoint = tmp_path / "alert.tsr", tmp_path / "checkpoint"
    stamp.write_bytes(case.bundle.files[TIME_STAMP])
    checkpoint.write_bytes(proof.checkpoint_note)
    assert authority.verifies(stamp, checkpoint)  # not by the product's code
    checkpoint.write_bytes(proof.checkpoint_note + b"\n")
    assert not authority.verifies(stamp, checkpoint)
    assert json.loads(case.bundle.files["manifest.json"])["format"] == "customs-gateway-evidence/v3"


def test_a_bundle_without_a_stamp_is_as_before(case: Stamped) -> None:
    assert json.loads(case.unstamped.files["manifest.json"])["format"] == "customs-gateway-evidence/v2"
    assert b"TIME STAMP" not in case.unstamped.files["README.txt"]
    last = case.step(case.unstamped)
    assert (last.number, last.status, last.detail) == (12, StepStatus.ABSENT, "there is none in the bundle")
    same = {name: content for name, content in case.bundle.files.items() if name in case.unstamped.files}
    different = {name for name, content in same.items() if content != case.unstamped.files[name]}
    assert different <= {"README.txt", "manifest.json"}  # the receipt is the earliest one, whatever was stamped


def test_without_a_trusted_certificate_the_step_says_so(case: Stamped) -> None:
    examination = examine(case.bundle, directory_note=case.cn.trust.note)
    last = examination.steps[-1]
    assert last.status is StepStatus.ABSENT
    assert "its signature is sound, but you haven't named that authority" in last.detail
    assert examination.evidence is not None
    assert examination.evidence.time_stamp is not None
    assert not examination.evidence.time_stamp.is_trusted
    assert examination.evidence.time_stamp.certificate_sha256 in last.detail


def test_every_manipulation_fails(case: Stamped, authority: Authority, other: Authority) -> None:
    note = parse_consistency_file(case.stamp.consistency).checkpoint_note
    proof = case.stamp.consistency.split(b"\n")
    proof[1] = b"A" * 43 + b"="
    old_size = case.stamp.consistency.replace(b"old 1\n", b"old 2\n")
    own = parts_of(case.bundle).alert.proof
    parsed = parse_note(note)
    bare = UnverifiedNote(parsed.unverified_text, parsed.signatures[:1]).encode()
    without_receipt = case.with_stamp(
        consistency=case.stamp.consistency.replace(note, bare), stamp=stamped(authority, bare)
    )
    for what, bundle, problem in (
        ("of another digest", case.with_stamp(stamp=stamped(authority, note + b"x")), "is on other bytes"),
        ("by another authority", case.with_stamp(stamp=stamped(other, note)), "isn't one that you trust"),
        ("consistency changed", case.with_stamp(consistency=b"\n".join(proof)), "doesn't lead to"),
        ("another size", case.with_stamp(consistency=old_size), "the proof starts at 2 entries"),
        ("without a receipt", without_receipt, "the later checkpoint has no receipt"),
        ("not a stamp", case.with_stamp(stamp=own), "isn't an answer of a TSA"),
        ("more bytes", case.with_stamp(stamp=case.stamp.stamp + b"\0"), "isn't an answer of a TSA"),
    ):
        last = case.step(bundle)
        assert (last.number, last.status) == (12, StepStatus.FAILED), what
        assert problem in last.detail, what
    wrong = case.step(case.bundle, *read_certificates(other.trusted))
    assert wrong.status is StepStatus.FAILED
    assert "isn't one that you trust" in wrong.detail


def test_a_stamped_checkpoint_that_does_not_cover_the_alert_fails(case: Stamped) -> None:
    later = case.cn.publish("hk")
    exchange(case.cn, case.hk)
    bundle = export(case.cn.database, case.cn.trust, publisher="cn", alert_id=later).bundle
    assert TIME_STAMP not in bundle.files  # the stamp is of the feed before this alert
    forged = render(replace(parts_of(bundle), time_stamp=case.stamp))
    last = case.step(forged)
    assert (last.number, last.status) == (12, StepStatus.FAILED)
    assert "the proof starts at" in last.detail


def test_no_changed_byte_of_a_stamp_changes_what_it_says(authority: Authority) -> None:
    """Bits that nothing signs may change unseen; the bytes, the time and the authority can't."""
    stamp, trusted = stamped(authority), read_certificates(authority.trusted)
    said = verify_time_stamp(stamp, DATA, trusted)
    unseen = 0
    for at in range(len(stamp)):
        changed = stamp[:at] + bytes([stamp[at] ^ 1]) + stamp[at + 1 :]
        try:
            assert verify_time_stamp(changed, DATA, trusted) == said
            unseen += 1
        except (MalformedError, SignatureInvalidError):
            pass
    assert unseen < 16  # versions, and names of algorithms that the signature settles
    for end in (0, 1, len(stamp) // 2, len(stamp) - 1):
        with pytest.raises((MalformedError, SignatureInvalidError)):
            verify_time_stamp(stamp[:end], DATA, trusted)


def test_a_certificate_of_a_ca_needs_its_root(tmp_path: Path) -> None:
    OPENSSL.require()
    authority = Authority(tmp_path / "tsa", under_ca=True)
    stamp = stamped(authority)
    assert verify_time_stamp(stamp, DATA, read_certificates(authority.trusted)).is_trusted
    with pytest.raises(ConfigurationError, match="root CA is missing"):
        read_certificates(authority.certificate)
    with pytest.raises(ConfigurationError, match="root CA is missing"):
        verify_time_stamp(stamp, DATA, [])  # nothing to check the signature by
    with pytest.raises(SignatureInvalidError, match="isn't one that you trust"):
        verify_time_stamp(stamp, DATA, read_certificates(authority.folder / "ca.pem"))


def test_answers_that_do_not_count(answering: StampServer, other: Authority) -> None:
    trusted = read_certificates(answering.authority.trusted)
    tsa = TimeStampAuthority(answering.url, trusted, clock=now_ms)
    assert verify_time_stamp(tsa.stamp(DATA)[0], DATA, trusted).is_trusted
    query = answering.queries[-1]
    assert sha256(DATA).digest() in query
    assert DATA not in query

    for answers, problem in (
        (answering.authority.answer(new_request(DATA).encoded), "answers another request"),
        (answering.authority.answer(new_request(DATA + b"x").encoded), "is on other bytes"),
        (b"", "isn't an answer of a TSA"),
        (bytes.fromhex("30053003020102"), "the TSA has refused, with status 2"),
        (b"x" * 40_000, "an answer of more than 32768 bytes"),
    ):
        answering.answers = answers
        with pytest.raises(GatewayError, match=problem):
            tsa.stamp(DATA)
    answering.answers = None
    with pytest.raises(SignatureInvalidError, match="isn't one that you trust"):
        TimeStampAuthority(answering.url, read_certificates(other.trusted), clock=now_ms).stamp(DATA)
    with pytest.raises(GatewayError, match=r"its clock is 3(59|60)\d s ahead"):
        TimeStampAuthority(answering.url, trusted, clock=lambda: now_ms() - HOUR_MS).stamp(DATA)
    answering.status, answering.location = 307, answering.url
    asked = len(answering.queries)
    with pytest.raises(UnavailableError, match="HTTP 307"):
        tsa.stamp(DATA)
    assert len(answering.queries) == asked + 1  # redirects aren't followed
    with pytest.raises(UnavailableError):
        TimeStampAuthority("http://127.0.0.1:9/", trusted, clock=now_ms).stamp(DATA)


@pytest.mark.both_databases
def test_what_is_due_is_stamped_once(make_database: MakeDatabase, tmp_path: Path, answering: StampServer) -> None:
    with paper_nodes(tmp_path, make_database) as (cn, hk):
        stamping = stamper(cn, answering)
        cn.publish("hk")
        assert stamping.due(now_ms()) == []  # there is no receipt yet
        exchange(cn, hk)
        (first,) = stamp_now(cn, answering)
        assert stamping.due(now_ms() + 25 * HOUR_MS) == []
        cn.publish("hk")
        exchange(cn, hk)
        assert stamping.due(first.stamped_at + HOUR_MS - 1) == []
        (due,) = stamping.due(first.stamped_at + HOUR_MS)
        assert due.checkpoint.size > first.size

        open_urgent(cn, hk)
        cn.publish("hk", priority=alert_pb2.PRIORITY_A)
        exchange(cn, hk)
        stamp_now(cn, answering)
        cn.publish("hk", priority=alert_pb2.PRIORITY_A)
        cn.publish("hk", priority=alert_pb2.PRIORITY_C)
        exchange(cn, hk)
        assert [one.origin.channel for one in stamping.due(now_ms())] == [Channel.ALERTS_A]
        assert stamper(cn, answering, urgent=False).due(now_ms()) == []
        due, other = stamping.due(now_ms() + HOUR_MS)
        assert (due.is_urgent, other.is_urgent) == (True, False)

        answering.status = 503
        turn = stamping.run([due])
        assert (turn.stamps, "HTTP 503" in turn.problem) == ((), True)
        answering.status = 200
        cn.writer.run(KeepTimeStampsCommand(stamping.run([due]).stamps * 2))
        with cn.database.read() as conn:
            assert time_stamps.newest(conn, due.feed_id).size == due.checkpoint.size
            assert time_stamps.first_over(conn, first.feed_id, first.size) == first


def test_without_the_library_the_step_says_how_to_get_it(case: Stamped, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    examination = examine(case.bundle, directory_note=case.cn.trust.note)
    assert examination.evidence is not None
    assert examination.steps[-1].status is StepStatus.ABSENT
    assert "pip install 'WHEEL[timestamps]'" in examination.steps[-1].detail
    wrong = case.with_stamp(consistency=case.stamp.consistency.replace(b"old 1\n", b"old 2\n"))
    assert case.step(wrong).status is StepStatus.FAILED


def test_a_damaged_stamp_stays_out_of_the_bundle(case: Stamped) -> None:
    with case.cn.database.write() as conn:
        conn.execute(update(time_stamps.time_stamps).values(stamp=case.stamp.stamp[:-1]))
    exported = export(case.cn.database, case.cn.trust, publisher="cn", alert_id=case.alert_id).bundle
    assert dict(exported.files) == dict(case.unstamped.files)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"url": "ftp://tsa.example/"}, "url"),
        ({"url": "https://me:secret@tsa.example/"}, "url"),
        ({"url": "https://tsa.example/"}, "certificates"),
        ({"every_minutes": 0}, "every_minutes"),
    ],
)
def test_wrong_settings_are_refused_with_their_names(settings: dict[str, object], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        TimeStampSettings(**settings)  # type: ignore[arg-type]


def test_wrong_certificates_are_refused_with_the_name_of_the_setting(tmp_path: Path) -> None:
    chosen = TimeStampSettings(url="https://tsa.example/", certificates=tmp_path / "tsa.pem")
    for content in (None, b"nothing"):
        if content is not None:
            (tmp_path / "tsa.pem").write_bytes(content)
        with pytest.raises(ConfigurationError, match=r"^time_stamps\.certificates: "):
            time_stamp_authority(chosen, clock=now_ms)
