"""Evaluates a profile on own records before it is adopted, slice by slice, in a worker process; keeps nothing."""

from __future__ import annotations

from typing import NamedTuple

from gateway.db.database import Database
from gateway.history.service.current_records import current_shipments
from gateway.history.tables import shipments
from gateway.licences.service.presented import PresentedLicences
from gateway.risk.rule_engine import RuleEngine
from gateway.risk_profiles.service.profiles import require_profile, rule_of
from gateway.v1 import risk_profile_pb2 as pb

SLICE = 200
"""Items in one slice: some ten milliseconds, between which the process does its other work."""


class TrialSlice(NamedTuple):
    """What a slice came to.

    Attributes:
        records: evaluated.
        hits: keys of records with a hit, newest first.
        failed: records on which the rule couldn't be evaluated.
        before: where the next slice begins; 0: there is none.
    """

    records: int
    hits: tuple[str, ...]
    failed: int
    before: int


class ProfileTrial:
    """Reads only."""

    def __init__(self, database: Database, *, rules: RuleEngine) -> None:
        self._database = database
        self._rules = rules
        self._licences = PresentedLicences(database)
        self._failures = 0

    def slice(self, profile: bytes, values: dict[str, float], before: int, since_ms: int) -> TrialSlice:
        """The records of one slice, each in its newest revision.

        Args:
            profile: a serialised RiskProfile.
            before: position in the log of records; items from there on are left out.
            since_ms: items recorded earlier are left out, milliseconds since 1970.

        Raises:
            InvalidRequestError: the rule is wrong, unbounded or too costly.
            StoreUnavailableError: the database can't be read.
        """
        tried = pb.RiskProfile.FromString(profile)
        require_profile(tried)
        engine = self._rules.alone(rule_of(tried, values), failed=self._count_failure)
        with self._database.read() as conn:
            items = shipments.log_before(conn, before, SLICE)
            logged = [row for row in items if row.recorded_at >= since_ms]
            positions = {row.position for row in logged}
            # A record counts where its newest revision stands: once in all slices.
            records = [record for record in current_shipments(conn, logged) if record.position in positions]
        hits, failed = [], 0
        for record in records:
            self._failures = 0
            if engine.screen(record.shipment, (), self._licences.of(record.shipment)):
                hits.append(record.record_id)
            failed += self._failures > 0
        at_end = len(items) < SLICE or len(logged) < len(items)
        return TrialSlice(len(records), tuple(reversed(hits)), failed, 0 if at_end else items[-1].position)

    def _count_failure(self, _rule_id: str, _why: str) -> None:
        self._failures += 1
