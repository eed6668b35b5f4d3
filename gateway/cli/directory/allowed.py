"""Says in plain words what a directory allows: who may send what to whom, for which purposes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import permutations

from gateway.cli.output import Output, stacked
from gateway.contract.json_document import format_time
from gateway.translation.messages import N_, listed, marked
from gateway.translation.messages import gettext as _
from gateway.trust.codec.directory import encode_directory
from gateway.trust.rules.directory import Agreement, Directory, FieldClass, MessageType

_MESSAGES = {
    MessageType.ALERT: N_("alerts"),
    MessageType.LIST_EVENT: N_("watchlist entries"),
    MessageType.LICENCE_EVENT: N_("licences and their uses"),
    MessageType.RISK_PROFILE_EVENT: N_("risk profiles and what they came to"),
    MessageType.LICENCE_QUERY: N_("queries whether a licence covers goods"),
    MessageType.LICENCE_ANSWER: N_("answers to that with yes, no or partly"),
    MessageType.HISTORY_QUERY: N_("queries about shipments"),
    MessageType.HISTORY_RECORD: N_("answers with records of shipments"),
    MessageType.HISTORY_HIT: N_("answers with hit or no hit"),
}


def print_allowed(output: Output, directory: Directory, now: datetime) -> None:
    """Prints what each node may send to each other, and warns of terms that don't do what they seem to."""
    output.table(_("What is allowed"), marked("From, to", "Terms"), _rows(directory, now))
    output.line(
        _(
            "PERSONAL tells of persons, COMMERCIAL of a trader's business, INVESTIGATIVE of what an authority "
            "suspects or does. Fields without a class always go with their message."
        )
    )
    output.line(
        _(
            "How long a recipient keeps what it got isn't limited here: alerts and list entries stay, answers about "
            "shipments as long as its setting history.answer_days says."
        )
    )
    for sentence in reservations(directory):
        output.warning(sentence)


def agreements_json(directory: Directory) -> object:
    """The agreements as the directory has them."""
    return json.loads(encode_directory(directory))["agreements"]


def reservations(directory: Directory) -> Iterator[str]:
    """Sentences on agreements that allow less than they seem to."""
    for agreement in directory.agreements:
        name = agreement.id
        if unknown := sorted(agreement.message_types - set(MessageType)):
            yield _(
                "{name}: this version knows no messages {unknown}; they allow nothing here",
                name=name,
                unknown=listed(unknown),
            )
        if not agreement.purposes or not agreement.message_types:
            yield _("{name}: without purposes and message types it allows nothing", name=name)
        if agreement.valid_until < directory.expires_at:
            yield _(
                "{name} ends at {end}, before the directory expires at {expires}: nothing may be sent under it "
                "afterwards; --terms gives new ones",
                name=name,
                end=format_time(agreement.valid_until),
                expires=format_time(directory.expires_at),
            )
        if agreement.hit_reports and _hits(directory, agreement) != agreement.purposes:
            yield _(
                "{name}: hits on list entries are reported for {purposes} only; {recipient} may send {sender} "
                "watchlist messages for no other purpose",
                name=name,
                purposes=listed(sorted(_hits(directory, agreement))) or _("nothing"),
                recipient=agreement.recipient,
                sender=agreement.sender,
            )


def _rows(directory: Directory, now: datetime) -> list[tuple[str, str]]:
    """Equal terms with all their directions."""
    directions: dict[str, list[str]] = {}
    for agreement in directory.agreements:
        direction = f"{agreement.sender} → {agreement.recipient} ({agreement.id})"
        directions.setdefault(_terms(directory, agreement, now), []).append(direction)
    rows = [(stacked(named), terms) for terms, named in directions.items()]
    covered = {(agreement.sender, agreement.recipient) for agreement in directory.agreements}
    bare = [f"{a} → {b}" for a, b in permutations(sorted(directory.nodes), 2) if (a, b) not in covered]
    return [*rows, (stacked(bare), _("nothing"))] if bare else rows


def _terms(directory: Directory, agreement: Agreement, now: datetime) -> str:
    start, end = format_time(agreement.valid_from), format_time(agreement.valid_until)
    period = _("{start} to {end}", start=start, end=end)
    lines = {
        _("Messages"): listed(map(_message, sorted(agreement.message_types))) or _("none"),
        _("Purposes"): listed(sorted(agreement.purposes)) or _("none"),
        _("Classes"): listed(sorted(agreement.field_classes)) or _("none"),
        _("Withheld"): listed(sorted(set(FieldClass) - agreement.field_classes)) or _("nothing"),
    }
    if MessageType.ALERT in agreement.message_types:
        lines[_("Erasure of alerts")] = _("on request") if agreement.erasure else _("by each alone")
        lines[_("Persons")] = _("by pseudonyms") if agreement.hides_persons else _("by name")
    if MessageType.LIST_EVENT in agreement.message_types:
        hits = listed(sorted(_hits(directory, agreement)))
        lines[_("Hits")] = _("reported back for {purposes}", purposes=hits) if hits else _("not reported")
    if MessageType.HISTORY_RECORD in agreement.message_types:
        lines[_("Trace contexts")] = _("yes") if agreement.trace_context else _("no")
        lines[_("Answers may be passed on to")] = listed(sorted(agreement.onward_recipients)) or _("nobody")
    lines[_("Valid")] = f"{period}, {_('in force') if agreement.in_force(now) else _('not in force')}"
    lines[_("Clause")] = agreement.clause
    return stacked(f"{name}: {value}" for name, value in lines.items())


def _message(name: str) -> str:
    known = {kind.value: words for kind, words in _MESSAGES.items()}
    return f"{_(known[name])} ({name})" if name in known else name


def _hits(directory: Directory, agreement: Agreement) -> frozenset[str]:
    """Purposes for which hits on the sender's entries come back: both directions must allow it."""
    if not agreement.hit_reports or MessageType.LIST_EVENT not in agreement.message_types:
        return frozenset()
    back = [
        other.purposes
        for other in directory.agreements
        if (other.sender, other.recipient) == (agreement.recipient, agreement.sender)
        and MessageType.LIST_EVENT in other.message_types
    ]
    return agreement.purposes & frozenset().union(*back)
