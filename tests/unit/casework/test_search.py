"""The search: numbers however they are written, names in any script, words of any text, and what isn't said."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.casework.service.related import MOST_OF_THING
from gateway.contract.messages import to_timestamp
from gateway.trust.codec.permissions import load_permissions
from gateway.v1 import alert_pb2, goods_pb2, party_pb2
from gateway.v1 import casework_service_pb2 as service
from tests.support.databases import MakeDatabase
from tests.support.desk import Desk
from tests.support.nodes import DAY_MS, PaperNode, exchange, paper_nodes


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


def subject(*names: str, **parts: Any) -> alert_pb2.Subject:
    parties = [party_pb2.Party(names=[party_pb2.Name(text=name)]) for name in names]
    return alert_pb2.Subject(parties=parties, **parts)


def means(plate: str, name: str = "") -> goods_pb2.TransportMeans:
    registration = goods_pb2.TransportMeans.Identifier(scheme="plate_hk", value=plate)
    return goods_pb2.TransportMeans(registrations=[registration], name=name)


@pytest.fixture
def desk(nodes: list[PaperNode]) -> tuple[Desk, dict[str, str]]:
    """A desk at hk, and alerts of cn by what they are about."""
    cn, hk = nodes
    ucr = goods_pb2.SHIPMENT_REFERENCE_KIND_UCR
    parties = subject("陳大文", "澳门贸易有限公司")
    parties.parties[0].identifiers.add(scheme="hk_brn", value="12345678-000")
    ids = {
        "container": cn.publish(
            "hk", subject=subject(equipment=[goods_pb2.Equipment(id="TCLU 123456-7", seals=["CN-99 8877"])])
        ),
        "vehicle": cn.publish("hk", subject=subject(means=[means("粤Z·1234港"), means("AB 1234", "Estrela do Mar")])),
        "reference": cn.publish(
            "hk",
            case_reference="GZ/2026/0042",
            subject=subject(references=[goods_pb2.ShipmentReference(kind=ucr, value="6CN123-ABC/77")]),
        ),
        "parties": cn.publish("hk", subject=parties),
        "text": cn.publish(
            "hk",
            narratives=[
                alert_pb2.Narrative(language="zh-Hant", text="申報為鉛錠，實為氧化鎵，藏於夾層。"),
                alert_pb2.Narrative(language="pt", text="Declaração falsa: óxido de gálio."),
            ],
        ),
    }
    exchange(cn, hk)
    at_hk = Desk(hk)
    at_hk.settle()
    return at_hk, ids


SEARCHES = {
    "TCLU1234567": "container",
    "tclu 123456 7": "container",
    "TCLU12": "container",
    "cn998877": "container",
    "粤Z1234港": "vehicle",
    "AB1234": "vehicle",
    "estrela do mar": "vehicle",
    "6CN123-ABC/77": "reference",
    "6cn123abc77": "reference",
    "GZ/2026/0042": "reference",
    "12345678-000": "parties",
    "陳大文": "parties",
    "陈大文": "parties",
    "Chan Tai Man": "parties",
    "CHAN, Tai-man": "parties",
    "Chen Dawen": "parties",
    "澳門貿易": "parties",
    "氧化鎵": "text",
    "氧化镓": "text",
    "declaracao falsa": "text",
    "óxido gál": "text",
    "gálio concealed": None,
    "XXXU7654321": None,
    "Lee Siu Lung": None,
    "!?": None,
}
"""What an officer types, and which alert it finds."""


def test_one_box_finds_what_an_officer_types(desk: tuple[Desk, dict[str, str]]) -> None:
    at_hk, ids = desk
    names = {alert_id: name for name, alert_id in ids.items()}
    for text, found in SEARCHES.items():
        assert [names[one] for one in at_hk.found(text)] == ([] if found is None else [found]), text


def test_the_macao_spelling_of_a_name_finds_its_characters(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    wong = cn.publish("hk", subject=subject("黃美玲"))
    cn.publish("hk", subject=subject("Placeholder Trading"))
    exchange(cn, hk)
    at_hk = Desk(hk)
    at_hk.settle()
    for text in ("Wong Mei Leng", "Wong Mei Ling", "Huang Meiling", "黄美玲"):
        assert at_hk.found(text) == [wong], text
    (row,) = at_hk.rows(text="Wong Mei Leng")
    (match,) = row.matches
    assert (match.field, match.value) == (service.MATCHED_FIELD_PARTY_NAME, "黃美玲")
    assert 0 < match.score <= 1
    assert match.because


@pytest.mark.both_databases
def test_a_row_says_why_it_was_found(desk: tuple[Desk, dict[str, str]]) -> None:
    at_hk, _ = desk

    def why(text: str) -> list[tuple[int, str]]:
        (row,) = at_hk.rows(text=text)
        return [(match.field, match.value) for match in row.matches]

    assert why("TCLU12") == [(service.MATCHED_FIELD_EQUIPMENT, "TCLU 123456-7")]
    assert why("6cn123abc77") == [(service.MATCHED_FIELD_REFERENCE, "6CN123-ABC/77")]
    assert why("GZ/2026/0042") == [(service.MATCHED_FIELD_CASE_REFERENCE, "GZ/2026/0042")]
    assert why("12345678-000") == [(service.MATCHED_FIELD_IDENTIFIER, "12345678-000")]
    assert why("氧化镓") == [(service.MATCHED_FIELD_TEXT, "")]


def test_steps_are_found_after_the_alert_and_ended_alerts_too(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    at_hk = Desk(hk)
    alert_id = cn.publish("hk")
    exchange(cn, hk)
    at_hk.settle()
    question_id = str(uuid.uuid4())
    deadline = to_timestamp(cn.clock.now + DAY_MS)
    question = alert_pb2.AlertQuestion(question_id=question_id, text="Who sealed it at Zhuhai?", deadline=deadline)
    hk.step("cn", alert_id, question=question)
    exchange(cn, hk)
    assert at_hk.found("zhuhai") == []
    assert at_hk.page(text="zhuhai").unindexed > 0
    at_hk.settle()
    assert at_hk.found("zhuhai") == [alert_id]
    answer = alert_pb2.AlertAnswer(question_id=question_id, text="珠海海关，封条号 ZH-5511")
    cn.step("cn", alert_id, recipient="hk", answer=answer)
    exchange(cn, hk)
    at_hk.settle()
    assert at_hk.found("珠海") == at_hk.found("ZH-5511") == [alert_id]
    cn.step("cn", alert_id, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="Mistaken consignment"))
    exchange(cn, hk)
    at_hk.settle()
    assert at_hk.found("mistaken") == [alert_id]
    assert at_hk.ids(text="mistaken", scope=service.INBOX_SCOPE_WANTED) == []


def test_an_amended_alert_is_found_by_what_it_said_and_by_what_it_says(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    at_hk = Desk(hk)
    alert_id = cn.publish("hk", subject=subject(equipment=[goods_pb2.Equipment(id="AAAU1111111")]))
    other = cn.publish("hk", subject=subject(equipment=[goods_pb2.Equipment(id="AAAU1111111")]))
    exchange(cn, hk)
    cn.amend(alert_id, 2, subject=subject(equipment=[goods_pb2.Equipment(id="BBBU2222222")]))
    exchange(cn, hk)
    at_hk.settle()
    assert at_hk.found("BBBU2222222") == [alert_id]
    assert set(at_hk.found("AAAU1111111")) == {alert_id, other}
    assert [one for one, shared in at_hk.related("cn", other) if "AAAU1111111" in shared] == []


def test_related_alerts_share_a_thing_and_the_rarest_comes_first(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    at_hk = Desk(hk)
    seal = goods_pb2.Equipment(id="OOLU7777777", seals=["SEAL-1"])
    first = hk.publish("cn", subject=subject("Chan Tai Man"), narratives=[])
    by_seal = cn.publish("hk", subject=subject(equipment=[seal]))
    subject_alert = cn.publish(
        "hk", subject=subject("陳大文", equipment=[goods_pb2.Equipment(id="X1", seals=["seal 1"])])
    )
    exchange(cn, hk)
    at_hk.settle()
    related = at_hk.related("cn", subject_alert)
    assert "SEAL-1" in dict(related)[by_seal]
    assert "Chan Tai Man" in dict(related)[first], "another script of the same name"
    assert all(one != subject_alert for one, _ in related)


def test_an_old_alert_about_a_rare_thing_is_found_behind_many_about_a_common_one(nodes: list[PaperNode]) -> None:
    cn, hk = nodes
    at_hk = Desk(hk)
    old = cn.publish("hk", subject=subject(equipment=[goods_pb2.Equipment(id="OOLU7777777")]))
    since = [cn.publish("hk", subject=subject("Common Forwarding Limited")) for _ in range(MOST_OF_THING + 5)]
    new = cn.publish(
        "hk", subject=subject("Common Forwarding Limited", equipment=[goods_pb2.Equipment(id="OOLU7777777")])
    )
    exchange(cn, hk)
    at_hk.settle()
    found = [one for one, _ in at_hk.related("cn", new)]
    assert found[0] == old
    assert found[1:] == since[::-1][: len(found) - 1]


def test_whoever_may_search_may_read_the_whole_alert() -> None:
    """Nothing is findable by a field that the caller may not see: who searches may read everything that is indexed."""
    rows = load_permissions()
    readers = rows["/gateway.v1.AlertService/GetAlert"].roles
    for method in ("ListInbox", "WatchInbox", "ListRelatedAlerts"):
        assert rows[f"/gateway.v1.CaseworkService/{method}"].roles <= readers
        assert not rows[f"/gateway.v1.CaseworkService/{method}"].peers
