"""Verifies a bundle of evidence about an alert in steps, from bundle and directory (or its pinned keys) alone.

1. bundle: no file is missing or unknown; the manifest has each one's SHA-256.
2. directory: the bundle's is undamaged and of the federation. Keys come from the verifier's directory, or else from the
   bundle's if the verifier's anchors signed it.
3. header: in canonical form, of a known format and type.
4. payload: SHA-256(salt ‖ payload) is the digest in the header.
5. leaf hash: SHA-256(0x00 ‖ header) is the manifest's.
6. checkpoint: its origin is the alert's feed, from its publisher to its recipient; a log key that the directory gives
   the publisher for that time has signed it, and nothing else but the receipt.
7. inclusion: the proof leads from the leaf hash to the checkpoint's root.
8. receipt: the recipient's cosignature on that checkpoint verifies, by a receipts key of that time. Without one the
   bundle doesn't show that the alert was received, and this step fails unless only origin is to be proved.
9. alert: the payload parses, publishes the manifest's alert, and belongs in that feed.
10. events: each later entry passes 3 to 8 and is about this alert, between these nodes. A receipt may be missing: the
    step then says which entry isn't proved to be received, and `VerifiedEvidence.steps` has what is shown of each.
11. words: README, manifest and JSON are the bytes that these originals render to.
12. time stamp, where there is one: see evidence.service.time_stamp_check.
13. witnesses, where the directory has a policy or the bundle cosignatures: see evidence.service.witness_check.

Times of keys: the recipient's cosignature is the only independent time. A log key counts if valid then, so evidence
outlives later expiry and revocation. Without a receipt only the publisher's time remains, which a key's thief could
backdate: the key must be valid then and not revoked since. A receipts key counts if valid at its own time. `revoked_at`
is when a key was lost, not when that was noticed. An expired directory still proves the past.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import TypeVar

from cryptography.x509 import Certificate

from gateway.alerts import codec as alerts
from gateway.alerts.codec import AlertKey
from gateway.contract.json_document import ObjectReader, format_time, parse_canonical_json
from gateway.contract.limits import SALT_BYTES
from gateway.errors import GatewayError, MalformedError, SignatureInvalidError, VerificationError
from gateway.evidence.codec.bundle import MANIFEST, MAX_FILE_BYTES, Bundle, EvidenceEntry, EvidenceParts, parts_of
from gateway.evidence.codec.bundle_entries import ClaimedEntry, StepProof, is_about, read_entry
from gateway.evidence.codec.bundle_readme import (
    FORMAT,
    FORMAT_WITH_TIME_STAMP,
    FORMAT_WITH_WITNESSES,
    FORMAT_WITHOUT_STEPS,
)
from gateway.evidence.codec.bundle_text import FORMS, has_unknown_fields, render
from gateway.evidence.service.report import STEPS, Examination, StepRun, VerifiedEntry, VerifiedEvidence, examined
from gateway.evidence.service.time_stamp_check import check_time_stamp
from gateway.evidence.service.witness_check import check_witnesses
from gateway.feed.codec import FORMATS as ENTRY_FORMATS
from gateway.feed.codec import parse_header
from gateway.plurals import counted
from gateway.tlog.checkpoint import verify_checkpoint, verify_cosignature
from gateway.tlog.note import Verifier, first_verified, open_note, parse_note
from gateway.tlog.proofs import verify_inclusion
from gateway.trust.rules.directory import receipts_key_name
from gateway.trust.service.directory_versions import RootOfTrust, TrustedDirectory, accept, unsafe_reopen

_VerifiedT = TypeVar("_VerifiedT")


def verify(
    bundle: Bundle,
    *,
    anchors: RootOfTrust | None = None,
    directory_note: bytes | None = None,
    require_receipt: bool = True,
    tsa_certificates: Sequence[Certificate] = (),
) -> VerifiedEvidence:
    """Verifies a bundle by these steps.

    Args:
        anchors: the authorities' directory keys that the verifier knows.
        directory_note: the verifier's directory; `anchors`, if given, must have signed it.
        require_receipt: False proves origin alone; then `received_at` may be None.
        tsa_certificates: of the time-stamping authority that the verifier trusts, and of its CAs.

    Raises:
        VerificationError: a step fails; `step` has its number and name.
        ConfigurationError: neither anchors nor a directory were given.
    """
    examination = examine(
        bundle,
        anchors=anchors,
        directory_note=directory_note,
        require_receipt=require_receipt,
        tsa_certificates=tsa_certificates,
    )
    if examination.evidence is None:
        last = examination.steps[-1]
        raise VerificationError(last.detail, step=f"{last.number} {last.name}") from examination.error
    return examination.evidence


def examine(
    bundle: Bundle,
    *,
    anchors: RootOfTrust | None = None,
    directory_note: bytes | None = None,
    require_receipt: bool = True,
    tsa_certificates: Sequence[Certificate] = (),
) -> Examination[VerifiedEvidence]:
    """As `verify`, but returns the steps instead of raising."""

    def prove(run: StepRun) -> VerifiedEvidence:
        evidence, trust, parts = _evidence(run, bundle, anchors, directory_note, require_receipt)
        stamp = check_time_stamp(run, parts, evidence.alert, trust, tsa_certificates)
        return replace(evidence, time_stamp=stamp, witnesses=check_witnesses(run, parts, evidence.alert, trust))

    return examined(STEPS, prove, anchors, directory_note)


@dataclass(frozen=True, slots=True)
class _Manifest:
    """The manifest's part for steps 1, 5 and 9; step 11 compares all of it."""

    leaf_hashes: tuple[str, ...]
    key: AlertKey


