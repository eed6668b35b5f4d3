"""Whether a question for shipment history may be asked, and how much of an answer may be given.

Owns the two questions put to the agreements, by both sides: before a question is sent, and before it is answered.

1. The asker tells the partner what it looks for, so an agreement from asker to answerer must list `HistoryQuery`, the
   purpose, and the class of every criterion that is given.
2. The answer goes the other way, so one from answerer to asker must list `HistoryRecord` or, for no more than whether
   there is anything, `HistoryHit`; the purpose; and again the class of every criterion: that a record was found says
   that what was asked for stands in it, also when the field itself is withheld.

Doesn't own the agreements (model.directory) or the classes of fields (the contract, through wire.disclosure).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.errors import AgreementForbidsError
from gateway.model.directory import Agreement, Directory, FieldClass
from gateway.v1 import history_pb2
from gateway.wire.disclosure import undisclosable
from gateway.wire.history import HIT_TYPE, QUERY_TYPE, RECORD_TYPE


@dataclass(frozen=True, slots=True)
class Terms:
    """What an answer may hold.

    Attributes:
        agreement: which allows it.
        hit_only: no more than whether there is anything.
    """

    agreement: Agreement
    hit_only: bool

    @property
    def field_classes(self) -> frozenset[FieldClass]:
        """Classes of fields that may stand in records."""
        return self.agreement.field_classes


def require_terms(directory: Directory, query: history_pb2.HistoryQuery, at: datetime) -> Terms:
    """What may be answered to a question.

    Args:
        directory: in force.
        query: checked against the contract; its asker, answerer, purpose, criteria and mode count.
        at: now, with zone.

    Raises:
        AgreementForbidsError: it may not be asked, or not be answered at all; says which agreement and clause.
    """
    wanted = (HIT_TYPE, RECORD_TYPE) if query.mode == history_pb2.ANSWER_MODE_HIT else (RECORD_TYPE, HIT_TYPE)
    asked = _allowing(directory, query, at, way=(query.asker, query.answerer), to_do="ask", types=(QUERY_TYPE,))
    _require_criteria(asked, query.criteria)
    answered = _allowing(directory, query, at, way=(query.answerer, query.asker), to_do="answer", types=wanted)
    _require_criteria(answered, query.criteria)
    records = RECORD_TYPE in answered.message_types and query.mode != history_pb2.ANSWER_MODE_HIT
    return Terms(answered, not records)


def _allowing(
    directory: Directory,
    query: history_pb2.HistoryQuery,
    at: datetime,
    *,
    way: tuple[str, str],
    to_do: str,
    types: tuple[str, ...],
) -> Agreement:
    """The agreement from one node to the other of the first of these types that allows the purpose."""
    purpose = query.grounds.purpose
    found = [directory.agreement(*way, at, message_type=one) for one in types]
    listed = [agreement for agreement in found if agreement is not None]
    for agreement in listed:
        if purpose in agreement.purposes:
            return agreement
    between = listed or [one for one in directory.agreements if (one.sender, one.recipient) == way and one.in_force(at)]
    why = f"about shipments for the purpose {purpose!r}" if listed else "about shipments"
    raise _denied(f"no agreement lets {way[0]} {to_do} {way[1]} {why}", *way, between)


def _require_criteria(agreement: Agreement, criteria: history_pb2.SearchCriteria) -> None:
    forbidden = undisclosable(criteria, agreement.field_classes, "criteria.")
    if forbidden:
        fields = ", ".join(one.field for one in forbidden[:10])
        classes = sorted(set(FieldClass) - agreement.field_classes)
        raise _denied(
            f"from {agreement.sender} to {agreement.recipient} nothing of class {' or '.join(classes)} may go, "
            f"not even as a criterion: {fields}",
            agreement.sender,
            agreement.recipient,
            [agreement],
        )


def _denied(message: str, sender: str, recipient: str, between: list[Agreement]) -> AgreementForbidsError:
    metadata = {"sender": sender, "recipient": recipient}
    if not between:
        return AgreementForbidsError(f"{message}; there is no agreement between them", metadata=metadata)
    clauses = "; ".join(f"{one.id}: {one.clause}" for one in between)
    return AgreementForbidsError(f"{message} ({clauses})", metadata=metadata | {"clause": clauses})
