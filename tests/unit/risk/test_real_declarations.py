"""What docs/risk-rules.md says of the rules over real declarations is what the rules find in them."""

from __future__ import annotations

import pytest

from bench import rules as bench
from gateway.risk.rule_engine import RuleEngine
from tests.unit.risk.test_rule_docs import PAGE, rows

pytestmark = pytest.mark.drift

HEADING = "Counted over real declarations"


@pytest.fixture(scope="module")
def declarations() -> list[bench.Labelled]:
    return bench.declarations()


def unable(rule: str, why: str) -> None:
    pytest.fail(f"{rule} couldn't judge: {why}")


def test_the_table_is_what_the_rules_find(declarations: list[bench.Labelled]) -> None:
    assert rows(HEADING) == bench.table(RuleEngine.load(failed=unable), declarations)


def test_the_sentences_say_what_the_file_has(declarations: list[bench.Labelled]) -> None:
    text = " ".join(PAGE.partition(f"\n## {HEADING}\n")[2].partition("\n## ")[0].split())
    frauds = sum(fraud for _, fraud in declarations)
    sellers, several, most = bench.largest_series(declarations)
    middle = bench.middle_unit_value(bench.in_dollars(declarations))
    for sentence in (
        f"{len(declarations):,} import declarations of 2021, of which {frauds:,} are labelled as fraud",
        f"converted at {bench.WON:,.0f} won. The median of all goods is then {middle:.2f} dollars a kilogram",
        f"of {sellers:,} sellers with a subheading {several} have more than one declaration, and none more than {most}",
        "Nothing in the file links two declarations",
    ):
        assert sentence in text
    assert bench.joined(declarations) == 0
