"""Checks the licences that a shipment presents, as far as this node knows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from gateway.contract.enum_words import word_of
from gateway.db.database import Database
from gateway.licences.rules.balances import LicenceFacts
from gateway.licences.rules.coverage import covered
from gateway.licences.service.facts import read_licence
from gateway.licences.tables import acts
from gateway.v1 import goods_pb2, licence_pb2, party_pb2, shipment_pb2

_CONSIGNEES = (party_pb2.PARTY_ROLE_CONSIGNEE, party_pb2.PARTY_ROLE_IMPORTER)

CheckedLicences = Mapping[int, Sequence[Mapping[str, str]]]
"""By sequence of a goods item: issuer, number, covers (yes, no, partly) and why not, of each licence."""


class PresentedLicences:
    """Reads the projections. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, shipment: shipment_pb2.Shipment) -> CheckedLicences:
        """What the licences of a shipment are worth; empty where it presents none, or one that isn't known here.

        Raises:
            StoreUnavailableError: the database can't be read.
        """
        numbers = presented(shipment)
        if not numbers:
            return {}
        with self._database.read() as conn:
            known = list(_known(conn, numbers, shipment))
        if {number for _, number, _ in known} != numbers:
            return {}
        return {
            item.sequence: [_checked(issuer, number, facts, shipment, item) for issuer, number, facts in known]
            for item in shipment.goods
        }


def presented(shipment: shipment_pb2.Shipment) -> frozenset[str]:
    """Numbers of the licences that a shipment presents."""
    return frozenset(licence.number for licence in shipment.licences) | {
        reference.value
        for reference in shipment.references
        if reference.kind == goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE
    }


def _known(
    conn: Connection, numbers: frozenset[str], shipment: shipment_pb2.Shipment
) -> Iterator[tuple[str, str, LicenceFacts]]:
    """Licences with these numbers, as they are without the uses that this shipment itself made."""
    declarations = {shipment.record_id} | {
        reference.value
        for reference in shipment.references
        if reference.kind == goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION
    }
    for row in acts.with_number(conn, sorted(numbers)):
        known = read_licence(conn, row.key)
        if known is not None:
            others = [(by, use) for by, use in known.facts.uses if use.declaration not in declarations]
            yield row.issuer, row.number, replace(known.facts, uses=others)


def _checked(
    issuer: str,
    number: str,
    facts: LicenceFacts,
    shipment: shipment_pb2.Shipment,
    item: shipment_pb2.ShipmentGoods,
) -> Mapping[str, str]:
    answer = covered(facts, _consignment(shipment, item))
    why = ", ".join(word_of(licence_pb2.LicenceBreachKind, kind).replace("_", " ") for kind in answer.reasons)
    covers = word_of(licence_pb2.LicenceCoverage, answer.coverage)
    return {"issuer": issuer, "number": number, "covers": covers, "why": why}


def _consignment(shipment: shipment_pb2.Shipment, item: shipment_pb2.ShipmentGoods) -> licence_pb2.LicensedConsignment:
    day = datetime.fromtimestamp(shipment.declared_at.seconds, UTC) + timedelta(minutes=shipment.utc_offset_minutes)
    goods = licence_pb2.LicensedConsignment(
        quantity=f"{item.net_mass_kg:.6f}",
        unit="KGM",
        day=day.date().isoformat(),
        destination=shipment.destination_territory,
    )
    if item.codes:
        goods.code.CopyFrom(max(item.codes, key=lambda code: len(code.code)))
    consignee = next((party for role in _CONSIGNEES for party in shipment.parties if party.role == role), None)
    if consignee is not None:
        goods.consignee.CopyFrom(consignee)
    return goods
