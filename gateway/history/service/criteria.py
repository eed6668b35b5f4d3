"""Checks criteria of a search, and turns them into a filter."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.contract import shipment_keys as keys_wire
from gateway.contract.timestamps import to_ms
from gateway.errors import InvalidRequestError, Violation
from gateway.history.tables.shipment_search import RecordFilter
from gateway.v1 import history_pb2

_INEXACT = ("party_names", "commodity_codes", "substances", "places", "vessel", "journey")


def require_all_narrow(
    criteria: history_pb2.SearchCriteria, alternatives: Sequence[history_pb2.SearchCriteria], prefix: str = ""
) -> None:
    """`require_narrow` for criteria and alternatives.

    Raises:
        InvalidRequestError: one of them matches everything.
    """
    require_narrow(criteria, f"{prefix}criteria")
    for number, alternative in enumerate(alternatives):
        require_narrow(alternative, f"{prefix}alternatives[{number}]")


def require_narrow(criteria: history_pb2.SearchCriteria, prefix: str = "criteria") -> None:
    """Requires an indexed criterion.

    Raises:
        InvalidRequestError: only place, time or procedure.
    """
    if not keys_wire.is_narrow(criteria):
        raise InvalidRequestError(
            [
                Violation(
                    prefix,
                    "criteria.narrow",
                    "place, time and procedure alone would find everything: give a reference, container, seal, "
                    "registration, vessel, journey, party, commodity code, substance or record id as well",
                )
            ]
        )


def require_exact(criteria: history_pb2.SearchCriteria, rule: str, message: str) -> None:
    """Requires exact criteria, as numbers and record ids are.

    Raises:
        InvalidRequestError: lists every inexact one.
    """
    require_narrow(criteria)
    violations = [Violation(f"criteria.{name}", rule, message) for name in _INEXACT if getattr(criteria, name)]
    if violations:
        raise InvalidRequestError(violations)


def filter_of(criteria: history_pb2.SearchCriteria) -> RecordFilter:
    """The criteria that aren't keys."""
    return RecordFilter(
        to_ms(criteria.declared_from) if criteria.HasField("declared_from") else 0,
        to_ms(criteria.declared_until) if criteria.HasField("declared_until") else 0,
        tuple(criteria.procedures),
    )
