"""Puts together what is known of a risk profile, and the rules that own adoptions bring."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from sqlalchemy import Connection

from gateway.history.tables import shipments
from gateway.risk.rule_file import Rule
from gateway.risk_profiles.codec.events import (
    ADOPTED,
    OFFERED,
    REPORTED,
    WITHDRAWN,
    ProfileKey,
    event_in,
)
from gateway.risk_profiles.service.profiles import is_valid, rule_of
from gateway.risk_profiles.tables import acts
from gateway.risk_profiles.tables.acts import PlacedProfileAct
from gateway.v1 import risk_profile_pb2 as pb


@dataclass(frozen=True, slots=True)
class KnownProfile:
    """A profile with what nodes did about it.

    Attributes:
        versions: in order, at least one, each with where it stands.
        adoptions, reports: the last one of each node.
    """

    key: ProfileKey
    versions: list[tuple[PlacedProfileAct, pb.RiskProfile]] = field(default_factory=list)
    withdrawals: list[pb.RiskProfileWithdrawal] = field(default_factory=list)
    adoptions: dict[str, tuple[PlacedProfileAct, pb.RiskProfileAdoption]] = field(default_factory=dict)
    reports: dict[str, tuple[PlacedProfileAct, pb.RiskProfileReport]] = field(default_factory=dict)

    @property
    def newest(self) -> pb.RiskProfile:
        return self.versions[-1][1]

    @property
    def withdrawn(self) -> bool:
        return bool(self.withdrawals)

    def version(self, number: int) -> pb.RiskProfile | None:
        """One version; None where it isn't known or was erased."""
        return next((profile for _, profile in self.versions if profile.version == number), None)

    def adoption_of(self, node: str) -> tuple[PlacedProfileAct, pb.RiskProfileAdoption] | None:
        """A node's adoption that hasn't ended."""
        adopted = self.adoptions.get(node)
        return None if adopted is None or adopted[1].ended or self.withdrawn else adopted

    def revision_of(self, kind: str, node: str) -> int:
        """The last revision of a node's adoptions or reports; 0: none."""
        known = self.adoptions if kind == ADOPTED else self.reports
        return known[node][0].key.number if node in known else 0


def read_profile(conn: Connection, key: ProfileKey) -> KnownProfile | None:
    """All that is known of a profile; None while no version of it is, or where all are erased."""
    known = KnownProfile(key)
    for act in acts.acts_on(conn, key):
        if not act.payload:
            continue
        event = event_in(act.header, act.payload)
        match act.key.kind:
            case kind if kind == OFFERED:
                known.versions.append((act, event.offered))
            case kind if kind == WITHDRAWN:
                known.withdrawals.append(event.withdrawn)
            case kind if kind == ADOPTED:  # in the order of their revisions
                known.adoptions[act.key.reporter] = act, event.adopted
            case kind if kind == REPORTED:
                known.reports[act.key.reporter] = act, event.reported
    return known if known.versions else None


def adopted_rules(conn: Connection) -> tuple[Rule, ...]:
    """The rules of profiles that the recording node has adopted and that are valid today (UTC)."""
    node = shipments.recording_node(conn)
    return rules_adopted_by(conn, node, datetime.now(UTC).date()) if node else ()


def rules_adopted_by(conn: Connection, node: str, today: date) -> tuple[Rule, ...]:
    """The rules that a node's adoptions bring on a day."""
    named = dict.fromkeys(act.key.profile for act in acts.acts_of_kind(conn, ADOPTED, node))
    rules = []
    for key in named:
        known = read_profile(conn, key)
        adopted = known.adoption_of(node) if known is not None else None
        if known is None or adopted is None:
            continue
        adoption, profile = adopted[1], known.version(adopted[1].version)
        # What came back from a partner's copy after a loss has no own values: it must be adopted again.
        has_values = bool(adoption.values) or "+" not in adoption.rule_version
        if profile is not None and has_values and is_valid(profile, today):
            rules.append(rule_of(profile, adoption.values, rule_id=key.rule_id))
    return tuple(rules)
