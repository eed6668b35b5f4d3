"""Turns discrepancies into an alert's rule hits and typologies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from gateway.v1 import alert_pb2, trace_pb2

MAX_INPUTS = 64
MAX_EXPLANATION_CHARS = 1024
MAX_VERSION_CHARS = 64
"""The contract's limits on a rule hit."""

OTHER = "other"

_TYPOLOGIES: Mapping[str, str] = MappingProxyType(
    {
        "false declaration": "false_declaration",
        "misclassification": "false_declaration",
        "mirror data mismatch": "false_declaration",
        "undervaluation": "undervaluation",
        "concealment": "concealment",
        "transshipment": "transshipment",
        "diversion red flag": "transshipment",
        "dual-use end user": "licence_misuse",
        "licence misuse": "licence_misuse",
    }
)
"""The contract's codes, by default OTHER."""


_NOTHING: Mapping[str, str] = MappingProxyType({})


def rule_hit(discrepancy: trace_pb2.Discrepancy, *, about: Mapping[str, str] = _NOTHING) -> alert_pb2.RuleHit:
    """A discrepancy as a hit within the contract's limits; `about`: further inputs, which come first."""
    inputs = {**about, "rule.name": discrepancy.name, **dict(sorted(discrepancy.inputs.items()))}
    inputs |= {f"threshold.{name}": value for name, value in sorted(discrepancy.thresholds.items())}
    hit = alert_pb2.RuleHit(
        rule_id=discrepancy.rule_id,
        rule_version=discrepancy.rule_version[:MAX_VERSION_CHARS],
        explanation=discrepancy.explanation[:MAX_EXPLANATION_CHARS],
    )
    if discrepancy.HasField("measured"):
        hit.score = discrepancy.measured
    hit.inputs.update(dict(list(inputs.items())[:MAX_INPUTS]))
    return hit


def typology_codes(typology: str) -> list[str]:
    """The contract's codes of a typology: `false declaration / undervaluation`."""
    return list(dict.fromkeys(_TYPOLOGIES.get(part.strip().lower(), OTHER) for part in typology.split("/")))


def typologies_of(discrepancies: Iterable[trace_pb2.Discrepancy]) -> list[str]:
    """The contract's codes of all typologies, each once; OTHER only if there is nothing else."""
    codes = dict.fromkeys(code for discrepancy in discrepancies for code in typology_codes(discrepancy.typology))
    return [code for code in codes if code != OTHER] or [OTHER]
