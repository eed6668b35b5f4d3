"""Makes the same agreement for several pairs of nodes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import permutations

from gateway.trust.rules.directory import Agreement, FieldClass, MessageType


@dataclass(frozen=True, slots=True)
class AgreementTerms:
    """What agreements allow, without their parties and times; members as in `Agreement`."""

    message_types: frozenset[str]
    purposes: frozenset[str]
    field_classes: frozenset[FieldClass]
    clause: str
    hit_reports: bool = False


ALERTS_ALONE = AgreementTerms(
    message_types=frozenset({MessageType.ALERT}),
    purposes=frozenset({"export_control"}),
    # Without this class there are no alerts: what is suspected is in each of them.
    field_classes=frozenset({FieldClass.INVESTIGATIVE}),
    clause="Drafted without terms: alerts alone, for export control, without personal and commercial information.",
)
"""The terms of a draft that names none."""

TRIAL_TERMS = AgreementTerms(
    message_types=frozenset(MessageType) - {MessageType.HISTORY_HIT},
    purposes=frozenset(
        {
            "customs_fraud",
            "export_control",
            "licence_enforcement",
            "mutual_recognition",
            "risk_assessment",
            "smuggling",
        }
    ),
    field_classes=frozenset(FieldClass),
    clause="Trial: everything may be exchanged, for all purposes, all classes of information.",
    hit_reports=True,
)
"""Everything that gateways exchange, for trials, demos and tests."""


def agreements_among(
    nodes: Iterable[str], terms: AgreementTerms, *, valid_from: datetime, valid_until: datetime
) -> tuple[Agreement, ...]:
    """An agreement per ordered pair of nodes, named `<sender>-<recipient>`."""
    return tuple(
        Agreement(
            id=f"{sender}-{recipient}",
            sender=sender,
            recipient=recipient,
            message_types=terms.message_types,
            purposes=terms.purposes,
            field_classes=terms.field_classes,
            clause=terms.clause,
            valid_from=valid_from.replace(microsecond=0),
            valid_until=valid_until.replace(microsecond=0),
            hit_reports=terms.hit_reports,
        )
        for sender, recipient in sorted(permutations(nodes, 2))
    )
