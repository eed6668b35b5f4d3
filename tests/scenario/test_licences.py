"""Licences between two running gateways: one balance at both, and signed answers where they may not be seen."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson

from gateway.licences.codec.signed_texts import open_statement
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import licence_pb2
from tests.support.command_line import Cli
from tests.support.federation import Federation, with_logs
from tests.support.licences import CONSIGNEE, licence_content

WITHOUT_FOUR_EYES = {"cn": "\n[licences]\nfour_eyes = false\n"}
GROUNDS = ("--purpose", "export_control", "--legal-basis", "CEPA art. 5", "--case", "SZ-2026-17")
CASES = {
    "other_consignee": {"consignee": "Another Trading Limited"},
    "other_destination": {"destination": "US"},
    "expired": {"day": "2026-07-01"},
    "too_early": {"day": "2025-12-31"},
    "withdrawn": {"day": "2026-03-01"},
}


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(
        tmp_path_factory.mktemp("licences"), settings_of=lambda node: WITHOUT_FOUR_EYES.get(node, "")
    ):
        made.start("cn", "hk")
        yield made


@pytest.fixture
def cn(nodes: Federation) -> Cli:
    return Cli(nodes, "cn")


@pytest.fixture
def hk(nodes: Federation) -> Cli:
    return Cli(nodes, "hk")


def published(cn: Cli, folder: Path, number: str, **content: Any) -> str:
    """A licence of cn; its name as hk has it."""
    file = folder / f"{number}.json"
    file.write_text(MessageToJson(licence_content(**content)), encoding="utf-8")
    cn.run("publisher", "licence", "publish", file, "--number", number)
    return f"cn/{number}"


def used(desk: Cli, licence: str, declaration: str, quantity: str, **options: str) -> Any:
    given = {"day": "2026-01-15", "destination": "HK", "consignee": CONSIGNEE, **options}
    words = [word for name, value in given.items() for word in (f"--{name}", value)]
    return desk.json("officer", "licence", "use", licence, "--declaration", declaration, "--quantity", quantity, *words)


def breaches(found: Any) -> set[tuple[str, str]]:
    return {(breach["kind"], breach["declaration"]) for breach in found["licence"]["balance"]["breaches"]}


def balance_of(desk: Cli, licence: str, uses: int) -> Any:
    """What is left at a node, once it has so many uses."""
    found = desk.eventually("officer", "licence", "show", licence, until=lambda one: len(one["uses"]) == uses)
    return found["licence"]["balance"]


def test_two_uses_in_one_hour_at_two_places_are_found_at_both(cn: Cli, hk: Cli, tmp_path: Path) -> None:
    licence = published(cn, tmp_path, "L-1")
    hk.eventually("officer", "licence", "list", until=lambda listed: listed)
    used(cn, licence, "CN-1", "600")
    used(hk, licence, "HK-1", "600")
    at_cn, at_hk = balance_of(cn, "L-1", 2), balance_of(hk, licence, 2)
    assert at_cn == at_hk
    assert at_cn["goods"][0]["remaining"] == "-200"
    (breach,) = at_cn["breaches"]
    assert (breach["declaration"], breach["quantity"]) == ("HK-1", "150")
    shown = hk.run("officer", "licence", "show", licence).stdout
    assert "beyond quantity" in shown
    (listed,) = hk.json("officer", "licence", "list", "--breached")
    assert listed["reference"] == {"issuer": "cn", "number": "L-1"}


def test_each_breach_is_found_at_both(cn: Cli, hk: Cli, tmp_path: Path) -> None:
    licence = published(cn, tmp_path, "L-2")
    hk.eventually("officer", "licence", "list", until=lambda listed: len(listed) > 1)
    for kind, options in CASES.items():
        used(hk, licence, kind, "1", **options)
    followed = ("--declaration", "OUT", "--quantity", "1", "--day", "2026-02-01", "--destination", "US")
    hk.run("officer", "licence", "follow", licence, "arrived", "--declaration", "IN", "--quantity", "1")
    hk.run("officer", "licence", "follow", licence, "reexported", *followed)
    cn.run("publisher", "licence", "withdraw", "L-2", "--reason", "Misused", "--effective", "2026-03-01")
    expected = {(kind, kind) for kind in CASES} | {("reexported", "OUT"), ("withdrawn", "expired")}
    for desk in (cn, hk):
        desk.eventually("officer", "licence", "show", licence, until=lambda one: breaches(one) == expected)
    shown = [desk.json("officer", "licence", "show", licence) for desk in (cn, hk)]
    assert shown[0]["licence"]["balance"] == shown[1]["licence"]["balance"]
    assert shown[1]["withdrawal"]["reason"] == "Misused"


def test_a_licence_that_may_not_be_seen_is_asked_for(nodes: Federation, cn: Cli, hk: Cli, tmp_path: Path) -> None:
    licence = published(cn, tmp_path, "L-3", parties=[])
    used(cn, licence, "CN-1", "900")
    hk.run("officer", "licence", "show", licence, code=2)
    goods = ("--day", "2026-02-01", "--destination", "HK", *GROUNDS)
    answers = {}
    for quantity, code in (("150", 0), ("151", 3), ("9000", 3)):
        answers[quantity] = hk.json("officer", "licence", "check", licence, "--quantity", quantity, *goods, code=code)
    assert [answer["coverage"] for answer in answers.values()] == ["yes", "partly", "partly"]
    other = hk.json("officer", "licence", "check", "cn/NONE", "--quantity", "1", *goods, code=3)
    assert (other["coverage"], other["reasons"]) == ("no", [])
    _require_signed(nodes, answers["150"])
    here = cn.json("officer", "licence", "check", "L-3", "--quantity", "1", "--destination", "US", *GROUNDS, code=3)
    assert "other_destination" in here["reasons"]
    assert not here["statement"]


def _require_signed(nodes: Federation, answer: dict[str, Any]) -> None:
    """The statement verifies with cn's log key, for this question alone."""
    data = base64.b64decode(answer["query"])
    query = licence_pb2.LicenceQuery.FromString(data)
    assert (query.federation, query.asker, query.grounds.case_reference) == (FEDERATION, "hk", "SZ-2026-17")
    keys = [record.public_key for record in nodes.directory.nodes["cn"].log_keys]
    said = open_statement(base64.b64decode(answer["statement"]), query, data, keys)
    assert said.coverage == licence_pb2.LICENCE_COVERAGE_YES


