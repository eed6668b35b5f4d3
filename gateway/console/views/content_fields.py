"""Fields of a form that alerts and list entries share in kind: texts, words of enums, times, and how it is handled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final
from zoneinfo import ZoneInfo

from gateway.console.filters import bounded
from gateway.console.form import Form
from gateway.console.views.form_rows import replace_all, word_or_empty
from gateway.contract.enum_words import words
from gateway.v1.alert_pb2 import Classification, OnwardTransfer

_HANDLING: Final[Mapping[str, Any]] = {"classification": Classification, "onward_transfer": OnwardTransfer}


@dataclass(frozen=True, slots=True)
class ContentFields:
    """Fields of a content with `handling`, named in the form as in the contract.

    Args:
        texts: fields with one text.
        enums: fields with a word of an enum, by name.
        times: fields with a time in the reader's zone.
        is_handled: whether the form asks how the content may be used.
    """

    texts: tuple[str, ...]
    enums: Mapping[str, Any]
    times: tuple[str, ...]
    is_handled: bool = True

    def shown(self, content: Any, zone: ZoneInfo) -> dict[str, list[str]]:
        """Values of the form for a content."""
        values = {name: [getattr(content, name)] for name in self.texts}
        values |= {name: [word_or_empty(enum, getattr(content, name))] for name, enum in self.enums.items()}
        values |= {name: [_moment(content, name, zone)] for name in self.times}
        if self.is_handled:
            values |= {name: [word_or_empty(enum, getattr(content.handling, name))] for name, enum in _HANDLING.items()}
            values["onward_recipients"] = list(content.handling.onward_recipients)
        return values

    def read(self, sent: Form, content: Any, zone: ZoneInfo) -> None:
        """Puts what a form says into a content; what can't be read is noted in the form."""
        for name in self.texts:
            setattr(content, name, sent.text(name))
        for name, enum in self.enums.items():
            setattr(content, name, words(enum).get(sent.text(name), 0))
        for name in self.times:
            _read_moment(sent, content, name, zone)
        if self.is_handled:
            for name, enum in _HANDLING.items():
                setattr(content.handling, name, words(enum).get(sent.text(name), 0))
            replace_all(content.handling.onward_recipients, sent.all("onward_recipients"))


def _moment(content: Any, name: str, zone: ZoneInfo) -> str:
    """A time for a field `datetime-local`; empty for none."""
    if not content.HasField(name):
        return ""
    return bounded(getattr(content, name)).astimezone(zone).strftime("%Y-%m-%dT%H:%M")


def _read_moment(sent: Form, content: Any, name: str, zone: ZoneInfo) -> None:
    """The form has minutes: a time that wasn't changed keeps its seconds."""
    if sent.text(name) == _moment(content, name, zone):
        return
    content.ClearField(name)
    if sent.text(name):
        at = sent.moment(name, zone)
        if at is not None:
            getattr(content, name).FromDatetime(at.astimezone(UTC).replace(tzinfo=None))
