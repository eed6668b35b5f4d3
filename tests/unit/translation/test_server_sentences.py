"""Sentences that the gateway says in English are found again and said in the reader's language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alerts.rules.life import Action, AlertLife, AlertStatus, Side, Step, advance
from gateway.contract.identification import identifiers
from gateway.errors import IllegalTransitionError, RevisionConflictError
from gateway.tracing.rules.links import RULES, LinkKind
from gateway.tracing.rules.sentences import _NAMED
from gateway.translation import check_texts, condition_texts
from gateway.translation.condition_texts import condition_text
from gateway.translation.filled_sentences import SentencePatterns
from gateway.translation.messages import in_language
from gateway.translation.notices import DOUBTS, FORMS, noticed
from gateway.translation.refusals import REFUSALS, refused
from gateway.translation.rule_sentences import explained, packaged_messages
from gateway.translation.trace_sentences import LINKS, link_reason

ROOT = Path(__file__).parents[3] / "gateway"
BY_LIBRARY = 8
"""First refusals, which protovalidate says."""
COMPOSED = (
    "version {version}, signed by {signers}, until {date}",
    "group or others may read {file}",
    "group or others may enter {file}",
    "sqlite, can be written",
    "sqlite: {detail}, can be written",
    "postgresql, can be written",
    "postgresql: {detail}, can be written",
    "another program, with a certificate that isn't of a gateway, holds {address}",
    "somebody with a certificate of {holder}, which isn't this node's, holds {address}",
    "partners' clocks differ from this one: {readings}; more than {minutes} minutes stop queries",
    "the directory was issued at {time} UTC, which is later than this clock says",
    "the database was written at {time} UTC, which is later than this clock says",
    "Run `chmod {mode}`.",
)
"""Texts of checks that are put together of two."""
FIELD = re.compile(r"^(\{\}|[a-z_.]+): ")
"""A field at the beginning of a refusal."""


def test_a_refusal_keeps_its_values(shouting: None) -> None:
    assert refused("entry e-1 of minerals is at revision 3, not 2") == "ENTRY e-1 OF minerals IS AT REVISION 3, NOT 2"
    assert refused("must be at most 48 characters") == "MUST BE AT MOST 48 CHARACTERS"
    assert refused("something else") == "something else"


def test_a_refusal_that_names_its_field_is_said_too(shouting: None) -> None:
    assert refused("match_id: there is no match m-1 here") == "match_id: THERE IS NO MATCH m-1 HERE"
    assert refused("a sentence: there is no match m-1 here") == "a sentence: there is no match m-1 here"
    assert refused("purity: must be greater than or equal to 0 and less than or equal to 100") == (
        "purity: MUST BE GREATER THAN OR EQUAL TO 0 AND LESS THAN OR EQUAL TO 100"
    )


def test_why_a_step_isnt_possible_is_said_whole(shouting: None) -> None:
    refusals = {str(error) for error in refused_steps()}
    assert len(refusals) > 30
    for sentence in refusals:
        assert refused(sentence) == sentence.upper(), sentence


def refused_steps() -> Iterator[Exception]:
    """What the rules say of each step that isn't possible in each state."""
    lives = [None, *(AlertLife(revision=2, status=status, valid_until_unix_ms=9) for status in AlertStatus)]
    for life in lives:
        for action in Action:
            for side in Side:
                step = Step(action=action, side=side, revision=7, at_unix_ms=1, question_id="7", deadline_unix_ms=5)
                try:
                    advance(life, step, recorded=False)
                except (IllegalTransitionError, RevisionConflictError) as error:
                    yield error


def test_measures_of_a_rule_have_the_readers_separators() -> None:
    sentence = (
        "20000 kg in 9.5 m³ are 2.1 g/cm³; lead has 11.3. Substances under control that it would fit: antimony ingot."
    )
    with in_language("en"):
        assert explained(sentence) == sentence.replace("20000 kg", "20,000 kg")
        assert "81101000" in explained(
            "81101000 met 81101000 antimony on the control list when it was declared (A33: in force), by the national "
            "code, and no licence that was valid then is stated. "
        )
    with in_language("pt"):
        said = explained(sentence)
    assert "20\u00a0000 kg" in said
    assert "9,5 m³" in said
    assert "2,1 g/cm³" in said


def test_a_packaged_rule_says_why_it_fired(shouting: None) -> None:
    said = explained(
        "Container TEMU1234565 had S1 (2026-01-15) and then S2 (2026-01-16), and no event in between says that a seal "
        "was changed."
    )
    assert said.startswith("CONTAINER TEMU1234565 HAD S1 (2026-01-15) AND THEN S2")
    assert explained("A rule of our own: 7 borders.") == "A rule of our own: 7 borders."
    assert explained("") == ""


def test_an_explanation_whose_end_is_empty_is_found_and_words_in_it_are_said_too(shouting: None) -> None:
    said = explained(
        "81101000 met 81101000 antimony on the control list when it was declared (A33: in force), by the national "
        "code, and no licence that was valid then is stated."
    )
    assert said.startswith("81101000 MET 81101000 antimony ON THE CONTROL LIST")
    assert "(A33: IN FORCE), BY THE NATIONAL CODE" in said


