"""Reads licences with their balances: one, a page of them, and proposals."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from functools import partial
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection

from gateway.contract.filters import (
    EQUAL,
    ORDERED,
    Term,
    compared,
    decode_page_token,
    encode_page_token,
    invalid_value,
    page_size,
    parse_filter,
)
from gateway.contract.messages import page_of
from gateway.db.database import Database
from gateway.errors import NotFoundError
from gateway.feed.tables import feeds
from gateway.licences.codec.events import LicenceKey, parse_decision
from gateway.licences.service.facts import KnownLicence, read_licence
from gateway.licences.tables import acts
from gateway.licences.tables.acts import LicenceRow, PlacedAct
from gateway.licences.tables.schema import licences
from gateway.persons.tables.register_proposals import PlacedProposal
from gateway.v1 import alert_service_pb2, licence_pb2
from gateway.v1 import licence_service_pb2 as pb

ReportT = TypeVar("ReportT", licence_pb2.LicenceUse, licence_pb2.LicenceFollowUp)

_FIELDS = {**dict.fromkeys(("issuer", "number", "breached", "withdrawn"), EQUAL), "valid_until": ORDERED}


class LicenceQueries:
    """Reads the projections. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, reference: licence_pb2.LicenceReference) -> pb.GetLicenceResponse:
        """A licence with everything that is known of it; raises NotFoundError."""
        key = LicenceKey(reference.issuer, reference.number)
        with self._database.read() as conn:
            known, row = read_licence(conn, key), acts.find(conn, key)
            if known is None or row is None:
                raise NotFoundError(f"there is no licence {key.issuer}/{key.number} here")
            return self._whole(conn, row, known)

    def list(self, request: pb.ListLicencesRequest) -> pb.ListLicencesResponse:
        """A page of licences, by issuer and number; raises InvalidRequestError."""
        conditions = [_condition(term) for term in parse_filter(request.filter, _FIELDS)]
        token = decode_page_token(request.page_token, request.filter, 2)
        limit = page_size(request.page_size)
        with self._database.read() as conn:
            after = None if token is None else (token[0], token[1])
            rows = acts.page(conn, conditions, after=after, limit=limit + 1)
            page = page_of(rows, partial(_listed_row, conn), limit=limit)
        response = pb.ListLicencesResponse(licences=page.messages)
        if page.last is not None:
            response.next_page_token = encode_page_token(page.last.key, request.filter)
        return response

    def proposals(self, request: pb.ListLicenceProposalsRequest) -> pb.ListLicenceProposalsResponse:
        """A page of changes that wait for a decision, oldest first; raises InvalidRequestError."""
        token = decode_page_token(request.page_token, "", 1)
        limit = page_size(request.page_size)
        with self._database.read() as conn:
            rows = acts.proposals.waiting(conn, after="" if token is None else token[0], limit=limit + 1)
            page = page_of(rows, partial(_proposal, conn), limit=limit)
        response = pb.ListLicenceProposalsResponse(proposals=page.messages)
        if page.last is not None:
            response.next_page_token = encode_page_token((page.last.proposal_id,), "")
        return response

    def known(self, reference: licence_pb2.LicenceReference) -> KnownLicence | None:
        """What is known of a licence; None for one that isn't here."""
        with self._database.read() as conn:
            return read_licence(conn, LicenceKey(reference.issuer, reference.number))

    def _whole(self, conn: Connection, row: LicenceRow, known: KnownLicence) -> pb.GetLicenceResponse:
        facts, places = known.facts, _Places(conn)
        response = pb.GetLicenceResponse(licence=_listed(row, known, places), revisions=facts.revisions)
        if facts.withdrawal is not None:
            response.withdrawal.CopyFrom(facts.withdrawal)
        for act, (reporter, use) in _by_day(zip(known.uses, facts.uses, strict=True)):
            response.uses.add(reporter=reporter, use=use, entry=places.of(act))
        for act, (reporter, follow_up) in _by_day(zip(known.follow_ups, facts.follow_ups, strict=True)):
            response.follow_ups.add(reporter=reporter, follow_up=follow_up, entry=places.of(act))
        return response


class _Places:
    """Names of the feeds in which acts stand."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._lines: dict[int, str] = {}

    def of(self, act: PlacedAct) -> alert_service_pb2.EntryReference:
        if act.feed_id not in self._lines:
            self._lines[act.feed_id] = feeds.get_by_id(self._conn, act.feed_id).origin.line
        return alert_service_pb2.EntryReference(origin=self._lines[act.feed_id], index=act.idx)


def _by_day(reported: Iterable[tuple[PlacedAct, tuple[str, ReportT]]]) -> list[tuple[PlacedAct, tuple[str, ReportT]]]:
    return sorted(reported, key=lambda one: (one[1][1].day, one[0].key))


def _listed_row(conn: Connection, row: LicenceRow) -> pb.ListedLicence:
    known = read_licence(conn, row.key)
    if known is None:  # its content was erased
        return pb.ListedLicence(reference=licence_pb2.LicenceReference(issuer=row.issuer, number=row.number))
    return _listed(row, known, _Places(conn))


def _listed(row: LicenceRow, known: KnownLicence, places: _Places) -> pb.ListedLicence:
    return pb.ListedLicence(
        reference=licence_pb2.LicenceReference(issuer=row.issuer, number=row.number),
        newest=known.facts.revisions[-1],
        balance=licence_pb2.LicenceBalance.FromString(row.balance),
        withdrawn=bool(row.withdrawn),
        entry=places.of(known.revisions[-1]),
    )


def _proposal(conn: Connection, row: PlacedProposal) -> pb.ListedLicenceProposal:
    (entry,) = feeds.read_entries(conn, row.feed_id, row.idx, row.idx + 1)
    decision = parse_decision(entry.payload)
    return pb.ListedLicenceProposal(
        proposal=decision.proposed, proposer=decision.actor, proposed_at=decision.decided_at
    )


def _condition(term: Term) -> ColumnElement[bool]:
    if term.field in ("breached", "withdrawn"):
        if term.value not in ("yes", "no"):
            raise invalid_value(term, "one of yes, no")
        column = licences.c.breaches if term.field == "breached" else licences.c.withdrawn
        wanted: ColumnElement[bool] = column > 0 if term.value == "yes" else column == 0
        return wanted
    if term.field == "valid_until":
        try:
            date.fromisoformat(term.value)
        except ValueError as error:
            raise invalid_value(term, "a day, e.g. 2026-01-31") from error
    condition: ColumnElement[bool] = compared(licences.c[term.field], term, term.value)
    return condition
