"""The rules file and a node's settings: what is refused, and that the message names rule and field."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.risk.rule_engine import RuleEngine
from gateway.risk.rule_file import RuleSetting, bound, load_rules, parse_rules
from gateway.v1 import trace_pb2
from tests.support.risk_records import item, shipment

RULE = """
[[rules]]
id = "X1"
name = "heavy"
version = "3"
typology = "false declaration"
confidence = "low"
source = "a test"
about = "goods"
measured = "net_kg"
condition = "measured > t.most"
severity = "low"
levels = [{ severity = "high", when = "measured > 2.0 * t.most" }]
explanation = "{kg} kg are more than {t.most}, {share:percent} of it"
reads = ["goods.net_mass_kg"]

[rules.thresholds]
most = 100

[rules.lists]
names = ["a", 'b"c']

[rules.inputs]
kg = "net_kg"
share = "net_kg / t.most"
"""


def own(tmp_path: Path, text: str = RULE, **kwargs: object) -> RuleEngine:
    path = tmp_path / "rules.toml"
    path.write_text(text, "utf-8")
    return RuleEngine.load(rules=path, **kwargs)


def test_own_rules_replace_those_that_come_along(tmp_path: Path) -> None:
    rules = own(tmp_path)
    hit = rules.screen(shipment(item(net_mass_kg=150.0)))[0]
    assert (hit.rule_id, hit.rule_version, hit.name) == ("X1", "3", "heavy")
    assert hit.explanation == "150 kg are more than 100, 150 % of it"
    assert dict(hit.inputs) == {"kg": "150", "share": "1.5"}
    assert dict(hit.thresholds) == {"most": "100", "names": 'a, b"c'}
    assert hit.measured == 150.0
    assert rules.screen(shipment(item(net_mass_kg=100.0))) == []
    assert rules.screen(shipment(item(net_mass_kg=201.0)))[0].severity == trace_pb2.SEVERITY_HIGH


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('id = "X1"', 'id = "x1"'), "rule x1: id:"),
        (('id = "X1"\n', ""), "rule #1: id:"),
        (('name = "heavy"\n', ""), "rule X1: name: must be a text"),
        (('about = "goods"', 'about = "ships"'), "rule X1: about: 'ships' is unknown"),
        (('severity = "low"\n', 'severity = "bad"\n'), "rule X1: severity:"),
        (('confidence = "low"', 'confidence = "sure"'), "rule X1: confidence:"),
        (('severity = "high", when', 'severity = "high", if'), "rule X1: levels[0]: must have severity and when"),
        (("most = 100", 'most = "100"'), "rule X1: thresholds.most: must be a number"),
        (("most = 100", "most = true"), "rule X1: thresholds.most: must be a number"),
        (("most = 100", "most = inf"), "rule X1: thresholds.most: must be a number"),
        (("most = 100", "other = 100"), "rule X1: explanation: {t.most} is no input"),
        (("{kg} kg", "{weight} kg"), "rule X1: explanation: {weight} is no input"),
        (("{share:percent}", "{share:roman}"), "rule X1: explanation: {share:roman} has an unknown format"),
        (("goods.net_mass_kg", "goods.weight"), "rule X1: reads: a shipment has no field 'goods.weight'"),
        (('version = "3"', 'version = "3"\nspeed = 1'), "rule X1: speed: is unknown"),
        (('"measured > t.most"', '"measured > t.least"'), "rule X1: condition: names the threshold 'least'"),
        (
            ('"measured > t.most"', '"net_kgs > t.most"'),
            "rule X1: condition: line 1: undeclared reference to 'net_kgs'",
        ),
        (('"measured > t.most"', '"measured >"'), "rule X1: condition: line 1:"),
        (('"measured > t.most"', '"measured"'), "rule X1: condition: gives double, but must give bool"),
        (('"measured > t.most"', '"item.weight > 1.0"'), "rule X1: condition: line 1: undefined field 'weight'"),
        (('"measured > t.most"', '"measured > 1"'), "rule X1: condition: line 1: found no matching overload"),
        (('"measured > t.most"', '"lists.words.size() > 0"'), "rule X1: condition: names the list 'words'"),
        (('"measured > 2.0 * t.most"', '"item.nothing"'), "rule X1: levels[0].when: line 1: undefined field"),
        (
            ('measured = "net_kg"', 'measured = "item.description"'),
            "rule X1: measured: gives string, but must give double",
        ),
        (('measured = "net_kg"', 'measured = "measured"'), "rule X1: measured: uses measured"),
        (('kg = "net_kg"', 'kg = "suspects[3].name"'), "rule X1: inputs.kg: has no value for plain facts"),
        (('kg = "net_kg"', 'kg = "suspects[0].weight"'), "rule X1: inputs.kg: has no value for plain facts"),
        (('kg = "net_kg"', f'kg = "{"1 + " * 1200}1"'), "rule X1: inputs.kg: is longer than 4096 characters"),
    ],
)
def test_a_mistake_is_named_with_rule_and_field(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    assert RULE.count(change[0]) >= 1
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        own(tmp_path, RULE.replace(change[0], change[1], 1))


SERIES = """
[[rules]]
id = "X2"
name = "often"
version = "1"
typology = "false declaration"
confidence = "low"
source = "a test"
about = "series"
candidate = "kg > t.most"
condition = "exports.size() > 1"
severity = "low"
explanation = "often"

