"""Drafts alerts of a trace's discrepancies, for each recipient from the records and fields that it may learn."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

from gateway.alerts import codec as wire
from gateway.alerts.tables import copies as alerts
from gateway.contract.messages import page_of
from gateway.contract.validation import violations
from gateway.db.database import Database
from gateway.history.service.risk import SiblingSearch
from gateway.licences.service.presented import PresentedLicences
from gateway.risk.rule_engine import RuleEngine
from gateway.tracing.rules.draft import draft_alert
from gateway.tracing.rules.draft_basis import alerts_named, also_in, answers_named, part_for
from gateway.tracing.rules.gathering import Gathering
from gateway.tracing.rules.onward_transfer import OnwardTransfer
from gateway.trust.rules.directory import Directory, FieldClass
from gateway.trust.rules.disclosure import redact
from gateway.trust.service.agreements import EVERY_CLASS
from gateway.v1 import alert_pb2, trace_pb2
from gateway.v1.history_service_pb2 import TraceConsignmentRequest

CONTROLLED_BYTES = 256 * 1024
"""Most bytes of what is under control in a trace's legs."""

MAX_DISCREPANCIES = 2_000
DISCREPANCY_BYTES = 256 * 1024
"""Most discrepancies of a trace, the most severe, and their bytes: a partner's records may break a rule anywhere."""

MAX_DERIVED_FROM = 16
MAX_ANSWERS = 64
"""The contract's limits on an alert's sources."""


def _as_it_is(discrepancy: trace_pb2.Discrepancy) -> trace_pb2.Discrepancy:
    return discrepancy


class TraceExaminer:
    """Adds to a trace what is under control and what doesn't add up. Thread-safe."""

    def __init__(self, *, node: str, rules: RuleEngine, siblings: SiblingSearch, licences: PresentedLicences) -> None:
        self._node = node
        self._rules = rules
        self._siblings = siblings
        self._licences = licences

    def examine(
        self,
        trace: trace_pb2.Trace,
        now: datetime,
        *,
        classes: Collection[FieldClass] = EVERY_CLASS,
        recipient: str = "",
        with_licences: bool = True,
    ) -> None:
        """Fills `controlled` of the legs, `discrepancies` and the versions.

        Args:
            classes: of fields of further own records that may count; the legs are taken as they are.
            recipient: of such records those count that may be released to it; empty: all.
            with_licences: compares with the licences that this node knows; not in what goes to somebody else.
        """
        room = CONTROLLED_BYTES
        for leg in trace.legs:
            items = self._rules.controlled_items(leg.record.shipment)
            room -= sum(item.ByteSize() for item in items)
            if room >= 0:
                leg.controlled.extend(items)
        trace.truncated = trace.truncated or room < 0
        siblings = self._siblings.of_trace(trace, self._node, recipient)
        for sibling in (sibling for of_leg in siblings.values() for sibling in of_leg):
            redact(sibling, classes)
        legs = enumerate(trace.legs if with_licences else ())
        licences = {index: self._licences.of(leg.record.shipment) for index, leg in legs}
        found = self._rules.examine(trace, now, siblings=siblings, licences=licences)
        page = page_of(found, _as_it_is, limit=MAX_DISCREPANCIES, most_bytes=DISCREPANCY_BYTES)
        trace.discrepancies.extend(page.messages)
        trace.truncated = trace.truncated or page.last is not None
        trace.rules_version = self._rules.version
        trace.controlled_goods_version = self._rules.controlled_goods_version


class AlertDrafter:
    """Drafts alerts for a trace. Thread-safe."""

    def __init__(self, database: Database, *, node: str, examiner: TraceExaminer) -> None:
        self._database = database
        self._node = node
        self._examiner = examiner

    def drafts(
        self,
        trace: trace_pb2.Trace,
        request: TraceConsignmentRequest,
        gathering: Gathering,
        onward: OnwardTransfer,
        *,
        directory: Directory,
        now: datetime,
    ) -> list[trace_pb2.DraftAlert]:
        """Drafts for an examined trace, that with the most rule hits first.

        Recipients that may learn the same share one. Without any recipient, one draft holds own records alone.
        """
        made: dict[bytes, trace_pb2.DraftAlert] = {}
        for recipient in dict.fromkeys(answer.node for answer in trace.answers if answer.node != self._node):
            classes = directory.allowed_field_classes(
                self._node, recipient, now, message_type=wire.EVENT_TYPE, purpose=request.grounds.purpose
            )
            if classes is None:
                continue
            part = part_for(recipient, trace, gathering, onward)
            draft = self._draft(part, trace, request, classes, now, recipient=recipient)
            if draft is not None and recipient in draft.recipients:
                content = draft.content.SerializeToString(deterministic=True)
                del draft.recipients[:]
                made.setdefault(content, draft).recipients.append(recipient)
        if not made:
            own = self._draft(part_for("", trace, gathering, onward), trace, request, frozenset(FieldClass), now)
            if own is not None:
                del own.recipients[:]
                made[b""] = own
        return sorted(made.values(), key=lambda draft: (-len(draft.content.rule_hits), list(draft.recipients)))

    def _draft(
        self,
        part: trace_pb2.Trace,
        trace: trace_pb2.Trace,
        request: TraceConsignmentRequest,
        classes: Collection[FieldClass],
        now: datetime,
        *,
        recipient: str = "",
    ) -> trace_pb2.DraftAlert | None:
        """A draft from a part of the trace with fields of these classes; None if there is nothing to say."""
        for leg in part.legs:
            leg.record.withheld.extend(redact(leg.record.shipment, classes).withheld)
        self._examiner.examine(part, now, classes=classes, recipient=recipient, with_licences=False)
        rules = set(request.draft_rules)
        discrepancies = [
            discrepancy
            for discrepancy in also_in(trace, part, list(part.discrepancies))
            if not rules or discrepancy.rule_id in rules
        ]
        draft = draft_alert(part, discrepancies, request.grounds, self._node, now=now)
        if draft is None:
            return None
        draft.content.derived_from.extend(self._known(alerts_named(part)))
        draft.content.derived_from_answers.extend(answers_named(part)[:MAX_ANSWERS])
        redact(draft.content, classes)
        return None if violations(draft.content) else draft

    def _known(self, named: Iterable[alert_pb2.AlertReference]) -> Iterator[alert_pb2.AlertReference]:
        """Those alerts that this node has; others it can't have its knowledge from."""
        count = 0
        with self._database.read() as conn:
            for alert in named:
                if count < MAX_DERIVED_FROM and alerts.current_payload(conn, alert.publisher, alert.alert_id):
                    count += 1
                    yield alert
