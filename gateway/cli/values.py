"""Reads and shows values of the contract: enums, times, alerts, protobuf as JSON."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from gateway.cli.files import read_input
from gateway.contract.enum_words import number_of, words
from gateway.contract.ids import is_node_name, is_uuid
from gateway.contract.json_form import json_of
from gateway.contract.limits import MAX_PAYLOAD_BYTES
from gateway.contract.suggestions import nearest
from gateway.errors import MalformedError, OptionError
from gateway.formats.foreign_files import require_text
from gateway.formats.json_messages import parse_json_text
from gateway.formats.json_messages import read_message as read_json
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import AlertReference
from gateway.v1.alert_service_pb2 import EntryReference

MAX_JSON_BYTES = 4 * MAX_PAYLOAD_BYTES
"""Largest JSON text of a message, in bytes: longer than on the wire."""

MessageT = TypeVar("MessageT", bound=Message)
T = TypeVar("T")

RequestIdOption = Annotated[
    str | None, typer.Option("--request-id", help=_("UUID; the same id has its effect once, however often it is sent."))
]

_DURATION = re.compile(r"([1-9][0-9]{0,4})([mhd])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def value_of(enum: Any, word: str, option: str) -> Any:
    """The enum's value for a word; raises OptionError with the known words."""
    value = number_of(enum.DESCRIPTOR, word)
    if not value:
        known = words(enum)
        likely = nearest(word, known)
        raise OptionError(
            _("{option}: {word!r} isn't one of {known}", option=option, word=word, known=", ".join(known)),
            way_out=_("Did you mean {likely}?", likely=likely) if likely else _("Give one of these."),
        )
    return value


def instant(text: str, option: str) -> datetime:
    """A time: RFC 3339 with its zone, or 30m, 12h, 5d from now; OptionError otherwise."""
    if match := _DURATION.fullmatch(text):
        return datetime.now(UTC).replace(microsecond=0) + timedelta(**{_UNITS[match[2]]: int(match[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise OptionError(
            _(
                "{option}: {text!r} isn't a time with its zone (2026-01-15T08:00:00+08:00) or a span from now "
                "(12h, 5d)",
                option=option,
                text=text,
            )
        )
    return time


def timestamp(time: datetime) -> Timestamp:
    """A protobuf timestamp."""
    message = Timestamp()
    message.FromDatetime(time)
    return message


def shown_time(message: Message, field: str) -> datetime | None:
    """A time field, to the second; None where it is absent."""
    if not message.HasField(field):
        return None
    time: datetime = getattr(message, field).ToDatetime(UTC)
    return time.replace(microsecond=0)


def reference(text: str, own_node: str) -> AlertReference:
    """A reference to an alert from PUBLISHER/ID, or from the id alone of an own one; OptionError otherwise."""
    publisher, _slash, alert_id = text.rpartition("/")
    publisher = publisher or own_node
    if not is_uuid(alert_id) or not is_node_name(publisher):
        raise OptionError(
            _("{text!r} doesn't name an alert", text=text),
            way_out=_("Give PUBLISHER/ID as `gateway alert list` shows it, or the id alone of an own alert."),
        )
    return AlertReference(publisher=publisher, alert_id=alert_id)


def own(alert: AlertReference, own_node: str) -> str:
    """The id of an own alert; OptionError for a partner's."""
    if alert.publisher != own_node:
        raise OptionError(
            _(
                "{publisher}/{alert_id} is an alert of {publisher}; only its publisher can do this",
                publisher=alert.publisher,
                alert_id=alert.alert_id,
            ),
            way_out=_("Answer a partner's alert with `gateway alert ack`, `flag`, `finding` or `ask`."),
        )
    return alert.alert_id


def as_dict(message: Message) -> dict[str, Any]:
    """A message as JSON members."""
    return json_of(message)


def entries(found: Any) -> list[str]:
    """Where entries lie, as text: ORIGIN#INDEX."""
    listed: list[EntryReference] = list(found)
    return [f"{entry.origin}#{entry.index}" for entry in listed]


def read_message(path: Path, kind: type[MessageT]) -> MessageT:
    """A message from a file, - for standard input.

    Raises:
        MalformedError: other or too much JSON; the message says where.
    """
    return parsed(read_json_bytes(path), str(path), lambda document: read_json(document, kind))


def read_json_bytes(path: Path) -> bytes:
    """The bytes of a file with JSON, - for standard input: one more than are parsed where it is too long."""
    if str(path) == "-":
        return typer.get_binary_stream("stdin").read(MAX_JSON_BYTES + 1)
    return read_input(path, MAX_JSON_BYTES)


def parsed(data: bytes, source: str, read: Callable[[Any], T]) -> T:
    """What `read` makes of a JSON document; raises as `read_message`."""
    require_text(io.BytesIO(data), source)
    if len(data) > MAX_JSON_BYTES:
        raise MalformedError(_("{source}: longer than {limit} bytes", source=source, limit=MAX_JSON_BYTES))
    try:
        return read(parse_json_text(data))
    except MalformedError as error:
        raise MalformedError(f"{source}: {error.message}", way_out=error.way_out) from None


def recipients(given: list[str], option: str = "--to") -> list[str]:
    """Names of nodes from options with commas; OptionError for a wrong one, or none."""
    names = list(dict.fromkeys(name.strip() for text in given for name in text.split(",") if name.strip()))
    wrong = [name for name in names if not is_node_name(name)]
    if wrong or not names:
        problem = _("{name!r} isn't the name of a node", name=wrong[0]) if wrong else _("name at least one node")
        raise OptionError(
            f"{option}: {problem}", way_out=_("Names of nodes are as in the directory, e.g. hk; give several as hk,mo.")
        )
    return names
