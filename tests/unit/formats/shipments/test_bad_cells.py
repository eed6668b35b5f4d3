"""CSV of shipments that is wrong: each problem has its line, its column and what would be right."""

from __future__ import annotations

import io

import pytest

from gateway.errors import ConfigurationError
from gateway.formats.shipments.csv_files import read_csv
from gateway.formats.shipments.rows import BadRecord, ItemRow
from gateway.formats.tables.lines import MAX_LINE_BYTES
from tests.support.shipment_files import MINIMUM, table, wrong


class TestBadCells:
    """Each problem has its line, its column, and what would be right."""

    @pytest.mark.parametrize(
        ("column", "text", "said"),
        [
            ("procedure", "exort", "isn't one of export, import, transit"),
            ("declared_at", "2026-01-10", "time with its zone"),
            ("declared_at", "2026-13-10T00:00:00Z", "time with its zone"),
            ("office", "Shenzhen", "isn't a UN/LOCODE"),
            ("office", "|||5345", "place without territory"),
            ("office", "|ZZ||5345", "place without territory"),
            ("office", "CNSZW|CN|a|b|c|d|e|f|g", "at most 8 are known"),
            ("declaration", "1|Atlantis", "known name of a territory"),
            ("exporter_id", "91440300715267260G", "scheme:value"),
            ("exporter_address", "1 Road", "party without name"),
            ("plates", "AB 1234", "scheme:value"),
            ("mode", "77x", "Recommendation 19"),
            ("route", "CNSZW", "at least two"),
            ("departed_at", "2026-01-10T12:00:00Z", "give route too"),
            ("vgm_kg", "-5", "can't be negative"),
            ("vgm_kg", "1,000", "not a number like 1234.5"),
            ("package_count", "1.5", "whole number"),
            ("package_count", "4294967296", "whole number"),
            ("total_value", "5", "currency"),
            ("value", "5", "currency"),
            ("hs_code", "79", "commodity code"),
            ("hs_code", "8110101000", "whose tariff"),
            ("origin", "Atlantis", "known name"),
            ("export_territory", "xx", "known name"),
            ("event", "gate_in", "a kind and a time"),
            ("event", "arrived", "isn't one of gate_in"),
            ("licences", "L|1|A|CN|2026", "time with its zone"),
            # rules of the contract
            ("purity_percent", "100.5", "less than or equal to 100"),
            ("element", "antimony", "pattern"),
            ("incoterms", "free", "pattern"),
            ("retention_class", "Five Years", "pattern"),
            ("total_gross_mass_kg", "1000000001", "1000000000"),
            ("description", "x" * 1025, "1024"),
            ("imo", "9" * 65, "64"),
            ("containers", "C" * 33, "32"),
            ("importer_name", "x" * 513, "512"),
            ("event_source", "x" * 129, "a kind and a time"),
        ],
    )
    def test_one(self, column: str, text: str, said: str) -> None:
        found = wrong({**MINIMUM, column: text})
        assert [line for line, _, _ in found] == [2] * len(found)
        assert any(said in reason for _, _, reason in found), found

    @pytest.mark.parametrize(
        ("path", "column"),
        [
            ({"description": "x" * 1025}, "description"),
            ({"purity_percent": "101"}, "purity_percent"),
            ({"importer_name": "x" * 513}, "importer_name"),
            ({"buyer_id": "x:" + "1" * 129}, "buyer_id"),
            ({"containers": "C" * 33}, "containers"),
            ({"containers": "C", "seals": "S" * 65}, "seals"),
            ({"vessel": "v" * 129}, "vessel"),
            ({"hs_code": "811010", "package_type": "PALLET"}, "package_type"),
            ({"record_id": "A 1"}, "record_id"),
            ({"event": "release", "event_at": "2026-01-10T12:00:00Z", "event_source": "x" * 129}, "event_source"),
        ],
    )
    def test_rules_of_the_contract_name_their_column(self, path: dict[str, str], column: str) -> None:
        assert [name for _, name, _ in wrong({**MINIMUM, **path})] == [column]

    def test_all_problems_of_a_line_at_once(self) -> None:
        found = wrong({**MINIMUM, "vgm_kg": "x", "mode": "x", "hs_code": "x", "exporter_id": "x"})
        assert {column for _, column, _ in found} == {"vgm_kg", "mode", "hs_code", "exporter_id"}

    def test_what_a_record_needs(self) -> None:
        found = wrong({"record_id": "A-1", "hs_code": "811010", "declared_at": "", "procedure": ""})
        assert [column for _, column, _ in found] == ["procedure", "declared_at"]
        assert "lines that tell of events alone don't" in found[0][2]
        assert wrong({**MINIMUM, "record_id": ""})[0][1] == "record_id"

    @pytest.mark.parametrize(
        ("containers", "seals", "fine"),
        [
            ("A", "S1;S2", True),
            ("A;B", "S1;S2", True),
            ("A;B", "S1", False),
            ("", "S1", False),
            ("A;B", "1;2;3", False),
        ],
    )
    def test_seals_belong_to_containers(self, containers: str, seals: str, fine: bool) -> None:
        (row,) = read_csv(table({**MINIMUM, "containers": containers, "seals": seals}))
        assert isinstance(row, ItemRow) == fine
        if isinstance(row, BadRecord):
            assert row.problems[0].field == "seals"

    def test_a_line_longer_than_any(self) -> None:
        text = b"record_id,procedure,declared_at\nA-1," + b"x" * MAX_LINE_BYTES + b"\nA-2,import,2026-01-10T12:00:00Z\n"
        bad, good = read_csv(io.BytesIO(text))
        assert isinstance(bad, BadRecord)
        assert isinstance(good, ItemRow)
        assert "longer than" in bad.problems[0].reason

    @pytest.mark.parametrize(
        ("header", "said"),
        [
            (b"", "no column 'record_id'"),
            (b"procedure\n", "no column 'record_id'"),
            (b"record_id,colour\n", "unknown column 'colour'"),
            (b"record_id,record_id\n", "column 'record_id' twice"),
            (b"\xff\n", "header can't be read"),
        ],
    )
    def test_a_header_that_isnt_one_fails_at_once(self, header: bytes, said: str) -> None:
        with pytest.raises(ConfigurationError, match=said):
            read_csv(io.BytesIO(header))
