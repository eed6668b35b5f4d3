"""Verifies an export of the audit log: whether a node has signed that its log had these events.

1. files: the events, the head, the directory of that time and README.txt are there, and nothing else.
2. directory: as for evidence of an alert.
3. head: a log key of the node, valid when the entry was recorded, has signed it, and it says of an export.
4. events: their files have the digest that the head names, and README.txt says what the head says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from gateway.contract.ids import FeedOrigin
from gateway.contract.json_document import format_time_ms
from gateway.errors import MalformedError, VerificationError
from gateway.evidence.codec.audit_export import ENDINGS, HEAD, digest_of, events_in, readme
from gateway.evidence.codec.audit_head import SignedAuditHead, verify_head_file
from gateway.evidence.codec.bundle import DIRECTORY, README, Bundle
from gateway.evidence.service.check import trusted_directory
from gateway.evidence.service.report import Examination, StepRun, examined
from gateway.plurals import counted
from gateway.tlog.checkpoint import parse_checkpoint_body
from gateway.tlog.note import parse_note
from gateway.tlog.proof_file import parse_proof
from gateway.trust.service.directory_versions import RootOfTrust
from gateway.v1.audit_log_pb2 import AuditExport

STEPS: Final = {1: "files", 2: "directory", 3: "head", 4: "events"}
"""Names by number, as in docs/protocol.md."""


@dataclass(frozen=True, slots=True)
class ProvedAuditExport:
    """Events that a node has signed to be those of its audit log.

    Attributes:
        directory_version: of the directory whose keys were used.
    """

    directory_version: int
    signed: SignedAuditHead
    export: AuditExport

    @property
    def told(self) -> str:
        """A sentence on who signed what, and when."""
        which = f"all that {self.export.filter} leaves" if self.export.filter else "all"
        return (
            f"{self.signed.origin.publisher} has signed at {format_time_ms(self.signed.signed_at)}: of its audit log "
            f"up to event {self.export.upto} these are {which}, {counted(self.export.events, 'event')}."
        )


AuditExportExamination: TypeAlias = Examination[ProvedAuditExport]


def examine_audit_export(
    bundle: Bundle, *, anchors: RootOfTrust | None = None, directory_note: bytes | None = None
) -> AuditExportExamination:
    """Verifies the files and returns the steps.

    Arguments are as for `check.verify`. Raises ConfigurationError without anchors and directory.
    """
    return examined(STEPS, lambda run: _proved(run, bundle, anchors, directory_note), anchors, directory_note)


def _proved(
    run: StepRun, bundle: Bundle, anchors: RootOfTrust | None, directory_note: bytes | None
) -> ProvedAuditExport:
    with run.step(1) as facts:
        missing = [name for name in (DIRECTORY, HEAD, README) if name not in bundle.files]
        if missing:
            raise MalformedError(f"{', '.join(missing)} missing")
        events = events_in(bundle.files)
        facts.append(counted(len(bundle.files), "file"))
    with run.step(2) as facts:
        trust = trusted_directory(bundle.files[DIRECTORY], anchors, directory_note, facts)
    with run.step(3) as facts:
        note = parse_note(parse_proof(bundle.files[HEAD]).checkpoint_note)
        origin = FeedOrigin.parse(parse_checkpoint_body(note.unverified_text).origin)
        signed = verify_head_file(bundle.files[HEAD], trust, origin.publisher)
        if signed.export is None:
            raise VerificationError("the head was signed by itself, for no export")
        facts.append(f"{origin}, head {signed.head.seq}")
    with run.step(4) as facts:
        if digest_of(events) != signed.export.sha256:
            raise VerificationError("the events aren't those that were signed: a byte of their files was changed")
        if not all(name.endswith(f".{ENDINGS[signed.export.form]}") for name in events):
            raise VerificationError("the events are in another form than was signed")
        if bundle.files[README] != readme(signed):
            raise VerificationError(f"{README} says something else than the head")
        facts.append(counted(signed.export.events, "event"))
    return ProvedAuditExport(trust.version, signed, signed.export)
