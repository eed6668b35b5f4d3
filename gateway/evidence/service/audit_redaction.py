"""Keeps the names of lists that a caller may not see out of audit events that it reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from gateway.trust.rules.audit import AuditEntry
from gateway.watchlists.rules.visibility import Hidden

HIDDEN = "(a list that is hidden from you)"
"""In place of a list, or an entry of it; the event itself stays, since the chain has it."""


def without_hidden(entries: Iterable[AuditEntry], hidden: Hidden) -> list[AuditEntry]:
    """The events with neither names nor entries of hidden lists, given as (publisher, list)."""
    if not hidden:
        return list(entries)
    pattern = _names(hidden)
    return [
        replace(
            entry,
            subject_ids=tuple(pattern.sub(HIDDEN, subject) for subject in entry.subject_ids),
            detail=pattern.sub(HIDDEN, entry.detail),
            reason=pattern.sub(HIDDEN, entry.reason),
        )
        for entry in entries
    ]


def _names(hidden: Hidden) -> re.Pattern[str]:
    """A list's name as a word of its own, with its publisher before it and an entry's id after it where they stand."""
    names = "|".join(
        rf"(?:{re.escape(publisher)}/)?{re.escape(name)}"
        for publisher, name in sorted(hidden, key=lambda key: len(key[1]), reverse=True)
    )
    return re.compile(rf"(?<![\w.-])(?:{names})(?:/[^,;\n]*)?(?![\w-])")
