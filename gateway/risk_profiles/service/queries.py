"""Reads risk profiles with what nodes do with them: one, a page of them, and proposals."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection

from gateway.contract.filters import decode_page_token, encode_page_token, page_size
from gateway.contract.messages import page_of, to_timestamp
from gateway.db.database import Database
from gateway.errors import NotFoundError
from gateway.feed.tables import feeds
from gateway.persons.tables.register_proposals import PlacedProposal
from gateway.risk_profiles.codec.events import ProfileKey, key_of, parse_decision
from gateway.risk_profiles.service.state import KnownProfile, read_profile
from gateway.risk_profiles.tables import acts
from gateway.risk_profiles.tables.acts import PlacedProfileAct
from gateway.v1 import alert_service_pb2, risk_profile_pb2
from gateway.v1 import risk_profile_service_pb2 as pb


class ProfileQueries:
    """Reads the projections. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, reference: risk_profile_pb2.RiskProfileReference) -> pb.GetRiskProfileResponse:
        """A profile with its versions; raises NotFoundError."""
        with self._database.read() as conn:
            known = self._read(conn, reference)
            return pb.GetRiskProfileResponse(
                profile=_listed(conn, known), versions=[profile for _, profile in known.versions]
            )

    def newest(self, reference: risk_profile_pb2.RiskProfileReference) -> risk_profile_pb2.RiskProfile:
        """A profile's newest version; raises NotFoundError."""
        with self._database.read() as conn:
            return self._read(conn, reference).newest

    def list(self, request: pb.ListRiskProfilesRequest) -> pb.ListRiskProfilesResponse:
        """A page of profiles, by offerer and id; raises InvalidRequestError."""
        token = decode_page_token(request.page_token, request.offerer, 2)
        limit = page_size(request.page_size)
        with self._database.read() as conn:
            after = None if token is None else (token[0], token[1])
            keys = acts.page(conn, request.offerer, after=after, limit=limit + 1)
            page = page_of(keys, partial(_listed_key, conn), limit=limit)
        response = pb.ListRiskProfilesResponse(profiles=page.messages)
        if page.last is not None:
            response.next_page_token = encode_page_token(page.last, request.offerer)
        return response

    def proposals(self, request: pb.ListRiskProfileProposalsRequest) -> pb.ListRiskProfileProposalsResponse:
        """A page of changes that wait for a decision, oldest first; raises InvalidRequestError."""
        token = decode_page_token(request.page_token, "", 1)
        limit = page_size(request.page_size)
        with self._database.read() as conn:
            rows = acts.proposals.waiting(conn, after="" if token is None else token[0], limit=limit + 1)
            page = page_of(rows, partial(_proposal, conn), limit=limit)
        response = pb.ListRiskProfileProposalsResponse(proposals=page.messages)
        if page.last is not None:
            response.next_page_token = encode_page_token((page.last.proposal_id,), "")
        return response

    def _read(self, conn: Connection, reference: risk_profile_pb2.RiskProfileReference) -> KnownProfile:
        known = read_profile(conn, key_of(reference))
        if known is None:
            raise NotFoundError(f"there is no risk profile {reference.offerer}/{reference.profile_id} here")
        return known


def _listed_key(conn: Connection, key: ProfileKey) -> pb.ListedRiskProfile:
    known = read_profile(conn, key)
    return pb.ListedRiskProfile(reference=key.reference) if known is None else _listed(conn, known)


def _listed(conn: Connection, known: KnownProfile) -> pb.ListedRiskProfile:
    listed = pb.ListedRiskProfile(
        reference=known.key.reference, newest=known.newest, entry=_entry(conn, known.versions[-1][0])
    )
    if known.withdrawn:
        listed.withdrawal.CopyFrom(known.withdrawals[-1])
    for node in sorted({*known.adoptions, *known.reports}):
        use = listed.uses.add(node=node)
        if node in known.adoptions:
            act, adoption = known.adoptions[node]
            use.adoption.CopyFrom(adoption)
            use.adopted_at.CopyFrom(to_timestamp(act.acted_at))
        if node in known.reports:
            act, report = known.reports[node]
            use.report.CopyFrom(report)
            use.entry.CopyFrom(_entry(conn, act))
    return listed


def _entry(conn: Connection, act: PlacedProfileAct) -> alert_service_pb2.EntryReference:
    origin = feeds.get_by_id(conn, act.feed_id).origin
    return alert_service_pb2.EntryReference(origin=origin.line, index=act.idx)


def _proposal(conn: Connection, row: PlacedProposal) -> pb.ListedRiskProfileProposal:
    (entry,) = feeds.read_entries(conn, row.feed_id, row.idx, row.idx + 1)
    decision = parse_decision(entry.payload)
    return pb.ListedRiskProfileProposal(
        proposal=decision.proposed, proposer=decision.actor, proposed_at=decision.decided_at
    )
