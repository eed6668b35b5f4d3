"""The form of a new alert: what it shows of a content, and the content that it says.

A draft, a copy or an amended alert has things that the form has no fields for. They stay: see `form_rows`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from gateway.console.form import Form
from gateway.console.views.alerts.alert_rows import ROWS
from gateway.console.views.content_fields import ContentFields
from gateway.console.views.form_rows import read_rows, replace_all
from gateway.v1.alert_pb2 import AlertContent, Narrative, Priority, RequestedAction

LANGUAGES: Final = ("en", "zh-Hans", "zh-Hant", "pt")
"""Languages of narratives, in the form's order."""

_FIELDS: Final = ContentFields(
    texts=("purpose", "legal_basis", "case_reference"),
    enums={"priority": Priority, "requested_action": RequestedAction},
    times=("reply_by", "valid_until"),
)


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


def shown(content: AlertContent, zone: ZoneInfo) -> dict[str, list[str]]:
    """Values of the form for a content."""
    values = _FIELDS.shown(content, zone)
    values["typologies"] = list(content.typologies)
    values["caveat"] = [content.handling.caveat]
    for narrative in content.narratives:
        values[f"narrative-{narrative.language}"] = [narrative.text]
    for kind in ROWS:
        for number, item in enumerate(kind.items(content)):
            values |= {f"{kind.name}-{number}-{name}": [value] for name, value in kind.show(item).items()}
    return values


def read_form(sent: Form, base: AlertContent, zone: ZoneInfo) -> AlertInput:
    """The content that a form says; what can't be read is noted in the form."""
    read = AlertInput(AlertContent())
    content = read.content
    content.CopyFrom(base)
    _FIELDS.read(sent, content, zone)
    content.handling.caveat = sent.text("caveat")
    replace_all(content.typologies, sent.all("typologies"))
    replace_all(
        content.narratives,
        [
            Narrative(language=language, text=sent.text(f"narrative-{language}"))
            for language in dict.fromkeys((*(one.language for one in base.narratives), *LANGUAGES))
            if sent.text(f"narrative-{language}")
        ],
    )
    for kind in ROWS:
        read.rows[kind.name] = read_rows(sent, kind, base, content)
    return read