def test_licences_come_from_a_table(cn: Cli, hk: Cli, tmp_path: Path) -> None:
    file = tmp_path / "licences.csv"
    header = "number,holder,consignee,codes,quantity,unit,valid_from,valid_until,destinations,conditions,parties"
    rows = (
        "T-1,Placeholder Smelter,Placeholder Metals,811292,1000,KGM,2026-01-01,2026-06-30,HK,no_reexport,hk",
        "T-1,,,811010,20,KGM,,,,,",
        "T-2,Placeholder Smelter,,,ten,KGM,2026-01-01,2026-06-30,HK,,hk",
        "T-3,Placeholder Smelter,,,10,KGM,2026-01-01,2026-06-31,HK,,hk",
    )
    file.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    bring = ("licence", "import", file, "--legal-basis", "Export Control Law, article 12", "--effective", "2026-02-01")
    imported = cn.json("publisher", *bring, code=3)
    assert (imported["published"], imported["amended"], imported["unchanged"]) == (1, 0, 0)
    assert [(problem["line"], problem["field"]) for problem in imported["problems"]] == [(4, "quantity"), (5, "")]
    assert "2026-06-31 is no day of the calendar" in imported["problems"][1]["reason"]
    assert cn.json("publisher", *bring, code=3)["unchanged"] == 1
    file.write_text(file.read_text(encoding="utf-8").replace("1000,KGM", "1200,KGM"), encoding="utf-8")
    assert cn.json("publisher", *bring, code=3)["amended"] == 1
    found = hk.eventually(
        "officer", "licence", "list", until=lambda listed: any(_newest(one) == ("T-1", 2) for one in listed)
    )
    (licence,) = [one for one in found if one["reference"]["number"] == "T-1"]
    assert [goods["quantity"] for goods in licence["newest"]["content"]["goods"]] == ["1200", "20"]
    dry = cn.run("", *bring, "--dry-run", "--json", code=3).stdout.splitlines()
    assert json.loads(dry[0])["number"] == "T-1"


def test_an_import_with_four_eyes_proposes_once(cn: Cli, hk: Cli, tmp_path: Path) -> None:
    file = tmp_path / "licences.csv"
    header = "number,holder,quantity,unit,valid_from,valid_until,destinations,legal_basis,parties"
    row = "H-1,Placeholder Traders,10,KGM,2026-01-01,2026-06-30,MO,Cap. 60G,cn"
    file.write_text(f"{header}\n{row}\n", encoding="utf-8")
    assert hk.json("publisher", "licence", "import", file)["proposed"] == 1
    assert hk.json("publisher", "licence", "import", file)["proposed_before"] == 1
    (proposal,) = hk.run("supervisor", "licence", "proposals", "--names").stdout.split()
    hk.run("supervisor", "licence", "approve", proposal[:18])
    assert hk.json("publisher", "licence", "import", file)["unchanged"] == 1
    shown = cn.eventually("officer", "licence", "list", "--issuer", "hk", until=lambda listed: listed)
    assert shown[0]["newest"]["content"]["legal_basis"] == "Cap. 60G"


def _newest(listed: Any) -> tuple[str, int]:
    return listed["reference"]["number"], listed["newest"]["revision"]
