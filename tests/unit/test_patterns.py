"""Every regular expression of the product takes time in proportion to the text, whatever a stranger writes."""

import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping

import pytest

import gateway
from gateway.evidence.service import audit_redaction
from gateway.figures.rules import publication
from gateway.formats.lists.ofac import kinds
from gateway.formats.tables import cell_values
from gateway.risk.facts import substances
from gateway.screening.text import hangul
from tests.support.patterns import (
    AT_ONE_PLACE,
    CALLS,
    HostileText,
    UsedPattern,
    grows_too_fast,
    made_at_run_time,
    patterns_of,
    slow_text,
)

PACKAGES = sorted(info.name for info in pkgutil.iter_modules(gateway.__path__, "gateway."))

IN_TABLES = frozenset(
    {
        "gateway.contract.identification.identifiers._commodity_rule",
        "gateway.contract.identification.identifiers._rule",
        "gateway.screening.text.kanji._spellings",
    }
)
"""Functions whose patterns stand in tables of their modules, where they are found."""

AT_RUN_TIME: Mapping[str, Callable[[], Iterable[re.Pattern[str]]]] = {
    "gateway.contract.json_document._text_at": lambda: [re.compile("[0-9a-f]{64}")],  # texts of fixed length
    "gateway.contract.recogniser.__init__": lambda: [],  # short of max_len, and compiled as PORTABLE says
    "gateway.evidence.service.audit_redaction._names": lambda: [
        audit_redaction._names(frozenset({("cn", "minerals"), ("hk", "a.b-c")}))
    ],
    "gateway.figures.rules.publication._pattern": lambda: filter(
        None, map(publication._pattern, ("Lanhai Rare Earth", "a" * 12, "蓝海稀土"))
    ),
    "gateway.formats.declarations.declarations._letters": lambda: [re.compile("[A-Z]{3}")],
    "gateway.formats.lists.ofac.kinds._patterns": lambda: [kinds._patterns()[0]],
    "gateway.formats.tables.cell_values._number_pattern": lambda: [
        cell_values._number_pattern(point, group) for point, group in ((".", ""), (".", ","), (",", "."))
    ],
    "gateway.risk.facts.substances.words_pattern": lambda: [substances.words_pattern(["gallium", "镓", "rare earth"])],
    "gateway.screening.organisations.foreign._legal": lambda: [re.compile(r"(?<!\w)ООО(?!\w)")],
    "gateway.screening.text.hangul.spelt_out": lambda: [re.compile("|".join(hangul._LETTERS))],
}
"""Functions that put a pattern together, with what they make."""

CALLED: Mapping[str, frozenset[str]] = {"gateway.formats.lists.ofac.kinds._patterns": frozenset({"match"})}
"""How such a pattern is called, where that is known: hundreds of words take long from every place of a text."""


@pytest.mark.parametrize("package", PACKAGES)
def test_a_pattern_takes_time_in_proportion_to_the_text(package: str) -> None:
    slow = {(used.place, used.pattern.pattern): slow_text(used) for used in patterns_of(package)}
    assert {pattern: text for pattern, text in slow.items() if text is not None} == {}


@pytest.mark.parametrize("place", sorted(AT_RUN_TIME))
def test_a_pattern_that_is_put_together_does_too(place: str) -> None:
    for pattern in AT_RUN_TIME[place]():
        assert slow_text(UsedPattern(place, pattern, CALLED.get(place, CALLS))) is None, pattern.pattern


@pytest.mark.drift
def test_no_function_puts_a_pattern_together_that_is_not_tried() -> None:
    assert set(made_at_run_time("gateway")) == IN_TABLES | AT_RUN_TIME.keys()


@pytest.mark.parametrize(
    ("pattern", "calls"),
    [
        (r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", frozenset({"findall"})),
        (r"\s*\(original script\)$", frozenset({"sub"})),
        (r"(.*?)\s*\(([^()]*)\)[,;.\s]*", AT_ONE_PLACE),
        (r"\(([^()]*\d[^()]*)\)", AT_ONE_PLACE),
        (r"(?:a+)+b", AT_ONE_PLACE),
        (r"(?:a|aa)+b", frozenset({"match"})),
        (r"IMO\s*:?\s*[0-9]{7}", frozenset({"match"})),
    ],
)
def test_patterns_that_take_the_square_or_worse_are_found(pattern: str, calls: frozenset[str]) -> None:
    assert slow_text(UsedPattern("here", re.compile(pattern), calls)) is not None


def test_work_in_proportion_is_none_of_them() -> None:
    assert not grows_too_fast(lambda text: [text.count(part) for part in ("a", "b") * 400], HostileText("", "ab", ""))
