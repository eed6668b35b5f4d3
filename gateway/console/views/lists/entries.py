"""Watchlist entries in words: what one says, and what a proposal would change in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gateway.console.filters import moment_text
from gateway.console.views.words import address_text, capitalised, codes_text, identifier_text
from gateway.contract.enum_words import UNKNOWN
from gateway.contract.ids import is_uuid
from gateway.translation.labels import PURPOSE, label, label_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.v1.alert_pb2 import Classification, OnwardTransfer, RequestedAction
from gateway.v1.watchlist_pb2 import ListedNameKind, WatchlistContent, WatchlistKind, WatchlistReference


@dataclass(frozen=True, slots=True)
class EntryLine:
    """What an entry says under one name, a text for each value."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ChangedLine:
    """One name of two revisions: values that go, that come, and that stay."""

    name: str
    removed: tuple[str, ...]
    added: tuple[str, ...]
    kept: tuple[str, ...]

    @property
    def is_changed(self) -> bool:
        return bool(self.removed or self.added)


def title_of(content: WatchlistContent, entry_id: str) -> str:
    """The entry's primary name, or what else identifies it."""
    names = [name.text for name in content.names]
    return next(iter([*names, *(identifier.value for identifier in content.identifiers)]), entry_id)


def given_id(entry_id: str) -> str:
    """An entry's number in its list; empty for one that the gateway made, which tells people nothing."""
    return "" if is_uuid(entry_id) else entry_id


def entry_text(entry: WatchlistReference) -> str:
    """`CN minerals 7`: whose entry it is, and where it stands."""
    return " ".join(filter(None, (entry.publisher.upper(), entry.list, given_id(entry.id))))


def kind_word(kind: WatchlistKind.ValueType) -> str:
    """`Organisation`."""
    return capitalised(label_of(WatchlistKind, kind))


def entry_lines(content: WatchlistContent) -> list[EntryLine]:
    """What an entry says; names without a value are left out."""
    return [EntryLine(name, tuple(values)) for name, values in _lines(content).items() if any(values)]


def changed_lines(before: WatchlistContent, after: WatchlistContent) -> list[ChangedLine]:
    """Both revisions, name by name; an empty content stands for an entry that isn't there."""
    old, new = _lines(before), _lines(after)
    lines = []
    for name in dict.fromkeys((*new, *old)):
        was, will = old.get(name, []), new.get(name, [])
        line = ChangedLine(
            name,
            removed=tuple(value for value in was if value and value not in will),
            added=tuple(value for value in will if value and value not in was),
            kept=tuple(value for value in will if value and value in was),
        )
        if line.removed or line.added or line.kept:
            lines.append(line)
    return lines


def _lines(content: WatchlistContent) -> Mapping[str, Sequence[str]]:
    if content == WatchlistContent():
        return {}
    handling = content.handling
    return {
        _("Kind"): [kind_word(content.kind)],
        _("Names"): list(_names(content)),
        _("Identifiers"): [identifier_text(identifier) for identifier in content.identifiers],
        _("Addresses"): [address_text(address) for address in content.addresses],
        _("Born"): [*content.birth_dates, *content.birth_periods],
        _("Born in"): [address_text(address) for address in content.birth_places],
        _("Territories"): list(content.territories),
        _("Commodity codes"): [codes_text([code]) for code in content.commodities],
        _("Route"): [" → ".join(place.name or place.unlocode or place.territory for place in content.route)],
        _("Reason"): [content.reason],
        _("Legal basis"): [content.legal_basis],
        _("Purpose"): [capitalised(label(PURPOSE, content.purpose))] if content.purpose else [],
        _("Action on a hit"): [_word(RequestedAction, content.requested_action)],
        _("Valid from"): [moment_text(content.valid_from) if content.HasField("valid_from") else ""],
        _("Valid until"): [moment_text(content.valid_until) if content.HasField("valid_until") else ""],
        _("Classification"): [_word(Classification, handling.classification)],
        _("Onward transfer"): [_word(OnwardTransfer, handling.onward_transfer), *handling.onward_recipients],
        _("For partners"): [node.upper() for node in content.releasable_to],
        _("Remarks"): [content.remarks],
        _("Follows from alerts"): [f"{alert.publisher}/{alert.alert_id}" for alert in content.derived_from],
    }


def _names(content: WatchlistContent) -> Iterator[str]:
    for name in content.names:
        kind = label_of(ListedNameKind, name.kind) if name.kind else ""
        about = listed(filter(None, ("" if kind == UNKNOWN else kind, name.script, name.language)))
        yield f"{name.text} ({about})" if about else name.text


def _word(enum: object, value: int) -> str:
    word = label_of(enum, value)
    return "" if word == UNKNOWN else capitalised(word)
