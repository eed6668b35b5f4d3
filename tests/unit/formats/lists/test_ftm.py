"""FollowTheMoney: what each property becomes, flat and nested files, lines that are wrong, and round trips.

All names and numbers are invented.
"""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigurationError, GatewayError
from gateway.formats.lists.ftm import read_ftm
from gateway.formats.lists.ftm_export import write_ftm
from gateway.formats.lists.rows import BadRow, ListRow, SkippedRow
from gateway.v1 import watchlist_pb2
from gateway.v1.watchlist_pb2 import WatchlistContent
from tests.support.watchlists import OPTIONS, bad, contents, entry, good


def entity(entity_id: str, schema: str, caption: str = "", **properties: Any) -> dict[str, Any]:
    return {
        "id": entity_id,
        "schema": schema,
        "caption": caption,
        "properties": {name: value if isinstance(value, list) else [value] for name, value in properties.items()},
    }


FILE = [
    entity(
        "ex-1",
        "Person",
        "Person One",
        name=["Pessoa Um", "Person One", "例一"],
        alias="P. One",
        weakAlias="One",
        previousName="Person Zero",
        birthDate=["1963-05-17", "1963"],
        birthPlace=["Dandong, Liaoning, China", "Example City"],
        birthCountry=["cn", "kp", "atlantis"],
        nationality=["ir", "suhh"],
        country="gb-sct",
        passportNumber="A0000001",
        idNumber="0001",
        addressEntity="addr-1",
        address="1 Example Road, Kowloon",
        topics="sanction",
        gender="male",
        notes="A note",
    ),
    entity("addr-1", "Address", full="1 Example Road, Kowloon", street="1 Example Road", city="Kowloon", country="hk"),
    entity("ident-1", "Identification", holder="ex-1", type="Seaman's Book", number="SB-1", country="pa"),
    entity("pass-1", "Passport", holder="ex-1", number="A0000002", country="ir", startDate="2020-02-01",
           endDate="2030-01-31"),
    entity("ex-2", "Company", name="Example Co., Ltd.", jurisdiction="cn", uscCode="91350100M000100Y43",
           address="Dandong"),
    entity("sanc-1", "Sanction", entity="ex-2", program="EXP1", reason="Evasion",
           startDate="2026-01-15", endDate="2026-03-31", unscId="EXe.001"),
    entity("ex-3", "Vessel", name="EXAMPLE STAR", imoNumber="9074729", mmsi="412000001", callSign="XEXA1",
           flag="pa", type="Tanker"),
    entity("ex-4", "Vehicle", name="Lorry", registrationNumber="AB 1234"),
    entity("ex-5", "Airplane", name="EX-ABC", registrationNumber="EX-ABC", serialNumber="00001"),
    entity("addr-2", "Address", full="2 Example Road, Macao", country="mo"),
    entity("own-1", "Ownership", owner="ex-1", asset="ex-2"),
    entity("ex-6", "LegalEntity", firstName="Only", lastName="Parts"),
]  # fmt: skip


def lines(*documents: object) -> io.BytesIO:
    return io.BytesIO(
        b"".join((each if isinstance(each, bytes) else json.dumps(each).encode()) + b"\n" for each in documents)
    )


