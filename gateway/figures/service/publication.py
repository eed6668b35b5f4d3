"""Makes publication sheets of closed alerts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.alerts.service import AlertQueries
from gateway.contract.disclosure_classes import value_of
from gateway.contract.findings import standing_findings
from gateway.contract.messages import to_ms, to_timestamp
from gateway.errors import IllegalTransitionError, InvalidRequestError, Violation
from gateway.feed.service.writing.transaction import Clock
from gateway.figures.rules.periods import date_of, day_number
from gateway.figures.rules.publication import ReducedPart, decidable, naming_values, reduced
from gateway.translation.messages import N_
from gateway.v1 import alert_pb2, alert_service_pb2, figures_pb2, history_pb2
from gateway.v1 import figure_service_pb2 as pb

READ_TEXTS = N_(
    "The sheet has free text. What repeats a known name is blacked out; read it for what tells in other words."
)
FOREIGN_FINDINGS = N_("Findings are those of a partner: agree their publication with it.")
DERIVED = N_("The alert follows from information of others: agree the publication with them.")
OLDER_STEPS = N_("The alert has so many steps that the oldest weren't looked at.")


class PublicationSheets:
    """Makes sheets. Thread-safe."""

    def __init__(self, alerts: AlertQueries, *, node: str, utc_offset_minutes: int, clock: Clock) -> None:
        self._alerts = alerts
        self._node = node
        self._offset = utc_offset_minutes
        self._clock = clock

    def make(self, request: pb.GetPublicationSheetRequest) -> pb.GetPublicationSheetResponse:
        """The sheet of an own closed alert.

        Raises:
            NotFoundError: this node didn't publish such an alert.
            IllegalTransitionError: it isn't closed at all recipients.
            InvalidRequestError: `disclose` names what isn't decidable.
        """
        may_be_named = decidable()
        unknown = [path for path in request.disclose if path not in may_be_named]
        if unknown:
            message = f"{unknown[0]!r} isn't one of {', '.join(may_be_named)}"
            raise InvalidRequestError([Violation("disclose", "disclose.decidable", message)])
        read = self._alerts.get(self._node, request.alert_id)
        if any(copy.status != alert_pb2.ALERT_STATUS_CLOSED for copy in read.deliveries):
            raise IllegalTransitionError("the alert isn't closed yet; a sheet is made of a closed case")
        sheet = self._sheet(read, list(request.disclose))
        alert = alert_pb2.AlertReference(publisher=self._node, alert_id=request.alert_id)
        return pb.GetPublicationSheetResponse(sheet=sheet, decidable=may_be_named, alert=alert)

    def _sheet(
        self, read: alert_service_pb2.GetAlertResponse, disclosed: Sequence[str]
    ) -> figures_pb2.PublicationSheet:
        alert, steps = read.alert, list(read.history)
        findings = standing_findings(steps)
        closings = [step for step in steps if step.event.WhichOneof("event") == "closed"]
        values = naming_values([alert.content, *(step.event for step in steps)])
        sheet = figures_pb2.PublicationSheet(
            publisher=alert.publisher,
            recipients=sorted({copy.recipient for copy in read.deliveries}),
            published_on=self._day(to_ms(alert.published_at)),
            made_at=to_timestamp(self._clock()),
        )
        content = reduced("content", alert.content, disclosed, values)
        sheet.content.CopyFrom(content.message)
        parts = [content]
        for reported in findings:
            part = reduced("findings", reported.finding, disclosed, values)
            day = self._day(to_ms(reported.finding.inspected_at))
            sheet.findings.add(node=reported.reporter, inspected_on=day, finding=part.message)
            parts.append(part)
        for step in closings[:1]:  # each recipient has its copy of one closing
            part = reduced("closing", step.event.closed, disclosed, values)
            sheet.closing.CopyFrom(part.message)
            sheet.closed_on = self._day(to_ms(step.event.occurred_at))
            parts.append(part)
        _note(sheet, parts)
        sheet.cautions.extend(_cautions(read, has_findings=bool(findings)))
        return sheet

    def _day(self, at_ms: int) -> str:
        return date_of(day_number(at_ms, self._offset)).isoformat()


def _note(sheet: figures_pb2.PublicationSheet, parts: Sequence[ReducedPart]) -> None:
    """Says what was left out and blacked out."""
    withheld = {path: name for part in parts for path, name in part.withheld.items()}
    for path, name in withheld.items():
        sheet.withheld.append(history_pb2.WithheldField(path=path, disclosure_class=value_of(name)))
    sheet.blacked_out.extend(sorted({path for part in parts for path in part.blacked_out}))


def _cautions(read: alert_service_pb2.GetAlertResponse, *, has_findings: bool) -> Iterator[str]:
    yield READ_TEXTS
    if has_findings:
        yield FOREIGN_FINDINGS
    if read.alert.content.derived_from or read.alert.content.derived_from_answers:
        yield DERIVED
    if read.older_steps:
        yield OLDER_STEPS
