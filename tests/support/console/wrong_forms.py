"""Forms of pages, and what a person can send wrong with them: nothing, nonsense, nonsense with everything chosen.

They are sent without a browser, as a page without scripts would. Forms on which nothing can be wrong, or that take
whatever comes, stand in NOT_SENT with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlencode

from tests.support.console.trial import ConsoleTrial
from tests.support.console.visitor import Answer, Visitor
from tests.support.console.walk import Place

NONSENSE: Final = "?! \N{SECTION SIGN}"
SHOWN: Final = "/shown/"
"""Where a browser gets the page of a form that was sent."""

BOUNDARY: Final = "form-of-a-test"

NOT_SENT: Final[Mapping[str, str]] = {
    r"/sign-in": "each failure counts against the person; tests/console/test_persons.py",
    r"/account/password": "each failure counts against the person; tests/console/test_persons.py",
    r"/account/zone|/inbox/layout|(/inbox|/alerts/.*)/assign": "choices alone",
    r"/risk-profiles/cn/.*": "right while it is empty; tests/console/test_risk_profiles.py",
    r"/alerts/.*/notes": "any text is a note",
}
"""Forms that aren't sent, by their address."""

ANY_TEXT: Final = r"/operations/link/(suspend|resume)|/alerts/.*/files/.*/erase|/watchlists/matches/alike/.*"
"""Forms that any text makes right; they are sent empty alone."""

ONLY_WRONG: Final = (
    r"/notifications/rules/own/new|/watchlists/(proposals|matches)/.*|(/licences|/risk-profiles)/proposals/.*"
)
"""Forms that are right once everything is chosen; they are sent in the other ways."""

EVERYTHING: Final = "nonsense, everything chosen"

_DATES: Final = frozenset({"date", "datetime-local", "month", "time"})
_CHOSEN: Final = frozenset({"radio", "checkbox"})
_BUTTONS: Final = frozenset({"submit", "button", "image", "reset"})


@dataclass
class FieldOfForm:
    """A control: its value as the page has it; `options` of a select."""

    name: str
    kind: str
    value: str
    checked: bool = False
    options: list[tuple[str, bool]] = field(default_factory=list)

    @property
    def is_written(self) -> bool:
        """Whether a person writes it."""
        return self.kind not in {"hidden", "select", "file", *_CHOSEN}


@dataclass
class FormOfPage:
    """A form with what is in it; `buttons` have their names, values and classes."""

    method: str
    action: str
    is_multipart: bool
    fields: list[FieldOfForm] = field(default_factory=list)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def can_be_wrong(self) -> bool:
        return any(one.kind != "hidden" for one in self.fields)

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from others: its address without ids, and its fields."""
        return (without_ids(self.action.partition("?")[0]), *sorted({one.name for one in self.fields}))

    def sent(self, way: str) -> list[tuple[str, str]]:
        """Names and values, sent in one of WAYS."""
        values = [(one.name, value) for one in self.fields for value in WAYS[way](one) if one.name]
        main = [button for button in self.buttons if not {"secondary", "plain"} & set(button[2].split())]
        name, value, _classes = (main or self.buttons or [("", "", "")])[-1]
        return values + ([(name, value)] if name else [])


def _nothing(one: FieldOfForm) -> Iterator[str]:
    if one.kind == "hidden":
        yield one.value
    elif one.kind == "select":
        yield next((value for value, _selected in one.options if not value), one.options[0][0] if one.options else "")
    elif one.is_written:
        yield ""


def _nonsense(one: FieldOfForm) -> Iterator[str]:
    if one.is_written:
        yield one.value if one.kind in _DATES else NONSENSE
    elif one.kind == "select" and one.options:
        yield next((value for value, selected in one.options if selected), one.options[0][0])
    elif one.kind == "hidden" or (one.kind in _CHOSEN and one.checked):
        yield one.value


def _all_chosen(one: FieldOfForm) -> Iterator[str]:
    if one.kind == "select" and one.options:
        yield one.options[-1][0]
    elif one.kind in _CHOSEN:
        yield one.value
    elif one.kind in _DATES:
        yield NONSENSE  # which no browser sends
    else:
        yield from _nonsense(one)


WAYS: Final[Mapping[str, Callable[[FieldOfForm], Iterator[str]]]] = {
    "empty": _nothing,
    "nonsense": _nonsense,
    EVERYTHING: _all_chosen,
}
"""How a form is sent wrong."""


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[FormOfPage] = []
        self._open: FormOfPage | None = None
        self._field: FieldOfForm | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = given.get("action", "")
            is_multipart = "multipart" in given.get("enctype", "")
            self._open = FormOfPage(given.get("method", "get").lower(), action, is_multipart)
            self.forms.append(self._open)
        elif self._open is None:
            return
        elif tag in ("input", "textarea", "select"):
            kind = given.get("type", "text").lower() if tag == "input" else tag
            made = FieldOfForm(given.get("name", ""), kind, given.get("value", "on" if kind in _CHOSEN else ""))
            made.checked = "checked" in given
            self._open.fields += [made] if kind not in _BUTTONS else []
            self._field = made if tag == "select" else None
        elif tag == "option" and self._field is not None:
            self._field.options.append((given.get("value", ""), "selected" in given))
        elif tag == "button" and not given.get("formaction"):
            self._open.buttons.append((given.get("name", ""), given.get("value", ""), given.get("class", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._field = None


def forms_in(html: str) -> list[FormOfPage]:
    """Forms of a page with something to fill in."""
    reader = _Forms()
    reader.feed(html)
    reader.close()
    return [form for form in reader.forms if form.can_be_wrong]


def ways_of(form: FormOfPage, path: str) -> list[str]:
    """How a form of the page at a path is sent; in no way where it isn't."""
    address = (form.action or path).partition("?")[0]
    if any(re.fullmatch(pattern, address) for pattern in NOT_SENT):
        return []
    if re.fullmatch(ANY_TEXT, address):
        return ["empty"]
    return [way for way in WAYS if way != EVERYTHING or not re.fullmatch(ONLY_WRONG, address)]


