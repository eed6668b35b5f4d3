"""Entities of control and watch lists: whom a name may mean, and from when to when the list holds."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.risk.announcements import Announcements
from gateway.risk.control_changes import codes_of, control_changes, touched
from gateway.risk.controlled_goods_file import load_announcements
from gateway.risk.facts.controlled import MAX_NAMES
from gateway.risk.listed_entities import load_listed_entities
from gateway.risk.rule_engine import RuleEngine
from gateway.v1 import party_pb2, shipment_pb2, trace_pb2
from tests.support.risk_records import ANTIMONY, IMPORT, at, item, party, shipment

ANNOUNCEMENTS = load_announcements()
ENTITIES = load_listed_entities(None, ANNOUNCEMENTS)
TODAY = date(2026, 12, 1)


@pytest.fixture(scope="module")
def rules() -> RuleEngine:
    return RuleEngine.load(failed=lambda rule, why: pytest.fail(f"{rule} couldn't judge: {why}"))


@pytest.mark.parametrize(
    ("name", "entity", "is_sure"),
    [
        ("LEIDOS INC", "Leidos, Inc.", True),
        ("Leidos", "Leidos, Inc.", True),
        ("L3HARRIS TECHNOLOGIES INC.", "L3Harris Technologies", True),
        ("三菱造船株式會社", "Mitsubishi Heavy Industries Shipbuilding Co., Ltd.", True),
        ("日本宇宙航空研究開發機構", "Japan Aerospace Exploration Agency", True),
        ("JAXA", "Japan Aerospace Exploration Agency", True),
        ("Subaru Canada Inc.", "SUBARU Corporation", False),
        ("Mitsubishi Heavy Industries, Ltd.", None, False),  # of the group, and on no list seen here
        ("IHI Aerospace Engineering Co., Ltd.", "IHI Aerospace Engineering Co., Ltd.", True),
        ("TDK Electronics Europe", None, False),
        ("General Dynamics Mission Systems", None, False),
        ("Placeholder Metals Limited", None, False),
        ("", None, False),
    ],
)
def test_names_mean_entities(name: str, entity: str | None, *, is_sure: bool) -> None:
    found = ENTITIES.find(name, TODAY)
    assert [(match.entity.names[0], match.is_sure) for match in found] == ([(entity, is_sure)] if entity else [])


@pytest.mark.parametrize(
    ("day", "said"),
    [
        (date(2025, 4, 3), None),
        (date(2025, 4, 4), "in force"),
        (date(2025, 5, 14), "suspended until 2025-08-11 by MOFCOM statement of 2025-05-14"),
        (date(2025, 8, 12), "suspended until 2025-11-10 by MOFCOM statement of 2025-08-12"),
        (date(2025, 11, 11), "it holds again, an extension is not known to this data"),
    ],
)
def test_a_list_holds_as_its_announcement_does(day: date, said: str | None) -> None:
    found = ENTITIES.find("High Point Aerotechnologies", day)
    assert bool(found) == bool(said)
    assert not said or said in found[0].text
    assert not ENTITIES.find("Echodyne", date(2025, 8, 12)), "its list has ended"


def test_every_line_has_a_source() -> None:
    assert len(ENTITIES) > 60
    assert all(entity.source for entity in ENTITIES)


def antimony_to(
    name: str, *, role: party_pb2.PartyRole.ValueType = party_pb2.PARTY_ROLE_CONSIGNEE
) -> shipment_pb2.Shipment:
    record = shipment(
        item(ANTIMONY, description="antimony ingots 99.85 %", element="Sb", purity_percent=99.85),
        day="2026-11-30",
        destination_territory="JP",
    )
    del record.parties[:]
    record.parties.append(party(role, name))
    return record


def listed(rules: RuleEngine, record: shipment_pb2.Shipment) -> trace_pb2.Discrepancy | None:
    return next((hit for hit in rules.screen(record) if hit.rule_id == "R01-LISTED"), None)


@pytest.mark.parametrize(
    ("name", "severity", "said"),
    [
        ("KAWAJU GIFU ENGINEERING CO LTD", trace_pb2.SEVERITY_HIGH, "Co., Ltd. (MOFCOM No.11 of 2026). "),
        (
            "斯巴鲁株式会社",
            trace_pb2.SEVERITY_MEDIUM,
            "Entities of the watch list get goods under control with single licences alone.",
        ),
        (
            "High Point Aerotechnologies",
            trace_pb2.SEVERITY_MEDIUM,
            "A list holds again after a suspension; an extension is not known",
        ),
        ("Subaru Canada Inc.", trace_pb2.SEVERITY_LOW, "The name is only alike."),
        ("Placeholder Metals Limited", None, ""),
    ],
)
def test_controlled_goods_to_a_listed_entity_are_a_hit_with_the_act(
    rules: RuleEngine, name: str, severity: int | None, said: str
) -> None:
    hit = listed(rules, antimony_to(name))
    assert (hit.severity if hit else None) == severity
    assert said in (hit.explanation if hit else "")


def test_other_goods_roles_origins_and_days_are_none(rules: RuleEngine) -> None:
    name = "KAWAJU GIFU ENGINEERING CO LTD"
    assert listed(rules, antimony_to(name))
    assert not listed(rules, antimony_to(name, role=party_pb2.PARTY_ROLE_CARRIER))
    fruit = antimony_to(name)
    fruit.goods[0].CopyFrom(item("0810600000", description="durians"))
    assert not listed(rules, fruit)
    before = antimony_to(name)
    before.declared_at.CopyFrom(at("2026-02-23"))
    assert not listed(rules, before)
    elsewhere = antimony_to(name)
    elsewhere.procedure, elsewhere.export_territory = IMPORT, "VN"
    elsewhere.goods[0].origin_territory = "VN"
    assert not listed(rules, elsewhere)


def test_goods_on_their_way_to_an_entity_are_touched_when_its_list_begins(rules: RuleEngine) -> None:
    goods = rules.controls.goods
    (change,) = (
        each
        for each in control_changes(goods, date(2026, 2, 24), date(2026, 2, 24))
        if each.announcement.key == "MOFCOM No.11 of 2026"
    )
    assert "811010" in codes_of(goods, change)
    assert touched(rules.controls, change, antimony_to("KAWAJU Gifu Engineering"))
    assert not touched(rules.controls, change, antimony_to("Placeholder Metals Limited"))


def test_a_record_with_thousands_of_names_costs_little(rules: RuleEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []
    monkeypatch.setattr(rules.controls.entities, "find", lambda name, on: compared.append(name) or [])
    record = antimony_to("First Placeholder Limited")
    for number in range(3_000):
        record.parties[0].names.add(text=f"Placeholder {number} Limited")
    assert listed(rules, record) is None
    assert len(compared) == MAX_NAMES
    assert compared[0] == "First Placeholder Limited"


HEADER = "name,other_names,announcement,confidence,source,note\n"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (",,MOFCOM No.11 of 2026,high,x,", "line 2: name: is empty"),
        ("X,,MOFCOM No.99 of 2026,high,x,", "line 2: announcement: 'MOFCOM No.99 of 2026' is not among"),
        ("X,,MOFCOM No.1 of 2026,high,x,", "with measure control_list or watch_list"),
        ("X,,MOFCOM No.11 of 2026,sure,x,", "line 2: confidence: 'sure' is not high, medium or low"),
    ],
)
def test_wrong_lines_are_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "own.csv"
    path.write_text(HEADER + line + "\n", "utf-8")
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        load_listed_entities(path, ANNOUNCEMENTS)


def test_an_own_file_replaces_the_packaged_one(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(HEADER + "Placeholder Metals Limited,占位金属有限公司|PML,MOFCOM No.11 of 2026,high,x,\n", "utf-8")
    own = RuleEngine.load(listed_entities=path)
    assert own.version != RuleEngine.load().version
    hit = listed(own, antimony_to("占位金屬有限公司"))
    assert hit is not None
    assert "Placeholder Metals Limited (MOFCOM No.11 of 2026)" in hit.explanation
    assert not listed(own, antimony_to("KAWAJU Gifu Engineering"))


def test_own_announcements_without_lists_leave_the_packaged_entities_out() -> None:
    own = Announcements(tuple(row for row in ANNOUNCEMENTS if "of 2026" not in row.name))
    assert {entity.announcement.name for entity in load_listed_entities(None, own)} == {
        f"MOFCOM No.{number} of 2025" for number in (1, 13, 21, 22)
    }
