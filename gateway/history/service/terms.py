"""Whether a question for shipment history may be asked, and how much of an answer may be given.

1. The asker tells the partner what it looks for, so an agreement from asker to answerer must list `HistoryQuery`, the
   purpose, and the class of every criterion that is given.
2. The answer goes the other way, so one from answerer to asker must list `HistoryRecord` or, for no more than whether
   there is anything, `HistoryHit`; the purpose; and again the class of every criterion: that a record was found says
   that what was asked for stands in it, also when the field itself is withheld.

In each direction the agreement that names the question's purpose counts, and none for another purpose: what may be told
about smuggling needn't be told about export control. Criteria are those of the question and of all its alternatives.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import AgreementForbidsError
from gateway.history.codec.signed_texts import HIT_TYPE, QUERY_TYPE, RECORD_TYPE
from gateway.trust.rules.directory import Agreement, Directory, FieldClass
from gateway.trust.rules.disclosure import undisclosable
from gateway.trust.service.agreements import named, named_with_purposes
from gateway.v1 import history_pb2


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
        query: checked against the contract; its asker, answerer, purpose, criteria with alternatives, and mode count.
        at: now, with zone.

    Raises:
        AgreementForbidsError: it may not be asked, or not be answered at all; says which agreement and clause.
    """
    wanted = (HIT_TYPE, RECORD_TYPE) if query.mode == history_pb2.ANSWER_MODE_HIT else (RECORD_TYPE, HIT_TYPE)
    asked = _allowing(directory, query, at, way=(query.asker, query.answerer), to_do="ask", types=(QUERY_TYPE,))
    _require_criteria(asked, query)
    answered = _allowing(directory, query, at, way=(query.answerer, query.asker), to_do="answer", types=wanted)
    _require_criteria(answered, query)
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
    """The agreement from one node to the other of the first of these types that has one for the purpose."""
    purpose = query.grounds.purpose
    for one in types:
        agreement = directory.agreement(*way, at, message_type=one, purpose=purpose)
        if agreement is not None:
            return agreement
    refusal = f"no agreement lets {way[0]} {to_do} {way[1]} about shipments"
    # One agreement may name several of these types.
    others = {found.id: found for one in types for found in directory.agreements_on(*way, at, message_type=one)}
    if others:
        listed = tuple(others.values())
        raise _denied(f"{refusal} for the purpose {purpose!r}", *way, listed, named_with_purposes(listed))
    between = tuple(one for one in directory.agreements if (one.sender, one.recipient) == way and one.in_force(at))
    raise _denied(refusal, *way, between, named(between))


def _require_criteria(agreement: Agreement, query: history_pb2.HistoryQuery) -> None:
    forbidden = undisclosable(query.criteria, agreement.field_classes, "criteria.")
    for number, one in enumerate(query.alternatives):
        forbidden += undisclosable(one, agreement.field_classes, f"alternatives[{number}].")
    if forbidden:
        fields = ", ".join(one.field for one in forbidden[:10])
        classes = sorted(set(FieldClass) - agreement.field_classes)
        raise _denied(
            f"from {agreement.sender} to {agreement.recipient} nothing of class {' or '.join(classes)} may go for the "
            f"purpose {query.grounds.purpose!r}, not even as a criterion: {fields}",
            agreement.sender,
            agreement.recipient,
            (agreement,),
            named((agreement,)),
        )


def _denied(
    message: str, sender: str, recipient: str, between: Sequence[Agreement], told: str
) -> AgreementForbidsError:
    metadata = {"sender": sender, "recipient": recipient}
    if not between:
        return AgreementForbidsError(f"{message}; there is no agreement between them", metadata=metadata)
    return AgreementForbidsError(f"{message} ({told})", metadata=metadata | {"clause": named(between)})
