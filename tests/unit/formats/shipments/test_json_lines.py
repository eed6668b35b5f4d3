"""Shipments and additions in JSON lines."""

from __future__ import annotations

import io
import json

import pytest
from google.protobuf.json_format import MessageToJson
from hypothesis import given
from hypothesis import strategies as st

from gateway.formats.shipments.json_lines import read_json_lines
from gateway.formats.shipments.rows import BadRecord, ItemRow, Row
from gateway.v1 import goods_pb2, shipment_pb2
from gateway.v1.shipment_pb2 import ShipmentAddition
from tests.support.shipments import shipment


class TestJsonLines:
    """The contract's JSON form, one item a line."""

    def read(self, *lines: str) -> list[Row]:
        return list(read_json_lines(io.BytesIO("\n".join(lines).encode())))

    @pytest.mark.parametrize("own_names", [True, False])
    def test_shipments_and_additions_are_told_apart(self, own_names: bool) -> None:
        value = goods_pb2.Money(currency_code="CNY", units=-12, nanos=-5)
        whole = shipment(gross_mass_kg=20_400.0, package_count=3, total_value=value)
        addition = ShipmentAddition(record_id="A-1")
        addition.events.add(kind=shipment_pb2.SHIPMENT_EVENT_KIND_RELEASE).occurred_at.seconds = 1_768_000_000
        texts = [MessageToJson(each, indent=None, preserving_proto_field_name=own_names) for each in (whole, addition)]
        found = self.read(texts[0], "", texts[1], json.dumps({"shipment": json.loads(texts[0])}))
        assert [row.item for row in found if isinstance(row, ItemRow)] == [whole, addition, whole]
        assert [row.line for row in found] == [1, 3, 4]

    def test_a_release_list_without_members_is_not_an_absent_one(self) -> None:
        made = [shipment("A"), shipment("B"), shipment("C", releasable_to=shipment_pb2.ReleaseList(nodes=["hk"]))]
        made[1].releasable_to.SetInParent()
        texts = [MessageToJson(each, indent=None, preserving_proto_field_name=True) for each in made]
        assert [row.item for row in self.read(*texts) if isinstance(row, ItemRow)] == made

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            (
                "{",
                "not JSON: Expecting property name enclosed in double quotes at character 2; a line is an object like",
            ),
            ("[]", "not a JSON object like"),
            ('{"record_id": "A", "record_id": "B"}', "twice"),
            ('{"record_id": "A", "colour": 1}', "colour: there is no such field; there are record_id"),
            ('{"record_id": "A", "declared_on": 1}', "no such field; did you mean 'declared_at'?"),
            ('{"record_id": 7, "procedure": "export"}', "record_id: must be a text in quotes, not 7"),
            (
                '{"record_id": "A", "procedure": "exprt"}',
                "procedure: must be one of export, import, transit, reexport, transshipment, manifest, not 'exprt'; "
                "did you mean 'export'?",
            ),
            ('{"record_id": "A", "procedure": "SHIPMENT_PROCEDURE_EXPORT"}', "declared_at: value is required"),
            ('{"record_id": "A"}', "events, inspections"),
            (
                '{"record_id": "A", "gross_mass_kg": "heavy", "procedure": 1}',
                "gross_mass_kg: must be a number, not 'heavy'",
            ),
            pytest.param('{"record_id": "A", "gross_mass_kg": %s}' % ("9" * 400), "too large", id="400 digits"),
        ],
    )
    def test_a_line_that_cant_be_used_says_why(self, line: str, said: str) -> None:
        bad, good = self.read(line, MessageToJson(shipment(), indent=None))
        assert isinstance(bad, BadRecord)
        assert isinstance(good, ItemRow)
        assert any(said in problem.reason for problem in bad.problems), bad

    def test_bytes_that_arent_text(self) -> None:
        (bad,) = read_json_lines(io.BytesIO(b'{"record_id": "\xff"}\n'))
        assert isinstance(bad, BadRecord)
        assert "utf-8" in bad.problems[0].reason

    @given(st.binary(max_size=200))
    def test_whatever_stands_in_a_line_gives_one_row_each(self, data: bytes) -> None:
        lines = [line for line in io.BytesIO(data) if line.strip()]
        assert len(list(read_json_lines(io.BytesIO(data)))) == len(lines)
