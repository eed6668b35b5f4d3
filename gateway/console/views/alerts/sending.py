"""What will be sent to whom: each field as the partner will see it, and what stays here under its agreement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from gateway.console.filters import actor, moment_text
from gateway.console.languages import NAMES
from gateway.console.views.alerts.changes import ContentChange, FieldPath, leaf_values, path_name
from gateway.console.views.alerts.field_names import field_name
from gateway.contract.findings import step_evidence
from gateway.contract.ids import claimed_unix_ms
from gateway.contract.messages import to_timestamp
from gateway.translation.identifier_words import scheme_word
from gateway.translation.labels import label_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.v1.alert_pb2 import AlertContent, AlertEvent
from gateway.v1.alert_service_pb2 import ClassifiedField, PreviewAlertStepResponse, RecipientPreview, StepPreview
from gateway.v1.options_pb2 import DisclosureClass

_ENVELOPE: Final = frozenset({"alert", "question_id", "replaces", "id", "publisher", "recipient", "published_at"})
"""Fields of a step that say which alert or question it is about, and to whom it goes: the page says that itself."""

_NAMES_OF_FINDINGS: Final = frozenset({("finding", name) for name in ("alert", "origin", "index")})
"""Which alert and finding a correction or a withdrawal is about."""


@dataclass(frozen=True, slots=True)
class SentLine:
    """A field as one partner gets it.

    Attributes:
        name: within its group; empty where the group is the field.
        value: in words, as the person wrote it.
        classes: of information, in words; empty for none.
        goes: whether the partner gets it.
        instead: what the partner reads in its place; empty where it goes or is left out.
    """

    name: str
    value: str
    classes: str
    goes: bool
    instead: str = ""


@dataclass(frozen=True, slots=True)
class SentGroup:
    """Fields that belong together, e.g. one party."""

    name: str
    lines: tuple[SentLine, ...]


@dataclass(frozen=True, slots=True)
class Envelope:
    """What one partner gets of a step.

    Attributes:
        groups: its fields.
        clause: the agreement's.
        refusal: why nothing may be sent; empty when it may.
        actor: under which name the partner sees who acts.
        is_pseudonym: that isn't the person's own name.
        changes: of an amendment, before and after.
        names_files: the partner learns of files, which it may ask for.
    """

    recipient: str
    groups: tuple[SentGroup, ...]
    clause: str
    refusal: str
    actor: str
    is_pseudonym: bool
    changes: tuple[ContentChange, ...]
    names_files: bool


def step_envelopes(preview: PreviewAlertStepResponse, changes: Sequence[ContentChange] = ()) -> list[Envelope]:
    """What each partner gets of a step, by the gateway's own preview; `changes` are an amendment's."""
    return [_envelope(preview.event, one, changes) for one in preview.recipients]


def _envelope(said: AlertEvent, one: StepPreview, changes: Sequence[ContentChange]) -> Envelope:
    kind = said.WhichOneof("event") or ""
    prefix = f"{kind}.content." if kind == "amended" else f"{kind}."
    whole, got = (_body(event, kind) for event in (said, one.event))
    return Envelope(
        recipient=one.recipient,
        groups=sent_groups(whole, got, one.fields, prefix=prefix),
        clause=one.clause,
        refusal=one.refusal,
        actor=actor(one.event.actor),
        is_pseudonym=one.event.actor != said.actor,
        changes=tuple(changes),
        names_files=bool(step_evidence(said)),
    )


def _body(event: AlertEvent, kind: str) -> Message:
    """The step itself; of an amendment the alert's content."""
    body: Any = getattr(event, kind)
    return body.content if kind == "amended" else body  # type: ignore[no-any-return]


def alert_groups(content: AlertContent, one: RecipientPreview) -> tuple[SentGroup, ...]:
    """What a recipient would get of a new alert, field by field."""
    return sent_groups(content, one.disclosable, one.fields)


def sent_groups(
    whole: Message, got: Message, fields: Iterable[ClassifiedField], *, prefix: str = ""
) -> tuple[SentGroup, ...]:
    """Fields of a message, each with whether and how a partner gets it.

    Args:
        whole: as it was written.
        got: as the partner gets it.
        fields: those that have a class.
        prefix: before the message's fields in the paths of `fields`.
    """
    classes = {field.path.removeprefix(prefix): field.disclosure_class for field in fields}
    there = dict(leaf_values(got))
    groups: dict[FieldPath, list[SentLine]] = {}
    for path, value in leaf_values(whole):
        if path[0] in _ENVELOPE or path[:2] in _NAMES_OF_FINDINGS:
            continue
        group = _group(path)
        here = there.get(path)
        line = SentLine(
            name=" › ".join(_rest(path[len(group) :])),
            value=_said(path, value),
            classes=listed(label_of(DisclosureClass, each) for each in _classes_on(path, classes)),
            goes=here == value,
            instead=_said(path, here) if here is not None and here != value else "",
        )
        groups.setdefault(group, []).append(line)
    return tuple(SentGroup(path_name(group), tuple(lines)) for group, lines in groups.items())


def _said(path: FieldPath, value: str) -> str:
    """A value in words where it is a code of machines."""
    if path[-1] == "scheme":
        return scheme_word(value)
    if path[-1] == "language":
        return NAMES.get(value, value)
    return when_published(value) if path[-1] == "alert_id" else value


def when_published(alert_id: str) -> str:
    """What names an alert to people where no more is known of it; the id where that doesn't say."""
    published_ms = claimed_unix_ms(alert_id)
    if published_ms is None:
        return alert_id
    return _("published {time}", time=moment_text(to_timestamp(published_ms)))


def _group(path: FieldPath) -> FieldPath:
    """The beginning of a path under which its fields are shown: a field, or one member of a list of messages."""
    start = 1 if path[0] != "subject" or len(path) == 1 else 2
    is_member = len(path) > start + 1 and isinstance(path[start], int)
    return path[: start + 1] if is_member else path[:start]


def _rest(path: FieldPath) -> Iterator[str]:
    """Names of what lies below a group; the number of the only name or code would say nothing."""
    for part in path:
        if isinstance(part, str):
            yield field_name(part)
        elif part > 0:
            yield str(part + 1)


def _classes_on(path: FieldPath, classes: Mapping[str, DisclosureClass.ValueType]) -> list[DisclosureClass.ValueType]:
    """Classes of a field and of those that it lies in."""
    found, written = dict[DisclosureClass.ValueType, None](), ""
    for part in path:
        written += f"[{part}]" if isinstance(part, int) else f"{'.' if written else ''}{part}"
        if written in classes:
            found[classes[written]] = None
    return list(found)
