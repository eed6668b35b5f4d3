"""JSON of the command line without what is empty, to compare what is stated."""

from __future__ import annotations

from typing import Any


def stated(document: Any) -> Any:
    """The document without members that are null, zero, false or empty."""
    if isinstance(document, list):
        return [stated(each) for each in document]
    if not isinstance(document, dict):
        return document
    return {key: kept for key, value in document.items() if (kept := stated(value))}