def test_what_each_property_becomes() -> None:
    rows = list(read_ftm(lines(*FILE), OPTIONS))
    assert [(row.line, row.id) for row in rows if isinstance(row, SkippedRow)] == [(11, "own-1")]
    found = good(row for row in rows if not isinstance(row, SkippedRow))
    assert list(found) == ["ex-1", "ex-2", "ex-3", "ex-4", "ex-5", "addr-2", "ex-6"]
    person = found["ex-1"]
    kinds = watchlist_pb2.ListedNameKind
    assert [(each.text, kinds.Name(each.kind).removeprefix("LISTED_NAME_KIND_")) for each in person.names] == [
        ("Person One", "PRIMARY"),
        ("P. One", "ALIAS"),
        ("Pessoa Um", "ALIAS"),
        ("例一", "ALIAS"),
        ("One", "WEAK_ALIAS"),
        ("Person Zero", "FORMER"),
    ]
    assert list(person.birth_dates) == ["1963", "1963-05-17"]
    assert [(each.city, each.territory) for each in person.birth_places] == [
        ("", "KP"),
        ("Dandong, Liaoning", "CN"),
        ("Example City", ""),
    ]
    assert list(person.territories) == ["GB", "IR"]
    assert [(each.scheme, each.value, each.territory, each.expires) for each in person.identifiers] == [
        ("national_id", "0001", "", ""),
        ("passport", "A0000001", "", ""),
        ("passport", "A0000002", "IR", "2030-01-31"),
        ("seaman_s_book", "SB-1", "PA", ""),
    ]
    assert [(each.street, each.city, each.territory) for each in person.addresses] == [
        ("1 Example Road", "Kowloon", "HK")
    ]
    assert person.remarks.splitlines() == [
        "A note",
        "Document A0000002, startDate: 2020-02-01",
        "birthCountry: atlantis",
        "gender: male",
        "nationality: suhh",
    ]
    company = found["ex-2"]
    assert company.reason == "Evasion; Programme: EXP1"
    assert company.valid_from.ToJsonString() == "2026-01-15T00:00:00Z"
    assert company.valid_until.ToJsonString() == "2026-04-01T00:00:00Z"
    assert [(each.scheme, each.value) for each in company.identifiers] == [
        ("un_reference", "EXe.001"),
        ("uscc", "91350100M000100Y43"),
    ]
    assert [each.street for each in company.addresses] == ["Dandong"]
    assert {each.scheme for each in found["ex-3"].identifiers} == {"imo_ship", "mmsi", "call_sign"}
    assert found["ex-3"].remarks == "type: Tanker"
    assert [each.scheme for each in found["ex-4"].identifiers] == ["vehicle_plate"]
    assert [each.scheme for each in found["ex-5"].identifiers] == ["aircraft_registration", "aircraft_serial_number"]
    assert found["ex-5"].kind == watchlist_pb2.WATCHLIST_KIND_AIRCRAFT
    assert found["addr-2"].kind == watchlist_pb2.WATCHLIST_KIND_ADDRESS
    assert found["ex-6"].names[0].text == "Only Parts"


def test_a_nested_file_says_the_same_as_a_flat_one() -> None:
    flat = good(row for row in read_ftm(lines(*FILE), OPTIONS) if not isinstance(row, SkippedRow))
    nested = json.loads(json.dumps(FILE[0]))
    nested["properties"]["addressEntity"] = [FILE[1]]
    nested["properties"]["identification"] = [FILE[2], FILE[3]]
    assert good(read_ftm(lines(nested), OPTIONS))["ex-1"] == flat["ex-1"]


def test_the_order_of_lines_and_values_means_nothing() -> None:
    turned = json.loads(json.dumps(FILE))
    for each in turned:
        for values in each["properties"].values():
            values.reverse()
    whole = good(row for row in read_ftm(lines(*FILE), OPTIONS) if not isinstance(row, SkippedRow))
    other = good(row for row in read_ftm(lines(*reversed(turned)), OPTIONS) if not isinstance(row, SkippedRow))
    assert other == whole


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"{}",
        b'{"id": "x", "schema": 1}',
        b'{"id": "x", "schema": "Person", "properties": {"name": "X"}}',
        b'{"id": "x", "schema": "Person", "properties": []}',
        b"\xff",
        b"[" * 100_000,
    ],
)
def test_a_line_that_cannot_be_read_is_named_and_the_rest_goes_on(line: bytes) -> None:
    rows = list(read_ftm(lines(line, FILE[3], FILE[7]), OPTIONS))
    assert bad(rows) == [(1, "", "")]
    assert [row.id for row in rows if isinstance(row, ListRow)] == ["ex-4"]


