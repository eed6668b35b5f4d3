"""Targets: alerts, shipments and declarations as files, the table engine, and mappings."""

from __future__ import annotations

import io
from collections.abc import Iterable
from contextlib import suppress

from google.protobuf.json_format import MessageToJson

from gateway.contract.validation import violations
from gateway.errors import GatewayError
from gateway.formats.alerts.alert_lines import AlertLine, RequestIds
from gateway.formats.alerts.alert_lines import read_json_lines as read_alert_lines
from gateway.formats.alerts.csv_alerts import read_alert_csv
from gateway.formats.declarations.declarations import DECLARATION_MAPPINGS, DeclarationRow, read_declarations
from gateway.formats.shipments.columns import SHIPMENT_MAPPINGS
from gateway.formats.shipments.csv_files import read_csv as read_shipment_csv
from gateway.formats.shipments.json_lines import read_json_lines as read_shipment_lines
from gateway.formats.shipments.rows import ItemRow
from gateway.formats.tables.cell_values import read_known_territory, read_territory, read_time
from gateway.formats.tables.lines import Dialect, cells, table_lines
from gateway.formats.tables.notation import read_members, read_parts
from tests.fuzz.target import target, text_of
from tests.support.nodes import alert_content
from tests.support.shipment_files import MINIMUM, table
from tests.support.shipments import shipment

ALERT = {
    "containers": "CSQU3054383;MSKU0000001", "seals": "S1; S2", "priority": "A", "typologies": "false_declaration",
    "requested_action": "inspect", "legal_basis": "Article 7", "purpose": "export_control", "case_reference": "C-1",
    "classification": "restricted", "onward_transfer": "prohibited", "valid_until": "2027-04-15T00:00:00Z",
    "vehicles": "粤Z1234港", "exporter": "Example Metals 公司; uscc:91350100M000100Y43", "declared_code": "7801.10",
    "suspected_code": "81101000@CN", "net_mass_kg": "24000.5", "narrative_en": "Antimony declared as lead.",
}  # fmt: skip
SHIPMENT = {
    **MINIMUM, "office": "CNSZW", "declaration": "534520260000000101|CN", "transport_documents": "BL-7;BL-8",
    "licences": "L-1|1|MOFCOM|CN|2026-01-01T00:00:00+08:00|2026-07-01T00:00:00+08:00",
    "exporter_name": "範例金屬有限公司|Hant|zh; Example Metals", "exporter_id": "uscc:91440300715267260G|CN",
    "containers": "CSQU3054383", "seals": "S1|S2", "mode": "3", "plates": "hk_vehicle_plate:AB 1234",
    "hs_code": "811010",
    "description": "antimony", "net_mass_kg": "1000.5", "value": "10", "currency": "CNY",
}  # fmt: skip
DECLARATIONS = (
    '[columns]\ndeclaration_number = "Nr"\ndate = "Day"\nhs_code = "HS"\nnet_mass_kg = "Mass"\n'
    '[decimal]\npoint = ","\n[date]\nformat = "%d.%m.%Y"\n'
)


def _read(rows: Iterable[object]) -> None:
    """Rows that are read keep the rules; others say why not."""
    ids = RequestIds(["hk"])
    for row in rows:
        if isinstance(row, AlertLine):
            assert len(ids.next(row.source)) == 36
        elif isinstance(row, ItemRow):
            assert violations(row.item) == []
        elif isinstance(row, DeclarationRow):
            assert row.declaration_number


@target(lambda: [table(ALERT).read(), table(ALERT).read().decode().encode("utf-16")])
def alert_csv(data: bytes) -> None:
    """Alerts in CSV."""
    _read(read_alert_csv(io.BytesIO(data)))


@target(lambda: [MessageToJson(alert_content(1_770_000_000_000), indent=None).encode()])
def alert_json(data: bytes) -> None:
    """Alerts in JSON lines."""
    _read(read_alert_lines(io.BytesIO(data)))


@target(lambda: [table(SHIPMENT).read(), table(SHIPMENT, delimiter="\t").read().decode().encode("gb18030")])
def shipment_csv(data: bytes) -> None:
    """Shipments in CSV with own columns."""
    _read(read_shipment_csv(io.BytesIO(data)))


@target(lambda: [MessageToJson(shipment(), indent=None).encode()])
def shipment_json(data: bytes) -> None:
    """Shipments in JSON lines."""
    _read(read_shipment_lines(io.BytesIO(data)))


@target(lambda: [DECLARATIONS.encode() + b"\0Nr;Day;HS;Mass\n1;15.01.2026;811010;1,5\n"], max_bytes=8_192)
def declaration_csv(data: bytes) -> None:
    """A mapping and declarations that it reads, parted by a zero byte."""
    mapping, _, table = data.partition(b"\0")
    _read(read_declarations(io.BytesIO(table), DECLARATION_MAPPINGS.parse(text_of(mapping), source="mapping")))


SHIPMENTS = (
    '[columns]\nrecord_id = "Nr"\ndeclared_at = "Day"\nhs_code = "HS"\n[constants]\nprocedure = "export"\n'
    '[date]\nformat = "%Y-%m-%d"\nzone = "+08:00"\n'
)


@target(lambda: [SHIPMENTS.encode() + b"\0Nr,Day,HS\n1,2026-01-15,811010\n1,2026-01-15,7801\n"], max_bytes=8_192)
def shipment_mapped(data: bytes) -> None:
    """The same for shipments."""
    mapping, _, table = data.partition(b"\0")
    _read(read_shipment_csv(io.BytesIO(table), SHIPMENT_MAPPINGS.parse(text_of(mapping), source="mapping")))


@target(lambda: ["a,b\n1,é\n".encode("utf-16"), "a;b\n贺;2\n".encode("gb18030"), b'a,"b\nc"\n', b"\xff\xfea"])
def table_encoding(data: bytes) -> None:
    """Lines in any encoding: each is read once, and split into cells or refused."""
    dialect = Dialect()
    numbers = []
    for number, text, fault in table_lines(io.BytesIO(data), dialect):
        numbers.append(number)
        if not fault:
            cells(text)
    assert numbers == sorted(set(numbers))


CELLS = (b"2026-01-15T08:00:00+08:00", b"2026", b"China", b"HKG", b"a;b\\;c;", b"Chan / \\/ Tai")


@target(lambda: CELLS, max_bytes=512)
def cell_value(data: bytes) -> None:
    """Times, territories and notations."""
    text = text_of(data)
    for read in (read_time, read_territory, read_known_territory, read_members, lambda value: read_parts(value, 3)):
        with suppress(GatewayError):
            read(text)
