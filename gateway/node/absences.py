"""Says why a partner doesn't have something of this authority: an alert, a list entry, a shipment record, a field.

It applies the rules by which the thing would go: those of alerts.commands.publishing, watchlists.commands.distribution
and history.service.terms. Callers who may read the thing may ask; a hidden list's entries aren't there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Final, cast

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from sqlalchemy import Connection

from gateway.alerts import codec as alert_wire
from gateway.alerts.commands.onward_transfer import (
    ProjectedMoment,
    releases_of,
    require_answers_may_go,
    require_onward_transfer,
)
from gateway.alerts.tables import copies as alerts
from gateway.contract.disclosure_classes import value_of
from gateway.contract.ids import Channel
from gateway.contract.messages import to_timestamp
from gateway.db.database import Database
from gateway.errors import GatewayError, InvalidRequestError, NotFoundError, StoreUnavailableError, Violation
from gateway.feed.service.writing.transaction import Clock
from gateway.feed.tables import feeds, heads
from gateway.feed.tables.feeds import Feed
from gateway.history.codec.signed_texts import HIT_TYPE, QUERY_TYPE, RECORD_TYPE
from gateway.history.rules.releases import is_releasable
from gateway.history.service.current_records import current_records
from gateway.history.tables import shipments
from gateway.trust.rules.directory import Agreement, Directory, FieldClass, MessageType
from gateway.trust.rules.disclosure import classified
from gateway.v1 import alert_pb2, shipment_pb2, watchlist_pb2
from gateway.v1 import node_service_pb2 as pb
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.commands.entry_sources import source_refusals
from gateway.watchlists.rules.visibility import Hidden
from gateway.watchlists.service.updates import read_changes
from gateway.watchlists.tables import lists as watchlists

LinkOf = Callable[[Feed], tuple[pb.LinkState.ValueType, str]]
"""State of a feed's link, and why it is so."""

_NUMBER: Final = re.compile(r"\[\d+\]")


