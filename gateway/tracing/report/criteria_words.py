"""Words for what was searched for, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract.enum_words import UNKNOWN
from gateway.tracing.report.words import moment
from gateway.translation.labels import label_of
from gateway.translation.messages import gettext as _
from gateway.v1.goods_pb2 import ShipmentReferenceKind
from gateway.v1.history_pb2 import SearchCriteria
from gateway.v1.shipment_pb2 import ShipmentProcedure


def criteria_lines(criteria: SearchCriteria) -> list[str]:
    """Criteria, a line for each value: `UCR 6CN9144030071526726XG-1`."""
    return [*_reference_lines(criteria), *_value_lines(criteria), *_limit_lines(criteria)]


def _reference_lines(criteria: SearchCriteria) -> Iterator[str]:
    for reference in criteria.references:
        kind = label_of(ShipmentReferenceKind, reference.kind)
        yield f"{_('reference') if kind == UNKNOWN else kind} {reference.value}"
    for identifier in criteria.party_identifiers:
        yield " ".join(filter(None, (_("party"), identifier.scheme, identifier.value)))


def _value_lines(criteria: SearchCriteria) -> Iterator[str]:
    for name, values in (
        (_("record"), criteria.record_ids),
        (_("container"), criteria.containers),
        (_("seal"), criteria.seals),
        (_("registration"), criteria.registrations),
        (_("party"), criteria.party_names),
        (_("code"), criteria.commodity_codes),
        (_("substance"), criteria.substances),
        (_("place"), criteria.places),
        (_("vessel"), [criteria.vessel]),
        (_("voyage"), [criteria.journey]),
    ):
        yield from (f"{name} {value}" for value in values if value)


def _limit_lines(criteria: SearchCriteria) -> Iterator[str]:
    yield from (label_of(ShipmentProcedure, procedure) for procedure in criteria.procedures)
    if criteria.HasField("declared_from"):
        yield _("declared from {time}", time=_time(criteria.declared_from))
    if criteria.HasField("declared_until"):
        yield _("declared before {time}", time=_time(criteria.declared_until))


def _time(time: Timestamp) -> str:
    return moment(datetime.fromtimestamp(time.seconds, UTC))