def test_a_doubt_keeps_its_values(shouting: None) -> None:
    assert noticed("the check character by ISO 6346 is 3, not 4") == "THE CHECK CHARACTER BY ISO 6346 IS 3, NOT 4"
    assert noticed("an LEI has 18 letters or digits and two check digits; this value is longer than 64 characters") == (
        "AN LEI HAS 18 LETTERS OR DIGITS AND TWO CHECK DIGITS; THIS VALUE IS LONGER THAN 64 CHARACTERS"
    )
    assert noticed("something else") == "something else"


def test_a_link_of_a_trace_keeps_its_values(shouting: None) -> None:
    assert link_reason("Both name the seal CN7, within a day.") == "BOTH NAME THE SEAL CN7, WITHIN A DAY."
    assert (
        link_reason("Both name Sample Ltd, with 1,200 kg and 1,199 kg net (0.1% apart), 3 days apart.")
        == "BOTH NAME Sample Ltd, WITH 1,200 KG AND 1,199 KG NET (0.1% APART), 3 days apart."
    )
    assert link_reason("hk found it when asked for one of A, B; what it names itself is withheld.") == (
        "hk FOUND IT WHEN ASKED FOR ONE OF A, B; WHAT IT NAMES ITSELF IS WITHHELD."
    )


@given(st.lists(st.text(min_size=1, max_size=20), min_size=3, max_size=3), st.text(max_size=2000))
def test_any_text_comes_back_as_it_was_in_english(values: list[str], text: str) -> None:
    for sentence in (text, f"entry {values[0]} of {values[1]} is at revision {values[2]}, not 7"):
        assert refused(sentence) == sentence
        assert explained(sentence) == sentence
        assert noticed(sentence) == sentence
        assert link_reason(sentence) == sentence
        assert condition_text(sentence) == sentence


def test_a_partners_text_that_almost_fits_takes_no_longer() -> None:
    patterns = SentencePatterns(["".join(f"{{v{at}}}, " for at in range(12)) + "end"])
    assert patterns.find(", " * 50_000) is None
    assert patterns.find("a, " * 12 + "end") is not None


@cache
def said_in_sources() -> frozenset[str]:
    """Texts of the sources, with empty braces for values; those of constants of the module are filled in too."""
    return frozenset(re.sub(r"(\{\})+", "{}", text) for text in _said())


def _said() -> Iterator[str]:
    for file in ROOT.rglob("*.py"):
        if "v1" in file.parts or "translation" in file.parts:
            continue
        module = ast.parse(file.read_text("utf-8"))
        constants = {
            target.id: node.value
            for node in module.body
            if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Constant)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(module):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                yield _joined(node, {})
                yield _joined(node, constants)


def _joined(node: ast.JoinedStr, constants: Mapping[str, ast.Constant]) -> str:
    parts = [
        constants.get(part.value.id, part)
        if isinstance(part, ast.FormattedValue) and isinstance(part.value, ast.Name)
        else part
        for part in node.values
    ]
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in parts)


@pytest.mark.drift
def test_every_refusal_is_one_that_the_gateway_says() -> None:
    assert gone_from_sources(REFUSALS[BY_LIBRARY:]) == []


@pytest.mark.drift
def test_every_text_of_a_condition_is_one_that_the_gateway_says() -> None:
    assert gone_from_sources((*condition_texts.ALARMS, *condition_texts.REASONS, *condition_texts.PARTS)) == []


@pytest.mark.drift
def test_every_text_of_a_check_is_one_that_the_gateway_says() -> None:
    texts = (*check_texts.CHECKS, *check_texts.FINDINGS, *check_texts.WAYS_OUT)
    assert gone_from_sources(texts) == [*COMPOSED]


def gone_from_sources(messages: Sequence[str]) -> list[str]:
    texts = said_in_sources()
    said = texts | {FIELD.sub("", text) for text in texts}
    wanted = {message: re.sub(r"\{[^}]*\}", "{}", message) for message in messages}
    return [message for message, form in wanted.items() if form not in said and f"{form}{{}}" not in said]


def test_every_packaged_rule_is_found_again(shouting: None) -> None:
    messages_by_rule = packaged_messages()
    assert len(messages_by_rule) > 15
    for rule, message in messages_by_rule.items():
        sentence = re.sub(r"\{[^}]*\}", "7", message).rstrip()
        assert explained(sentence) != sentence, rule


def test_a_wrong_check_digit_is_told_in_words() -> None:
    said = "A check digit is wrong: the check character by GB 32100 is N, not G (uscc: 91440300715267260G)."
    kept = "A check digit is wrong: the check character is 3, not 4 (hkid: not shown)."
    with in_language("en"):
        assert "(unified social credit code: 91440300715267260G)" in explained(said)
        assert "(Hong Kong identity card: not shown)" in explained(kept)
    with in_language("zh-Hans"):
        assert "统一社会信用代码" in explained(said)
        assert "the check character" not in explained(said)


@pytest.mark.drift
def test_every_doubt_of_an_identifier_is_found() -> None:
    rules = identifiers._RULES.values()
    assert {f"{rule.name} has {rule.form}" for rule in rules} == set(FORMS)
    forms = {re.sub(r"\{[^}]*\}", "{}", message) for message in DOUBTS[1:]}
    assert forms <= said_in_sources()


@pytest.mark.drift
def test_every_link_of_a_trace_is_found() -> None:
    by_key = {_NAMED[kind] for kind in LinkKind if kind in _NAMED and kind in RULES}
    named = {message.partition(" {value}")[0].removeprefix("Both name the ") for message in LINKS}
    assert by_key <= named
