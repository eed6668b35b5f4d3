"""Decides whether a partner may fetch a file: in the transaction that notes it, and again before each chunk.

1. A step of this node in a feed to the partner names the digest, in the alert that the partner names. Where none does,
   the refusal is the same whether the file exists or not.
2. The feed isn't suspended, in quarantine or closed.
3. The agreement with the partner allows files for the purpose, and every class that the file is of; a file that doesn't
   say what it is of needs all.
4. What partners gave goes to a third only where one of them lets it (alerts.commands.evidence_sources, which applies
   the same rule when the digest is named). An upload here of what a partner had named before doesn't make it this
   authority's own.
5. The bytes are here and clean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.alerts.commands.evidence_sources import OnwardRule
from gateway.alerts.commands.onward_transfer import AlertKnowledge
from gateway.alerts.tables import events
from gateway.alerts.tables.events import MentionWithPayload
from gateway.attachments.codec.classes import needed
from gateway.attachments.rules.states import StoredState
from gateway.attachments.service.messages import classes_in
from gateway.attachments.tables import files
from gateway.attachments.tables.files import FileRow, TransferRow
from gateway.errors import (
    AgreementForbidsError,
    ErasedError,
    FileNotReadyError,
    PermissionDeniedError,
)
from gateway.feed.service.receiver import require_moving
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds
from gateway.trust.rules.directory import Directory, FieldClass, MessageType

COMING_S = 30.0
"""Seconds after which a partner may look again for a file that isn't uploaded yet."""

SCANNING_S = 5.0
"""The same for one that isn't scanned yet."""


@dataclass(frozen=True, slots=True)
class PartnersRequest:
    """What a partner asks for; the digest in hexadecimal."""

    partner: str
    sha256: str
    alert_publisher: str
    alert_id: str
    purpose: str
    case_reference: str


@dataclass(frozen=True, slots=True)
class BeginTransferCommand:
    """Lets a partner begin to fetch a file, and notes it; raises as `allowed_file`."""

    request: PartnersRequest
    directory: Callable[[], Directory]
    weight: int = 1

    def execute(self, tx: Transaction) -> FileRow:
        tx.catch_up()  # so that the newest step and rule count
        request = self.request
        ready = allowed_file(tx, request, self.directory(), at_ms=tx.now_ms)
        files.note_transfer(
            tx.conn,
            TransferRow(
                sha256=request.sha256,
                partner=request.partner,
                alert_publisher=request.alert_publisher,
                alert_id=request.alert_id,
                purpose=request.purpose,
                case_reference=request.case_reference,
                started_at=tx.now_ms,
            ),
        )
        return ready


def allowed_file(known: AlertKnowledge, request: PartnersRequest, directory: Directory, *, at_ms: int) -> FileRow:
    """The file that a partner asks for, if it may have it.

    Raises:
        PermissionDeniedError, AgreementForbidsError: steps 1, 3 and 4.
        QuarantinedError, LinkSuspendedError: step 2.
        FileNotReadyError, ErasedError: step 5.
    """
    named = _named(known, request)  # 1
    require_moving(feeds.get_by_id(known.conn, named[-1].row.feed_id))  # 2
    row = files.find(known.conn, request.sha256)
    texts = [*map(classes_in, named), *([] if row is None else [row.classes])]
    require_files_allowed(
        directory,
        sender=known.own_node,
        recipient=request.partner,
        purpose=request.purpose,
        classes=needed(*texts),
        at_ms=at_ms,
    )  # 3
    if row is not None and not row.own:  # 4
        sources = events.mentions_by_partners(known.conn, request.sha256, known.own_node)
        if refusal := OnwardRule(known, directory, request.purpose, at_ms).refusal(sources, request.partner):
            raise refusal
    return require_ready(row, request.sha256)  # 5


def _named(known: AlertKnowledge, request: PartnersRequest) -> list[MentionWithPayload]:
    told = events.mentions_in_alert(known.conn, request.sha256, request.alert_publisher, request.alert_id)
    named = [
        mention
        for mention in told
        if mention.row.speaker == known.own_node
        and request.partner in (mention.row.key.publisher, mention.row.key.recipient)
    ]
    if not named:
        raise PermissionDeniedError(
            f"nothing that {request.partner} got from this node in that alert names such a file",
            way_out="Ask for a file by the alert that names it.",
        )
    return named


@dataclass(frozen=True, slots=True)
class FinishTransferCommand:
    """Notes that a partner has the last byte."""

    sha256: str
    partner: str
    weight: int = 1

    def execute(self, tx: Transaction) -> None:
        files.finish_transfer(tx.conn, self.sha256, self.partner, tx.now_ms)


def require_files_allowed(
    directory: Directory, *, sender: str, recipient: str, purpose: str, classes: frozenset[FieldClass], at_ms: int
) -> None:
    """Raises AgreementForbidsError unless files of these classes may go to a node for a purpose."""
    allowed = directory.allowed_field_classes(
        sender,
        recipient,
        datetime.fromtimestamp(at_ms // 1000, UTC),
        message_type=MessageType.FILE,
        purpose=purpose,
    )
    metadata = {"sender": sender, "recipient": recipient, "purpose": purpose}
    if allowed is None:
        raise AgreementForbidsError(
            f"no agreement lets {sender} send {MessageType.FILE} to {recipient} for the purpose {purpose!r}",
            metadata=metadata,
        )
    if missing := sorted(one.value for one in classes - allowed):
        raise AgreementForbidsError(
            f"the agreement doesn't let {sender} send {recipient} what tells of {', '.join(missing)}",
            metadata=metadata,
        )


def require_ready(row: FileRow | None, sha256: str) -> FileRow:
    """The file, if its bytes may be read. Raises FileNotReadyError or ErasedError."""
    if row is None:
        raise FileNotReadyError(f"file {sha256} isn't uploaded yet", retry_after_s=COMING_S)
    if row.state is StoredState.ERASED:
        raise ErasedError(f"file {sha256} was erased: {row.reason}", way_out="Its digest is left; the bytes are gone.")
    if row.state is StoredState.UNSCANNED:
        raise FileNotReadyError(f"file {sha256} isn't scanned for viruses yet", retry_after_s=SCANNING_S)
    if row.state is StoredState.QUARANTINED:
        raise FileNotReadyError(
            f"file {sha256} is in quarantine: the virus scanner found something in it",
            way_out="A supervisor may erase it; its sender may send another copy.",
        )
    return row
