"""Alerts from CSV and from JSON lines: every column, and lines that are wrong are named while the rest goes on."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime

import pytest
from google.protobuf.json_format import MessageToJson
from hypothesis import given
from hypothesis import strategies as st

from gateway.contract.validation import violations
from gateway.errors import ConfigurationError
from gateway.formats.alerts.alert_lines import AlertLine, read_json_lines
from gateway.formats.alerts.csv_alerts import COLUMNS, read_alert_csv
from gateway.formats.tables.layout import Problem
from gateway.formats.tables.lines import MAX_LINE_BYTES
from gateway.v1 import alert_pb2, goods_pb2, party_pb2
from gateway.v1.alert_pb2 import AlertContent

FULL = {
    "seals": "S1; S2",
    "containers": "CSQU3054383;MSKU0000001",
    "priority": "A",
    "typologies": "false_declaration;transshipment",
    "requested_action": "discreet_check",
    "legal_basis": "Arrangement 2024, article 7",
    "purpose": "export_control",
    "case_reference": "CASE-1",
    "classification": "restricted",
    "onward_transfer": "listed",
    "onward_recipients": "mo",
    "caveat": "Don't tell the trader",
    "reply_by": "2026-02-01T12:00:00+08:00",
    "valid_until": "2026-04-15T00:00:00Z",
    "declaration": "530120260100000001",
    "ucr": "UCR-1",
    "transport_document": "BL-1",
    "licence": "L-1",
    "vehicles": "粤Z1234港",
    "declarant": "trader_id:D1",
    "exporter": "Example Metals 公司; uscc:91350100M000100Y43",
    "importer": "Importer: of metals",
    "consignor": "A",
    "consignee": "B",
    "declared_code": "7801.10",
    "suspected_code": "81101000@CN",
    "description": "Lead ingots",
    "substance": "antimony ingot",
    "element": "Sb",
    "form": "ingot",
    "purity_percent": "99.65",
    "net_mass_kg": "24000",
    "gross_mass_kg": "24500.5",
    "origin_territory": "CN",
    "narrative_en": "Antimony declared as lead.",
    "narrative_zh_hans": "锑锭申报为铅锭。",
    "narrative_zh_hant": "銻錠申報為鉛錠。",
    "narrative_pt": "Antimónio declarado como chumbo.",
}


def table(*rows: dict[str, str], header: tuple[str, ...] = tuple(FULL)) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def read(data: bytes) -> list[AlertLine | Problem]:
    return list(read_alert_csv(io.BytesIO(data), source="alerts.csv"))


def only(data: bytes) -> AlertContent:
    (line,) = read(data)
    assert isinstance(line, AlertLine), line
    return line.content


def test_every_column_is_tried_here() -> None:
    assert set(FULL) == set(COLUMNS)


def test_every_column_lands_in_its_field() -> None:
    content = only(table(FULL))
    assert violations(content) == []
    assert content.priority == alert_pb2.PRIORITY_A
    assert list(content.typologies) == ["false_declaration", "transshipment"]
    assert content.requested_action == alert_pb2.REQUESTED_ACTION_DISCREET_CHECK
    assert content.handling.onward_transfer == alert_pb2.ONWARD_TRANSFER_LISTED
    assert list(content.handling.onward_recipients) == ["mo"]
    assert content.reply_by.ToDatetime(UTC) == datetime(2026, 2, 1, 4, tzinfo=UTC)
    assert [(e.id, list(e.seals)) for e in content.subject.equipment] == [
        ("CSQU3054383", ["S1", "S2"]),
        ("MSKU0000001", []),
    ]
    assert [r.kind for r in content.subject.references] == [
        goods_pb2.SHIPMENT_REFERENCE_KIND_DECLARATION,
        goods_pb2.SHIPMENT_REFERENCE_KIND_UCR,
        goods_pb2.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT,
        goods_pb2.SHIPMENT_REFERENCE_KIND_LICENCE,
    ]
    assert content.subject.means[0].registrations[0].value == "粤Z1234港"
    (goods,) = content.goods
    assert (goods.declared_codes[0].code, goods.declared_codes[0].scheme) == ("780110", "hs")
    assert (goods.suspected_codes[0].scheme, goods.suspected_codes[0].territory) == ("tariff", "CN")
    assert (goods.purity_percent, goods.net_mass_kg, goods.gross_mass_kg) == (99.65, 24000.0, 24500.5)
    parties = {party.role: party for party in content.subject.parties}
    exporter = parties[party_pb2.PARTY_ROLE_EXPORTER]
    assert [name.text for name in exporter.names] == ["Example Metals 公司"]
    assert [(i.scheme, i.value) for i in exporter.identifiers] == [("uscc", "91350100M000100Y43")]
    assert parties[party_pb2.PARTY_ROLE_IMPORTER].names[0].text == "Importer: of metals"
    assert [n.language for n in content.narratives] == ["en", "zh-Hans", "zh-Hant", "pt"]


def test_empty_cells_set_nothing() -> None:
    assert only(table({"case_reference": "C"})) == AlertContent(case_reference="C")


def test_wrong_lines_are_named_with_all_their_reasons_and_the_rest_goes_on() -> None:
    wrong = {"priority": "Z", "valid_until": "tomorrow", "net_mass_kg": "much", "seals": "S1"}
    found = read(table({"case_reference": "1"}, wrong, {"case_reference": "3"}))
    assert [each.line for each in found if isinstance(each, AlertLine)] == [2, 4]
    problems = [each for each in found if isinstance(each, Problem)]
    assert {each.line for each in problems} == {3}
    fields = {each.field for each in problems}
    assert fields >= {"priority", "valid_until", "net_mass_kg", "seals"}
    assert fields >= {"typologies", "legal_basis", "purpose"}, "broken rules of the contract are named with them"
    assert "one of a, b, c" in next(each.reason for each in problems if each.field == "priority")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"a,b,c\n", "the line has 3 columns, the header has 1"),
        (b'"open\n', "the line is not CSV"),
        (b"\xff\n", "byte 1 of the line is not utf-8; --encoding names"),
        (b"x" * (MAX_LINE_BYTES + 2) + b"\n", "the line is longer than 1048576 bytes"),
    ],
)
def test_a_line_that_is_no_line_of_the_table_spoils_itself_alone(line: bytes, reason: str) -> None:
    problem, good = read(b"case_reference\n" + line + b"C-1\n")
    assert isinstance(problem, Problem)
    assert problem.line == 2
    assert reason in problem.reason
    assert isinstance(good, AlertLine)
    assert good.line == 3


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no header"),
        (b"case_reference,colour\n", "unknown column 'colour'"),
        (b"case_reference,case_reference\n", "column 'case_reference' twice"),
        (b"\xff\n", "the header can't be read"),
    ],
)
def test_a_header_that_isnt_right_is_refused_at_once(data: bytes, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as refused:
        read_alert_csv(io.BytesIO(data), source="alerts.csv")
    assert "alerts.csv" in refused.value.message


def test_a_byte_order_mark_is_no_part_of_the_first_column() -> None:
    assert only(b"\xef\xbb\xbfcase_reference\nC-1\n").case_reference == "C-1"


def test_json_lines_name_what_is_wrong_and_go_on() -> None:
    lines = [
        MessageToJson(only(table(FULL)), indent=None).encode(),
        b"",
        b'{"colour": 1}',
        b"\xff",
        b"x" * (MAX_LINE_BYTES + 2),
        b'{"case_reference": "C"}',
    ]
    found = list(read_json_lines(io.BytesIO(b"\n".join(lines))))
    assert [each.line for each in found] == [1, 3, 4, 5, 6]
    first, unknown, not_text, long, last = found
    assert isinstance(first, AlertLine)
    assert first.content == only(table(FULL))
    assert isinstance(unknown, Problem)
    assert "colour" in unknown.reason
    assert isinstance(not_text, Problem)
    assert "utf-8" in not_text.reason
    assert isinstance(long, Problem)
    assert isinstance(last, AlertLine)
    assert last.content.case_reference == "C"


@given(st.binary(max_size=400), st.sampled_from([read_alert_csv, read_json_lines]))
def test_no_bytes_raise_anything_but_a_refused_header(data: bytes, reader: object) -> None:
    prefix = b"priority,containers,seals,valid_until,declared_code,exporter\n" if reader is read_alert_csv else b""
    refusal, lines = "", []
    try:
        lines = reader(io.BytesIO(prefix + data))  # type: ignore[operator]
    except ConfigurationError as error:
        refusal = error.message
    if refusal:
        assert "a header and no line below it" in refusal
        assert not data.strip(b"\0 \t\r\n\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0")
    for each in lines:
        assert isinstance(each, AlertLine | Problem)