[rules.thresholds]
most = 100
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SERIES.replace('candidate = "kg > t.most"\n', ""), "rule X2: candidate: must say for which records"),
        (SERIES.replace('"kg > t.most"', '"kg"'), "rule X2: candidate: gives double, but must give bool"),
        (SERIES.replace("kg > t.most", "kg > t.least"), "rule X2: candidate: names the threshold 'least'"),
        (SERIES.replace("exports.size() > 1", "exports[0].name == ''"), "rule X2: condition: has no value for plain"),
        (
            RULE.replace('measured = "net_kg"', 'measured = "net_kg"\ncandidate = "true"'),
            "rule X1: candidate: nothing is looked for where a rule is about goods",
        ),
    ],
)
def test_for_which_records_others_are_looked_for_is_said_where_they_are(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        own(tmp_path, text)


def test_a_rule_is_shown_with_what_it_is_a_candidate_by(tmp_path: Path) -> None:
    (shown,) = own(tmp_path, SERIES).describe()
    assert shown.expression == "(kg > t.most) && (exports.size() > 1)"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have [[rules]]"),
        ("rules = 1", "must have [[rules]]"),
        ("rules = [1]", "rule #1: must be a table"),
        ("[[rules]", "is not TOML"),
        (RULE + RULE, "rule X1: id: there is another rule of this id"),
        ("\n".join(["[[rules]]"] * 201), "has 201 rules, at most 200"),
    ],
)
def test_what_isnt_a_rules_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        own(tmp_path, text)


def test_a_file_that_isnt_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        RuleEngine.load(rules=tmp_path / "nowhere.toml")


def test_a_disabled_rule_is_checked_but_not_applied(tmp_path: Path) -> None:
    off = RULE.replace('version = "3"', 'version = "3"\nenabled = false')
    assert own(tmp_path, off).screen(shipment(item(net_mass_kg=150.0))) == []
    with pytest.raises(ConfigurationError, match="rule X1: condition"):
        own(tmp_path, off.replace('"measured > t.most"', '"measured >"'))


def test_a_nodes_own_threshold_moves_both_sides(tmp_path: Path) -> None:
    rules = own(tmp_path, settings={"X1": RuleSetting(thresholds={"most": 120})})
    assert rules.screen(shipment(item(net_mass_kg=120.0))) == []
    hit = rules.screen(shipment(item(net_mass_kg=121.0)))[0]
    assert hit.thresholds["most"] == "120"
    assert re.fullmatch(r"3\+[0-9a-f]{6}", hit.rule_version)
    assert rules.version != own(tmp_path).version


