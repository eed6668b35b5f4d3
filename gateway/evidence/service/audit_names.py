"""Names that people have for those whom audit events name: persons as colleagues see them, alerts by their case."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection

from gateway.alerts.tables import copies
from gateway.contract.ids import is_uuid
from gateway.persons.tables import accounts
from gateway.trust.rules.audit import AuditEntry

MOST_OF_AN_EVENT: Final = 4
"""Subjects of an event that are looked up: a sentence names no more."""


def names_in(conn: Connection, entries: Iterable[AuditEntry], *, node: str) -> dict[str, str]:
    """What people call the persons of this node and the alerts in events, by what the events call them."""
    ids = {text for entry in entries for text in (entry.principal, *entry.subject_ids[:MOST_OF_AN_EVENT])}
    before = f"person/{node}/"
    persons = {text: text.removeprefix(before).removeprefix("person/") for text in ids if text.startswith("person/")}
    called = accounts.display_names(conn, persons.values())
    cases = copies.case_references(conn, filter(is_uuid, ids))
    return {text: called[name] for text, name in persons.items() if name in called} | cases
