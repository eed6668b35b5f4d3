"""Reads licence events and decisions, and names what they are about."""

from __future__ import annotations

from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from gateway.contract.enum_words import word_of
from gateway.errors import MalformedError
from gateway.feed.codec import parse_header
from gateway.trust.rules.directory import MessageType
from gateway.v1 import licence_pb2

EVENT_TYPE: Final = MessageType.LICENCE_EVENT.value
"""EntryHeader.type in licence feeds."""

DECISION_TYPE: Final = "LicenceDecision"
"""EntryHeader.type in a node's own register."""

REVISED, WITHDRAWN, USED = "revised", "withdrawn", "used"
"""Kinds of acts; the others are words of LicenceFollowUpKind."""


class LicenceKey(NamedTuple):
    """A licence's key."""

    issuer: str
    number: str


class ActKey(NamedTuple):
    """What an authority did: the same act of the same node has the same key in every database."""

    issuer: str
    number: str
    kind: str
    reporter: str
    declaration: str
    line: int
    revision: int

    @property
    def licence(self) -> LicenceKey:
        return LicenceKey(self.issuer, self.number)


def act_of(event: licence_pb2.LicenceEvent, publisher: str) -> ActKey:
    """The key of an act of a node; raises MalformedError for a disposition."""
    match event.WhichOneof("event"):
        case "revised":
            revised = event.revised
            return ActKey(publisher, revised.number, REVISED, publisher, "", 0, revised.revision)
        case "withdrawn":
            withdrawn = event.withdrawn
            return ActKey(publisher, withdrawn.number, WITHDRAWN, publisher, "", 0, withdrawn.revision)
        case "used":
            return _reported(event.used, USED, publisher)
        case "followed":
            kind = word_of(licence_pb2.LicenceFollowUpKind, event.followed.kind)
            return _reported(event.followed, kind, publisher)
        case _:
            raise MalformedError("the event is no act on a licence")


def _reported(report: licence_pb2.LicenceUse | licence_pb2.LicenceFollowUp, kind: str, publisher: str) -> ActKey:
    licence = report.licence
    return ActKey(licence.issuer, licence.number, kind, publisher, report.declaration, report.line, report.revision)


def purpose_of(event: licence_pb2.LicenceEvent) -> str:
    """The purpose that an act names; empty of a withdrawal, which needs none."""
    match event.WhichOneof("event"):
        case "revised":
            return event.revised.content.purpose
        case "used":
            return event.used.purpose
        case "followed":
            return event.followed.purpose
        case _:
            return ""


def days_of(event: licence_pb2.LicenceEvent) -> dict[str, str]:
    """All days that an act names, by field."""
    match event.WhichOneof("event"):
        case "revised":
            revised = event.revised
            return {
                "effective_on": revised.effective_on,
                "content.valid_from": revised.content.valid_from,
                "content.valid_until": revised.content.valid_until,
            }
        case "withdrawn":
            return {"effective_on": event.withdrawn.effective_on}
        case "used":
            return {"day": event.used.day}
        case "followed":
            return {"day": event.followed.day}
        case _:
            return {}


def parse_decision(payload: bytes) -> licence_pb2.LicenceDecision:
    """Raises MalformedError."""
    try:
        return licence_pb2.LicenceDecision.FromString(payload)
    except DecodeError as error:
        raise MalformedError("the payload isn't a serialised LicenceDecision") from error


def parse_event(payload: bytes) -> licence_pb2.LicenceEvent:
    """Raises MalformedError."""
    try:
        return licence_pb2.LicenceEvent.FromString(payload)
    except DecodeError as error:
        raise MalformedError("the payload isn't a serialised LicenceEvent") from error


def event_in(header: bytes, payload: bytes) -> licence_pb2.LicenceEvent:
    """The act in an entry of our register or of a partner's feed; an empty event where it was erased.

    Raises:
        MalformedError: it has none.
    """
    if parse_header(header).type != DECISION_TYPE:
        return parse_event(payload)
    decision = parse_decision(payload)
    return decision.proposed.change if decision.HasField("proposed") else decision.recorded
