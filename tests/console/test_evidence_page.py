"""The page for an expert: opened from a file without network, it says what `evidence.service.check` says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor
from playwright.sync_api import Browser, expect

from gateway.alerts.codec import ERASURES
from gateway.contract.enum_words import word_for
from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import GatewayError
from gateway.evidence.codec.bundle import (
    Bundle,
    EvidenceEntry,
    EvidenceParts,
    EvidenceTimeStamp,
    alert_files,
    decode_zip,
    encode_zip,
    event_files,
    event_folder,
    parts_of,
)
from gateway.evidence.codec.bundle_text import FORMS, render
from gateway.evidence.page.writer import evidence_page
from gateway.evidence.service.check import examine
from gateway.evidence.service.export import export
from gateway.evidence.service.report import StepStatus
from gateway.feed.codec import make_entry
from gateway.tlog.checkpoint import Checkpoint, cosign, sign_checkpoint
from gateway.tlog.merkle import leaf_hash
from gateway.tlog.note import Verifier
from gateway.tlog.proof_file import TlogProof, parse_proof
from gateway.translation.labels import label
from gateway.translation.messages import in_language
from gateway.trust.pki.keys import Ed25519Signer
from gateway.trust.rules.directory import KeyAlgorithm, receipts_key_name
from gateway.trust.service.directory_versions import RootOfTrust
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import alert_pb2, feed_pb2
from tests.support.console.case import Case as TrialCase
from tests.support.console.desk import Desks
from tests.support.console.evidence_page import ExpertDesk, expect_text, expert_desk, verifier
from tests.support.console.payloads import MARK, PAYLOADS
from tests.support.contract_fields import fill, is_map
from tests.support.databases import new_database
from tests.support.directories import signer
from tests.support.hostile_text import HOSTILE, is_harmless
from tests.support.nodes import alert_content, exchange, paper_nodes
from tests.support.tlog_keys import SecondTestKey
from tests.unit.evidence.service.test_export import Case, flipped, resealed, rich_life

EARLIER = Path(__file__).parents[1] / "fixtures/first_release_candidate"


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Case]:
    """An alert with a rich life, at both nodes."""
    folder = tmp_path_factory.mktemp("known")
    numbers = iter(range(9))
    with paper_nodes(folder, lambda: new_database(f"sqlite:///{folder}/{next(numbers)}.sqlite3")) as (cn, hk):
        alert_id = rich_life(cn, hk)
        yield Case(folder, cn, hk, alert_id, export(cn.database, cn.trust, publisher="cn", alert_id=alert_id).bundle)


@pytest.fixture(scope="module")
def expert(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExpertDesk]:
    """A page without evidence, for tests that choose some."""
    with verifier(browser, tmp_path_factory.mktemp("expert")) as desk:
        yield desk


def vkeys(case: Case) -> list[str]:
    return [key.to_vkey() for key in case.anchors.verifiers]


def assert_same(
    expert: ExpertDesk,
    bundle: Bundle,
    *,
    directory: bytes | None = None,
    anchors: RootOfTrust | None = None,
) -> int:
    """Whether page and software take the same steps with the same results; returns the step that fails, or 0.

    Without a directory and anchors the software is given the bundle's own, as the page takes it.
    """
    judged_by = directory if directory is not None or anchors else bundle.files["directory.note"]
    examination = examine(bundle, directory_note=judged_by, anchors=anchors, require_receipt=False)
    expected = [(step.number, step.status.value) for step in examination.steps if step.number < 11]
    keys = [] if anchors is None else [key.to_vkey() for key in anchors.verifiers]
    expert.trust(directory=directory, vkeys=keys, threshold=anchors.threshold if anchors else "").choose(bundle)
    shown = [step for step in expert.results if step[0] < 11]
    assert shown == expected, f"{examination.steps[-1]}\n{expert.page.locator('main').inner_text()[:3_000]}"
    last = examination.steps[-1]
    return last.number if last.status is StepStatus.FAILED and last.number < 11 else 0


# --- what it shows


def test_a_written_page_verifies_by_itself_and_says_whose_word_the_keys_are(
    known: Case, browser: Browser, tmp_path: Path
) -> None:
    with expert_desk(browser, tmp_path, evidence_page(known.bundle.files)) as expert:
        assert expert.verdict.startswith("Verified, except:")
        assert "as good as whoever gave you this page" in expert.verdict
        assert expert.results == [*((number, "passed") for number in range(1, 11)), (11, "left_out")]
        expert.assert_accessible()
        text = expert.page.locator("main").inner_text()
        digest = sha256(known.cn.trust.text).hexdigest()
        assert all(value in text for value in (digest, *vkeys(known), known.alert_id, "CASE-2026-0002", "Sb 99.65 %"))
        assert not re.search(r"\{[a-z]+\}|undefined|NaN|\[object", text)


def test_keys_that_its_reader_has_make_it_verified(known: Case, browser: Browser, tmp_path: Path) -> None:
    with expert_desk(browser, tmp_path, evidence_page(known.bundle.files, known.with_directory())) as expert:
        assert "as good as whoever gave you this page" in expert.verdict
        expert.trust(directory=known.directory)
        assert expert.verdict.splitlines()[0] == "Verified"
        expert.trust(vkeys=vkeys(known))
        assert expert.verdict.splitlines()[0] == "Verified"
        expert.trust()
        assert expert.verdict.startswith("Verified, except:")


def test_a_time_stamp_is_there_and_not_checked(known: Case, expert: ExpertDesk) -> None:
    stamped = render(replace(parts_of(known.bundle), time_stamp=EvidenceTimeStamp(b"a proof", b"a stamp")))
    assert expert.choose(stamped).trust(directory=known.directory).verdict.startswith("Verified, except:")
    assert "time stamp is there and wasn't checked" in expert.verdict
    assert expert.results[-1] == (11, "left_out")
    missing = Bundle({name: content for name, content in stamped.files.items() if name != "alert.tsr"})
    assert expert.choose(missing).failing == 1


def test_cosignatures_of_witnesses_are_there_and_not_checked(known: Case, expert: ExpertDesk) -> None:
    witnessed = render(replace(parts_of(known.bundle), witnessed=b"a proof"))
    assert expert.choose(witnessed).trust(directory=known.directory).verdict.startswith("Verified, except:")
    assert "Cosignatures of witnesses are there and weren't checked" in expert.verdict


def test_each_step_says_by_whom_received_when_and_what_was_made_of_it(known: Case, expert: ExpertDesk) -> None:
    steps = examine(known.bundle, directory_note=known.directory).evidence
    assert steps is not None
    assert expert.choose(known.bundle).trust(directory=known.directory).verdict.startswith("Verified")
    rows = expert.page.locator("#proved tbody tr")
    shown = [rows.nth(number).inner_text() for number in range(rows.count())]
    assert len(shown) == len(steps.steps)
    for step, row in zip(steps.steps, shown, strict=True):
        assert step.received_at is not None
        received = f"{step.to}, at the latest {step.received_at:%Y-%m-%d %H:%M:%S} UTC by its clock"
        said = f"{step.by}, {step.recorded_at:%Y-%m-%d %H:%M:%S}"
        assert all(part in row for part in (step.name, said, received, step.outcome)), row


def test_a_step_without_a_receipt_is_told_in_the_verdict(known: Case, expert: ExpertDesk) -> None:
    alert = signed(known, published(known), receipt=False)
    bundle = bundle_of(known, alert)
    assert assert_same(expert, bundle, directory=known.directory) == 0
    assert (8, "absent") in expert.results
    assert "it isn't proved that hk received the alert" in expert.verdict
    later = replace(
        parts_of(known.bundle), events=(*parts_of(known.bundle).events[:1], signed(known, withdrawn(known), False))
    )
    assert assert_same(expert, render(later), directory=known.directory) == 0
    assert "Not proved to be received: 002-withdrawn (hk)" in expert.verdict


@pytest.mark.parametrize(("end", "said"), [("corrected", "Corrected later"), ("withdrawn", "Withdrawn later")])
def test_a_finding_that_does_not_hold_any_more_is_told_so(known: Case, expert: ExpertDesk, end: str, said: str) -> None:
    finding = alert_pb2.AlertFinding(alert=reference(known), result=alert_pb2.FINDING_RESULT_CONFIRMED)
    place = alert_pb2.FindingReference(origin=known.hk.origin("cn").line, index=0)
    change = alert_pb2.AlertEvent(
        finding_withdrawn=alert_pb2.AlertFindingWithdrawn(alert=reference(known), finding=place, reason="x")
    )
    if end == "corrected":
        change = alert_pb2.AlertEvent(
            finding_corrected=alert_pb2.AlertFindingCorrected(
                alert=reference(known), replaces=place, finding=finding, reason="x"
            )
        )
    bundle = bundle_of(
        known,
        signed(known, published(known)),
        signed(known, alert_pb2.AlertEvent(finding=finding).SerializeToString(), publisher="hk"),
        signed(known, change.SerializeToString(), publisher="hk", channel="alerts-a"),
    )
    assert f"{end} later: it doesn't hold any more" in bundle.files["README.txt"].decode()
    assert assert_same(expert, bundle, directory=known.directory) == 0
    told = expert.page.locator("#proved tr", has_text=said)
    assert told.count() == 1
    assert "001-finding" in told.inner_text()


def test_everything_that_is_signed_is_shown_as_text_whatever_it_is(known: Case, expert: ExpertDesk) -> None:
    hostile = "".join(PAYLOADS.values()) + HOSTILE
    event = alert_pb2.AlertEvent.FromString(published(known))
    content = alert_pb2.AlertContent(case_reference=hostile, typologies=[hostile])
    content.rule_hits.add(rule_id="R1", score=0.1, inputs={"a": hostile})
    event.published.content.MergeFrom(content)
    event.actor = hostile
    bundle = bundle_of(known, signed(known, event.SerializeToString()))
    assert assert_same(expert, bundle, directory=known.directory) == 0
    page = expert.page
    assert page.locator(f"[{MARK}]").count() == 0
    text = page.locator("main").inner_text()
    assert PAYLOADS["out of everything"] in text
    assert "\\u{202e}" in text
    assert is_harmless(text, allowed="\n\t")
    expert.assert_accessible()


EVENTS = [field.name for field in alert_pb2.AlertEvent.DESCRIPTOR.oneofs[0].fields]


@pytest.mark.parametrize("kind", [kind for kind in EVENTS if kind not in ERASURES])
def test_every_field_of_the_contract_is_decoded(known: Case, expert: ExpertDesk, kind: str) -> None:
    event = alert_pb2.AlertEvent(occurred_at=to_timestamp(known.cn.clock.now), actor="desk")
    body: Any = fill(getattr(event, kind))
    if kind in ("published", "amended"):
        body.id, body.publisher, body.recipient = known.alert_id, "cn", "hk"
    elif kind == "disposition":
        body.origin, body.index, body.count = known.cn.origin("hk").line, 0, 1
    else:
        body.alert.CopyFrom(reference(known))
    if kind == "finding_corrected":
        body.finding.alert.CopyFrom(reference(known))
    entries = [signed(known, event.SerializeToString(), channel="alerts-a" if kind == "amended" else "alerts")]
    if kind not in ("published", "amended"):
        entries = [signed(known, event.SerializeToString(), publisher="hk")]
    if kind != "published":
        entries = [signed(known, published(known)), *entries]
    assert assert_same(expert, bundle_of(known, *entries), directory=known.directory) == 0
    assert dict(expert.fields()) == dict(leaves_of(event))


@pytest.mark.parametrize("kind", ERASURES)
def test_an_erasure_is_no_step_of_an_alert(known: Case, expert: ExpertDesk, kind: str) -> None:
    event = alert_pb2.AlertEvent(occurred_at=to_timestamp(known.cn.clock.now), actor="desk")
    getattr(event, kind).alert.CopyFrom(reference(known))
    erasure = signed(known, event.SerializeToString(), publisher="hk")
    bundle = bundle_of(known, signed(known, published(known)), erasure)
    assert assert_same(expert, bundle, directory=known.directory) == 10


def test_what_a_page_cannot_read_of_a_newer_contract_is_counted(known: Case, expert: ExpertDesk) -> None:
    payload = published(known) + b"\xfa\x01\x03new"  # field 31, a text
    assert assert_same(expert, bundle_of(known, signed(known, payload)), directory=known.directory) == 0
    expect_text(expert.page, "Fields that this page doesn't know: 1")


@pytest.mark.parametrize("language", ["pt", "zh-Hans", "zh-Hant"])
def test_it_speaks_the_language_in_which_it_was_written(
    known: Case, browser: Browser, tmp_path: Path, language: str
) -> None:
    with in_language(language):
        written = evidence_page(known.bundle.files)
    with expert_desk(browser, tmp_path, written, width=360) as expert:
        assert expert.results[-1] == (11, "left_out")
        assert expert.page.locator("html").get_attribute("lang") == language
        width, seen = expert.page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert width <= seen
        expert.assert_accessible()


def test_in_the_dark_and_with_a_failing_step_it_is_accessible(known: Case, browser: Browser, tmp_path: Path) -> None:
    files = dict(known.bundle.files) | {"salt.bin": bytes(32)}
    with expert_desk(browser, tmp_path, evidence_page(files), color_scheme="dark") as expert:
        assert expert.verdict.startswith("Not verified")
        assert "Step 1 fails: The bundle is whole" in expert.verdict
        expect_text(expert.page, "These files aren't the ones that the manifest lists: salt.bin")
        assert not expert.page.locator("#proved-part, #content-part, #values-part").filter(visible=True).count()
        expert.assert_accessible()
        expert.choose(known.bundle).trust(directory=known.directory)
        assert expert.verdict.startswith("Verified")
        expert.assert_accessible()


# --- where it can't check


@pytest.mark.parametrize(
    "script",
    [
        "Object.defineProperty(Crypto.prototype, 'subtle', {get: () => undefined});",
        "if (crypto.subtle) crypto.subtle.importKey = () => Promise.reject(new DOMException('', 'NotSupportedError'));",
        "if (crypto.subtle) crypto.subtle.verify = () => Promise.resolve(true);",
    ],
)
def test_a_browser_without_ed25519_shows_nothing_as_verified(
    known: Case, browser: Browser, tmp_path: Path, script: str
) -> None:
    with expert_desk(browser, tmp_path, evidence_page(known.bundle.files), script=script) as expert:
        assert expert.verdict.startswith("This browser can't check it")
        assert "Chrome or Edge 137, Firefox 129, Safari 17" in expert.verdict
        assert known.alert_id not in expert.page.locator("main").inner_text()
        assert not expert.page.locator("#steps-part, #choices").filter(visible=True).count()


def test_without_scripts_it_says_that_nothing_was_checked(known: Case, browser: Browser, tmp_path: Path) -> None:
    with expert_desk(browser, tmp_path, evidence_page(known.bundle.files), java_script_enabled=False) as expert:
        expect_text(expert.page, "Nothing was checked")
        assert "It holds" not in expert.page.locator("main").inner_text()
        assert known.alert_id not in expert.page.locator("main").inner_text()


# --- it says what the software says


def test_a_sound_bundle_of_any_format_passes(known: Case, expert: ExpertDesk) -> None:
    for form in FORMS:
        assert assert_same(expert, render(parts_of(known.bundle), form), directory=known.directory) == 0
    earlier = decode_zip((EARLIER / "alert-evidence.zip").read_bytes())
    assert assert_same(expert, earlier, directory=(EARLIER / "directory.note").read_bytes()) == 0
    assert assert_same(expert, earlier) == 0
    expect_text(expert.page, "as good as whoever gave it to you")


def test_no_byte_of_any_file_can_change(known: Case, expert: ExpertDesk) -> None:
    failing = set()
    for number, (name, content) in enumerate(known.bundle.files.items()):
        at = number * 7919 % len(content)
        changed = dict(known.bundle.files) | {name: flipped(content, at, number % 8)}
        assert assert_same(expert, Bundle(changed), directory=known.directory) == 1
        if name not in ("manifest.json", "README.txt") and not name.endswith(".json"):
            failing.add(assert_same(expert, resealed(changed), directory=known.directory))
    assert failing > {2, 10}
    assert 0 not in failing


def test_no_original_can_change_even_when_all_words_are_made_to_fit(known: Case, expert: ExpertDesk) -> None:
    parts = parts_of(known.bundle)
    failing = []
    for part in ("header", "salt", "payload", "proof"):
        content = getattr(parts.alert, part)
        for at in range(0, len(content), max(1, len(content) // 8)):
            forged = replace(parts.alert, **{part: flipped(content, at, at % 8)})
            with suppress(GatewayError):  # it can't even be put into words
                failing.append(assert_same(expert, render(replace(parts, alert=forged)), directory=known.directory))
    assert len(failing) > 10
    assert all(2 < step < 11 for step in failing)


def test_the_same_step_is_named_as_failing(known: Case, expert: ExpertDesk) -> None:
    parts = parts_of(known.bundle)
    other = parts_of(bundle_of(known, signed(known, published(known, "019bbf30-0000-7000-8000-00000000000b"))))
    lines = parts.alert.proof.split(b"\n")
    stranger = lines[-2].replace(b"/hk/", b"/mo/")
    later = parts.events[0]
    forged = {
        4: replace(parts, alert=replace(parts.alert, salt=bytes(32)), events=()),
        6: replace(parts, alert=replace(parts.alert, proof=parts.events[1].proof), events=()),
        7: replace(parts, alert=replace(parts.alert, proof=other.alert.proof), events=()),
        10: replace(parts, events=(other.alert,)),
    }
    for step, forgery in forged.items():
        assert assert_same(expert, render(forgery), directory=known.directory) == step
    proofs = {
        8: b"\n".join([*lines[:-2], b""]),
        6: parts.alert.proof + stranger + b"\n",
        7: replace(parse_proof(parts.alert.proof), extra=b"free").encode(),
    }
    for step, proof in proofs.items():
        found = assert_same(
            expert, render(replace(parts, alert=replace(parts.alert, proof=proof))), directory=known.directory
        )
        assert found == (0 if step == 8 else step), "a stripped receipt leaves the origin proved"
    assert assert_same(expert, render(replace(parts, events=(later, later))), directory=known.directory) == 10
    for event in range(1, len(parts.events)):
        assert_same(expert, render(replace(parts, events=parts.events[event:])), directory=known.directory)


def test_a_file_that_is_missing_or_unknown_fails(known: Case, expert: ExpertDesk) -> None:
    for name in known.bundle.files:
        left = {each: content for each, content in known.bundle.files.items() if each != name}
        if name != "directory.note":
            assert assert_same(expert, Bundle(left), directory=known.directory) == 1
    more = resealed(dict(known.bundle.files) | {"events/008-closed/note.txt": b"x"})
    assert assert_same(expert, more, directory=known.directory) == 1


@pytest.mark.parametrize("member", ["format", "federation", "directory_version", "alert", "entries", "files"])
def test_the_manifest_is_read_as_strictly(known: Case, expert: ExpertDesk, member: str) -> None:
    manifest = json.loads(known.bundle.files["manifest.json"])
    for value in (None, "x", 1, [], {}, [1], {"id": "x\n"}, 2**53, [{"name": "x", "sha256": "0" * 64}]):
        text = canonical(manifest | {member: value})
        assert_same(expert, Bundle(dict(known.bundle.files) | {"manifest.json": text}), directory=known.directory)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}\n",
        b"[]\n",
        b'{\n  "a": 1,\n  "a": 1\n}\n',
        b'{\n  "format": 1.5\n}\n',
        b"\xef\xbb\xbf{}\n",
        b"\xff\n",
        b"[" * 2_000 + b"]" * 2_000,
        b'{\n  "a": "\\ud800"\n}\n',
        '{\n  "\U0001f600": 1,\n  "\uffff": 2\n}\n'.encode(),
    ],
)
def test_json_has_one_spelling(known: Case, expert: ExpertDesk, text: bytes) -> None:
    bundle = Bundle(dict(known.bundle.files) | {"manifest.json": text})
    assert assert_same(expert, bundle, directory=known.directory) == 1


def test_canonical_json_is_canonical_for_the_page_too(known: Case, expert: ExpertDesk) -> None:
    """Members that nobody reads, of every kind of text and number."""
    manifest = json.loads(known.bundle.files["manifest.json"])
    extra = {
        "\U0001f600": 1,
        "\uffff": -(2**53 - 1),
        "": [],
        "__proto__": {},
        "10": None,
        "9": True,
        "x": HOSTILE + '"\\/',
    }
    files = dict(known.bundle.files) | {"manifest.json": canonical(manifest | extra)}
    assert assert_same(expert, Bundle(files), directory=known.directory) == 0


def test_headers_have_one_form(known: Case, expert: ExpertDesk) -> None:
    payload = published(known)
    sound = feed_pb2.EntryHeader.FromString(signed(known, payload).header)
    after = feed_pb2.CausalDependency(channel="alerts-a", size=3, reverse=True)

    def header(**changes: Any) -> bytes:
        made = feed_pb2.EntryHeader()
        made.CopyFrom(sound)
        for name, value in changes.items():
            made.ClearField(name)  # type: ignore[arg-type]
            made.MergeFrom(feed_pb2.EntryHeader(**{name: value}))
        return made.SerializeToString(deterministic=True)

    headers = {
        header(): 0,
        header(format=2, after=[after]): 0,
        header(format=2, after=[feed_pb2.CausalDependency(channel="alerts", size=1), after]): 0,
        header(follows=2**63 - 1): 0,
        header(format=3): 3,
        header(type="LicenceEvent"): 3,
        header(format=2): 3,
        header(format=1, after=[after]): 3,
        header(format=2, after=[after, after]): 3,
        header(format=2, after=[feed_pb2.CausalDependency(channel="watchlist", size=1)]): 3,
        header(format=2, after=[feed_pb2.CausalDependency(channel="alerts")]): 3,
        header(follows=2**63): 3,
        header(payload_digest=b"short"): 3,
        header(recorded_at_unix_ms=-1): 6,
        header(recorded_at_unix_ms=253_402_300_800_000): 6,
        header() + b"\x38\x01": 3,  # an unknown field
        b"\x08\x01" + header(): 3,  # a field twice
        header().replace(b"\x08\x01", b"\x08\x81\x00", 1): 3,  # a longer varint
        header()[:-1]: 3,
        b"": 3,
        bytes(257): 3,
    }
    for made, step in headers.items():
        entry = signed(known, payload, header=made)
        assert assert_same(expert, bundle_of(known, entry), directory=known.directory) == step


def test_signed_nonsense_fails_where_the_software_fails(known: Case, expert: ExpertDesk) -> None:
    sound = alert_pb2.AlertEvent.FromString(published(known))

    def event(**of_alert: Any) -> bytes:
        made = alert_pb2.AlertEvent()
        made.CopyFrom(sound)
        for name, value in of_alert.items():
            setattr(made.published, name, value)
        return made.SerializeToString()

    payloads = {
        b"": 9,
        b"\x08": 6,
        b"\x12\x02\xff\xfe": 6,  # not UTF-8
        b"\x1a\x05\x0a\x01": 6,
        b"\x00\x00": 6,
        event(publisher="mo"): 6,  # its manifest says so too, and the feed is another
        event(recipient="mo"): 6,
        event(id="019bbf30-0000-7000-8000-00000000000c"): 0,
        withdrawn(known): 9,
        sound.SerializeToString() + withdrawn(known): 9,  # of alternatives the last one counts
        withdrawn(known) + sound.SerializeToString(): 0,
        sound.SerializeToString() + sound.SerializeToString(): 0,  # messages are merged
    }
    for payload, step in payloads.items():
        assert assert_same(expert, bundle_of(known, signed(known, payload)), directory=known.directory) == step
    listed = bundle_of(known, signed(known, event(id="019bbf30-0000-7000-8000-00000000000d")))
    other = signed(known, event())
    files = dict(listed.files) | alert_files(other, b"{}")
    entries = [{"leaf_hash": leaf_hash(other.header).hex()}]
    assert assert_same(expert, relisted(files, entries=entries), directory=known.directory) == 9


def test_later_entries_must_be_about_the_alert(known: Case, expert: ExpertDesk) -> None:
    alert = signed(known, published(known))
    origin = known.cn.origin("hk").line

    def disposition(**changes: Any) -> bytes:
        made: dict[str, Any] = {"origin": origin, "index": 0, "count": 1, "outcome": feed_pb2.DISPOSITION_OUTCOME_HELD}
        return alert_pb2.AlertEvent(disposition=feed_pb2.Disposition(**(made | changes))).SerializeToString()

    def corrected(publisher: str) -> bytes:
        finding = alert_pb2.AlertFinding(alert=alert_pb2.AlertReference(publisher=publisher, alert_id=known.alert_id))
        change = alert_pb2.AlertFindingCorrected(alert=reference(known), finding=finding, reason="x")
        return alert_pb2.AlertEvent(finding_corrected=change).SerializeToString()

    elsewhere = alert_pb2.AlertReference(publisher="mo", alert_id=known.alert_id)
    other = alert_pb2.AlertReference(publisher="cn", alert_id="019bbf30-0000-7000-8000-00000000000e")
    cases = [
        (disposition(), "hk", 0),
        (disposition(), "cn", 10),
        (disposition(index=1), "hk", 10),
        (disposition(count=0), "hk", 10),
        (disposition(count=2**64 - 1), "hk", 0),
        (disposition(origin=origin.replace("/cn/", "/mo/")), "hk", 10),
        (alert_pb2.AlertEvent(withdrawn=alert_pb2.AlertWithdrawn(alert=other)).SerializeToString(), "cn", 10),
        (alert_pb2.AlertEvent(withdrawn=alert_pb2.AlertWithdrawn(alert=elsewhere)).SerializeToString(), "cn", 10),
        (alert_pb2.AlertEvent(actor="nobody").SerializeToString(), "hk", 10),
        (published(known), "cn", 10),
        (corrected("cn"), "hk", 0),
        (corrected("hk"), "hk", 10),
    ]
    for payload, publisher, step in cases:
        # a feed of another channel, or the entry would be there twice
        later = signed(known, payload, publisher=publisher, channel="alerts" if publisher == "hk" else "alerts-a")
        assert assert_same(expert, bundle_of(known, alert, later), directory=known.directory) == step, payload


# --- whose keys


def test_anchors_must_have_signed_the_directory(known: Case, expert: ExpertDesk) -> None:
    anchors = known.anchors
    assert assert_same(expert, known.bundle, anchors=anchors) == 0
    assert expert.verdict.splitlines()[0] == "Verified"
    assert assert_same(expert, known.bundle, anchors=anchors, directory=known.with_directory()) == 0
    two = RootOfTrust(FEDERATION, anchors.verifiers[:2], 1)
    assert assert_same(expert, known.bundle, anchors=two) == 0
    strange = Verifier(anchors.verifiers[0].name, signer("any", 1).public_key)
    assert assert_same(expert, known.bundle, anchors=RootOfTrust(FEDERATION, (strange,), 1)) == 2
    mixed = RootOfTrust(FEDERATION, (strange, *anchors.verifiers[1:]), 3)
    assert assert_same(expert, known.bundle, anchors=mixed) == 2
    assert assert_same(expert, known.bundle, anchors=replace(mixed, threshold=2)) == 0


@pytest.mark.parametrize(
    ("lines", "threshold", "said"),
    [
        (["nonsense"], "", "nonsense isn't an authority's directory key."),
        (["a/cn/directory+00000000+AQ=="], "", "isn't an authority's directory key."),
        (None, "4", "from 1 to the number of keys"),
        (None, "x", "from 1 to the number of keys"),
        ("twice", "", "The same key was entered twice."),
        ("other", "", "of different federations"),
    ],
)
def test_keys_that_cannot_be_right_are_refused(
    known: Case, expert: ExpertDesk, lines: list[str] | str | None, threshold: str, said: str
) -> None:
    keys = vkeys(known)
    other = Verifier("other.example/cn/directory", signer("any", 1).public_key).to_vkey()
    given = {"twice": [keys[0], keys[0]], "other": [keys[0], other]}
    chosen = keys if lines is None else lines if isinstance(lines, list) else given[lines]
    assert expert.choose(known.bundle).trust(vkeys=chosen, threshold=threshold).failing == 2
    expect_text(expert.page, said)


@pytest.mark.parametrize("keys", ["log_keys", "cosign_keys"])
@pytest.mark.parametrize("end", ["revoked_at", "not_after", "not_before"])
def test_a_key_counts_when_it_was_valid_at_the_receipt(known: Case, expert: ExpertDesk, keys: str, end: str) -> None:
    received = examine(known.bundle, directory_note=known.directory).evidence.received_at  # type: ignore[union-attr]
    assert received is not None
    node = "cn" if keys == "log_keys" else "hk"
    old = known.cn.trust.directory.nodes[node]
    failing = set()
    for shift in (-1, 0, 1, 86_400):
        time = received + timedelta(seconds=shift)
        records = tuple(replace(record, **{end: time}) for record in getattr(old, keys))
        nodes = {**known.cn.trust.directory.nodes, node: replace(old, **{keys: records})}
        failing.add(assert_same(expert, known.bundle, directory=known.with_directory(nodes=nodes)))
    assert failing >= {6 if keys == "log_keys" else 8}
    without = bundle_of(known, signed(known, published(known), receipt=False))
    records = tuple(replace(record, revoked_at=record.not_after - timedelta(days=1)) for record in old.log_keys)
    nodes = {**known.cn.trust.directory.nodes, node: replace(old, log_keys=records)}
    step = assert_same(expert, without, directory=known.with_directory(nodes=nodes))
    assert step == (6 if node == "cn" else 0), "without a receipt the key must not be revoked at all"


def test_a_newer_directory_that_has_expired_proves_the_past(known: Case, expert: ExpertDesk) -> None:
    old = known.cn.trust.directory
    for days in (-3_000, 3_000):
        times = {name: getattr(old, name) + timedelta(days=days) for name in ("issued_at", "expires_at")}
        assert assert_same(expert, known.bundle, directory=known.with_directory(**times)) == 0


def test_a_federation_of_the_same_name_with_other_keys_proves_nothing(
    known: Case, expert: ExpertDesk, tmp_path: Path
) -> None:
    numbers = iter(range(9))
    with paper_nodes(
        tmp_path, lambda: new_database(f"sqlite:///{tmp_path}/{next(numbers)}.sqlite3"), members=("cn", "hk")
    ) as (cn, hk):
        alert_id = cn.publish("hk")
        exchange(cn, hk)
        forged = export(cn.database, cn.trust, publisher="cn", alert_id=alert_id).bundle
    assert assert_same(expert, forged) == 0
    assert assert_same(expert, forged, anchors=known.anchors) == 2
    assert assert_same(expert, forged, directory=known.directory) == 2
    files = dict(forged.files) | {"directory.note": known.directory}
    assert assert_same(expert, resealed(files), directory=known.directory) == 6
    assert assert_same(expert, forged, directory=known.with_directory()) == 6


def test_a_damaged_directory_is_seen(known: Case, expert: ExpertDesk) -> None:
    note = known.directory
    for at in range(0, len(note), len(note) // 12):
        changed = resealed(dict(known.bundle.files) | {"directory.note": flipped(note, at)})
        assert assert_same(expert, changed, directory=note) == 2
        assert assert_same(expert, known.bundle, directory=flipped(note, at)) == 2


def test_second_signatures_are_told_and_must_be_there(known: Case, expert: ExpertDesk) -> None:
    origin, receipts = known.cn.origin("hk").line, receipts_key_name(FEDERATION, "hk")
    second = {"cn": SecondTestKey(origin, "log"), "hk": SecondTestKey(receipts, "receipts")}
    nodes = dict(known.cn.trust.directory.nodes)
    for node, member in (("cn", "log_keys"), ("hk", "cosign_keys")):
        record = replace(
            getattr(nodes[node], member)[0], public_key=second[node].public_key, algorithm=KeyAlgorithm.ML_DSA_44
        )
        nodes[node] = replace(nodes[node], **{member: (*getattr(nodes[node], member), record)})
    directory = known.with_directory(nodes=nodes)
    payload = published(known)
    for given, step in ((second, 0), ({"hk": second["hk"]}, 6), ({"cn": second["cn"]}, 8), ({}, 6)):
        assert assert_same(expert, bundle_of(known, signed(known, payload, second=given)), directory=directory) == step
        if not step:
            assert expert.verdict.startswith("Verified, except:")
            assert "Second signatures (ML-DSA-44) are there and weren't checked" in expert.verdict
    sound = signed(known, payload, second=second)
    *others, last, end = sound.proof.split(b"\n")
    for wrong in (last[:-6] + b"==", last[:-1_000]):
        with suppress(GatewayError):
            short = replace(sound, proof=b"\n".join([*others, wrong, end]))
            assert assert_same(expert, bundle_of(known, short), directory=directory) == 6


# --- the .zip file


def test_only_the_file_that_was_written_is_read(known: Case, expert: ExpertDesk) -> None:
    data = encode_zip(known.bundle)
    expert.trust(directory=known.directory)
    for at in (*range(0, len(data), len(data) // 30), len(data) - 1, len(data) - 12):
        changed = flipped(data, at, at % 8)
        expert.choose(changed)
        try:
            bundle = decode_zip(changed)
        except GatewayError:
            assert expert.results == [(1, "failed")]
        else:
            assert_same(expert, bundle, directory=known.directory)
    for other in (b"", b"x" * 30, data[:-1], data + b"\0", data[1:], evidence_page()):
        assert expert.choose(other).results == [(1, "failed")]
    assert expert.choose(data).failing == 0


# --- from the console


def test_an_officer_downloads_the_page_in_the_reader_s_language(
    desk: Desks, case: TrialCase, browser: Browser, tmp_path: Path
) -> None:
    page = desk("hk", "officer", language="pt").open(f"/alerts/{case.from_cn.publisher}/{case.from_cn.alert_id}")
    with page.expect_download() as download:
        page.locator("a[href*='/evidence/page']").click()
    assert download.value.suggested_filename.endswith(".html")
    download.value.save_as(tmp_path / "downloaded.html")
    with expert_desk(browser, tmp_path, (tmp_path / "downloaded.html").read_bytes()) as expert:
        assert expert.results[-1] == (11, "left_out")
        assert expert.page.locator("html").get_attribute("lang") == "pt"
        assert case.from_cn.alert_id in expert.page.locator("#content").inner_text()


def test_a_role_that_may_not_export_gets_no_page(desk: Desks, case: TrialCase) -> None:
    analyst = desk("hk", "analyst")
    path = f"/alerts/{case.from_cn.publisher}/{case.from_cn.alert_id}"
    assert not analyst.open(path).locator("a[href*='/evidence/page']").count()
    with analyst.expecting("status of 403", "403"):
        expect(analyst.open(f"{path}/evidence/page").get_by_role("heading", level=1)).to_have_text(
            "You may not do this"
        )


# --- evidence made by hand


def reference(case: Case) -> alert_pb2.AlertReference:
    return alert_pb2.AlertReference(publisher="cn", alert_id=case.alert_id)


def published(case: Case, alert_id: str = "") -> bytes:
    """A payload that publishes the alert."""
    now = case.cn.clock.now
    alert = alert_pb2.Alert(
        id=alert_id or case.alert_id,
        revision=1,
        publisher="cn",
        recipient="hk",
        published_at=to_timestamp(now),
        content=alert_content(now),
    )
    return alert_pb2.AlertEvent(occurred_at=to_timestamp(now), published=alert).SerializeToString(deterministic=True)


def withdrawn(case: Case) -> bytes:
    body = alert_pb2.AlertWithdrawn(alert=reference(case), revision=1, reason="Wrong container")
    return alert_pb2.AlertEvent(withdrawn=body).SerializeToString()


def signed(
    case: Case,
    payload: bytes,
    receipt: bool = True,
    *,
    header: bytes | None = None,
    publisher: str = "cn",
    channel: str = "alerts",
    second: Mapping[str, SecondTestKey] | None = None,
) -> EvidenceEntry:
    """An entry alone in a log, signed by its publisher and, as a receipt, by the other node."""
    now = case.cn.clock.now
    made = make_entry("AlertEvent", payload, salt=bytes(32), recorded_at_ms=now)
    nodes = {"cn": case.cn, "hk": case.hk}
    sender, recipient = nodes.pop(publisher), nodes.popitem()[1]
    origin = FeedOrigin.parse(f"{FEDERATION}/{sender.name}/{recipient.name}/{channel}")
    key = sender.signers.for_feed(origin)
    keys = second or {}
    log = SignerWithSecond(key, keys.get(sender.name))
    header = made.header if header is None else header
    note = sign_checkpoint(Checkpoint(origin.line, 1, leaf_hash(header)), log)
    if receipt:
        note += cosign(note, SignerWithSecond(recipient.cosigner, keys.get(recipient.name)), now // 1000)
    return EvidenceEntry(header, made.salt, payload, TlogProof(0, (), note).encode())


class SignerWithSecond:
    """A signer whose second key may be missing."""

    def __init__(self, first: Ed25519Signer, second: SecondTestKey | None) -> None:
        self.name, self.public_key, self.sign = first.name, first.public_key, first.sign
        self.second = second


def bundle_of(case: Case, alert: EvidenceEntry, *events: EvidenceEntry) -> Bundle:
    """A bundle as an exporter writes it; what can't be put into words stands under a manifest that fits."""
    try:
        return render(EvidenceParts(case.directory, alert, events))
    except GatewayError:
        files = dict(render(EvidenceParts(case.directory, parts_of(case.bundle).alert, ())).files)
    files |= alert_files(alert, b"{}")
    for number, event in enumerate(events, 1):
        files |= event_files(event_folder(number, "question"), event, b"{}")
    return relisted(files, entries=[{"leaf_hash": leaf_hash(entry.header).hex()} for entry in (alert, *events)])


