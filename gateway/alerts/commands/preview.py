"""Says what publishing an alert or a step on one would do, without doing it: what is wrong, and what each partner gets.

It applies the rules of `publishing` and `steps` to one moment; what another call changes meanwhile, the call itself
decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from google.protobuf.message import Message

from gateway.alerts import codec as wire
from gateway.alerts.codec import sources_in
from gateway.alerts.commands.onward_transfer import ProjectedMoment, require_onward_transfer
from gateway.alerts.commands.publishing import Publisher
from gateway.alerts.commands.step_requests import StepRequest
from gateway.alerts.commands.steps import copies_of, draft_step, require_step
from gateway.alerts.tables.copies import AlertRow
from gateway.contract.disclosure_classes import value_of
from gateway.db.database import Database
from gateway.errors import GatewayError, InvalidRequestError, PermissionDeniedError
from gateway.trust.rules.directory import Agreement, Directory, FieldClass, MessageType
from gateway.trust.rules.disclosure import classified, redact
from gateway.v1 import alert_pb2, feed_pb2
from gateway.v1 import alert_service_pb2 as pb

MOST_FIELDS = 2_000
"""Most fields named for a recipient."""


class Previews:
    """Previews of one node. Thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        node: str,
        publisher: Publisher,
        directory: Callable[[], Directory],
        clock: Callable[[], int],
    ) -> None:
        self._database = database
        self._node = node
        self._publisher = publisher
        self._directory = directory
        self._clock = clock

    def of(self, request: pb.PreviewAlertRequest) -> pb.PreviewAlertResponse:
        """The preview of a request that may be incomplete."""
        now, content = self._clock(), request.content
        problems = self._publisher.content_violations(content, now)
        fields = classified(content)[:MOST_FIELDS]
        with self._database.read() as conn:
            moment = ProjectedMoment(conn, self._node)
            recipients = [
                self._recipient(moment, recipient, content, fields, now, faultless=not problems)
                for recipient in request.recipients
            ]
        return pb.PreviewAlertResponse(
            violations=[
                feed_pb2.FieldViolation(field=each.field, rule=each.rule, message=each.message) for each in problems
            ],
            notices=wire.quality_notices(content),
            recipients=recipients,
            agreements=self._agreements(now),
            purposes=self._purposes(now),
        )

    def _purposes(self, now: int) -> list[str]:
        """Purposes of all agreements of this node that are in force."""
        at = datetime.fromtimestamp(now // 1000, UTC)
        own = (one for one in self._directory().agreements if self._node in (one.sender, one.recipient))
        return sorted({purpose for one in own if one.in_force(at) for purpose in one.purposes})

    def _agreements(self, now: int) -> list[pb.AlertAgreement]:
        """Agreements in force that let this node send alerts."""
        at, directory = datetime.fromtimestamp(now // 1000, UTC), self._directory()
        found = [
            agreement
            for partner in sorted(directory.nodes)
            for agreement in directory.agreements_on(self._node, partner, at, message_type=MessageType.ALERT)
        ]
        return [
            pb.AlertAgreement(
                agreement_id=agreement.id,
                recipient=agreement.recipient,
                purposes=sorted(agreement.purposes),
                clause=agreement.clause,
                classes=[value_of(one.value) for one in sorted(agreement.field_classes)],
                files_allowed=MessageType.FILE in agreement.message_types,
            )
            for agreement in found
        ]

    def _recipient(
        self,
        moment: ProjectedMoment,
        recipient: str,
        content: alert_pb2.AlertContent,
        fields: Sequence[tuple[str, FieldClass]],
        now: int,
        *,
        faultless: bool,
    ) -> pb.RecipientPreview:
        agreement = self._agreement(recipient, content.purpose, MessageType.ALERT, now)
        on_files = self._agreement(recipient, content.purpose, MessageType.FILE, now)
        allowed = frozenset() if agreement is None else agreement.field_classes
        disclosable = alert_pb2.AlertContent()
        if agreement is not None:
            disclosable.CopyFrom(content)
            redact(disclosable, allowed)
        refusal = self._refusal(moment, recipient, content, now)
        return pb.RecipientPreview(
            recipient=recipient,
            allowed=faultless and not refusal,
            refusal=refusal,
            agreement_id="" if agreement is None else agreement.id,
            clause="" if agreement is None else agreement.clause,
            allowed_classes=[value_of(one.value) for one in sorted(allowed)],
            fields=[
                pb.ClassifiedField(path=path, disclosure_class=value_of(one), allowed=one in allowed)
                for path, one in fields
            ],
            disclosable=disclosable,
            file_classes=[] if on_files is None else [value_of(one.value) for one in sorted(on_files.field_classes)],
            files_allowed=on_files is not None,
        )

    def _agreement(self, recipient: str, purpose: str, message_type: MessageType, now: int) -> Agreement | None:
        at = datetime.fromtimestamp(now // 1000, UTC)
        return self._directory().agreement(self._node, recipient, at, message_type=message_type, purpose=purpose)

    def _refusal(self, moment: ProjectedMoment, recipient: str, content: alert_pb2.AlertContent, now: int) -> str:
        """Why the recipient wouldn't get it, whatever else is wrong with it; empty if nothing is in the way."""
        refusal = self._publisher.refusal_of([recipient], content, (), now)
        if refusal is not None:
            return refusal.message
        releases = self._publisher.releases(content.purpose, now)
        for publisher, alert_id in sources_in(content):
            try:
                require_onward_transfer(
                    moment, publisher, alert_id, [recipient], handling=content.handling, releases=releases
                )
            except GatewayError as error:
                return error.message
        evidence = self._publisher.named_evidence(content.evidence, content.purpose, handling=content.handling)
        try:
            if evidence is not None:
                evidence.require_may_go(moment, [recipient], now_ms=now)
        except PermissionDeniedError as error:
            return error.message
        return ""

    def of_step(self, step: StepRequest[Message], *, actor: str) -> pb.PreviewAlertStepResponse:
        """What each partner would get; raises NotFoundError for an unknown alert."""
        now_ms = self._clock()
        said = alert_pb2.AlertEvent()
        said.CopyFrom(step.event)
        said.actor = actor
        with self._database.read() as conn:
            moment = ProjectedMoment(conn, self._node)
            recipients = [self._for(moment, step, row, actor, now_ms) for row in copies_of(conn, step)]
        return pb.PreviewAlertStepResponse(event=said, recipients=recipients)

    def _for(
        self, moment: ProjectedMoment, step: StepRequest[Message], row: AlertRow, actor: str, now_ms: int
    ) -> pb.StepPreview:
        draft = draft_step(step, row, publisher=self._publisher, actor=actor, now_ms=now_ms)
        fields = classified(draft.event)[:MOST_FIELDS]
        agreement = self._agreement(draft.partner, draft.purpose, MessageType.ALERT, now_ms)
        allowed = frozenset[FieldClass]() if agreement is None else agreement.field_classes
        preview = pb.StepPreview(
            recipient=draft.partner,
            agreement_id="" if agreement is None else agreement.id,
            clause="" if agreement is None else agreement.clause,
            fields=[
                pb.ClassifiedField(path=path, disclosure_class=value_of(one), allowed=one in allowed)
                for path, one in fields
            ],
        )
        try:
            require_step(moment, step, row, draft, publisher=self._publisher, now_ms=now_ms)
            preview.allowed = True
        except GatewayError as error:
            _refuse(preview, error)
            redact(draft.event, allowed)
        preview.event.CopyFrom(draft.event)
        return preview


def _refuse(preview: pb.StepPreview, error: GatewayError) -> None:
    preview.refusal = error.message
    violations = error.violations if isinstance(error, InvalidRequestError) else ()
    preview.violations.extend(
        feed_pb2.FieldViolation(field=one.field, rule=one.rule, message=one.message) for one in violations
    )
