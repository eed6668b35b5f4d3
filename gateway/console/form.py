"""A form that was sent: its values, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from starlette.datastructures import FormData, UploadFile

from gateway.console.views.alerts.field_names import violation_text
from gateway.errors import InvalidRequestError, Violation
from gateway.translation.messages import gettext as _

NOT_KEPT: Final = frozenset({"csrf", "confirmed", "approval"})
"""Fields that hold for one sending: a form that is given back is shown before it is sent, and approved anew."""

LOST_FILE: Final = "lost_file"
"""Names a file that came with a form which couldn't be taken: only the person has it still."""

MAX_FILES: Final = 8
"""Most files that come with a form; a script sends more of them before it."""


@dataclass(slots=True)
class Form:
    """Values by name, and problems by name of the field; an empty form for a page's first view.

    Components take it: they show a field's value and its problem. `values` may be given to begin with.
    """

    values: dict[str, list[str]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    uploads: dict[str, list[UploadFile]] = field(default_factory=dict)

    @classmethod
    def of(cls, data: FormData) -> Form:
        """The form of a request, its lines ended by LF: browsers send CRLF, and CR doesn't print on the next page."""
        form = cls()
        for name, value in data.multi_items():
            if isinstance(value, str):
                form.values.setdefault(name, []).append(value.replace("\r\n", "\n").replace("\r", "\n"))
            elif value.filename:
                form.uploads.setdefault(name, []).append(value)
        return form

    @classmethod
    def with_values(cls, values: Mapping[str, str | list[str]]) -> Form:
        """A form with these values to begin with."""
        return cls({name: [value] if isinstance(value, str) else value for name, value in values.items()})

    def text(self, name: str) -> str:
        """The value without the white space around it; empty where there is none."""
        return self.raw(name).strip()

    def raw(self, name: str) -> str:
        """The value as it was typed; empty where there is none."""
        values = self.values.get(name)
        return values[-1] if values else ""

    def all(self, name: str) -> list[str]:
        """All values of a name, e.g. of checkboxes, without empty ones."""
        return [value.strip() for value in self.values.get(name, ()) if value.strip()]

    def upload(self, name: str) -> UploadFile | None:
        """The file that was chosen, the last where there are several; None without one."""
        uploads = self.uploads.get(name)
        return uploads[-1] if uploads else None

    def required(self, name: str, problem: str = "") -> str:
        """The value; without one the problem is noted."""
        value = self.text(name)
        if not value:
            self.problems.setdefault(name, problem or _("Fill this in."))
        return value

    def whole_number(self, name: str) -> int:
        """A number of at most 18 digits; 0, with the problem noted, for anything else."""
        value = self.text(name)
        if value.isascii() and value.isdecimal() and len(value) <= 18:
            return int(value)
        self.problems.setdefault(name, _("Enter a whole number."))
        return 0

    def moment(self, name: str, zone: ZoneInfo) -> datetime | None:
        """The time of a field `datetime-local` in the reader's zone; None, with the problem noted, where it is none."""
        try:
            return datetime.fromisoformat(self.text(name)).replace(tzinfo=zone).astimezone(UTC)
        except (ValueError, OverflowError):
            self.problems.setdefault(name, _("Enter a date and a time."))
            return None

    def day(self, name: str, zone: ZoneInfo, *, after: int = 0) -> datetime | None:
        """When a day begins in the reader's zone, or one so many days after it; None without one, the problem noted."""
        if not self.text(name):
            return None
        try:
            return (
                (datetime.fromisoformat(self.text(name)) + timedelta(days=after)).replace(tzinfo=zone).astimezone(UTC)
            )
        except (ValueError, OverflowError):
            self.problems[name] = _("Enter a date.")
            return None

    def kept(self) -> list[tuple[str, str]]:
        """Fields of a form that couldn't be taken, to send it once more; of its files the names."""
        fields = [(name, value) for name, values in self.values.items() if name not in NOT_KEPT for value in values]
        files = (upload for uploads in self.uploads.values() for upload in uploads)
        return fields + [(LOST_FILE, upload.filename or "") for upload in files]

    def problem(self, name: str) -> str:
        return self.problems.get(name, "")

    def add_violations(self, error: InvalidRequestError, fields: Mapping[str, str]) -> None:
        """Notes what the gateway found wrong.

        `fields` has the form's name for a path of the request or its beginning; what belongs to none stands at "".
        """
        for violation in error.violations:
            name = next((name for path, name in fields.items() if violation.field.startswith(path)), "")
            text = self.broken(name, violation)
            self.problems[name] = f"{self.problems[name]}; {text}" if name in self.problems else text

    def broken(self, name: str, violation: Violation) -> str:
        """What the field of a name has wrong, in words: where it is empty, that it isn't given."""
        is_empty = bool(name) and violation.rule == "string.pattern" and not self.text(name)
        return violation_text(violation.field, "value is required" if is_empty else violation.message)

    @property
    def is_good(self) -> bool:
        return not self.problems

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)


SHOWN_CHARS: Final = 12
"""Characters from which a field of a form that is given back is shown: what somebody would have to write again."""


def is_prose(value: str) -> bool:
    """Whether a field's value is text that somebody wrote, and no id, code, date or choice."""
    return len(value) >= SHOWN_CHARS and (not value.isascii() or len(value.split()) > 1)


def own_path(path: str, fallback: str = "/") -> str:
    """A path of this console that a browser may be sent to, or the fallback: never another site."""
    inside = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path
    return path if inside else fallback
