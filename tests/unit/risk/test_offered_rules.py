"""Rules that others offer: refused by their text alone, before anything of them runs."""

from __future__ import annotations

import time

import pytest

from gateway.errors import ConfigurationError, InvalidRequestError, MalformedError
from gateway.risk.expression_cost import MAX_COST, require_bounded
from gateway.risk.expressions import Expression, Language
from gateway.risk.offered_rules import require_offerable
from gateway.risk.rule_file import bound, load_rules
from gateway.risk_profiles.service.profiles import require_profile, require_values, rule_of
from tests.support.risk_profiles import HOSTILE, profile


@pytest.mark.parametrize("why", HOSTILE)
def test_a_hostile_condition_is_refused_in_time(why: str) -> None:
    started = time.process_time()
    with pytest.raises(InvalidRequestError) as refusal:
        require_profile(profile(condition=HOSTILE[why]), "profile.")
    assert time.process_time() - started < 2
    (violation,) = refusal.value.violations
    assert violation.field == "profile.condition"
    assert violation.message


@pytest.mark.parametrize(
    "why", ["too long", "too deep", "an unknown function", "texts that grow", "a pattern", "loops within loops"]
)
def test_a_hostile_condition_is_neither_compiled_nor_evaluated(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_arguments: object) -> None:
        raise AssertionError("it was reached")

    monkeypatch.setattr(Language, "compile", never)
    monkeypatch.setattr(Expression, "evaluate", never)
    with pytest.raises(ConfigurationError):
        require_offerable(rule_of(profile(condition=HOSTILE[why])))


def test_inputs_are_checked_as_conditions_are() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        require_profile(profile(inputs={"codes": "'a'.replace('a', 'aa')", "kg": "net_kg"}))
    assert [violation.field for violation in refusal.value.violations] == ["inputs.codes"]


def test_loops_multiply_and_lists_in_the_text_count_as_long_as_they_are() -> None:
    once = require_bounded("licences.exists(a, a.number == 'x')")
    twice = require_bounded("licences.exists(a, licences.exists(b, a.number == b.number))")
    assert twice > 10 * once
    short, long = (require_bounded(f"[{', '.join(['1'] * count)}].all(a, a > 0)") for count in (4, 100))
    assert long > 4 * short
    with pytest.raises(MalformedError, match="may cost"):
        require_bounded(HOSTILE["long lists in loops"])


def test_packaged_conditions_about_records_are_within_the_bounds() -> None:
    refused = {}
    for rule in load_rules():
        try:
            assert require_bounded(bound(rule, rule.condition)) <= MAX_COST
        except MalformedError as error:
            refused[rule.id] = error.message
    assert refused == {}


def test_a_profile_beyond_its_own_bounds_is_refused_field_by_field() -> None:
    wrong = profile(valid_from="2026-02-30", valid_until="2026-01-01")
    wrong.parameters[0].default_value = 5
    wrong.parameters.add(name="least_kg", meaning="again", most=1)
    with pytest.raises(InvalidRequestError) as refusal:
        require_profile(wrong)
    assert [violation.field for violation in refusal.value.violations] == [
        "valid_from",
        "valid_until",
        "parameters[0].default_value",
        "parameters[1].name",
    ]


def test_a_placeholder_must_be_an_input_or_a_parameter() -> None:
    with pytest.raises(InvalidRequestError) as refusal:
        require_profile(profile(looks_for="{secret} is here"))
    assert [violation.field for violation in refusal.value.violations] == ["explanation"]


def test_values_stay_within_their_bounds_and_mark_the_version() -> None:
    made = profile()
    require_values(made, {"least_kg": 1_000})
    with pytest.raises(InvalidRequestError) as refusal:
        require_values(made, {"least_kg": 999, "most_kg": 1})
    assert [violation.rule for violation in refusal.value.violations] == ["values.bounds", "values.known"]
    assert rule_of(made).version == "1"
    assert rule_of(made, {"least_kg": 2_000}).version.startswith("1+")
    assert rule_of(made, rule_id="cn.HEAVY-ZINC").id == "cn.HEAVY-ZINC"