def test_a_node_switches_rules_off_and_on(tmp_path: Path) -> None:
    off = own(tmp_path, settings={"X1": RuleSetting(enabled=False)})
    assert off.screen(shipment(item(net_mass_kg=150.0))) == []
    assert [rule.enabled for rule in off.describe()] == [False]
    text = RULE.replace('version = "3"', 'version = "3"\nenabled = false')
    assert own(tmp_path, text, settings={"X1": RuleSetting(enabled=True)}).screen(shipment(item(net_mass_kg=150.0)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"X2": RuleSetting()}, "settings of rule X2: there is no such rule; known: X1"),
        ({"X1": RuleSetting(thresholds={"least": 1})}, "settings of rule X1: it has no threshold 'least'; it has most"),
        (
            {"X1": RuleSetting(thresholds={"most": float("nan")})},
            "settings of rule X1: thresholds.most: must be a number",
        ),
        ({"X1": RuleSetting(lists={"words": ["a"]})}, "settings of rule X1: it has no list 'words'; it has names"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, settings: dict[str, RuleSetting], message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        own(tmp_path, settings=settings)


def test_words_in_quotes_stay_as_they_are() -> None:
    (rule,) = parse_rules(RULE, source="a test")
    assert bound(rule, "'t.most' == \"measured\" || lists.names.size() > 0 || x.measured || t.most > 1.0") == (
        '\'t.most\' == "measured" || ["a", "b\\"c"].size() > 0 || x.measured || 100.0 > 1.0'
    )


def test_a_rule_that_has_no_value_for_some_facts_is_told_and_the_others_go_on(tmp_path: Path) -> None:
    failed: list[tuple[str, str]] = []
    breaking = RULE.replace("X1", "X0").replace('"measured > t.most"', '"item.codes[0].code != item.codes[1].code"')
    breaking = breaking.replace('kg = "net_kg"', 'kg = "1.0"')
    with pytest.raises(ConfigurationError, match="rule X0: condition: has no value for plain facts"):
        own(tmp_path, breaking + RULE)
    guarded = breaking.replace('"item.codes[0]', '"net_kg > 0.0 && item.codes[0]')
    rules = own(tmp_path, guarded + RULE, failed=lambda rule, why: failed.append((rule, why)))
    assert [hit.rule_id for hit in rules.screen(shipment(item(net_mass_kg=150.0)))] == ["X1"]
    assert [rule for rule, _ in failed] == ["X0"]


def test_a_rule_that_loops_too_long_is_told(tmp_path: Path) -> None:
    failed: list[tuple[str, str]] = []
    looping = RULE.replace('"measured > t.most"', '"item.codes.all(a, item.codes.all(b, a.code != b.territory))"')
    rules = own(tmp_path, looping, failed=lambda rule, why: failed.append((rule, why)))
    goods = item(net_mass_kg=150.0)
    goods.codes.extend([goods.codes[0]] * 150)
    assert rules.screen(shipment(goods)) == []
    assert [rule for rule, _ in failed] == ["X1"]
    assert "budget" in failed[0][1]


def test_versions_are_the_same_in_another_process_and_differ_with_any_change(tmp_path: Path) -> None:
    code = "from gateway.risk.rule_engine import RuleEngine; print(RuleEngine.load().version)"
    said = {
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True, env={"PYTHONHASHSEED": seed}
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert said == {RuleEngine.load().version}
    versions = [
        own(tmp_path).version,
        own(tmp_path, RULE.replace("most = 100", "most = 101")).version,
        own(tmp_path, RULE.replace("kg are more", "kg is more")).version,
        own(tmp_path, RULE.replace('version = "3"', 'version = "4"')).version,
    ]
    assert len(set(versions)) == len(versions)


def test_what_comes_along_is_described_and_sourced() -> None:
    described = {rule.rule_id: rule for rule in RuleEngine.load().describe()}
    assert [rule.id for rule in load_rules()] == list(described)
    assert described["R05"].scope == "pair"
    assert described["R05"].thresholds["alert"] == 0.05
    assert "t.notice" in described["R05"].expression
    assert "measured" not in described["R05"].expression
    assert all(rule.source and rule.typology for rule in described.values())
    assert {rule.rule_id for rule in described.values() if not rule.enabled} == {"R03"}


def test_tables_are_replaced_by_files(tmp_path: Path) -> None:
    physical = tmp_path / "physical.csv"
    physical.write_text(
        "substance,formula,elements,role,hs,covers,names,density_g_cm3,density_confidence,price_low_usd_kg,"
        "price_high_usd_kg,price_confidence\nfoam,,,cover,760110,whole,foam,0.1,high,,,\n",
        "utf-8",
    )
    terms = tmp_path / "terms.csv"
    terms.write_text("kind,term,language,confidence,source\nvague,aluminium ingots,en,high,here\n", "utf-8")
    rules = RuleEngine.load(physical_data=physical, terms=terms)
    found = {hit.rule_id for hit in rules.screen(shipment(item(net_mass_kg=150.0, volume_m3=1.0)))}
    assert found == {"R02", "R18"}
    assert rules.version != RuleEngine.load().version


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("physical_data", "substance\nx\n", "has no column formula"),
        ("terms", "kind,term,language,confidence,source\n", "has no lines"),
        ("terms", "kind,term,language,confidence,source\nodd,a,en,high,x\nvague,,en,high,x\n", "line 2: kind: 'odd'"),
        (
            "terms",
            "kind,term,language,confidence,source\nodd,a,en,high,x\nvague,,en,high,x\n",
            "line 3: term: is empty",
        ),
        ("terms", "kind,term,language,confidence,source\nvague,a,en,sure,x\n", "line 2: confidence: 'sure'"),
        ("terms", "kind,term,language,confidence,source\nvague,a\n", "line 2: the line has another number of columns"),
        ("terms", 'kind,term,language,confidence,source\n"vague', "not CSV"),
        ("controlled_goods", "code\n", "has no column"),
    ],
)
def test_wrong_tables_are_refused_by_line(tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / f"{name}.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        RuleEngine.load(**{name: path})


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        (3, "bad", "role: 'bad' is none of"),
        (4, "7601x", "hs: '7601x' isn't what belongs there"),
        (2, "al", "elements: 'al' isn't what belongs there"),
        (7, "-1", "density_g_cm3: '-1' is not a number above 0"),
        (7, "inf", "density_g_cm3: 'inf' is not a number above 0"),
        (7, "x", "density_g_cm3: 'x' is not a number above 0"),
        (9, "", "price_low_usd_kg and price_high_usd_kg must both be given"),
        (9, "9", "price_low_usd_kg and price_high_usd_kg must both be given"),
    ],
)
def test_wrong_physical_data_is_refused_by_column(tmp_path: Path, column: int, value: str, message: str) -> None:
    cells = ["foam", "", "", "cover", "760110", "whole", "foam", "0.1", "high", "1", "2", "low"]
    cells[column] = value
    path = tmp_path / "physical.csv"
    path.write_text(
        "substance,formula,elements,role,hs,covers,names,density_g_cm3,density_confidence,price_low_usd_kg,"
        f"price_high_usd_kg,price_confidence\n{','.join(cells)}\n",
        "utf-8",
    )
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        RuleEngine.load(physical_data=path)


def test_a_rule_that_finds_no_more_than_chance_isnt_enabled(tmp_path: Path) -> None:
    assert own(tmp_path, RULE.replace('severity = "', 'lift = 1.5\nseverity = "', 1))
    with pytest.raises(ConfigurationError, match=r"lift below 1\.5 must say enabled = false"):
        own(tmp_path, RULE.replace('severity = "', 'lift = 1.49\nseverity = "', 1))
    assert own(tmp_path, RULE.replace('severity = "', 'lift = 1.49\nenabled = false\nseverity = "', 1))


@pytest.mark.parametrize("learns", ["nothing", "levels"])
def test_what_a_rule_learns_must_be_a_threshold(tmp_path: Path, learns: str) -> None:
    with pytest.raises(ConfigurationError, match="must be a threshold of a rule that measures"):
        own(tmp_path, RULE.replace('severity = "', f'learns = "{learns}"\nseverity = "', 1))
