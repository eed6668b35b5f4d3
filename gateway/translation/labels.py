"""Words for people in place of the contract's: enums, kinds of events and links, names of rules.

Each word has its enum's or kind's name as context: "sea" is a mode of transport.
"""

from __future__ import annotations

from typing import Any, Final

from gateway.contract.enum_words import UNKNOWN, word_of
from gateway.translation.messages import gettext, pgettext
from gateway.v1.alert_pb2 import (
    AlertStatus,
    Classification,
    CloseOutcome,
    FindingResult,
    FlagReason,
    MeasureKind,
    OnwardTransfer,
    RequestedAction,
    TransferConsent,
)
from gateway.v1.goods_pb2 import ShipmentReferenceKind, TransportMode
from gateway.v1.history_pb2 import AnswerStatus
from gateway.v1.licence_pb2 import LicenceBreachKind, LicenceCondition, LicenceCoverage, LicenceFollowUpKind
from gateway.v1.match_pb2 import MatchSourceKind, MatchStatus
from gateway.v1.options_pb2 import DisclosureClass
from gateway.v1.party_pb2 import PartyRole
from gateway.v1.shipment_pb2 import ShipmentEventKind, ShipmentProcedure
from gateway.v1.trace_pb2 import Severity
from gateway.v1.watchlist_pb2 import ListedNameKind, MatchClass, WatchlistKind
from gateway.v1.watchlist_service_pb2 import CopyState

LABELLED_ENUMS: Final = (
    AlertStatus,
    AnswerStatus,
    Classification,
    CloseOutcome,
    CopyState,
    DisclosureClass,
    FindingResult,
    FlagReason,
    LicenceBreachKind,
    LicenceCondition,
    LicenceCoverage,
    LicenceFollowUpKind,
    ListedNameKind,
    MatchClass,
    MatchSourceKind,
    MatchStatus,
    MeasureKind,
    OnwardTransfer,
    PartyRole,
    RequestedAction,
    Severity,
    ShipmentProcedure,
    ShipmentReferenceKind,
    TransferConsent,
    TransportMode,
    WatchlistKind,
)
"""Enums whose words are in the catalogues."""

EVENT: Final = "event"
LINK: Final = "link"
RULE: Final = "rule"
TYPOLOGY: Final = "typology"
CONFIDENCE: Final = "confidence"
METHOD: Final = "method"
PURPOSE: Final = "purpose"
QUOTA: Final = "quota"
RESOURCE: Final = "resource"

LABELLED_WORDS: Final = {
    EVENT: ("declared", "departed", "arrived", "measured", "inspected", "event"),
    LINK: (
        *("container", "seal", "e_lock", "ucr", "transport_document", "previous_document", "declaration"),
        *("vehicle", "party", "quantity_and_time"),
    ),
    CONFIDENCE: ("high", "medium", "low"),
    TYPOLOGY: (*("false_declaration", "concealment", "transshipment", "undervaluation", "licence_misuse", "other"),),
    METHOD: ("x_ray", "physical", "laboratory", "document"),
    PURPOSE: ("export_control",),
    QUOTA: ("alerts", "watchlist", "questions", "answers", "matches"),
    RESOURCE: ("descriptors", "peer_connections", "local_connections"),
}
"""Further words, by context; kinds of events are those of the enum too, rules those of the packaged file."""

EVENT_ENUM: Final = ShipmentEventKind


def label_of(enum: Any, value: int) -> str:
    """An enum's value for people; — for unspecified and unknown ones."""
    word = word_of(enum, value)
    return word if word == UNKNOWN else label(enum.DESCRIPTOR.name, word)


def published_word() -> str:
    """Published, of a step and of what a command has done; the text "Published" alone names the time of it."""
    word = label(AlertStatus.DESCRIPTOR.name, "published")
    return word[:1].upper() + word[1:]


def label(context: str, word: str) -> str:
    """A word of the contract for people; as it is where it isn't known."""
    return pgettext(context, readable(word))


def list_text(name: str) -> str:
    """A list as people name it: `minerals of CN` for `cn/minerals`; a name alone, of an own list, stays."""
    publisher, slash, own = name.partition("/")
    return gettext("{list} of {node}", list=own, node=publisher.upper()) if slash else name


_SPELT: Final = {
    "reexport_within_n_days": "re-export soon after import",
    "reexport": "re-export",
    "e_lock": "e-lock",
    "x_ray": "X-ray",
    "_": " ",
}
"""Parts of words, the longest first, as they are written."""


def readable(word: str) -> str:
    """The English label: `e_lock_applied` is `e-lock applied`."""
    if word == "ucr":
        return "UCR"
    for part, spelt in _SPELT.items():
        word = word.replace(part, spelt)
    return word
