"""Reads events and decisions about risk profiles, and names what they are about."""

from __future__ import annotations

from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from gateway.errors import MalformedError
from gateway.feed.codec import parse_header
from gateway.trust.rules.directory import MessageType
from gateway.v1 import risk_profile_pb2 as pb

EVENT_TYPE: Final = MessageType.RISK_PROFILE_EVENT.value
"""EntryHeader.type in feeds of risk profiles."""

DECISION_TYPE: Final = "RiskProfileDecision"
"""EntryHeader.type in a node's own register."""

OFFERED, WITHDRAWN, ADOPTED, REPORTED = "offered", "withdrawn", "adopted", "reported"
"""Kinds of acts."""


class ProfileKey(NamedTuple):
    """A profile's key."""

    offerer: str
    profile_id: str

    @property
    def reference(self) -> pb.RiskProfileReference:
        return pb.RiskProfileReference(offerer=self.offerer, profile_id=self.profile_id)

    @property
    def rule_id(self) -> str:
        """Id of the rule at nodes that adopted it; rules of files have no point in theirs."""
        return f"{self.offerer}.{self.profile_id}"


class ProfileActKey(NamedTuple):
    """What an authority did: the same act of the same node has the same key in every database.

    Attributes:
        number: version of an offer or withdrawal, revision of an adoption or report.
    """

    offerer: str
    profile_id: str
    kind: str
    reporter: str
    number: int

    @property
    def profile(self) -> ProfileKey:
        return ProfileKey(self.offerer, self.profile_id)


def key_of(reference: pb.RiskProfileReference) -> ProfileKey:
    """The key that a reference names."""
    return ProfileKey(reference.offerer, reference.profile_id)


def act_of(event: pb.RiskProfileEvent, publisher: str) -> ProfileActKey:
    """The key of an act of a node; raises MalformedError for a disposition."""
    match event.WhichOneof("event"):
        case "offered":
            return ProfileActKey(publisher, event.offered.profile_id, OFFERED, publisher, event.offered.version)
        case "withdrawn":
            return ProfileActKey(publisher, event.withdrawn.profile_id, WITHDRAWN, publisher, event.withdrawn.version)
        case "adopted":
            return ProfileActKey(*key_of(event.adopted.profile), ADOPTED, publisher, event.adopted.revision)
        case "reported":
            return ProfileActKey(*key_of(event.reported.profile), REPORTED, publisher, event.reported.revision)
        case _:
            raise MalformedError("the event is no act on a risk profile")


def parse_decision(payload: bytes) -> pb.RiskProfileDecision:
    """Raises MalformedError."""
    try:
        return pb.RiskProfileDecision.FromString(payload)
    except DecodeError as error:
        raise MalformedError("the payload isn't a serialised RiskProfileDecision") from error


def event_in(header: bytes, payload: bytes) -> pb.RiskProfileEvent:
    """The act in an entry of our register or of a feed; an empty event where it was erased.

    Raises:
        MalformedError: it has none.
    """
    if parse_header(header).type == DECISION_TYPE:
        decision = parse_decision(payload)
        return decision.proposed.change if decision.HasField("proposed") else decision.recorded
    try:
        return pb.RiskProfileEvent.FromString(payload)
    except DecodeError as error:
        raise MalformedError("the payload isn't a serialised RiskProfileEvent") from error