def _evidence(
    run: StepRun,
    bundle: Bundle,
    anchors: RootOfTrust | None,
    directory_note: bytes | None,
    require_receipt: bool,
) -> tuple[VerifiedEvidence, TrustedDirectory, EvidenceParts]:
    """Steps 1 to 11."""
    with run.step(1) as facts:
        parts, manifest = _complete(bundle, facts)
    with run.step(2) as facts:
        trust = trusted_directory(parts.directory_note, anchors, directory_note, facts)
    alert = _entry(run, parts.alert, manifest, trust, require_receipt)
    with run.step(9) as facts:
        _require_alert(alert, manifest.key)
        facts.append(f"{alert.event.published.id}, from {alert.origin.publisher} to {alert.origin.recipient}")
    with run.step(10) as facts:
        events = _events(parts, manifest, trust, alert)
        evidence = VerifiedEvidence(trust.version, alert, events)
        facts.extend([counted(len(events), "later entry"), *_unreceived(evidence.steps[1:])])
    with run.step(11):
        _require_words(bundle, parts)
    return evidence, trust, parts


def _unreceived(steps: Sequence[StepProof]) -> list[str]:
    """Says which later steps there is no receipt of."""
    names = ", ".join(f"{step.name} by {step.to}" for step in steps if not step.received_at)
    return [f"NOT proved to be received: {names}"] if names else []


def _complete(bundle: Bundle, facts: list[str]) -> tuple[EvidenceParts, _Manifest]:
    parts = parts_of(bundle)
    reader, listed = read_manifest(bundle, FORMAT, FORMAT_WITH_TIME_STAMP, FORMAT_WITH_WITNESSES, FORMAT_WITHOUT_STEPS)
    leaves = tuple(
        below.text("leaf_hash", "[0-9a-f]{64}", "a hash in hexadecimal")
        for below in reader.objects("entries", maximum=len(bundle.files))
    )
    alert = reader.nested("alert")
    key = AlertKey(*(alert.text(member, ".*", "text") for member in ("publisher", "id", "recipient")))
    reader.finish(MANIFEST)
    require_listed(bundle, listed)
    facts.append(counted(len(bundle.files), "file"))
    return parts, _Manifest(leaves, key)