@pytest.mark.parametrize(
    "broken",
    [
        b'{"id": "s-1", "schema": "Sanction", "properties": {"entity": ["ex-8"], "program": ["X"], "reas',
        b'{"id": "d-1", "schema": "Passport", "properties": {"holder": ["ex-8"], "number": "E1"}}',
        b'{"id": "a-1", "schema": "Address", "properties": {"full": ["\xff"]}}',
    ],
)
def test_an_entity_that_a_line_that_cannot_be_read_is_about_is_bad(broken: bytes) -> None:
    about = entity("ex-8", "Person", name="X", addressEntity="a-1")
    other = entity("ex-9", "Person", name="Y")
    rows = list(read_ftm(lines(about, other, broken), OPTIONS))
    assert bad(rows) == [(1, "ex-8", ""), (3, "", "")]
    assert [row.id for row in rows if isinstance(row, ListRow)] == ["ex-9"]


def test_broken_rules_are_named_with_their_properties() -> None:
    rows = list(read_ftm(lines(entity("x", "Person", name="X" * 600, birthDate="spring")), OPTIONS))
    assert bad(rows) == [(1, "x", "name or alias"), (1, "x", "birthDate")]
    assert bad(read_ftm(lines(entity("x", "Person", name="\ud800")), OPTIONS)) == [(1, "x", "")]


def test_a_nested_entity_that_cannot_be_read_spoils_its_own_line_only() -> None:
    nested = entity("x", "Person", name="X", addressEntity={"schema": "Address", "properties": []})
    rows = list(read_ftm(lines(nested, FILE[7]), OPTIONS))
    assert bad(rows) == [(1, "x", "")]
    assert [row.id for row in rows if isinstance(row, ListRow)] == ["ex-4"]


def test_a_pipe_is_refused() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(ConfigurationError, match="twice"):
        list(read_ftm(Pipe(), OPTIONS))


@given(contents())
def test_what_the_account_does_not_name_is_read_back_equal(content: WatchlistContent) -> None:
    stream = io.BytesIO()
    export = write_ftm(stream, [entry("A-1", content)])
    stream.seek(0)
    rows = list(read_ftm(stream, OPTIONS))
    if export.not_written:
        assert rows == []
        return
    (row,) = rows
    if isinstance(row, ListRow):
        for field in WatchlistContent.DESCRIPTOR.fields:
            if field.name not in export.left_out and getattr(content, field.name):
                assert getattr(row.content, field.name) == getattr(content, field.name), field.name


def test_what_was_read_is_written_and_read_back_equal() -> None:
    found = good(row for row in read_ftm(lines(*FILE), OPTIONS) if not isinstance(row, SkippedRow))
    stream = io.BytesIO()
    export = write_ftm(stream, [entry(entry_id, content) for entry_id, content in found.items()])
    assert set(export.left_out) == {"legal_basis", "purpose", "requested_action", "handling", "releasable_to"}
    stream.seek(0)
    assert good(read_ftm(stream, OPTIONS)) == found


values = st.recursive(
    st.none() | st.booleans() | st.text(max_size=6) | st.sampled_from([row["id"] for row in FILE]) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "schema", "name"]), inner),
    max_leaves=8,
)


@given(
    st.sampled_from([row["schema"] for row in FILE]),
    st.dictionaries(st.sampled_from(sorted({name for row in FILE for name in row["properties"]})), values),
)
def test_no_document_makes_the_reader_fail_otherwise(schema: str, properties: dict[str, object]) -> None:
    document = {"id": "ex-1", "schema": schema, "properties": properties}
    rows: list[object] = []
    with contextlib.suppress(GatewayError):
        rows.extend(read_ftm(lines(document, *FILE), OPTIONS))
    assert len(rows) > 5
    assert all(isinstance(row, ListRow | BadRow | SkippedRow) for row in rows)
