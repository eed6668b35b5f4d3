"""What docs/risk-rules.md says of the rules over real declarations is what the rules find in them."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from itertools import cycle

import pytest

from bench import rules as bench
from gateway.contract.identification.identifiers import check_identifier, shipment_doubts
from gateway.risk.expressions import BOOL, Facts, Language
from gateway.risk.facts.kinds import KINDS, LazyFacts
from gateway.risk.rule_file import bound, load_rules, whole_condition
from gateway.v1 import shipment_pb2
from tests.support.public_files import DECLARATIONS
from tests.unit.risk.test_rule_docs import PAGE, rows

pytestmark = pytest.mark.drift

HEADING = "Counted over real declarations"
TEXT = " ".join(PAGE.partition(f"\n## {HEADING}\n")[2].partition("\n## ")[0].split())


@pytest.fixture(scope="module")
def declarations() -> list[bench.Labelled]:
    return bench.declarations()


whole_file = pytest.mark.skipif(not DECLARATIONS.whole, reason="counts of the whole file; the sample stands in for it")
EVERY, EVERY_EXPORT = (10, 50) if DECLARATIONS.whole else (1, 2)
"""Of the declarations so many are looked at: each tenth of the whole file."""


def unable(rule: str, why: str) -> None:
    pytest.fail(f"{rule} couldn't judge: {why}")


def exported(declaration: shipment_pb2.Shipment, code: str) -> shipment_pb2.Shipment:
    """As if it were an export of other goods, of 2026, without a licence, that is to end elsewhere."""
    made = shipment_pb2.Shipment()
    made.CopyFrom(declaration)
    made.procedure = shipment_pb2.SHIPMENT_PROCEDURE_EXPORT
    made.declared_at.FromDatetime(datetime(2026, 6, 1, tzinfo=UTC))
    made.export_territory, made.destination_territory = "CN", "HK"
    made.licences_not_known = False
    made.route.add().to.territory = "MO"
    for item in made.goods:
        item.codes[0].code = code
        item.net_mass_kg = 1_000.0
    return made


@whole_file
def test_the_table_is_what_the_rules_find(declarations: list[bench.Labelled]) -> None:
    found = bench.table(bench.every_rule(failed=unable), declarations)
    assert rows(HEADING) == [row for *row, lacks in found if lacks == "–"]
    assert {lacks for *_, lacks in found if f" {lacks} (" not in TEXT} <= {"–"}


def test_shortcuts_leave_out_no_hit(declarations: list[bench.Labelled]) -> None:
    """Each condition is given to CEL with all its facts, and what fires is what the engine says, of records in turn."""
    languages = {name: Language(kind.variables) for name, kind in KINDS.items()}
    rules = load_rules()
    compiled = [(rule, languages[rule.about].compile(bound(rule, whole_condition(rule)), BOOL)) for rule in rules]
    engine = bench.every_rule(failed=unable)
    fired = set[str]()
    dollars = [declaration for declaration, _ in bench.in_dollars(declarations)]
    for declaration in (
        *dollars[::EVERY],
        *map(exported, dollars[::EVERY_EXPORT], cycle(("811010", "280530", "382499"))),
    ):
        expected = Counter[tuple[str, int]]()
        for case in engine.cases(declaration):
            if isinstance(case.facts, LazyFacts):
                case.facts.complete()
            facts = Facts(languages[case.kind], case.facts)
            expected.update(
                (rule.id, case.goods_sequence)
                for rule, condition in compiled
                if rule.about == case.kind and condition.evaluate(facts) is True
            )
        hits = engine.screen(declaration)
        assert Counter((hit.rule_id, hit.goods_sequence) for hit in hits) == expected
        fired.update(hit.rule_id for hit in hits)
    assert fired >= {"R01", "R03", "R11-ROUTE"}


def test_doubts_are_those_of_each_identifier(declarations: list[bench.Labelled]) -> None:
    for declaration, _ in declarations[::EVERY_EXPORT]:
        expected = {
            (f"parties[{at}].identifiers[{number}].value", check_identifier(identifier.scheme, identifier.value))
            for at, party in enumerate(declaration.parties)
            for number, identifier in enumerate(party.identifiers)
        }
        doubts = {doubt for doubt in shipment_doubts(declaration) if doubt[0].startswith("parties")}
        assert doubts == {(path, notice) for path, notice in expected if notice is not None}


@whole_file
def test_the_sentences_say_what_the_file_has(declarations: list[bench.Labelled]) -> None:
    frauds = sum(fraud for _, fraud in declarations)
    sellers, several, most = bench.largest_series(declarations)
    middle = bench.middle_unit_value(bench.in_dollars(declarations))
    for sentence in (
        f"{len(declarations):,} import declarations of 2021, of which {frauds:,} are labelled as fraud",
        f"converted at {bench.WON:,.0f} won. The median of all goods is then {middle:.2f} dollars a kilogram",
        f"of {sellers:,} sellers with a subheading {several} have more than one declaration, and none more than {most}",
        "Nothing in the file links two declarations",
    ):
        assert sentence in TEXT
    assert bench.joined(declarations) == 0
