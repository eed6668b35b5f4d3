"""Decides whether a step may name a partner's file to another node: a digest says which picture exists, and of what.

1. Who named a digest first is its source; what this authority uploaded or named before any partner is its own.
2. A file goes back to a node that named it.
3. An agreement of a source lets files go on (`Directory.may_pass_on`).
4. An alert that names it lets it go on as its text: by its handling, or its publisher's consent. Findings and answers
   say nothing of onward transfer.
5. The alert that names it then lets its recipient pass on no more than that rule does.

The bytes are decided upon again when they are fetched (`attachments.commands.passing_on`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from gateway.alerts import codec as wire
from gateway.alerts.commands.onward_transfer import (
    HANDLING_FIELD,
    AlertKnowledge,
    is_within,
    releases_of,
    require_onward_transfer,
)
from gateway.alerts.tables import events
from gateway.alerts.tables.events import MentionWithPayload
from gateway.errors import NotFoundError, PermissionDeniedError
from gateway.trust.rules.directory import Directory, MessageType
from gateway.v1 import alert_pb2

OwnFiles = Callable[[Connection, Collection[str]], Collection[str]]
"""Which of some digests are of files that this authority uploaded before any partner named them."""

_OF_ALERTS = frozenset({"published", "amended"})


def no_own_files(conn: Connection, digests: Collection[str]) -> Collection[str]:
    """For callers that know no files: unknown means none."""
    return ()


@dataclass(frozen=True, slots=True)
class NamedEvidence:
    """Digests that a step is about to name.

    Attributes:
        digests: hexadecimal, in the step's order.
        purpose: for which the step is sent.
        field: of the request, which has the list.
        handling: of the alert whose text names them; None for a finding or answer.
    """

    digests: tuple[str, ...]
    purpose: str
    field: str
    handling: alert_pb2.Handling | None
    directory: Callable[[], Directory]
    own_files: OwnFiles

    def foreign(self, tx: AlertKnowledge) -> list[tuple[int, str]]:
        """Digests that are partners', each with its place in the list (1)."""
        foreign = [
            (at, digest)
            for at, digest in enumerate(self.digests)
            if events.first_speaker(tx.conn, digest) not in ("", tx.own_node)
        ]
        own = self.own_files(tx.conn, [digest for _, digest in foreign]) if foreign else ()
        return [(at, digest) for at, digest in foreign if digest not in own]

    def require_may_go(self, tx: AlertKnowledge, recipients: Sequence[str], *, now_ms: int) -> None:
        """Raises PermissionDeniedError, which names the field, unless all may be named to these nodes."""
        rule = OnwardRule(tx, self.directory(), self.purpose, now_ms, self.handling)
        for at, digest in self.foreign(tx):
            sources = events.mentions_by_partners(tx.conn, digest, tx.own_node)
            for recipient in recipients:
                if refusal := rule.refusal(sources, recipient, field=f"{self.field}[{at}]"):
                    raise refusal


@dataclass(frozen=True, slots=True)
class OnwardRule:
    """Whether partners' files may go on to other nodes (2 to 5).

    Attributes:
        handling: of the alert that names them: it may let its recipient pass on no more; None if it isn't an alert.
    """

    tx: AlertKnowledge
    directory: Directory
    purpose: str
    at_ms: int
    handling: alert_pb2.Handling | None = None

    def refusal(
        self, sources: Sequence[MentionWithPayload], recipient: str, *, field: str = ""
    ) -> PermissionDeniedError | None:
        """Why a file may not go on to a node; None if one of its sources lets it.

        Args:
            sources: all mentions of it by partners.
            field: of the request that names it; empty if none does.
        """
        too_wide = None
        for source in sources:
            try:
                if source.row.speaker == recipient or self._agreement_allows(source.row.speaker, recipient):
                    return None
                if _is_of_alert(source):
                    key = source.row.key
                    require_onward_transfer(
                        self.tx, key.publisher, key.alert_id, [recipient], field=field, handling=self.handling
                    )
                    return None
            except (PermissionDeniedError, NotFoundError) as error:
                if isinstance(error, PermissionDeniedError) and error.metadata["field"] == HANDLING_FIELD:
                    too_wide = error
        return too_wide or _refusal(sources, recipient, field)

    def _agreement_allows(self, speaker: str, recipient: str) -> bool:
        at, own = datetime.fromtimestamp(self.at_ms // 1000, UTC), self.tx.own_node
        released = releases_of(self.directory, own, self.purpose, at, message_type=MessageType.FILE)(speaker)
        if recipient not in released:
            return False
        if self.handling is not None and not is_within(self.handling, released | {speaker}):
            raise PermissionDeniedError(
                f"{HANDLING_FIELD}: it allows more than the agreement on files of {speaker}; prohibit onward transfer, "
                "or list only nodes that the agreement lists",
                metadata={"field": HANDLING_FIELD, "publisher": speaker},
            )
        return True


def _is_of_alert(source: MentionWithPayload) -> bool:
    """Whether a partner's own alert names the file, and not a finding or answer."""
    if source.row.speaker != source.row.key.publisher or not source.payload:
        return False
    return wire.parse_event(source.payload).WhichOneof("event") in _OF_ALERTS


def _refusal(sources: Sequence[MentionWithPayload], recipient: str, field: str) -> PermissionDeniedError:
    names = ", ".join(sorted({source.row.speaker for source in sources})) or "another authority"
    if not field:
        return PermissionDeniedError(
            f"the file is from {names}, without leave to pass it on to {recipient}", way_out=f"Ask {names} for it."
        )
    metadata = {"field": field, "publisher": names, "recipient": recipient}
    alert = next((source.row.key for source in sources if _is_of_alert(source)), None)
    if alert is None:
        return PermissionDeniedError(
            f"{field}: the file is from {names}, without leave to name it to {recipient}; leave it out, or have the "
            f"agreement with {names} allow it in the directory",
            metadata=metadata,
        )
    return PermissionDeniedError(
        f"{field}: the file is from {names}, without leave to name it to {recipient}; leave it out, or ask "
        f"{alert.publisher} for consent with a question on alert {alert.alert_id}",
        metadata=metadata | {"about": "onward_transfer"},
    )
