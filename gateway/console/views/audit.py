"""The audit log for readers: a line for each act, one for all page loads between two, and the kinds of acts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from gateway.console.views.alerts.field_names import field_name
from gateway.translation.audit_acts import LOADS, LOCAL, PACKAGE, SERVICES
from gateway.translation.audit_reasons import is_code, reason_text
from gateway.translation.audit_sentences import AuditNames, act_text, audit_sentence
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.evidence_service_pb2 import AuditEvent

ALLOWED: Final = "allow"

RESULTS: Final[Mapping[str, tuple[str, str]]] = {
    ALLOWED: (N_("allowed"), "good"),
    "deny": (N_("denied"), "bad"),
    "error": (N_("failed"), "warn"),
}
"""Word and colour of each result."""

METHODS: Final[Mapping[str, str]] = {
    name.lower(): f"{PACKAGE}{service}/{name}"
    for service, methods in SERVICES.items()
    for name in (*methods.acts, *methods.loads)
}
"""Full names by the method's name in lower case."""


@dataclass(frozen=True, slots=True)
class AuditLine:
    """An act, or with `loads` only how often pages were loaded between two."""

    event: AuditEvent | None = None
    who: str = ""
    what: str = ""
    result: tuple[str, str] = ("", "")
    reason: str = ""
    stated: str = ""
    details: Sequence[tuple[str, str]] = ()
    loads: int = 0


def is_load(event: AuditEvent) -> bool:
    """Whether an event says only that somebody looked at something, and could."""
    return event.method in LOADS and event.result == ALLOWED


def audit_lines(events: Iterable[AuditEvent], names: AuditNames, *, with_loads: bool) -> Iterator[AuditLine]:
    """A line for each event; without page loads one for those that come after each other."""
    for folded, group in groupby(events, lambda event: is_load(event) and not with_loads):
        if folded:
            yield AuditLine(loads=sum(max(1, event.occurrences) for event in group))
        else:
            yield from (_line(event, names) for event in group)


def act_groups() -> list[tuple[str, list[tuple[str, str]]]]:
    """Kinds of acts for a choice, by what they are about: the method and the act in words, page loads last."""
    return [(_(acts.title), [*_choices(acts.acts), *_choices(acts.loads)]) for acts in (*SERVICES.values(), LOCAL)]


def _choices(sentences: Mapping[str, str]) -> list[tuple[str, str]]:
    return sorted(((method, act_text(sentence)) for method, sentence in sentences.items()), key=lambda one: one[1])


def full_method(name: str) -> str:
    """A method as the log has it, from its name alone; local operations and full names stay."""
    return METHODS.get(name.lower(), name)


def short_method(name: str) -> str:
    """A method's name alone, as choices have it."""
    return name.rpartition("/")[2] if name.startswith("/") else name


def _line(event: AuditEvent, names: AuditNames) -> AuditLine:
    word, colour = RESULTS.get(event.result, (event.result, "quiet"))
    coded = is_code(event.reason)
    return AuditLine(
        event=event,
        who=names.who(event),
        what=audit_sentence(event, names),
        result=(_(word), colour),
        reason=reason_text(event.reason) if coded else "",
        stated="" if coded else event.reason,
        details=[*_given(event), *_marks(event)],
    )


def _given(event: AuditEvent) -> Iterator[tuple[str, str]]:
    called = {"subject_ids": _("About"), "detail": _("More"), "repeated": _("Times")}
    for name, value in sorted(event.details.items()):
        yield called.get(name) or field_name(name), value


def _marks(event: AuditEvent) -> Iterator[tuple[str, str]]:
    """Codes of an event, as `gateway audit list` has them."""
    yield _("Method"), event.method
    yield _("Account"), event.principal
    if event.system:
        yield _("Through"), event.system
    if event.purpose:
        yield _("Purpose"), event.purpose
    if is_code(event.reason):
        yield _("Reason code"), event.reason
