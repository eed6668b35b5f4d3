"""Statements on the rules of persons, systems and the authority."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from gateway.notifications.tables.schema import notification_rules
from gateway.v1.notification_service_pb2 import SetNotificationRulesRequest


def all_rules(conn: Connection) -> dict[str, SetNotificationRulesRequest]:
    """Rules by owner; the authority's have an empty one."""
    c = notification_rules.c
    return {
        owner: SetNotificationRulesRequest.FromString(bytes(rules))
        for owner, rules in conn.execute(select(c.owner, c.rules))
    }


def put(conn: Connection, owner: str, rules: SetNotificationRulesRequest) -> None:
    """Replaces an owner's rules; an empty message removes them."""
    conn.execute(delete(notification_rules).where(notification_rules.c.owner == owner))
    if rules.rules or rules.nothing:
        conn.execute(insert(notification_rules).values(owner=owner, rules=rules.SerializeToString(deterministic=True)))
