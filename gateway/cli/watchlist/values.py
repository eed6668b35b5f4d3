"""Reads names of entries and lists, and puts entries and hits into cells and facts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.cli.output import stacked
from gateway.cli.values import shown_time
from gateway.contract.enum_words import word_of
from gateway.contract.ids import is_node_name
from gateway.errors import OptionError
from gateway.translation.messages import N_, listed
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import Classification, OnwardTransfer, RequestedAction
from gateway.v1.party_pb2 import Address, Identifier
from gateway.v1.screening_pb2 import ScreeningHit
from gateway.v1.watchlist_pb2 import (
    ListedNameKind,
    MatchClass,
    WatchlistChange,
    WatchlistContent,
    WatchlistEnd,
    WatchlistKind,
    WatchlistReference,
)

_LIST_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,63}")
_SHORT_CHARS = 60


def entry_reference(text: str, own_node: str) -> WatchlistReference:
    """A reference to an entry from PUBLISHER/LIST/ID, or from LIST/ID of an own list; ConfigurationError otherwise."""
    first, _separator, rest = text.partition("/")
    name, slash, entry_id = rest.partition("/")
    publisher, name, entry_id = (first, name, entry_id) if slash else (own_node, first, rest)
    if not entry_id or not is_node_name(publisher) or not _LIST_NAME.fullmatch(name):
        raise OptionError(
            _(
                "{text!r} doesn't name an entry: give PUBLISHER/LIST/ID as `gateway watchlist list` shows it, "
                "or LIST/ID for one of an own list",
                text=text,
            )
        )
    return WatchlistReference(publisher=publisher, list=name, id=entry_id)


def own_entry(text: str, own_node: str) -> WatchlistReference:
    """An entry of an own list; ConfigurationError for a partner's."""
    key = entry_reference(text, own_node)
    if key.publisher != own_node:
        raise OptionError(
            _(
                "{text}: is an entry of {publisher}; only its publisher can do this",
                text=text,
                publisher=key.publisher,
            )
        )
    return key


def hit_cells(hit: ScreeningHit) -> tuple[str, ...]:
    """Cells of a hit in a table: entry, class, score, given, listed, asked for."""
    return (
        f"{hit.entry.publisher}/{hit.entry.list}/{hit.entry.id}",
        word_of(MatchClass, hit.match_class),
        f"{hit.score:.2f}",
        hit.explanation.given,
        hit.explanation.listed,
        word_of(RequestedAction, hit.requested_action),
    )


def list_name(text: str) -> str:
    """The name of a list; ConfigurationError otherwise."""
    if not _LIST_NAME.fullmatch(text):
        raise OptionError(
            _("--list: {text!r} can't be a list's name: small letters, digits, dots and hyphens, e.g. un-sc", text=text)
        )
    return text


def called(content: WatchlistContent) -> str:
    """The first name of an entry, or else its first identifier, address, code or route."""
    known = [
        *(name.text for name in content.names[:1]),
        *(identifier.value for identifier in content.identifiers[:1]),
        *(
            ", ".join(filter(None, (address.street, address.city, address.territory)))
            for address in content.addresses[:1]
        ),
        *(commodity.code for commodity in content.commodities[:1]),
        " → ".join(stop.unlocode or stop.name or stop.territory for stop in content.route),
    ]
    return shortened(next((text for text in known if text), ""))


def shortened(text: str) -> str:
    """The text, cut to the width of a column."""
    line = " ".join(text.split())
    return line if len(line) <= _SHORT_CHARS else f"{line[: _SHORT_CHARS - 1]}…"


def change_row(change: WatchlistChange) -> tuple[str, str, int, str]:
    """Cells of a change: LIST/ID, kind, revision, name or reason."""
    if change.WhichOneof("change") == "entered":
        entered = change.entered
        what = _("entered") if entered.revision == 1 else _("amended")
        return f"{entered.list}/{entered.id}", what, entered.revision, called(entered.content)
    ended = change.ended
    return f"{ended.list}/{ended.id}", word_of(WatchlistEnd, ended.end), ended.revision, shortened(ended.reason)


def content_facts(content: WatchlistContent) -> Mapping[str, object]:
    """The content of an entry without empty values."""
    facts: dict[str, object] = {
        N_("Kind"): word_of(WatchlistKind, content.kind),
        N_("Names"): [_name(name) for name in content.names],
        N_("Identifiers"): [_identifier(identifier) for identifier in content.identifiers],
        N_("Addresses"): [_address(address) for address in content.addresses],
        N_("Born"): ", ".join([*content.birth_dates, *map(_period, content.birth_periods)]),
        N_("Born in"): [_address(birth_place) for birth_place in content.birth_places],
        N_("Territories"): ", ".join(content.territories),
        N_("Commodities"): [
            f"{commodity.scheme} {commodity.code} {commodity.territory}".strip() for commodity in content.commodities
        ],
        N_("Route"): " → ".join(stop.unlocode or stop.name or stop.territory for stop in content.route),
        N_("Reason"): content.reason,
        N_("Legal basis"): content.legal_basis,
        N_("Purpose"): content.purpose,
        N_("Asked for"): word_of(RequestedAction, content.requested_action),
        N_("Valid from"): shown_time(content, "valid_from"),
        N_("Valid until"): shown_time(content, "valid_until"),
        N_("Classification"): word_of(Classification, content.handling.classification),
        N_("Onward transfer"): word_of(OnwardTransfer, content.handling.onward_transfer),
        N_("Onward recipients"): ", ".join(content.handling.onward_recipients),
        N_("Caveat"): content.handling.caveat,
        N_("Releasable to"): listed(content.releasable_to) or _("nobody"),
        N_("Derived from"): ", ".join(f"{alert.publisher}/{alert.alert_id}" for alert in content.derived_from),
        N_("Remarks"): content.remarks,
    }
    joined = {name: stacked(value) if isinstance(value, list) else value for name, value in facts.items()}
    return {name: value for name, value in joined.items() if value not in (None, "")}


def _identifier(identifier: Identifier) -> str:
    more = ", ".join(
        filter(
            None, (identifier.territory, _("valid until {date}", date=identifier.expires) if identifier.expires else "")
        )
    )
    return f"{identifier.scheme} {identifier.value} ({more})" if more else f"{identifier.scheme} {identifier.value}"


def _address(address: Address) -> str:
    return ", ".join(filter(None, (address.street, address.city, address.territory)))


def _period(text: str) -> str:
    first, slash, last = (
        _("about {date}", date=part[:-1]) if part.endswith("~") else part for part in text.partition("/")
    )
    return _("between {first} and {last}", first=first, last=last) if slash else first


def _name(name: Any) -> str:
    said = [word_of(ListedNameKind, name.kind), name.script, name.language]
    known = ", ".join(date for date in said if date and date != "—")
    return f"{name.text} ({known})" if known else str(name.text)
