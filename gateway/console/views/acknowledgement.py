"""An acknowledgement that leaves later, or that wasn't sent, in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.console.views.alerts.field_names import error_text
from gateway.translation.messages import gettext as _
from gateway.v1.casework_service_pb2 import ScheduledAcknowledgement

_OFFICERS: Final = frozenset({"officer", "supervisor"})


@dataclass(frozen=True, slots=True)
class AcknowledgementNote:
    """What is said of an acknowledgement.

    Attributes:
        is_unsent: it wasn't sent, and stays until somebody dismisses it.
        may_remove: whether the reader may undo or dismiss it.
    """

    text: str
    is_unsent: bool
    may_remove: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads: a person with roles, names of colleagues for people, and the time."""

    person: str
    roles: frozenset[str]
    names: Mapping[str, str]
    now: datetime

    @property
    def may_acknowledge(self) -> bool:
        return not self.roles.isdisjoint(_OFFICERS)


def acknowledgement_note(one: ScheduledAcknowledgement, reader: Reader) -> AcknowledgementNote:
    """What the page says of it to a reader."""
    mine, name = one.person == reader.person, reader.names.get(one.person, one.person)
    may_remove = reader.may_acknowledge and (mine or "supervisor" in reader.roles)
    if one.HasField("refusal"):
        why = error_text(one.refusal)
        text = (
            _("Your acknowledgement wasn't sent: {why}.", why=why)
            if mine
            else _("The acknowledgement of {person} wasn't sent: {why}.", person=name, why=why)
        )
        return AcknowledgementNote(text, is_unsent=True, may_remove=may_remove)
    left_s = max(0, round((one.leaves_at.ToDatetime(UTC) - reader.now).total_seconds()))
    if mine:
        text = _("Acknowledged; leaves in {seconds} s.", seconds=left_s)
    else:
        text = _("Acknowledged by {person}; leaves in {seconds} s.", person=name, seconds=left_s)
    return AcknowledgementNote(text, is_unsent=False, may_remove=may_remove)
