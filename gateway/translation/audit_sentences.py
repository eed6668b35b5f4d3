"""Says in a sentence what an event of the audit log tells: who did what, with subjects as people call them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.contract.ids import is_node_name, is_uuid
from gateway.translation.audit_acts import PACKAGE, SENTENCES, SIGN_INS
from gateway.translation.feed_names import feed_of, link_text
from gateway.translation.labels import list_text
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.v1.evidence_service_pb2 import AuditEvent

NOTHING: Final = "…"
"""Stands for a subject that the event doesn't name."""

MOST_NAMED: Final = 3
"""Subjects of an event that its sentence names."""


_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_SHORT_CHARS: Final = 8


@dataclass(frozen=True, slots=True)
class AuditNames:
    """What people call whom events name, and our node."""

    names: Mapping[str, str]
    own: str

    def person(self, subject: str) -> str:
        """A person's name as colleagues see it, or else at sign-in."""
        return self.names.get(subject) or subject.rpartition("/")[2]

    def node(self, name: str) -> str:
        """A node, by its name."""
        return _("this authority") if name == self.own else name.upper()

    def entry(self, subject: str) -> str:
        """An entry of a list."""
        publisher, name, entry = subject.split("/", 2)
        return _("entry {entry} of list {list}", entry=entry, list=list_text(f"{publisher}/{name}"))

    def who(self, event: AuditEvent) -> str:
        """Who has acted."""
        subjects = subjects_of(event)
        if event.method in SIGN_INS and subjects:
            return self.person(subjects[0])
        kind, _slash, rest = event.principal.partition("/")
        if kind == "person":
            return self.person(event.principal)
        if event.principal in ("gateway", f"gateway/{self.own}"):
            return _("this gateway")
        if kind == "gateway":
            return _("gateway of {node}", node=rest.upper())
        if kind == "system":
            return _("system {name}", name=rest.rpartition("/")[2])
        claimed = event.principal.removeprefix("unverified:")
        return _("somebody who isn't known: {claimed}", claimed=claimed) if claimed else _("somebody who isn't known")


_KINDS: Final[Mapping[str, tuple[Callable[[str], bool], Callable[[AuditNames, str], str]]]] = {
    "alert": (is_uuid, lambda names, subject: names.names.get(subject) or shortened(subject)),
    "file": (lambda subject: bool(_DIGEST.fullmatch(subject)), lambda names, subject: shortened(subject)),
    "link": (lambda subject: feed_of(subject) is not None, lambda names, subject: link_text(subject, names.own)),
    "partner": (is_node_name, AuditNames.node),
    "person": (lambda subject: subject.startswith("person/"), AuditNames.person),
    "entry": (lambda subject: subject.count("/") > 1, AuditNames.entry),
    "list": (bool, lambda names, subject: list_text(subject)),
    "thing": (bool, lambda names, subject: shortened(subject)),
}
"""By placeholder: which subjects are meant, and how they are called."""


def audit_sentence(event: AuditEvent, names: AuditNames) -> str:
    """What was done, or asked for in vain, in the current language: `acknowledged alert SZ-2026-1050`."""
    sentence = SENTENCES.get(event.method)
    if sentence is None:  # of a newer gateway
        return event.method.removeprefix(PACKAGE)
    subjects = subjects_of(event)
    done = _(sentence, **{kind: _named(kind, subjects, names) for kind in _PLACEHOLDER.findall(sentence)})
    return done if event.result == "allow" else _("not done: {act}", act=done)


def act_text(sentence: str) -> str:
    """A kind of act without its subject."""
    return _(sentence, **dict.fromkeys(_PLACEHOLDER.findall(sentence), NOTHING))


def subjects_of(event: AuditEvent) -> Sequence[str]:
    """What an event is about, as the log names it."""
    return list(filter(None, event.details.get("subject_ids", "").split(", ")))


def shortened(subject: str) -> str:
    """A UUID or digest by its last digits; any other text as it is."""
    return f"…{subject[-_SHORT_CHARS:]}" if is_uuid(subject) or _DIGEST.fullmatch(subject) else subject


def _named(kind: str, subjects: Sequence[str], names: AuditNames) -> str:
    accepts, called = _KINDS[kind]
    meant = list(dict.fromkeys(called(names, subject) for subject in subjects if accepts(subject)))
    if not meant:
        return NOTHING
    shown = listed(meant[:MOST_NAMED])
    further = len(meant) - MOST_NAMED
    return _("{names} and {number} more", names=shown, number=further) if further > 0 else shown
