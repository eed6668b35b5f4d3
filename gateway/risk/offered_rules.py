"""Checks a rule that another authority offers as one of an own file, and bounds what it may cost."""

from __future__ import annotations

from gateway.errors import ConfigurationError, InputFileError, MalformedError
from gateway.risk.expression_cost import require_bounded
from gateway.risk.rule_evaluator import RuleEvaluator
from gateway.risk.rule_file import Rule, bound, require_rule

RECORD_KINDS = ("goods", "route", "identifier", "masses", "seals", "totals", "passage", "opening")
"""Kinds of cases that one record gives: their hits are kept, so that they can be counted."""


def require_offerable(rule: Rule) -> None:
    """Refuses a rule before anything of it is evaluated, unless it is bounded and right.

    1. It is about single records.
    2. Each expression is bounded in length, depth, functions and steps.
    3. Everything holds that is asked of rules in a file.
    4. Each expression compiles against the facts of its kind, and has a value for plain ones.

    Raises:
        ConfigurationError: names the field.
    """
    if rule.about not in RECORD_KINDS:  # 1
        raise InputFileError(f"about: {rule.about[:40]!r} isn't about single records: {', '.join(RECORD_KINDS)}")
    for key, text in {
        "condition": rule.condition,
        **{f"inputs.{key}": text for key, text in rule.inputs.items()},
    }.items():
        try:
            require_bounded(bound(rule, text))  # 2
        except (MalformedError, ConfigurationError) as error:
            raise InputFileError(f"{key}: {error.message}") from None
    require_rule(rule)  # 3
    RuleEvaluator([rule], lambda _rule_id, _why: None)  # 4