class Absences:
    """Answers of one node. Thread-safe."""

    def __init__(
        self,
        database: Database,
        *,
        node: str,
        directory: Callable[[], Directory],
        link_of: LinkOf,
        clock: Clock,
    ) -> None:
        self._database = database
        self._node = node
        self._directory = directory
        self._link_of = link_of
        self._clock = clock

    def explain(self, request: pb.ExplainAbsenceRequest, *, hidden: Hidden) -> pb.ExplainAbsenceResponse:
        """For each partner asked about, the reason that counts first.

        Raises:
            InvalidRequestError: no such partner or field, or a record without a purpose.
            NotFoundError: this node has no such alert, entry or record.
        """
        partners = sorted(set(self._directory().nodes) - {self._node})
        if request.partner and request.partner not in partners:
            known = ", ".join(partners)
            raise _invalid("partner", f"{request.partner!r} is no partner; the directory names {known}")
        about = pb.ExplainAbsenceRequest()
        about.CopyFrom(request)
        absences = []
        with self._database.read() as conn:
            for about.partner in [request.partner] if request.partner else partners:
                absence = self._absence(conn, about, hidden)
                absence.partner, absence.field = about.partner, request.field
                absence.publisher = absence.publisher or self._node
                absences.append(absence)
        return pb.ExplainAbsenceResponse(absences=absences)

    def _absence(self, conn: Connection, request: pb.ExplainAbsenceRequest, hidden: Hidden) -> pb.Absence:
        kind = request.WhichOneof("subject")
        if kind == "alert":
            return self._alert(conn, request)
        return self._entry(conn, request, hidden) if kind == "entry" else self._record(conn, request)

    def _alert(self, conn: Connection, request: pb.ExplainAbsenceRequest) -> pb.Absence:
        publisher, alert_id = request.alert.publisher, request.alert.alert_id
        copies = {copy.key.recipient: copy for copy in alerts.copies(conn, publisher, alert_id)}
        if not copies:
            raise NotFoundError(f"there is no alert {publisher}/{alert_id} here")
        if publisher != self._node:
            return pb.Absence(reason=pb.ABSENCE_REASON_NOT_OURS, publisher=publisher)
        payload = alerts.current_payload(conn, publisher, alert_id)
        alert = alert_wire.alert_of(alert_wire.parse_event(payload)) if payload else None
        if alert is None:
            return pb.Absence(reason=pb.ABSENCE_REASON_ERASED)
        content, copy = alert.content, copies.get(request.partner)
        return (
            _empty(content, request.field)
            or (self._on_its_way(conn, copy.current_feed_id, copy.current_idx) if copy is not None else None)
            or self._refused(request, content, content.purpose, MessageType.ALERT)
            or self._source_forbids(conn, request.partner, content)
            or self._not_addressed(request, content.purpose, MessageType.ALERT)
        )

    def _entry(self, conn: Connection, request: pb.ExplainAbsenceRequest, hidden: Hidden) -> pb.Absence:
        publisher, name, entry_id = request.entry.publisher, request.entry.list, request.entry.id
        row = watchlists.find(conn, publisher, name, [entry_id]).get(entry_id)
        if row is None or (publisher, name) in hidden:
            raise NotFoundError(f"there is no entry {publisher}/{name}/{entry_id} here")
        if publisher != self._node:
            return pb.Absence(reason=pb.ABSENCE_REASON_NOT_OURS, publisher=publisher)
        change = read_changes(conn, [row]).get(ListKey(name, entry_id))
        if row.ended or change is None:
            gone = pb.ABSENCE_REASON_ENDED if row.ended else pb.ABSENCE_REASON_ERASED
            return pb.Absence(reason=gone)
        content = change.entered.content
        copy = watchlists.find_copies(conn, request.partner, name, [entry_id]).get(entry_id)
        has = copy is not None and not copy.ended and copy.revision == row.revision
        return (
            _empty(content, request.field)
            or (self._on_its_way(conn, copy.feed_id, copy.idx) if copy is not None and has else None)
            or self._refused(request, content, content.purpose, MessageType.LIST_EVENT)
            or self._entrys_source_forbids(conn, request.partner, content)
            or (
                self._not_yet(conn, request.partner)
                if request.partner in content.releasable_to
                else self._not_addressed(request, content.purpose, MessageType.LIST_EVENT)
            )
        )

    def _source_forbids(self, conn: Connection, partner: str, content: alert_pb2.AlertContent) -> pb.Absence | None:
        """Whether something that an alert is made from mustn't go on."""
        moment, handling = ProjectedMoment(conn, self._node), content.handling
        releases = releases_of(self._directory(), self._node, content.purpose, self._now())
        try:
            for source in content.derived_from:
                require_onward_transfer(
                    moment,
                    source.publisher,
                    source.alert_id,
                    [partner],
                    field="",
                    handling=handling,
                    releases=releases,
                )
            require_answers_may_go([content], [partner], releases, own=self._node, handling=handling)
        except StoreUnavailableError:
            raise
        except GatewayError as error:
            return _forbidden(error)
        return None

    def _entrys_source_forbids(
        self, conn: Connection, partner: str, content: watchlist_pb2.WatchlistContent
    ) -> pb.Absence | None:
        refusals = source_refusals(ProjectedMoment(conn, self._node), content, [partner])
        return _forbidden(refusals[0]) if refusals else None

    def _record(self, conn: Connection, request: pb.ExplainAbsenceRequest) -> pb.Absence:
        if request.record_id not in shipments.find(conn, [request.record_id]):
            raise NotFoundError(f"there is no record {request.record_id!r} here")
        purpose = self._purpose(request)
        record = next(current_records(conn, [request.record_id]), None)
        if record is None:
            return pb.Absence(reason=pb.ABSENCE_REASON_ERASED)
        return (
            _empty(record.shipment, request.field)
            or self._may_not_ask(request.partner, purpose)
            or self._told(request, record.shipment, purpose)
        )

    def _may_not_ask(self, partner: str, purpose: str) -> pb.Absence | None:
        if self._agreement(partner, self._node, (QUERY_TYPE,), purpose) is not None:
            return None
        return pb.Absence(reason=pb.ABSENCE_REASON_NO_AGREEMENT_TO_ASK, purpose=purpose)

    def _told(self, request: pb.ExplainAbsenceRequest, shipment: shipment_pb2.Shipment, purpose: str) -> pb.Absence:
        """What a partner that may ask is told."""
        agreement = self._agreement(self._node, request.partner, (RECORD_TYPE, HIT_TYPE), purpose)
        if agreement is None:
            return pb.Absence(reason=pb.ABSENCE_REASON_NO_AGREEMENT, purpose=purpose)
        if not is_releasable(shipment, request.partner):
            released_to = shipment.releasable_to.nodes
            return pb.Absence(reason=pb.ABSENCE_REASON_NOT_RELEASED, purpose=purpose, released_to=released_to)
        told = pb.Absence(purpose=purpose, agreement_id=agreement.id, clause=agreement.clause)
        withheld = _withheld(shipment, agreement, request.field)
        if RECORD_TYPE not in agreement.message_types:
            told.reason = pb.ABSENCE_REASON_HIT_ONLY
        elif request.field and withheld:
            told.reason, told.disclosure_class = pb.ABSENCE_REASON_CLASS_NOT_AGREED, value_of(withheld[0].value)
        else:
            told.reason = pb.ABSENCE_REASON_ON_QUESTION
            told.withheld.extend(value_of(one.value) for one in withheld)
        return told

    def _purpose(self, request: pb.ExplainAbsenceRequest) -> str:
        if request.purpose:
            return request.purpose
        agreed = self._directory().agreements_on(request.partner, self._node, self._now(), message_type=QUERY_TYPE)
        purposes = ", ".join(sorted({purpose for agreement in agreed for purpose in agreement.purposes})) or "none"
        raise _invalid("purpose", f"say for what {request.partner} would ask; agreements let it ask for: {purposes}")

    def _refused(
        self, request: pb.ExplainAbsenceRequest, content: Message, purpose: str, message_type: MessageType
    ) -> pb.Absence | None:
        """What agreements have against it, if anything."""
        agreement = self._agreement(self._node, request.partner, (message_type,), purpose)
        if agreement is None:
            return pb.Absence(reason=pb.ABSENCE_REASON_NO_AGREEMENT, purpose=purpose)
        withheld = _withheld(content, agreement, request.field)
        if not withheld:
            return None
        return pb.Absence(
            reason=pb.ABSENCE_REASON_CLASS_NOT_AGREED,
            purpose=purpose,
            agreement_id=agreement.id,
            clause=agreement.clause,
            disclosure_class=value_of(withheld[0].value),
        )

    def _not_addressed(self, request: pb.ExplainAbsenceRequest, purpose: str, message_type: MessageType) -> pb.Absence:
        agreement = self._agreement(self._node, request.partner, (message_type,), purpose)
        answer = pb.Absence(reason=pb.ABSENCE_REASON_NOT_ADDRESSED, purpose=purpose)
        if agreement is not None:
            answer.agreement_id, answer.clause = agreement.id, agreement.clause
        return answer

    def _on_its_way(self, conn: Connection, feed_id: int, index: int) -> pb.Absence:
        """Of an entry in a feed to the partner."""
        feed, receipt = feeds.get_by_id(conn, feed_id), heads.receipted_over(conn, feed_id, index)
        if receipt is not None:
            at = to_timestamp(receipt.receipted_at)
            return pb.Absence(reason=pb.ABSENCE_REASON_RECEIVED, at=at)
        return self._waiting(feed, index + 1 - feed.receipted_size)

    def _not_yet(self, conn: Connection, partner: str) -> pb.Absence:
        """Of an entry that its feed will have as soon as the node gets to it."""
        feed = feeds.find(conn, self._directory().feed(self._node, partner, Channel.WATCHLIST))
        if feed is None:
            return pb.Absence(reason=pb.ABSENCE_REASON_ON_THE_WAY)
        return self._waiting(feed, 0)

    def _waiting(self, feed: Feed, waiting: int) -> pb.Absence:
        state, detail = self._link_of(feed)
        return pb.Absence(reason=pb.ABSENCE_REASON_ON_THE_WAY, waiting=waiting, link_state=state, detail=detail)

    def _agreement(self, sender: str, recipient: str, types: Sequence[str], purpose: str) -> Agreement | None:
        for message_type in types:
            found = self._directory().agreement(
                sender, recipient, self._now(), message_type=message_type, purpose=purpose
            )
            if found is not None:
                return found
        return None

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock() // 1000, UTC)


