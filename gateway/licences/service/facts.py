"""Puts together what is known of a licence."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.licences.codec.events import REVISED, USED, WITHDRAWN, LicenceKey, event_in
from gateway.licences.rules.balances import LicenceFacts, concerned
from gateway.licences.tables import acts
from gateway.licences.tables.acts import PlacedAct
from gateway.v1 import licence_pb2

_Reports = dict[tuple[str, str, str, int], PlacedAct]


@dataclass(frozen=True, slots=True)
class KnownLicence:
    """A licence with where its parts stand.

    Attributes:
        revisions, uses, follow_ups: entries of what the facts have, in their order.
    """

    facts: LicenceFacts
    revisions: tuple[PlacedAct, ...]
    uses: tuple[PlacedAct, ...]
    follow_ups: tuple[PlacedAct, ...]


def read_licence(conn: Connection, key: LicenceKey) -> KnownLicence | None:
    """All that is known of a licence; None while no revision of it is, or where all are erased."""
    revisions: list[PlacedAct] = []
    withdrawal: licence_pb2.LicenceWithdrawal | None = None
    newest: _Reports = {}
    for act in acts.acts_on(conn, key):
        if not act.payload:
            continue
        if act.key.kind == REVISED:
            revisions.append(act)
        elif act.key.kind == WITHDRAWN:
            withdrawal = event_in(act.header, act.payload).withdrawn
        else:  # in the order of their revisions
            newest[act.key.kind, act.key.reporter, act.key.declaration, act.key.line] = act
    if not revisions:
        return None
    revised = [event_in(act.header, act.payload).revised for act in revisions]
    counted = concerned(key.issuer, revised)
    reports = [act for act in newest.values() if act.key.reporter in counted]
    uses = tuple(act for act in reports if act.key.kind == USED)
    follow_ups = tuple(act for act in reports if act.key.kind != USED)
    facts = LicenceFacts(
        revisions=revised,
        withdrawal=withdrawal,
        uses=[(act.key.reporter, event_in(act.header, act.payload).used) for act in uses],
        follow_ups=[(act.key.reporter, event_in(act.header, act.payload).followed) for act in follow_ups],
    )
    return KnownLicence(facts, tuple(revisions), uses, follow_ups)