def read_manifest(bundle: Bundle, *formats: str) -> tuple[ObjectReader, dict[str, str]]:
    """The manifest's reader, still to be finished, and its digests by file name; its format is one of these.

    Raises MalformedError if not canonical JSON.
    """
    value = parse_canonical_json(bundle.files[MANIFEST], what=MANIFEST, max_bytes=MAX_FILE_BYTES)
    reader = ObjectReader(value)
    reader.text("format", "|".join(map(re.escape, formats)), " or ".join(formats))
    listed = {
        below.text("name", ".*", "a name"): below.text("sha256", "[0-9a-f]{64}", "a digest in hexadecimal")
        for below in reader.objects("files", maximum=len(bundle.files))
    }
    return reader, listed


def require_listed(bundle: Bundle, listed: Mapping[str, str]) -> None:
    """Raises MalformedError unless files and digests are the manifest's."""
    actual = {name: sha256(content).hexdigest() for name, content in bundle.files.items() if name != MANIFEST}
    changed = sorted(name for name in actual.keys() | listed.keys() if actual.get(name) != listed.get(name))
    if changed:
        raise MalformedError(f"these files aren't the ones that the manifest lists: {', '.join(changed[:20])}")


def trusted_directory(
    own_note: bytes, anchors: RootOfTrust | None, directory_note: bytes | None, facts: list[str]
) -> TrustedDirectory:
    """Step 2: the directory whose keys count.

    Raises:
        VerificationError, DirectoryError: none is trusted, or the bundle's contradicts it.
    """
    own = unsafe_reopen(own_note)  # signed by keys that it names itself: undamaged, no more
    trust = unsafe_reopen(directory_note) if directory_note is not None else own
    if anchors is not None:
        trust = accept(trust.note, now=trust.directory.issued_at, anchors=anchors)
    if own.federation != trust.federation:
        raise VerificationError(f"the bundle's directory is of {own.federation}, the trusted one of {trust.federation}")
    if own.version == trust.version and own.text != trust.text:
        raise VerificationError(f"there are two different versions {own.version} of the directory; one is forged")
    facts.append(f"{trust.federation}, version {trust.version}, signed by {', '.join(trust.signed_by)}")
    if own.version != trust.version:
        facts.append(f"the bundle was made with version {own.version}")
    return trust


def _entry(
    run: StepRun, entry: EvidenceEntry, manifest: _Manifest, trust: TrustedDirectory, require_receipt: bool
) -> VerifiedEntry:
    """Steps 3 to 8 for the alert."""
    with run.step(3):
        digest = _header_digest(entry)
    with run.step(4):
        _require_digest(entry, digest)
    with run.step(5) as facts:
        leaf = _leaf(entry, manifest, 0)
        facts.append(leaf.hex())
    with run.step(6) as facts:
        claimed = read_entry(entry)
        has_second = _verify_checkpoint(claimed, trust)
        _require_feed(claimed, manifest.key)
        facts.append(f"{claimed.origin}, {counted(claimed.checkpoint.size, 'entry')}")
        if has_second:
            facts.append("signed with Ed25519 and ML-DSA-44")
    with run.step(7) as facts:
        _verify_inclusion(claimed, leaf)
        facts.append(f"entry {claimed.index}")
    if claimed.received_at is None and not require_receipt:
        run.absent(8, _no_receipt(claimed))
    else:
        with run.step(8) as facts:
            received_at = _verify_receipt(claimed, trust)
            facts.append(f"{claimed.origin.recipient} had it at {format_time(received_at)}")
    return _verified(claimed)