def _invalid(field: str, message: str) -> InvalidRequestError:
    return InvalidRequestError([Violation(field, f"{field}.known", message)])


def _forbidden(error: GatewayError) -> pb.Absence:
    return pb.Absence(reason=pb.ABSENCE_REASON_ONWARD_FORBIDDEN, detail=error.message)


def _empty(message: Message, path: str) -> pb.Absence | None:
    """The answer where a field is named and isn't set; raises InvalidRequestError where there is no such field."""
    if not path:
        return None
    names = _NUMBER.sub("", path).split(".")
    below: Descriptor | None = cast("Descriptor", message.DESCRIPTOR)
    for name in names:
        field = None if below is None else below.fields_by_name.get(name)
        if field is None:
            raise _invalid("field", f"{path}: {message.DESCRIPTOR.name} has no such field")
        below = field.message_type
        if below is not None and below.GetOptions().map_entry:
            below = None
    return None if _has_value(message, names) else pb.Absence(reason=pb.ABSENCE_REASON_EMPTY)


def _has_value(message: Message, names: Sequence[str]) -> bool:
    """Whether any member of a field by its names is set."""
    name, *rest = names
    value = getattr(message, name)
    if message.DESCRIPTOR.fields_by_name[name].is_repeated:
        return any(not rest or _has_value(member, rest) for member in value)
    if isinstance(value, Message):
        return message.HasField(name) and (not rest or _has_value(value, rest))
    return bool(value)


def _withheld(message: Message, agreement: Agreement, path: str) -> list[FieldClass]:
    """Classes that a message has, at or around a field if one is named, and the agreement doesn't."""
    wanted = _NUMBER.sub("", path)
    found = {
        field_class
        for place, field_class in classified(message)
        if field_class not in agreement.field_classes and _overlap(_NUMBER.sub("", place), wanted)
    }
    return sorted(found)


def _overlap(place: str, wanted: str) -> bool:
    """Whether one is the other, or a part of it."""
    return not wanted or f"{place}.".startswith(f"{wanted}.") or f"{wanted}.".startswith(f"{place}.")
