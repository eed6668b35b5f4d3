"""What Python rules out of conditions, against CEL itself: it may rule out too little, never too much."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.risk.cel_syntax import MAX_DEPTH
from gateway.risk.expressions import BOOL, EvaluationError, Facts, Language
from gateway.risk.facts.kinds import KINDS, LazyFacts
from gateway.risk.rule_evaluator import specimen
from gateway.risk.rule_file import Rule, bound, load_rules, whole_condition
from gateway.risk.ruled_out import all_ruled_out, ruled_out

VARIABLES = {
    "a": "double",
    "b.c": "double",
    "count": "int",
    "word": "string",
    "flag": "bool",
    "names": "list string",
    "things": "maps",
}
LANGUAGE = Language(VARIABLES)

_NUMBERS = st.sampled_from([0.0, -0.0, 1.0, 2.5, -3.0, 1e308, math.nan, math.inf, -math.inf])
_OTHERS: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int": st.integers(0, 3),
    "string": st.text(max_size=2),
}
_FACTS = st.fixed_dictionaries(
    {
        "a": _NUMBERS,
        "b.c": _NUMBERS,
        "count": st.integers(min_value=-2, max_value=3),
        "word": st.sampled_from(["", "x", "yy"]),
        "flag": st.booleans(),
        "names": st.lists(st.sampled_from(["", "x"]), max_size=2),
        "things": st.lists(st.fixed_dictionaries({"kg": _NUMBERS}), max_size=2),
    }
)
_RELATIONS = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
_doubles = st.recursive(
    st.sampled_from(["a", "b.c", "0.0", "2.5", "double(count)", "(a)", "1e3"]),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner)
        | st.builds("{}({})".format, st.sampled_from(["log10", "math.sqrt", "math.abs", "-"]), inner)
    ),
    max_leaves=5,
)
_atoms = (
    st.builds("{} {} {}".format, _doubles, _RELATIONS, _doubles)
    | st.builds("names.size() {} {}".format, _RELATIONS, st.integers(0, 2))
    | st.builds("count {} {}".format, _RELATIONS, st.integers(0, 2))
    | st.sampled_from(
        [
            "flag",
            "word == 'x'",
            'word != "yy"',
            "word in ['x', '']",
            "word in names",
            "names.exists(n, n == word)",
            "things.exists(t, t.kg > a)",
            "things.all(t, t.kg > a)",
            "(flag ? a > 0.0 : b.c > 0.0)",
            "names[0] == 'x'",
            "true",
            "word < 'y'",
        ]
    )
)
_conditions = st.recursive(
    _atoms,
    lambda inner: (
        st.builds("({} && {})".format, inner, inner)
        | st.builds("{} || {}".format, inner, inner)
        | st.builds("!({})".format, inner)
    ),
    max_leaves=8,
)


@settings(max_examples=400, deadline=None)
@given(_conditions, st.lists(_FACTS, min_size=1, max_size=6))
def test_what_is_ruled_out_is_false_to_cel(condition: str, cases: list[dict[str, Any]]) -> None:
    test = ruled_out(condition, VARIABLES)
    if test is None:
        return
    expression = LANGUAGE.compile(condition, BOOL)
    for facts in cases:
        if test(facts):
            assert expression.evaluate(Facts(LANGUAGE, facts)) is False, facts


@settings(max_examples=100, deadline=None)
@given(st.lists(_conditions, min_size=1, max_size=3), st.lists(_FACTS, min_size=1, max_size=4))
def test_conditions_are_ruled_out_together_if_each_is(conditions: list[str], cases: list[dict[str, Any]]) -> None:
    together, tests = all_ruled_out(conditions, VARIABLES), [ruled_out(one, VARIABLES) for one in conditions]
    for facts in cases:
        each = all(test is not None and test(facts) for test in tests)
        assert (together is not None and together(facts)) is each


@pytest.mark.parametrize(
    ("condition", "facts", "is_ruled_out"),
    [
        ("a > 1.0", {"a": math.nan}, True),
        ("a > 1.0", {"a": 2.0}, False),
        ("!(a > 1.0)", {"a": 2.0}, True),
        ("a / b.c > 1.0", {"a": 1.0, "b.c": 0.0}, False),  # CEL says infinite
        ("flag && names[0] == 'x'", {"flag": False, "names": []}, True),
        ("names.exists(n, n == 'x') || flag", {"flag": False, "names": []}, True),
        ("names.exists(n, n == 'x') || flag", {"flag": False, "names": ["y"]}, False),
        ("word in ['x', 'yy']", {"word": "z"}, True),
        ("double(count) <= 0.5", {"count": 1}, True),
    ],
)
def test_single_conditions(condition: str, facts: dict[str, Any], is_ruled_out: bool) -> None:
    test = ruled_out(condition, VARIABLES)
    assert test is not None
    assert test(facts) is is_ruled_out


@pytest.mark.parametrize(
    "condition",
    [
        "names[0] == 'x'",
        "word in names",
        "word == r'x'",
        "word == 'it\\'s'",
        "word == '''x'''",
        "count == 0x1",
        "flag // a comment",
        "has(things[0].kg)",
        "{'x': flag}['x']",
        "(" * (MAX_DEPTH + 1) + "flag" + ")" * (MAX_DEPTH + 1),
    ],
)
def test_what_isnt_read_is_left_to_cel(condition: str) -> None:
    assert ruled_out(condition, VARIABLES) is None


def _packaged(*kinds: str) -> list[Rule]:
    return [rule for rule in load_rules() if rule.about in kinds]


@pytest.mark.parametrize("rule", _packaged("goods", "route", "identifier", "masses", "seals"), ids=lambda rule: rule.id)
def test_each_packaged_rule_about_a_record_can_be_ruled_out(rule: Rule) -> None:
    assert ruled_out(bound(rule, whole_condition(rule)), KINDS[rule.about].variables) is not None


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_packaged_rules_are_never_ruled_out_wrongly(data: st.DataObject) -> None:
    rule = data.draw(st.sampled_from(_packaged(*KINDS)))
    kind = KINDS[rule.about]
    facts = specimen(kind)
    for name, word in kind.variables.items():
        if word == "double":
            facts[name] = data.draw(_NUMBERS | st.floats(min_value=0.001, max_value=1e5))
        elif word in ("bool", "int", "string"):
            facts[name] = data.draw(
                {"bool": st.booleans(), "int": st.integers(0, 3), "string": st.text(max_size=2)}[word]
            )
        elif (word.startswith("list ") or word == "maps") and data.draw(st.booleans()):
            facts[name] = []
    condition = bound(rule, whole_condition(rule))
    test = ruled_out(condition, kind.variables)
    if test is None or not test(facts):
        return
    language = Language(kind.variables)
    assert language.compile(condition, BOOL).evaluate(Facts(language, facts)) is False


def test_costly_facts_are_found_once_and_only_when_asked_for() -> None:
    asked: list[str] = []

    def names(source: str) -> list[str]:
        asked.append("names")
        return [source]

    facts = LazyFacts({"a": 1.0}, {"names": names, "word": lambda _: "w"}, "x")
    assert facts["a"] == 1.0
    assert not asked
    assert facts["names"] is facts["names"]
    assert asked == ["names"]
    facts.complete()
    assert dict(facts) == {"a": 1.0, "names": ["x"], "word": "w"}


def test_a_condition_without_a_value_is_an_error_to_cel_and_never_ruled_out() -> None:
    condition = "names[5] == 'x' || a > 1.0"
    test = ruled_out(condition, VARIABLES)
    assert test is None or not test({"a": 0.0, "names": []})
    with pytest.raises(EvaluationError):
        LANGUAGE.compile(condition, BOOL).evaluate(
            Facts(LANGUAGE, {"a": 0.0, "names": [], "b.c": 0.0, "count": 0, "word": "", "flag": False, "things": []})
        )
