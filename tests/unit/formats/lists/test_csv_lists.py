"""Watchlists in CSV: every column, round trips, lines that are wrong, and other people's columns by a mapping."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import ConfigurationError
from gateway.formats.lists.csv_lists import LIST_MAPPINGS, OWN_COLUMNS, read_csv, write_csv
from gateway.formats.lists.rows import BadRow, ListOptions, ListRow
from gateway.v1 import alert_pb2, watchlist_pb2
from gateway.v1.watchlist_pb2 import WatchlistContent
from tests.support.hostile_text import foreign_texts, is_harmless
from tests.support.watchlists import OPTIONS, bad, contents, defaults, entry, good, ids

FULL = {
    "list": "own",
    "id": "A-1",
    "kind": "organisation",
    "name": "Example Metals Limited|Latn|en",
    "aliases": "範例金屬有限公司|Hant|zh; Exemplo Metais Lda||pt",
    "weak_aliases": "EM",
    "former_names": "Sample Metals",
    "trade_names": r"Metals\; and more",
    "other_names": "Exmet",
    "identifiers": r"uscc:91350100M000100Y43;hk_brn:12345678;passport:A\|1|China|2030-01;passport:A2||2031",
    "addresses": "1 Example Road|Kowloon|HK;||Macao",
    "birth_dates": "1963;1963-05;1963-05-17",
    "birth_periods": "1960/1963;1964~",
    "birth_places": "|Dandong, Liaoning|CN;||Macao",
    "territories": "HK;China",
    "commodities": "8112.92;81129240@CN",
    "route": "CNSZX;|MO|Ponte 16|",
    "reason": r"Two lines\nof text",
    "legal_basis": "Arrangement 2024",
    "purpose": "export_control",
    "requested_action": "discreet-check",
    "valid_from": "2026-01-15T08:00:00+08:00",
    "valid_until": "2026-04-15T00:00:00Z",
    "classification": "confidential",
    "onward_transfer": "listed",
    "onward_recipients": "mo",
    "caveat": "Don't tell the trader",
    "releasable_to": "mo;hk",
    "derived_from": "mo/019bbf30-0000-7000-8000-000000000000",
    "remarks": "None",
}


def table(*rows: dict[str, str], columns: list[str] | None = None, delimiter: str = ",") -> io.BytesIO:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns or list(rows[0]), delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return io.BytesIO(text.getvalue().encode())


def test_every_column_is_read() -> None:
    assert list(FULL) == list(OWN_COLUMNS)
    content = good(read_csv(table(FULL), ListOptions()))["A-1"]
    assert [(each.text, each.script, each.language, each.kind) for each in content.names] == [
        ("Example Metals Limited", "Latn", "en", watchlist_pb2.LISTED_NAME_KIND_PRIMARY),
        ("Exmet", "", "", watchlist_pb2.LISTED_NAME_KIND_UNSPECIFIED),
        ("Exemplo Metais Lda", "", "pt", watchlist_pb2.LISTED_NAME_KIND_ALIAS),
        ("範例金屬有限公司", "Hant", "zh", watchlist_pb2.LISTED_NAME_KIND_ALIAS),
        ("EM", "", "", watchlist_pb2.LISTED_NAME_KIND_WEAK_ALIAS),
        ("Sample Metals", "", "", watchlist_pb2.LISTED_NAME_KIND_FORMER),
        ("Metals; and more", "", "", watchlist_pb2.LISTED_NAME_KIND_TRADE),
    ]
    assert [(each.scheme, each.value, each.territory, each.expires) for each in content.identifiers] == [
        ("hk_brn", "12345678", "", ""),
        ("passport", "A2", "", "2031"),
        ("passport", "A|1", "CN", "2030-01"),
        ("uscc", "91350100M000100Y43", "", ""),
    ]
    assert list(content.birth_periods) == ["1960/1963", "1964~"]
    assert [(each.city, each.territory) for each in content.birth_places] == [("", "MO"), ("Dandong, Liaoning", "CN")]
    assert [(each.street, each.city, each.territory) for each in content.addresses] == [
        ("", "", "MO"),
        ("1 Example Road", "Kowloon", "HK"),
    ]
    assert list(content.birth_dates) == ["1963", "1963-05", "1963-05-17"]
    assert list(content.territories) == ["CN", "HK"]
    assert [(each.code, each.scheme, each.territory) for each in content.commodities] == [
        ("811292", "hs", ""),
        ("81129240", "tariff", "CN"),
    ]
    assert [(each.unlocode, each.territory, each.name) for each in content.route] == [
        ("CNSZX", "CN", ""),
        ("", "MO", "Ponte 16"),
    ]
    assert content.reason == "Two lines\nof text"
    assert content.requested_action == alert_pb2.REQUESTED_ACTION_DISCREET_CHECK
    assert content.valid_from.seconds == 1768435200
    assert content.handling.classification == alert_pb2.CLASSIFICATION_CONFIDENTIAL
    assert list(content.handling.onward_recipients) == ["mo"]
    assert list(content.releasable_to) == ["hk", "mo"]
    assert [(alert.publisher, alert.alert_id[:8]) for alert in content.derived_from] == [("mo", "019bbf30")]


@given(st.dictionaries(ids, contents(), min_size=1, max_size=4))
def test_what_is_written_is_read_back_equal(entries: dict[str, WatchlistContent]) -> None:
    stream = io.BytesIO()
    export = write_csv(stream, [entry(entry_id, content) for entry_id, content in entries.items()])
    assert (export.written, export.left_out, export.not_written) == (len(entries), {}, {})
    stream.seek(0)
    assert good(read_csv(stream, ListOptions(list="own"))) == entries


@given(contents(), st.sampled_from(["=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"]), foreign_texts)
def test_a_cell_that_is_written_starts_no_formula(content: WatchlistContent, start: str, text: str) -> None:
    content.remarks = content.reason = content.names[0].text = f"{start}{text}"
    stream = io.BytesIO()
    write_csv(stream, [entry("A-1", content)])
    (_, cells) = csv.reader(io.StringIO(stream.getvalue().decode()))
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r＝＋－＠"))]
    assert is_harmless("".join(c for cell in cells for c in cell if c < "\U00010000"))


def filled(message: Message, text: str) -> None:
    """Puts a text into every field that holds one, at every depth."""
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type is not None:
            part = value.add() if field.is_repeated else value
            part.SetInParent()
            filled(part, text)
        elif field.type == field.TYPE_STRING:
            setattr(message, field.name, text) if not field.is_repeated else value.append(text)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "＝", "＋", "－", "＠"])
def test_no_field_of_an_entry_starts_a_formula(start: str) -> None:
    content = WatchlistContent()
    filled(content, f"{start}HYPERLINK(1)")
    listed = entry(f"{start}A-1", content)
    stream = io.BytesIO()
    write_csv(stream, [listed])
    (_, cells) = csv.reader(io.StringIO(stream.getvalue().decode()))
    assert sum("HYPERLINK" in cell for cell in cells) > 15
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r＝＋－＠"))]


def test_defaults_stand_in_for_what_a_line_leaves_empty() -> None:
    rows = (
        {"id": "A-1", "kind": "person", "name": "X", "reason": "Own reason", "releasable_to": "mo"},
        {
            "id": "A-2",
            "kind": "person",
            "name": "Y",
            "reason": "",
            "releasable_to": "",
        },
    )
    found = good(read_csv(table(*rows), OPTIONS))
    assert (found["A-1"].reason, list(found["A-1"].releasable_to)) == ("Own reason", ["mo"])
    assert (found["A-2"].reason, list(found["A-2"].releasable_to)) == ("Listed by its source", ["hk", "mo"])
    assert found["A-2"].handling == defaults().handling


def test_a_default_of_recipients_belongs_to_the_default_of_passing_on() -> None:
    given_defaults = defaults()
    given_defaults.handling.onward_transfer = alert_pb2.ONWARD_TRANSFER_LISTED
    given_defaults.handling.onward_recipients.append("mo")
    options = ListOptions(defaults=given_defaults)
    row = {"id": "A-1", "kind": "person", "name": "X", "onward_transfer": "prohibited"}
    handling = good(read_csv(table(row), options))["A-1"].handling
    assert list(handling.onward_recipients) == []
    assert handling.classification == alert_pb2.CLASSIFICATION_RESTRICTED


def test_bad_lines_are_named_with_all_their_reasons_and_the_rest_goes_on() -> None:
    lines = [
        b"id,kind,name,identifiers,birth_dates,valid_until",
        b"A-1,person,Good One,,,",
        b"A-2,persona,X,no scheme,1963,tomorrow",
        b"A-3,person,X,,17/05/1963,",
        b"A-4,person",
        b',person,No id,,,\n"unclosed',
        b"A-5,person,\xff,,,",
        b"",
        b"A-6,person,Good Two,,,",
    ]
    rows = list(read_csv(io.BytesIO(b"\n".join(lines)), OPTIONS))
    assert [(row.line, row.id) for row in rows if isinstance(row, ListRow)] == [(2, "A-1"), (10, "A-6")]
    assert bad(rows) == [
        (3, "A-2", "kind"),
        (3, "A-2", "identifiers"),
        (3, "A-2", "valid_until"),
        (4, "A-3", "birth_dates"),
        (5, "A-4", ""),
        (6, "", "id"),
        (7, "", ""),
        (8, "", ""),
    ]
    reasons = [row.reason for row in rows if isinstance(row, BadRow)]
    assert "organisation, person, vessel" in reasons[0]
    assert "scheme:value" in reasons[1]
    assert all(row.reason.startswith(row.field) for row in rows if isinstance(row, BadRow) and row.field)


def test_every_rule_of_the_contract_that_a_line_breaks_is_named_with_its_column() -> None:
    row = {"id": "A-1", "kind": "person", "name": "X", "aliases": "Y|latin", "purpose": "Not A Code"}
    rows = list(read_csv(table(row), ListOptions()))
    fields = {field for _, _, field in bad(rows)}
    assert {"aliases", "purpose", "reason", "legal_basis", "requested_action", "classification"} <= fields
    reason = next(row.reason for row in rows if isinstance(row, BadRow) and row.field == "legal_basis")
    assert "default" in reason


def test_a_line_of_another_list_is_bad() -> None:
    row = {"list": "theirs", "id": "A-1", "kind": "person", "name": "X"}
    assert bad(read_csv(table(row), OPTIONS)) == [(2, "A-1", "list")]


def test_a_line_that_is_too_long_is_skipped_and_the_next_is_read() -> None:
    long = b"A-1,person," + b"x" * (1 << 21)
    rows = list(read_csv(io.BytesIO(b"id,kind,name\n" + long + b"\nA-2,person,Y\n"), OPTIONS))
    assert bad(rows) == [(2, "", "")]
    assert isinstance(rows[1], ListRow)
    assert (rows[1].line, rows[1].id) == (3, "A-2")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"", "no column 'id'"),
        (b"id,nom", "unknown column 'nom'"),
        (b"id,name,name", "column 'name' twice"),
        (b"name,kind", "no column 'id'"),
        (b'id,"', "header can't be read"),
        (b"id" + b",x" * 400_000, "400001 columns; at most 1024"),
    ],
)
def test_a_header_that_makes_no_sense_ends_the_reading_at_once(header: bytes, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_csv(io.BytesIO(header), OPTIONS)


FOREIGN = {
    "Ref No.": "EL/7",
    "Type": "E",
    "Name (English)": "Example Metals Limited",
    "Alias 1": "Exmet; Co",
    "Alias 2": "",
    "Formerly": "Sample Metals; Older Metals",
    "Address line 1": "Flat 1",
    "Address line 2": "2 Example Road",
    "City": "Kowloon",
    "Country": "Hong Kong",
    "Nationality": "China/Macau",
    "HS codes": "8112.92,2804.90",
    "Grounds": "",
    "Listed on": "15/01/2026",
    "Until": "31/03/2026",
    "Notes": "a | b",
    "名稱": "範例金屬有限公司",
    "Nome": "Exemplo Metais Lda / Metais Exemplo",
    "USCC": "91350100M000100Y43",
    "BR No.": "12345678, 87654321",
    "Not read": "x",
}


def test_the_mapping_that_comes_along_reads_foreign_columns() -> None:
    content = good(read_csv(table(FOREIGN), OPTIONS, LIST_MAPPINGS.builtin()))["EL/7"]
    assert content.kind == watchlist_pb2.WATCHLIST_KIND_ORGANISATION
    assert {(each.text, each.script) for each in content.names} == {
        ("Example Metals Limited", ""),
        ("Exmet; Co", ""),
        ("Sample Metals", ""),
        ("Older Metals", ""),
        ("範例金屬有限公司", "Hant"),
        ("Exemplo Metais Lda", "Latn"),
        ("Metais Exemplo", "Latn"),
    }
    assert [(each.street, each.city, each.territory) for each in content.addresses] == [
        ("Flat 1, 2 Example Road", "Kowloon", "HK")
    ]
    assert list(content.territories) == ["CN", "MO"]
    assert [each.value for each in content.identifiers if each.scheme == "hk_brn"] == ["12345678", "87654321"]
    assert content.reason == "Listed by the competent authority"
    assert content.valid_from.ToJsonString() == "2026-01-14T16:00:00Z"
    assert content.valid_until.ToJsonString() == "2026-03-31T16:00:00Z"
    assert content.handling.classification == alert_pb2.CLASSIFICATION_RESTRICTED
    assert content.remarks == "a | b"


def test_what_a_mapping_does_not_translate_or_understand_is_bad_with_its_column() -> None:
    row = {**FOREIGN, "Type": "Q", "Listed on": "2026-01-15", "Nationality": "Atlantis", "Country": "Atlantis"}
    rows = list(read_csv(table(row), OPTIONS, LIST_MAPPINGS.builtin()))
    assert {field for _, _, field in bad(rows)} == {
        "column 'Type'",
        "column 'Listed on'",
        "column 'Nationality'",
        "column 'Country'",
    }


def _dated(date_format: str, text: str) -> list[str]:
    mapping = LIST_MAPPINGS.parse(
        f'[columns]\nid = "I"\nname = "N"\nbirth_dates = "B"\n[constants]\nkind = "person"\n'
        f'[date]\nformat = "{date_format}"',
        source="m",
    )
    (row,) = read_csv(table({"I": "a", "N": "A", "B": text}), OPTIONS, mapping)
    return list(row.content.birth_dates) if isinstance(row, ListRow) else [row.reason]


def test_a_date_without_separators_has_all_its_digits() -> None:
    assert _dated("%Y%m%d", "20210401") == ["2021-04-01"]
    assert _dated("%Y%m%d", "2021041") == ["column 'B': '2021041' isn't a date %Y%m%d"]
    assert _dated("%d/%m/%Y", "1/4/2021") == ["2021-04-01"]


def test_a_mapping_of_another_encoding_and_delimiter() -> None:
    mapping = LIST_MAPPINGS.parse(
        'encoding = "big5"\ndelimiter = "\\t"\n[columns]\nid = "編號"\nname = "名稱"\nbirth_dates = "年"\n'
        '[constants]\nkind = "person"\n[separators]\nbirth_dates = "、"',
        source="m",
    )
    data = "編號\t名稱\t年\n甲\t陳大文\t1963、1964\n".encode("big5")
    content = good(read_csv(io.BytesIO(data), OPTIONS, mapping))["甲"]
    assert content.names[0].text == "陳大文"
    assert list(content.birth_dates) == ["1963", "1964"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[columns", "not TOML"),
        (f"[columns]\nid = {'9' * 5_000}", "not TOML"),
        (f"[columns]\nid = {'[' * 5_000}", "not TOML"),
        ('[columns]\nname = "N"', "column for id"),
        ('[columns]\nid = "I"\nnom = "N"', "columns.nom is unknown"),
        ('[columns]\nid = "I"\nname = ["A", "B"]', "one column"),
        ('[columns]\nid = "I"\nkind = "K"\n[constants]\nkind = "person"', "both in"),
        ('[columns]\nid = "I"\n[constants]\nkind = "persona"', "constants.kind"),
        ('[columns]\nid = "I"\n[defaults]\nvalid_from = "now"', "defaults.valid_from"),
        ('[columns]\nid = "I"\n[separators]\nname = ";"', "separators.name"),
        ('[columns]\nid = "I"\n[values.kind]\nE = "person"', "values.kind"),
        ('[columns]\nid = "I"\n[date]\nformat = "%d"', "date.format"),
        ('[columns]\nid = "I"\n[date]\nzone = "HKT"', "date.zone"),
        ('encoding = "utf-7"\n[columns]\nid = "I"', "encoding"),
        ('delimiter = ";;"\n[columns]\nid = "I"', "delimiter"),
        ("[columns]\nid = 1", "text in quotes"),
        ('[[names]]\ncolumn = "N"\n[columns]\nid = "I"', "no kind"),
        ('[[names]]\ncolumn = "N"\nkind = "nick"\n[columns]\nid = "I"', "kind"),
        ('[[identifiers]]\ncolumn = "N"\n[columns]\nid = "I"', "no scheme"),
        ('names = 1\n[columns]\nid = "I"', r"\[\[names\]\]"),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_with_its_key(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        LIST_MAPPINGS.parse(text, source="ours.toml")


def test_a_column_that_the_file_lacks_or_has_twice_is_named() -> None:
    mapping = LIST_MAPPINGS.parse('[columns]\nid = "I"\nname = "N"', source="m")
    with pytest.raises(ConfigurationError, match="no column 'N'"):
        read_csv(io.BytesIO(b"I,M\n"), OPTIONS, mapping)
    with pytest.raises(ConfigurationError, match="2 columns 'N'"):
        read_csv(io.BytesIO(b"I,N,N\n"), OPTIONS, mapping)


def test_a_mapping_from_a_file_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "ours.toml"
    path.write_text('[columns]\nid = "I"\nname = "N"\n[defaults]\nkind = "vessel"', "utf-8")
    assert LIST_MAPPINGS.load(path).defaults == {"kind": "vessel"}
    with pytest.raises(ConfigurationError, match="can't be read"):
        LIST_MAPPINGS.load(path.with_name("none.toml"))
    with pytest.raises(ConfigurationError, match="watchlist_entities"):
        LIST_MAPPINGS.builtin("import_declarations")
