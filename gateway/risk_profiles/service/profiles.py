"""Checks profiles and values, and makes the rule that is evaluated where one is adopted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date

from gateway.errors import ConfigurationError, InvalidRequestError, Violation
from gateway.risk.offered_rules import require_offerable
from gateway.risk.rule_file import Rule, RuleSetting, with_settings
from gateway.v1 import risk_profile_pb2 as pb

MAX_PROFILES = 200
"""Most profiles of one node, and most adopted ones: as many as rules in a file."""

MAX_ACTS = 1_000
"""Most versions, adoptions and reports of one node on one profile: each reading of it reads them all."""

_NO_VALUES: Mapping[str, float] = {}


def require_profile(profile: pb.RiskProfile, prefix: str = "") -> None:
    """The same for the node that offers a profile and for those that receive it; nothing of it is evaluated before.

    Raises:
        InvalidRequestError: with all objections beyond the contract's; `prefix` begins paths of fields.
    """
    problems = list(_violations(profile))
    if not problems:
        try:
            require_offerable(rule_of(profile))
        except ConfigurationError as error:
            field, _, reason = error.message.removeprefix(f"rule {profile.profile_id}: ").partition(": ")
            problems.append(Violation(field, "rule", reason))
    if problems:
        raise InvalidRequestError([replace(problem, field=f"{prefix}{problem.field}") for problem in problems])


def require_values(profile: pb.RiskProfile, values: Mapping[str, float]) -> None:
    """Raises InvalidRequestError for values of unknown parameters or beyond their bounds."""
    known = {parameter.name: parameter for parameter in profile.parameters}
    problems: list[Violation] = []
    for name, value in sorted(values.items()):
        bounds = known.get(name)
        if bounds is None:
            text = f"the profile has no parameter {name[:64]!r}; it has {', '.join(known) or 'none'}"
            problems.append(Violation(f"values.{name[:64]}", "values.known", text))
        elif not bounds.least <= value <= bounds.most:
            text = f"must be {bounds.least:g} to {bounds.most:g} {bounds.unit}".rstrip()
            problems.append(Violation(f"values.{name}", "values.bounds", text))
    if problems:
        raise InvalidRequestError(problems)


def rule_of(profile: pb.RiskProfile, values: Mapping[str, float] = _NO_VALUES, *, rule_id: str = "") -> Rule:
    """The rule with own values of parameters, which mark its version; `rule_id` instead of the profile's id."""
    rule = Rule(
        id=profile.profile_id,
        name=profile.profile_id.lower().replace("-", "_"),
        version=str(profile.version),
        typology=profile.typology,
        confidence=profile.confidence,
        source=profile.title,
        about=profile.about,
        condition=profile.condition,
        severity=profile.severity,
        explanation=profile.looks_for,
        inputs=dict(sorted(profile.inputs.items())),
        thresholds={parameter.name: parameter.default_value for parameter in profile.parameters},
    )
    (set_rule,) = with_settings([rule], {rule.id: RuleSetting(thresholds=dict(values))})
    return replace(set_rule, id=rule_id or rule.id)


def is_valid(profile: pb.RiskProfile, today: date) -> bool:
    """Whether records are evaluated on a day (UTC)."""
    return profile.valid_from <= today.isoformat() <= profile.valid_until


def _violations(profile: pb.RiskProfile) -> Iterator[Violation]:
    for field, day in (("valid_from", profile.valid_from), ("valid_until", profile.valid_until)):
        try:
            date.fromisoformat(day)
        except ValueError:
            yield Violation(field, "day.calendar", f"{day} is no day of the calendar")
    if profile.valid_until < profile.valid_from:
        yield Violation("valid_until", "valid_until.order", "must not lie before valid_from")
    names = [parameter.name for parameter in profile.parameters]
    for at, parameter in enumerate(profile.parameters):
        if names.index(parameter.name) != at:
            yield Violation(f"parameters[{at}].name", "parameters.unique", "there is another parameter of this name")
        if not parameter.least <= parameter.default_value <= parameter.most:
            text = "must lie within least and most"
            yield Violation(f"parameters[{at}].default_value", "parameters.bounds", text)