def _events(
    parts: EvidenceParts, manifest: _Manifest, trust: TrustedDirectory, alert: VerifiedEntry
) -> tuple[VerifiedEntry, ...]:
    """Step 10 for each later entry."""
    events: list[VerifiedEntry] = []
    for number, entry in enumerate(parts.events, 1):
        with _named(f"event {number:03}"):
            _require_digest(entry, _header_digest(entry))  # 3, 4
            leaf = _leaf(entry, manifest, number)  # 5
            claimed = read_entry(entry)
            _verify_checkpoint(claimed, trust)  # 6
            _verify_inclusion(claimed, leaf)  # 7
            if claimed.received_at is not None:
                _verify_receipt(claimed, trust)  # 8
            event = _verified(claimed)
            _require_about(event, alert, events)
            events.append(event)
    return tuple(events)


@contextmanager
def _named(what: str) -> Iterator[None]:
    try:
        yield
    except GatewayError as error:
        raise VerificationError(f"{what}: {error.message}") from error


def _header_digest(entry: EvidenceEntry) -> bytes:
    header = parse_header(entry.header)
    if header.format not in ENTRY_FORMATS or header.type != alerts.EVENT_TYPE:
        raise MalformedError(
            f"the entry is a {header.type!r} in format {header.format}, which this version can't judge"
        )
    return header.payload_digest


def _require_digest(entry: EvidenceEntry, digest: bytes) -> None:
    # The salt's fixed length separates it from the payload: otherwise one leaf would stand for many payloads.
    if len(entry.salt) != SALT_BYTES or sha256(entry.salt + entry.payload).digest() != digest:
        raise VerificationError("salt and payload aren't those that the header commits to")


def _leaf(entry: EvidenceEntry, manifest: _Manifest, number: int) -> bytes:
    leaf = sha256(b"\x00" + entry.header).digest()
    if number >= len(manifest.leaf_hashes) or leaf.hex() != manifest.leaf_hashes[number]:
        raise VerificationError("the manifest names another leaf hash than the header has")
    return leaf


def _verify_checkpoint(claimed: ClaimedEntry, trust: TrustedDirectory) -> bool:
    """Step 6; the result: whether second keys have signed too."""
    note, origin = claimed.proof.checkpoint_note, claimed.origin
    verifiers = _log_verifiers(claimed, trust)
    has_second = _require_known_signers(claimed, trust)
    _first_that_verifies(
        verifiers, lambda verifier: verify_checkpoint(note, verifier, origin.line), f"log key of {origin.publisher}"
    )
    return has_second


def _require_known_signers(claimed: ClaimedEntry, trust: TrustedDirectory) -> bool:
    """The log's lines come first, then its recipient's, at most one by each kind of key, and all are verified."""
    note, origin = claimed.proof.checkpoint_note, claimed.origin
    second = trust.every_second_verifier(origin)
    ids = {(key.name, key.key_id) for key in second}
    signatures = parse_note(note).signatures
    places = [(line.name != origin.line, (line.name, line.key_id) in ids) for line in signatures]
    names = {origin.line, receipts_key_name(origin.federation, origin.recipient)}
    if places != sorted(set(places)) or not {line.name for line in signatures} <= names:
        raise SignatureInvalidError(
            "the checkpoint has to be signed by its log and, as a receipt, by its recipient alone"
        )
    has_second = any(by_second for _, by_second in places)
    if has_second:
        open_note(note, second)
    return has_second


def _log_verifiers(claimed: ClaimedEntry, trust: TrustedDirectory) -> Sequence[Verifier]:
    """The publisher's log keys that count for this entry; step 8 verifies the receipt's time."""
    origin = claimed.origin
    if claimed.received_at is not None:
        return trust.log_verifiers(origin, claimed.received_at)
    usable = trust.log_verifiers(origin, claimed.recorded_at)
    node = trust.directory.signers().get(origin.publisher)
    revoked = {record.public_key for record in node.log_keys if record.revoked_at} if node else set()
    return [verifier for verifier in usable if verifier.public_key not in revoked]


