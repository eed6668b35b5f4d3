"""docs/watchlist-formats.md says what the code does: its tables are the code's, and its examples are read."""

from __future__ import annotations

import io
import re

import pytest

from gateway.formats.lists import csv_lists, ftm, ftm_schema, hk, json_lines, stix, un_xml
from gateway.formats.lists.columns import COLUMNS
from gateway.formats.lists.ofac import reader
from gateway.formats.lists.ofac.kinds import TABLE, ReadsAs
from gateway.v1 import watchlist_pb2
from tests.support.watchlists import OPTIONS, good
from tests.unit.test_docs import rows, section, text_of

pytestmark = pytest.mark.drift

PAGE = "docs/watchlist-formats.md"


def table(heading: str, first: str) -> dict[str, list[str]]:
    """The rows of a table by their first cell; `first` is the head of its first column."""
    for found in re.findall(r"(?:^\|.*\n)+", section(PAGE, heading), flags=re.MULTILINE):
        if found.startswith(f"| {first} |"):
            return {row[0].replace("`", ""): row[1:] for row in rows(found)}
    raise AssertionError(f"{PAGE}, {heading}: there is no table {first!r}")


def block(kind: str) -> io.BytesIO:
    found = re.search(rf"^```{kind}\n(.*?)^```", text_of(PAGE), flags=re.MULTILINE | re.DOTALL)
    assert found is not None
    return io.BytesIO(found[1].encode())


def code_of(text: str) -> set[str]:
    return set(re.findall(r"`([\w-]+)`", text))


def not_carried(heading: str) -> set[str]:
    return code_of(section(PAGE, heading).partition("Not carried: ")[2].partition(".\n")[0])


def test_columns_of_csv_are_those_of_the_code() -> None:
    documented = table("## CSV", "column")
    assert tuple(documented) == csv_lists.OWN_COLUMNS
    many = {name for name, column in COLUMNS.items() if column.many}
    assert {name for name, (holds, *_) in documented.items() if holds == "list"} == many


def test_the_functions_exist() -> None:
    from importlib import import_module

    for module, function in re.findall(r"`((?:ofac\.)?\w+)\.(\w+)`", text_of(PAGE)):
        assert hasattr(import_module(f"gateway.formats.lists.{module}"), function), f"{module}.{function}"


def test_the_example_in_csv_is_read() -> None:
    found = good(csv_lists.read_csv(block("csv"), OPTIONS))
    assert list(found) == ["EX-1", "EX-2", "EX-3"]
    assert [each.script for each in found["EX-1"].names] == ["Latn", "Latn", "Hant"]
    assert list(found["EX-2"].territories) == ["PA"]


def test_the_example_of_a_mapping_reads_the_example_beside_it() -> None:
    mapping = csv_lists.LIST_MAPPINGS.parse(block("toml").read().decode(), source="example")
    content = good(csv_lists.read_csv(block("csv-mapped"), OPTIONS, mapping))["7"]
    assert {each.text for each in content.names} == {"Example Metals Limited", "Exmet", "範例金屬有限公司"}
    assert content.valid_from.ToJsonString() == "2026-01-14T16:00:00Z"


def test_the_example_in_json_lines_is_read() -> None:
    assert len(good(json_lines.read_json_lines(block("jsonl"), OPTIONS))["EX-1"].names) == 2


def test_elements_of_the_united_nations_are_those_of_the_code() -> None:
    assert not_carried("## United Nations consolidated list") == set(un_xml.NOT_READ)
    assert not_carried("## Hong Kong") == set(hk.NOT_READ)


def test_columns_of_ofac_are_those_of_the_code() -> None:
    named = {name for cell in table("## OFAC", "column") for name in cell.split(", ")}
    columns = {*reader.SDN_COLUMNS, *reader.ALT_COLUMNS, *reader.ADD_COLUMNS, *reader.COMMENT_COLUMNS}
    assert named | not_carried("## OFAC") == columns
    assert set(table("## OFAC", "reads_as")) == set(ReadsAs)
    assert TABLE in section(PAGE, "## OFAC")
    vessel = good(reader.read_ofac(block("ofac-sdn"), None, None, OPTIONS))["101"]
    assert {each.scheme for each in vessel.identifiers} == {"call_sign", "imo_ship", "mmsi"}


def test_schemata_and_properties_of_follow_the_money_are_those_of_the_code() -> None:
    heading = "## FollowTheMoney"
    kinds = {name: f"WATCHLIST_KIND_{cells[0].upper()}" for name, cells in table(heading, "schema").items()}
    assert kinds == {name: watchlist_pb2.WatchlistKind.Name(kind) for name, kind in ftm_schema.KINDS.items()}
    names = re.findall(r"\| property \| kind of name \|\n.*\n((?:\|.*\n)+)", section(PAGE, heading))[0]
    assert set(re.findall(r"^\| `(\w+)`", names, re.MULTILINE)) == set(ftm_schema.NAMES)
    identifiers = re.findall(r"\| property \| identifier \|\n.*\n((?:\|.*\n)+)", section(PAGE, heading))[0]
    assert dict(re.findall(r"^\| `(\w+)` \| `(\w+)`", identifiers, re.MULTILINE)) == dict(ftm_schema.IDENTIFIERS)
    assert not_carried(heading) <= ftm_schema.NOT_READ
    content = good(ftm.read_ftm(block("ftm"), OPTIONS))["ex-1"]
    assert (content.reason, content.addresses[0].city) == ("Undeclared antimony", "Dandong")


def test_objects_of_stix_are_those_of_the_code() -> None:
    documented = {
        f"WATCHLIST_KIND_{kind.upper()}": re.match(r"`([\w-]+)`", cells[0])[1]  # type: ignore[index]
        for kind, cells in table("## STIX 2.1", "kind").items()
    }
    assert documented == {watchlist_pb2.WatchlistKind.Name(kind): name for kind, name in stix.TYPES.items()}