def relisted(files: dict[str, bytes], **members: Any) -> Bundle:
    """The files under a manifest that lists them, with other members as given."""
    manifest = json.loads(files["manifest.json"]) | members
    manifest["files"] = [
        {"name": name, "sha256": sha256(content).hexdigest()}
        for name, content in files.items()
        if name != "manifest.json"
    ]
    return Bundle(files | {"manifest.json": canonical(manifest)})


def leaves_of(message: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Path and value of each field that is filled in, as the page shows them."""
    for field, value in message.ListFields():
        if is_map(field):
            yield from ((f"{prefix}{field.name}[0].{name}", "base") for name in ("key", "value"))
            continue
        for number, each in enumerate(value) if field.is_repeated else [(None, value)]:
            path = f"{prefix}{field.name}" if number is None else f"{prefix}{field.name}[{number}]"
            if field.message_type is None:
                yield path, shown(field, each)
            elif field.message_type.name == "Timestamp":
                moment = each.ToDatetime().isoformat(sep=" ", timespec="milliseconds" if each.nanos else "seconds")
                yield path, f"{moment} UTC"
            else:
                yield from leaves_of(each, f"{path}.")


def shown(field: FieldDescriptor, value: Any) -> str:
    if field.enum_type is not None:
        name = field.enum_type.values_by_number[value].name
        return f"{label(field.enum_type.name, word_for(field.enum_type, name) or '')} {name}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return value.hex()
    return f"{value:g}" if isinstance(value, float) else str(value)


def canonical(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, separators=(",", ": ")) + "\n").encode()