def _require_feed(claimed: ClaimedEntry, key: AlertKey) -> None:
    if (claimed.origin.publisher, claimed.origin.recipient) != (key.publisher, key.recipient):
        raise VerificationError(f"the checkpoint is of {claimed.origin}, not of the feed of the alert in the manifest")


def _verify_inclusion(claimed: ClaimedEntry, leaf: bytes) -> None:
    if claimed.proof.extra is not None:
        raise MalformedError("the proof has extra data, which nothing authenticates; bundles have none")
    head = claimed.checkpoint
    verify_inclusion(leaf, claimed.index, head.size, claimed.proof.hashes, head.root)


def _verify_receipt(claimed: ClaimedEntry, trust: TrustedDirectory) -> datetime:
    if claimed.received_at is None:
        raise SignatureInvalidError(_no_receipt(claimed))
    note, recipient = claimed.proof.checkpoint_note, claimed.origin.recipient
    _first_that_verifies(
        trust.cosign_verifiers(recipient, claimed.received_at),
        lambda verifier: verify_cosignature(note, verifier),
        f"receipts key of {recipient}",
    )
    return claimed.received_at


def _no_receipt(claimed: ClaimedEntry) -> str:
    return f"there is no receipt: nothing shows that {claimed.origin.recipient} has received it"


def _first_that_verifies(
    verifiers: Sequence[Verifier], verify_with: Callable[[Verifier], _VerifiedT], what: str
) -> _VerifiedT:
    try:
        return first_verified(
            verifiers,
            verify_with,
            lambda: SignatureInvalidError(f"the directory names no {what} that counts at that time"),
        )
    except GatewayError as error:
        raise SignatureInvalidError(f"{what}: {error.message}") from error


def _verified(claimed: ClaimedEntry) -> VerifiedEntry:
    return VerifiedEntry(
        kind=claimed.kind,
        event=claimed.event,
        origin=claimed.origin,
        index=claimed.index,
        checkpoint=claimed.checkpoint,
        recorded_at=claimed.recorded_at,
        received_at=claimed.received_at,
    )


def _require_alert(alert: VerifiedEntry, key: AlertKey) -> None:
    if alert.kind != "published":
        raise MalformedError(f"the entry is a {alert.kind!r}; evidence begins with the entry that publishes the alert")
    alerts.step_of(alert.event, alert.origin)  # refuses an alert under another node's name
    if alerts.key_of(alert.event, alert.origin) != key:
        raise VerificationError("the payload is another alert than the manifest names")


def _require_about(event: VerifiedEntry, alert: VerifiedEntry, before: Sequence[VerifiedEntry]) -> None:
    if any((event.origin, event.index) == (entry.origin, entry.index) for entry in (alert, *before)):
        raise MalformedError(f"entry {event.index} of {event.origin} is there twice")
    if alerts.disposition_of(event.event) is not None:
        if any(is_about(event, entry) for entry in (alert, *before)):
            return
    elif event.kind not in ("unknown", "published"):
        alerts.step_of(event.event, event.origin)
        if alerts.key_of(event.event, event.origin) == alerts.key_of(alert.event, alert.origin):
            return
    raise VerificationError(f"entry {event.index} of {event.origin} isn't about this alert")


def _require_words(bundle: Bundle, parts: EvidenceParts) -> None:
    rendered = [render(parts, form).files for form in FORMS]
    if bundle.files in rendered:
        return
    again = max(rendered, key=lambda files: sum(bundle.files.get(name) == files[name] for name in files))
    names = sorted(again.keys() | bundle.files.keys())
    different = [name for name in names if again.get(name) != bundle.files.get(name)]
    if not different:
        return
    newer = any(has_unknown_fields(read_entry(entry).event) for entry in (parts.alert, *parts.events))
    hint = "; the alert has fields that this version doesn't know: verify with the newest version" if newer else ""
    raise VerificationError(f"these files don't say what the originals say: {', '.join(different[:20])}{hint}")
