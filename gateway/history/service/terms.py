"""Decides by the agreements whether a query may be sent, and what its answer may hold.

1. An agreement from asker to answerer must list `HistoryQuery`, the purpose, and the class of each criterion, since a
   query discloses its criteria.
2. An agreement from answerer to asker must list `HistoryRecord`, or `HistoryHit` for hit or no hit alone; the purpose;
   and the class of each criterion, since a match discloses its value even where the field is withheld.

In each direction only the agreement with the query's purpose counts.
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
    """The terms of an answer.

    Attributes:
        agreement: on the answer.
        asking: on the question.
    """

    agreement: Agreement
    hit_only: bool
    asking: Agreement

    @property
    def field_classes(self) -> frozenset[FieldClass]:
        return self.agreement.field_classes

    def may_ask(self, criteria: history_pb2.SearchCriteria) -> bool:
        """Whether both agreements list the classes of these criteria."""
        return not any(undisclosable(criteria, each.field_classes, "") for each in (self.asking, self.agreement))


def require_terms(directory: Directory, query: history_pb2.HistoryQuery, at: datetime) -> Terms:
    """The terms of the answer to a valid query.

    Raises:
        AgreementForbidsError: names agreement and clause.
    """
    wanted = (HIT_TYPE, RECORD_TYPE) if query.mode == history_pb2.ANSWER_MODE_HIT else (RECORD_TYPE, HIT_TYPE)
    asked = _allowing(directory, query, at, way=(query.asker, query.answerer), to_do="ask", types=(QUERY_TYPE,))
    _require_criteria(asked, query)
    answered = _allowing(directory, query, at, way=(query.answerer, query.asker), to_do="answer", types=wanted)
    _require_criteria(answered, query)
    records = RECORD_TYPE in answered.message_types and query.mode != history_pb2.ANSWER_MODE_HIT
    return Terms(answered, not records, asked)


def askable_partners(directory: Directory, node: str, purpose: str, at: datetime) -> list[str]:
    """Partners that agreements let a node ask for a purpose, and let answer; classes of criteria aren't looked at."""

    def agreed(sender: str, recipient: str, *types: str) -> bool:
        agreements = (directory.agreement(sender, recipient, at, message_type=one, purpose=purpose) for one in types)
        return any(agreements)

    return [
        partner
        for partner in sorted(directory.partners(node, at))
        if agreed(node, partner, QUERY_TYPE) and agreed(partner, node, RECORD_TYPE, HIT_TYPE)
    ]


def _allowing(
    directory: Directory,
    query: history_pb2.HistoryQuery,
    at: datetime,
    *,
    way: tuple[str, str],
    to_do: str,
    types: tuple[str, ...],
) -> Agreement:
    """The agreement in one direction for the first type that has one."""
    purpose = query.grounds.purpose
    for message_type in types:
        agreement = directory.agreement(*way, at, message_type=message_type, purpose=purpose)
        if agreement is not None:
            return agreement
    refusal = f"no agreement lets {way[0]} {to_do} {way[1]} about shipments"
    others = {
        agreement.id: agreement
        for message_type in types
        for agreement in directory.agreements_on(*way, at, message_type=message_type)
    }
    if others:
        listed = tuple(others.values())
        raise _denied(f"{refusal} for the purpose {purpose!r}", *way, listed, named_with_purposes(listed))
    between = tuple(item for item in directory.agreements if (item.sender, item.recipient) == way and item.in_force(at))
    raise _denied(refusal, *way, between, named(between))


def _require_criteria(agreement: Agreement, query: history_pb2.HistoryQuery) -> None:
    forbidden = undisclosable(query.criteria, agreement.field_classes, "criteria.")
    for number, criteria in enumerate(query.alternatives):
        forbidden += undisclosable(criteria, agreement.field_classes, f"alternatives[{number}].")
    if forbidden:
        fields = ", ".join(violation.field for violation in forbidden[:10])
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
    message: str, sender: str, recipient: str, between: Sequence[Agreement], shown: str
) -> AgreementForbidsError:
    metadata = {"sender": sender, "recipient": recipient}
    if not between:
        return AgreementForbidsError(f"{message}; there is no agreement between them", metadata=metadata)
    return AgreementForbidsError(f"{message} ({shown})", metadata=metadata | {"clause": named(between)})
