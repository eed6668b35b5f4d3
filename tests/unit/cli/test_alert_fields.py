"""Every field of an alert and of its steps is shown, or left out for a reason: by the contract, not by a list here.

Each leaf in turn gets another value; what people see must change then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from gateway.alerts.codec import ERASURES
from gateway.cli.alert.content import content_facts
from gateway.cli.alert.steps import history_row
from gateway.v1.alert_pb2 import Alert, AlertEvent
from gateway.v1.alert_service_pb2 import AlertChange

NOT_SHOWN: Mapping[str, str] = {
    "id": "in the title",
    "publisher": "in the title",
    "recipient": "in the table of deliveries, one row for each",
    "content.subject.parties.names.script": "seen from the name",
    "content.subject.parties.names.language": "seen from the name",
    "notices.scheme": "said by the field and the message",
    "notices.code": "said by the message",
}
"""Fields of an alert that its facts leave out, with the reason."""

STEPS_NOT_SHOWN: Mapping[str, str] = {
    "occurred_at": "the time of our gateway's commit is shown",
    "alert": "the alert that is shown",
    "replaces": "the number of the finding is shown",
    "finding_withdrawn.finding": "the number of the finding is shown",
    "withdrawn.revision": "the current one: no other can be withdrawn",
    "expired.revision": "the current one: no other expires",
    "closed.revision": "the current one: no other can be closed",
}
"""Fields of a step that its cells leave out, with the reason."""

_TIMESTAMP = "google.protobuf.Timestamp"
_KINDS = [
    field.name
    for field in AlertEvent.DESCRIPTOR.oneofs[0].fields
    # Their content is shown above, or as delivery; erasures are no steps: `gateway alert erased` lists them.
    if field.name not in ("published", "amended", "disposition", *ERASURES)
]


def leaves(descriptor: Descriptor, prefix: str = "") -> Iterator[str]:
    """Paths of all fields that hold no message but a time."""
    for field in descriptor.fields:
        path = f"{prefix}{field.name}"
        if field.message_type is None or field.message_type.full_name == _TIMESTAMP:
            yield path
        elif field.message_type.GetOptions().map_entry:
            yield from (f"{path}.key", f"{path}.value")
        else:
            yield from leaves(field.message_type, f"{path}.")


def filled(message: Message, other: str = "", prefix: str = "") -> Message:
    """Sets every field but those of a oneof, one member in each list; the field at `other` to another value."""
    for field in message.DESCRIPTOR.fields:
        if field.containing_oneof is None or not field.has_presence or field.message_type is None:
            _set(message, field, f"{prefix}{field.name}", other)
    return message


def _set(message: Any, field: FieldDescriptor, path: str, other: str) -> None:
    target = getattr(message, field.name)
    if field.message_type is None:
        value = _value(field, path, changed=path == other)
        target.append(value) if field.is_repeated else setattr(message, field.name, value)
    elif field.message_type.full_name == _TIMESTAMP:
        target.seconds = 1_768_100_000 if path == other else 1_768_000_000
    elif field.message_type.GetOptions().map_entry:
        target["key changed" if other == f"{path}.key" else path] = "value changed" if other == f"{path}.value" else "v"
    else:
        filled(target.add() if field.is_repeated else target, other, f"{path}.")


def _value(field: FieldDescriptor, path: str, *, changed: bool) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        special = {"currency_code": ("USD", "CNY")}.get(field.name)
        return special[changed] if special else f"{'other' if changed else 'first'} {path}"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return bytes([changed]) * 32
    if field.type == FieldDescriptor.TYPE_BOOL:
        return changed
    if field.name == "utc_offset_minutes":
        return 480 + 60 * changed
    return 1 + changed  # numbers, and values of enums


def shown_alert(other: str = "") -> str:
    alert = filled(Alert(), other)
    assert isinstance(alert, Alert)
    return str(content_facts(alert))


@pytest.mark.parametrize("path", list(leaves(Alert.DESCRIPTOR)))
def test_each_field_of_an_alert_is_shown_or_left_out_for_a_reason(path: str) -> None:
    assert (shown_alert(path) != shown_alert()) != (path in NOT_SHOWN), path


def shown_step(kind: str, other: str = "") -> str:
    event = AlertEvent()
    filled(event, other)
    filled(getattr(event, kind), other.removeprefix(f"{kind}."))
    change = AlertChange(event=event, speaker="hk")
    return str(history_row(change))


def _is_left_out(path: str) -> bool:
    return any(path == left or path.startswith(f"{left}.") or f".{left}." in path for left in STEPS_NOT_SHOWN)


@pytest.mark.parametrize("kind", _KINDS)
def test_each_field_of_a_step_is_shown_or_left_out_for_a_reason(kind: str) -> None:
    (field,) = [one for one in AlertEvent.DESCRIPTOR.fields if one.name == kind]
    for path in leaves(field.message_type, f"{kind}."):
        assert (shown_step(kind, path) != shown_step(kind)) != _is_left_out(path), path


def test_a_step_says_whose_officer_took_it() -> None:
    assert "hk/first actor" in shown_step("acknowledged")


def test_nothing_is_left_out_that_the_contract_doesnt_have() -> None:
    assert set(NOT_SHOWN) <= set(leaves(Alert.DESCRIPTOR))


def test_seals_are_shown() -> None:
    alert = Alert()
    alert.content.subject.equipment.add(id="CSQU3054383", seals=["HLXU-1188", "SEAL-2"], e_lock="LOCK-3")
    shown: Callable[[], str] = lambda: str(content_facts(alert)["Equipment"])  # noqa: E731
    assert shown() == "CSQU3054383, seal HLXU-1188, seal SEAL-2, e-lock LOCK-3"
