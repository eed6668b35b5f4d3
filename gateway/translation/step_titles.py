"""Titles of the steps of an alert, what gateways make of them, and the steps by which evidence is verified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.translation.labels import published_word
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

_TITLES: Final[Mapping[str, str]] = {
    "amended": N_("Amended"),
    "withdrawn": N_("Withdrawn"),
    "expired": N_("Expired"),
    "acknowledged": N_("Acknowledged"),
    "flagged": N_("Flagged: can't act"),
    "question": N_("Question"),
    "answer": N_("Answer"),
    "finding": N_("Finding"),
    "finding_corrected": N_("Finding corrected"),
    "finding_withdrawn": N_("Finding withdrawn"),
    "closed": N_("Closed"),
    "disposition": N_("Not applied"),
}

OUTCOMES: Final[Mapping[str, str]] = {
    "applied": N_("applied"),
    "rejected": N_("rejected there"),
    "held": N_("held there until an upgrade"),
}
"""What a gateway made of an entry, by the word of DispositionOutcome."""

VERIFICATION_STEPS: Final[Mapping[str, tuple[str, str]]] = {
    "bundle": (N_("The bundle is whole"), N_("No file is missing, foreign or changed since it was exported.")),
    "directory": (N_("The directory"), N_("The keys come from the directory that the authorities have signed.")),
    "header": (N_("The entry's header"), N_("The entry has the one form in which it can be signed.")),
    "payload": (N_("The words"), N_("These are the very words that the header commits to.")),
    "leaf hash": (N_("The fingerprint"), N_("The fingerprint of the entry is the one in the list of the bundle.")),
    "checkpoint": (
        N_("The publisher's signature"),
        N_("The publisher has signed its log, and can't deny it: it proves to anybody who said this."),
    ),
    "inclusion": (N_("The place in the log"), N_("The entry is in the log that was signed.")),
    "receipt": (
        N_("The recipient's receipt"),
        N_("The recipient has signed that it has this log, and can't deny it: it proves to anybody that it was told."),
    ),
    "alert": (N_("The alert"), N_("The entry publishes this alert, from this publisher to this recipient.")),
    "events": (N_("The later steps"), N_("Each later step passes the same steps, and is about this alert.")),
    "words": (N_("What people read"), N_("The readable files say what the signed originals say.")),
    "time stamp": (N_("The time stamp"), N_("A third party has signed that the alert and a receipt existed by then.")),
    "witnesses": (
        N_("The witnesses"),
        N_("Third authorities have signed that the publisher's log has only grown: nobody was shown another one."),
    ),
    "question": (N_("The question"), N_("The authority that asked has signed its question.")),
    "note": (N_("The answer's signature"), N_("The authority that answered has signed its answer, and can't deny it.")),
    "statement": (N_("The answer's statement"), N_("The answer is to this question.")),
    "records": (N_("The records"), N_("These are the records that the answer commits to, and no others.")),
}
"""By the names of steps in docs/protocol.md: what each is called, and what it shows."""


def step_title(name: str) -> str:
    """The name of an alert's step, an event of the contract, in words."""
    if name == "published":
        return published_word()
    return _(_TITLES[name]) if name in _TITLES else name
