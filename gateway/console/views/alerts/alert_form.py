"""The forms of an alert's content: what they show of it, and the content that they say.

A draft, a copy or an amended alert has things that a form has no fields for. They stay: see `form_rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.console.form import Form
from gateway.console.views.alerts.alert_rows import EQUIPMENT, ROWS
from gateway.console.views.content_fields import ContentFields
from gateway.console.views.form_rows import RowKind, read_rows, replace_all
from gateway.console.views.words import capitalised
from gateway.contract.enum_words import words
from gateway.translation.labels import label_of
from gateway.translation.messages import LANGUAGES
from gateway.v1.alert_pb2 import AlertContent, Narrative, Priority, RequestedAction


@dataclass(frozen=True, slots=True)
class AlertPart:
    """Fields of an alert's content that a form has, beside its caveat and the texts for officers."""

    fields: ContentFields
    rows: Sequence[RowKind]
    has_typologies: bool


_ACTED_ON: Final[dict[str, Any]] = {"priority": Priority, "requested_action": RequestedAction}
_TIMES: Final = ("reply_by", "valid_until")

WHOLE: Final = AlertPart(
    ContentFields(("purpose", "legal_basis", "case_reference"), _ACTED_ON, _TIMES), ROWS, has_typologies=True
)
"""A new alert, or all of one that is amended."""

OFTEN_AMENDED: Final = AlertPart(
    ContentFields((), _ACTED_ON, _TIMES, is_handled=False), (EQUIPMENT,), has_typologies=False
)
"""What changes while goods move."""


def enum_options(enum: Any) -> list[tuple[str, str]]:
    """Choices of an enum: word and text."""
    return [(word, capitalised(label_of(enum, value))) for word, value in words(enum).items()]


@dataclass(slots=True)
class AlertInput:
    """A content that was read from a form, and where its items stand in it."""

    content: AlertContent
    rows: dict[str, list[int]] = field(default_factory=dict)

    def field_of(self, path: str) -> str:
        """The form's field for a path of the content, e.g. `content.goods[0].description`; empty for none."""
        path = path.removeprefix("content.")
        for kind in ROWS:
            if path.startswith(f"{kind.path}["):
                number, _dot, rest = path[len(kind.path) + 1 :].partition("]")
                rows = self.rows.get(kind.name, [])
                if number.isdecimal() and int(number) < len(rows):
                    return f"{kind.name}-{rows[int(number)]}-{_closest(kind.fields, rest)}"
                return f"{kind.name}-0-{kind.fields[0]}"
        head = path.split("[")[0].split(".")
        if head[0] == "handling" and len(head) > 1:
            return head[1]
        if head[0] == "subject":
            return "equipment-0-id"
        return "narrative-en" if head[0] == "narratives" else head[0]


def _closest(fields: Sequence[str], rest: str) -> str:
    """The row's field that a path below an item speaks of."""
    words_of_path = rest.replace("[", ".").split(".")
    return next((name for name in fields if name in words_of_path), fields[0])


def shown(content: AlertContent, zone: ZoneInfo, part: AlertPart = WHOLE) -> dict[str, list[str]]:
    """Values of the form for a content."""
    values = part.fields.shown(content, zone)
    if part.has_typologies:
        values["typologies"] = list(content.typologies)
    values["caveat"] = [content.handling.caveat]
    for narrative in content.narratives:
        values[f"narrative-{narrative.language}"] = [narrative.text]
    for kind in part.rows:
        for number, item in enumerate(kind.items(content)):
            values |= {f"{kind.name}-{number}-{name}": [value] for name, value in kind.show(item).items()}
    return values


def read_form(sent: Form, base: AlertContent, zone: ZoneInfo, part: AlertPart = WHOLE) -> AlertInput:
    """The content that a form says; what can't be read is noted in the form."""
    read = AlertInput(AlertContent())
    content = read.content
    content.CopyFrom(base)
    part.fields.read(sent, content, zone)
    content.handling.caveat = sent.text("caveat")
    if part.has_typologies:
        replace_all(content.typologies, sent.all("typologies"))
    replace_all(content.narratives, _narratives(sent, base))
    for kind in part.rows:
        read.rows[kind.name] = read_rows(sent, kind, base, content)
    return read


def _narratives(sent: Form, base: AlertContent) -> list[Narrative]:
    """The texts in their order, so that only what differs changes; those in languages that no form has stay."""
    texts = {narrative.language: narrative.text for narrative in base.narratives}
    texts |= {language: sent.text(f"narrative-{language}") for language in LANGUAGES}
    return [Narrative(language=language, text=text) for language, text in texts.items() if text]