def send_wrong(visitor: Visitor, form: FormOfPage, way: str, path: str, **headers: str) -> Answer:
    """Sends a form of the page at a path; the page that comes of it."""
    answer = _sent(visitor, form, way, path, **headers)
    return visitor.get(answer.location, **headers) if answer.location.startswith(SHOWN) else answer


def _sent(visitor: Visitor, form: FormOfPage, way: str, path: str, **headers: str) -> Answer:
    action, values = form.action or path, form.sent(way)
    if form.method == "get":
        return visitor.get(f"{action.partition('?')[0]}?{urlencode(values)}", **headers)
    origin = {"Origin": visitor.office.origin, "Sec-Fetch-Site": "same-origin"}
    if not form.is_multipart:
        kind = "application/x-www-form-urlencoded"
        return visitor.send("POST", action, urlencode(values).encode(), **{"Content-Type": kind}, **origin, **headers)
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return visitor.send("POST", action, _multipart(values), **{"Content-Type": kind}, **origin, **headers)


def _multipart(values: list[tuple[str, str]]) -> bytes:
    parts = "".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in values
    )
    return f"{parts}--{BOUNDARY}--\r\n".encode()


_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
_NODE: Final = re.compile(r"/(cn|hk|mo)(?=/)")


def without_ids(path: str) -> str:
    """An address without what tells one alert, match or entry from another."""
    return _NODE.sub("", _ID.sub("", path))


@dataclass(frozen=True)
class PlacedForm:
    """A form on a page, as somebody has it before them."""

    visitor: Visitor
    path: str
    form: FormOfPage


FURTHER: Final = ("supervisor", "operator")
"""Who may see other forms than the first reader of a page."""

LEADS_TO: Final = re.compile(r'href="(/watchlists/matches/(?:alike/(?:entry|party)/)?[0-9a-f-]{36})(?=["?])')
"""Pages that no place of the walk names, and that others lead to."""


def placed_forms(trial: ConsoleTrial, places: Iterable[Place]) -> list[PlacedForm]:
    """Forms of all pages, each kind once."""
    found: dict[tuple[str, ...], PlacedForm] = {}
    for place in places:
        for person in dict.fromkeys((place.person, *FURTHER)):
            office = trial[place.node]
            visitor = Visitor.with_session(office, trial.session(place.node, person)) if person else Visitor(office)
            html = _note_forms(found, visitor, place.path)
            for path in {without_ids(path): path for path in LEADS_TO.findall(html)}.values():
                _note_forms(found, visitor, path)
    return list(found.values())


def _note_forms(found: dict[tuple[str, ...], PlacedForm], visitor: Visitor, path: str) -> str:
    html = visitor.get(path).text
    for form in forms_in(html):
        found.setdefault((form.method, without_ids(path), *form.key), PlacedForm(visitor, path, form))
    return html
