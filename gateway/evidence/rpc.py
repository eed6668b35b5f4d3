"""gRPC handlers for evidence and the audit log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any, TypeAlias

import grpc.aio

from gateway.contract.enum_words import words
from gateway.contract.filters import (
    EQUAL,
    Term,
    decode_number_token,
    encode_page_token,
    invalid_value,
    page_size,
    parse_filter,
    unix_ms,
)
from gateway.contract.ids import FeedOrigin
from gateway.contract.limits import MAX_MESSAGE_BYTES
from gateway.contract.messages import to_timestamp
from gateway.contract.validation import validate
from gateway.db.database import Database
from gateway.errors import GatewayError, InvalidRequestError, TooLargeError, Violation
from gateway.evidence.codec.answer_bundle import is_answer
from gateway.evidence.codec.audit_head import verify_head_file
from gateway.evidence.codec.bundle import Bundle, decode_zips
from gateway.evidence.codec.bundle_entries import StepProof
from gateway.evidence.service.answer_check import AnswerExamination, examine_answer
from gateway.evidence.service.answer_export import export_answer
from gateway.evidence.service.audit_export import SignAuditExportCommand, collect, signed_files
from gateway.evidence.service.audit_heads import export_head
from gateway.evidence.service.audit_names import names_in
from gateway.evidence.service.audit_redaction import without_hidden
from gateway.evidence.service.check import examine
from gateway.evidence.service.consistency import prove_consistency
from gateway.evidence.service.cose_export import CoseReceiptExport
from gateway.evidence.service.export import export
from gateway.evidence.service.report import STEPS, Examination, StepStatus, VerifiedEvidence
from gateway.feed.rpc.writer_client import WriterClient
from gateway.rpc.calls import current_call
from gateway.trust import tables as audit
from gateway.trust.rules.audit import LAST_TIME_MS, AuditEntry, AuditResult
from gateway.trust.service.directory_versions import TrustedDirectory
from gateway.trust.tables import AuditFilter, StoredEvent
from gateway.v1 import evidence_service_pb2, evidence_service_pb2_grpc
from gateway.v1.feed_pb2 import DispositionOutcome
from gateway.watchlists.rules.visibility import EVERYTHING_VISIBLE, ListVisibility

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

_FIELDS = {
    **dict.fromkeys(("principal", "person", "partner", "method", "case_reference", "result", "reason"), EQUAL),
    "time": (">=", "<"),
}
_RESULTS = tuple(AuditResult)
_SEQUENCE_NUMBERS = range(1, 10**18)
_PIECE_BYTES = 1024 * 1024
"""Bytes of a file in one message of an export."""
_REPLY_MARGIN_BYTES = 64 * 1024
"""Room for what else is in a message."""
_MOST_BUNDLE_BYTES = MAX_MESSAGE_BYTES - 8 * _REPLY_MARGIN_BYTES
"""Files of a bundle in a message, with room for 5,000 names."""


class EvidenceServicer(evidence_service_pb2_grpc.EvidenceServiceServicer):
    """Handlers of EvidenceService."""

    def __init__(
        self,
        *,
        database: Database,
        trust: Callable[[], TrustedDirectory],
        audit_feed: FeedOrigin,
        writer: WriterClient,
        cose_receipts: CoseReceiptExport,
        visibility: ListVisibility = EVERYTHING_VISIBLE,
        release_heads: Callable[[], None] = lambda: None,
    ) -> None:
        """
        Args:
            audit_feed: the node's feed of audit heads.
            release_heads: returns when the heads that were read may leave this node; raises StoreUnavailableError.
        """
        self._visibility = visibility
        self._writer = writer
        self._cose_receipts = cose_receipts
        self._release_heads = release_heads
        self._database = database
        self._trust = trust
        self._audit_feed = audit_feed

    async def ExportEvidence(
        self, request: evidence_service_pb2.ExportEvidenceRequest, context: Context
    ) -> evidence_service_pb2.ExportEvidenceResponse:
        validate(request)
        alert, query_id = request.alert, request.query_id
        current_call().record(subject_ids=[query_id, *request.record_ids] if query_id else [alert.alert_id])
        after = more = 0
        if query_id:
            bundle = await asyncio.to_thread(
                export_answer, self._database, self._trust(), query_id=query_id, record_ids=request.record_ids
            )
        else:
            part = await asyncio.to_thread(
                export,
                self._database,
                self._trust(),
                publisher=alert.publisher,
                alert_id=alert.alert_id,
                recipient=request.recipient,
                after_steps=request.after_steps,
                most_bytes=_MOST_BUNDLE_BYTES,
            )
            bundle, after, more = part.bundle, part.next_after, part.more
            await asyncio.to_thread(self._release_heads)
        response = evidence_service_pb2.ExportEvidenceResponse(
            files=_files(bundle),
            more_steps=more,
            next_after_steps=after,
        )
        if response.ByteSize() > MAX_MESSAGE_BYTES - _REPLY_MARGIN_BYTES:
            subject = f"the answer to {query_id}" if query_id else f"alert {alert.alert_id}"
            raise TooLargeError(
                f"the evidence of {subject} has {response.ByteSize()} bytes, too many for one message; "
                "export it where the gateway runs, with `gateway evidence export --from-database`"
            )
        return response

    async def VerifyEvidence(
        self, request: evidence_service_pb2.VerifyEvidenceRequest, context: Context
    ) -> evidence_service_pb2.VerifyEvidenceResponse:
        validate(request)
        note = self._trust().note
        try:
            archive = request.archive
            given = decode_zips(archive) if archive else [Bundle.of((one.name, one.content) for one in request.files)]
        except GatewayError as error:
            if not request.archive:
                raise
            return _unreadable(error)
        verified = evidence_service_pb2.VerifyEvidenceResponse()
        for bundle in given:  # one, but of an alert with very many steps
            part = await self._verify(bundle, note)
            verified.verified = part.verified
            verified.steps.extend(part.steps)
            verified.proven.extend(step for step in part.proven if step not in verified.proven)
            if not part.verified:
                break
        return verified

    async def _verify(self, bundle: Bundle, note: bytes) -> evidence_service_pb2.VerifyEvidenceResponse:
        if is_answer(bundle):
            answer = await asyncio.to_thread(examine_answer, bundle, directory_note=note)
            if answer.evidence is not None:
                current_call().record(subject_ids=[answer.evidence.answer.query.query_id])
            return _verified(answer)
        examination = await asyncio.to_thread(examine, bundle, directory_note=note)
        if examination.evidence is not None:
            current_call().record(subject_ids=[examination.evidence.key.alert_id])
        return _verified(examination, examination.evidence.steps if examination.evidence is not None else ())

    async def ProveConsistency(
        self, request: evidence_service_pb2.ProveConsistencyRequest, context: Context
    ) -> evidence_service_pb2.ProveConsistencyResponse:
        validate(request)
        current_call().record(subject_ids=[request.origin])
        proof = await asyncio.to_thread(prove_consistency, self._database, request.origin, request.old_size)
        await asyncio.to_thread(self._release_heads)
        return evidence_service_pb2.ProveConsistencyResponse(proof=proof.encode())

    async def ExportCoseReceipt(
        self, request: evidence_service_pb2.ExportCoseReceiptRequest, context: Context
    ) -> evidence_service_pb2.ExportCoseReceiptResponse:
        validate(request)
        alert, receipts = request.alert, self._cose_receipts
        current_call().record(subject_ids=[request.origin or alert.alert_id])
        if request.origin:
            bundle = await asyncio.to_thread(receipts.of_entry, request.origin, request.index)
        else:
            bundle = await asyncio.to_thread(receipts.of_alert, alert.publisher, alert.alert_id, request.recipient)
        return evidence_service_pb2.ExportCoseReceiptResponse(files=_files(bundle))

    async def ListAuditEvents(
        self, request: evidence_service_pb2.ListAuditEventsRequest, context: Context
    ) -> evidence_service_pb2.ListAuditEventsResponse:
        validate(request)
        where = _filter(parse_filter(request.filter, _FIELDS), self._audit_feed.publisher)
        token = decode_number_token(request.page_token, request.filter, _SEQUENCE_NUMBERS)
        before_seq = None if token is None else token[0]
        limit = page_size(request.page_size)
        events = await asyncio.to_thread(self._events, where, before_seq, limit)
        hidden = self._visibility.hidden_from(current_call().principal.roles)
        shown = without_hidden((stored.event for stored in events), hidden)
        response = evidence_service_pb2.ListAuditEventsResponse(
            events=[_event(stored, event) for stored, event in zip(events, shown, strict=True)],
            names=await asyncio.to_thread(self._names, shown),
        )
        if len(events) == limit and events[-1].seq > 1:
            response.next_page_token = encode_page_token((str(events[-1].seq),), request.filter)
        return response

    async def ExportAuditEvents(
        self, request: evidence_service_pb2.ExportAuditEventsRequest, context: Context
    ) -> AsyncIterator[evidence_service_pb2.ExportAuditEventsResponse]:
        validate(request)
        where = _filter(parse_filter(request.filter, _FIELDS), self._audit_feed.publisher)
        hidden = self._visibility.hidden_from(current_call().principal.roles)

        def messages(events: list[StoredEvent]) -> Iterator[evidence_service_pb2.AuditEvent]:
            return map(_event, events, without_hidden((stored.event for stored in events), hidden))

        collected = await asyncio.to_thread(
            collect,
            self._database,
            where,
            filter=request.filter,
            form=request.form,
            message_of=messages,
            without_hidden_lists=bool(hidden),
        )
        current_call().record(counts={"events": collected.export.events})
        index = await self._writer.run(SignAuditExportCommand(self._audit_feed, collected.export))
        await asyncio.to_thread(self._release_heads)
        files = await asyncio.to_thread(signed_files, self._database, collected, self._trust(), self._audit_feed, index)
        for name, content in files.items():
            for start in range(0, len(content), _PIECE_BYTES):
                piece = content[start : start + _PIECE_BYTES]
                yield evidence_service_pb2.ExportAuditEventsResponse(name=name, content=piece)

    async def GetAuditHead(
        self, request: evidence_service_pb2.GetAuditHeadRequest, context: Context
    ) -> evidence_service_pb2.GetAuditHeadResponse:
        file = await asyncio.to_thread(export_head, self._database, self._audit_feed)
        await asyncio.to_thread(self._release_heads)
        signed = verify_head_file(file, self._trust(), self._audit_feed.publisher)
        return evidence_service_pb2.GetAuditHeadResponse(
            sequence=signed.head.seq, signed_at=to_timestamp(int(signed.signed_at.timestamp() * 1000)), file=file
        )

    def _events(self, where: AuditFilter, before_seq: int | None, limit: int) -> Sequence[StoredEvent]:
        with self._database.read() as conn:
            return audit.list_events(conn, where=where, before_seq=before_seq, limit=limit)

    def _names(self, events: Sequence[AuditEntry]) -> dict[str, str]:
        with self._database.read() as conn:
            return names_in(conn, events, node=self._audit_feed.publisher)


def _files(bundle: Bundle) -> list[evidence_service_pb2.EvidenceFile]:
    return [evidence_service_pb2.EvidenceFile(name=name, content=content) for name, content in bundle.files.items()]


def _verified(
    examination: Examination[VerifiedEvidence] | AnswerExamination, proven: Sequence[StepProof] = ()
) -> evidence_service_pb2.VerifyEvidenceResponse:
    return evidence_service_pb2.VerifyEvidenceResponse(
        verified=examination.evidence is not None,
        steps=[
            evidence_service_pb2.VerificationStep(
                number=step.number, name=step.name, passed=step.status is StepStatus.PASSED, detail=step.detail
            )
            for step in examination.steps
            if step.status is not StepStatus.ABSENT
        ],
        proven=map(_proven, proven),
    )


def _unreadable(error: GatewayError) -> evidence_service_pb2.VerifyEvidenceResponse:
    """The answer for a file that is no bundle: the first step fails."""
    step = evidence_service_pb2.VerificationStep(number=1, name=STEPS[1], passed=False, detail=error.message)
    return evidence_service_pb2.VerifyEvidenceResponse(steps=[step])


def _proven(step: StepProof) -> evidence_service_pb2.ProvenStep:
    outcome = words(DispositionOutcome).get(step.outcome, DispositionOutcome.DISPOSITION_OUTCOME_UNSPECIFIED)
    proven = evidence_service_pb2.ProvenStep(
        folder=step.folder, event=step.event, said_by=step.by, said_to=step.to, outcome=outcome
    )
    proven.recorded_at.FromDatetime(step.recorded_at)
    if step.received_at:
        proven.received_at.FromDatetime(step.received_at)
    if step.decided_at:
        proven.decided_at.FromDatetime(step.decided_at)
    return proven


def _filter(terms: Sequence[Term], node: str) -> AuditFilter:
    """A person's and a partner's events are those of their principals."""
    values: dict[str, str] = {}
    ids = {"person": f"person/{node}/", "partner": "gateway/"}
    for given in terms:
        term = given
        if given.field == "time":
            term = Term(f"time {given.operator}", given.operator, str(unix_ms(given)))
        if given.field in ids:
            term = Term("principal", given.operator, ids[given.field] + given.value)
        if values.setdefault(term.field, term.value) != term.value:
            raise InvalidRequestError([Violation("filter", "filter.twice", f"{term.field} can't have two values")])
        if term.field == "result" and term.value not in _RESULTS:
            raise invalid_value(term, f"one of {', '.join(_RESULTS)}")
    result = values.get("result")
    return AuditFilter(
        principal=values.get("principal"),
        method=values.get("method"),
        case_reference=values.get("case_reference"),
        result=None if result is None else AuditResult(result),
        reason=values.get("reason"),
        from_ms=int(values["time >="]) if "time >=" in values else None,
        until_ms=int(values["time <"]) if "time <" in values else None,
    )


def _event(stored: StoredEvent, event: AuditEntry) -> evidence_service_pb2.AuditEvent:
    details = {name: str(number) for name, number in event.counts if name != LAST_TIME_MS}
    if event.detail:
        details["detail"] = event.detail
    if event.subject_ids:
        details["subject_ids"] = ", ".join(event.subject_ids)
    listed = evidence_service_pb2.AuditEvent(
        sequence=stored.seq,
        time=to_timestamp(event.time_ms),
        principal=event.principal,
        method=event.method,
        purpose=event.purpose,
        case_reference=event.case_reference,
        result=event.result.value,
        reason=event.reason,
        details=details,
        hash=stored.hash,
        occurrences=event.occurrences,
        system=event.system,
    )
    if event.occurrences > 1:
        listed.last_time.CopyFrom(to_timestamp(event.last_time_ms))
    return listed
