"""Shipments in and out for people: files through the command line and the client, at real nodes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson

from gateway.client import GatewayClient, RecordedBatch
from gateway.contract.limits import BATCH_BYTES
from gateway.errors import PermissionDeniedError
from gateway.v1 import shipment_pb2
from gateway.v1.history_pb2 import HistoryRecord, NodeAnswer, SearchCriteria
from gateway.v1.shipment_pb2 import Shipment, ShipmentAddition
from tests.support.command_line import Cli
from tests.support.federation import Federation, eventually, with_logs
from tests.support.proxy import Network
from tests.support.public_files import DECLARATIONS
from tests.support.shipments import grounds, shipment

WHY = ("--purpose", "export_control", "--legal-basis", "CEPA art. 5", "--case", "SZ-2026-17")
INDEXED_S = 60.0
"""Seconds that a record may take to be found, with seventeen thousand recorded before it."""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("history")):
        made.start("cn", "hk")
        yield made


@pytest.fixture
def network() -> Iterator[Network]:
    with Network() as made:
        yield made


@pytest.fixture
def cn(nodes: Federation) -> Cli:
    return Cli(nodes, "cn")


@pytest.fixture
def hk(nodes: Federation) -> Cli:
    return Cli(nodes, "hk")


def searched(cli: Cli, *criteria: object, code: int = 0) -> dict[str, list[Any]]:
    """What `search --json` printed: records, answers and the end."""
    result = cli.run("officer", "history", "search", *criteria, *WHY, "--json", code=code)
    found: dict[str, list[Any]] = {"record": [], "answer": [], "end": []}
    for line in result.stdout.splitlines():
        ((kind, value),) = json.loads(line).items()
        found[kind].append(value)
    return found


def indexed(cli: Cli, record_id: str, revision: int = 1) -> Any:
    """Waits until a record is there in this revision."""

    def there(found: Any) -> bool:
        return bool(found["record"]["revision"] == revision)

    async def shown() -> Any:
        result = await asyncio.to_thread(_shown, cli, record_id)
        assert result is not None, f"{record_id} isn't there"
        assert there(result), result["record"]
        return result

    return asyncio.run(eventually(shown, what=record_id, within_s=INDEXED_S))


def _shown(cli: Cli, record_id: str) -> Any:
    try:
        return cli.json("officer", "history", "show", record_id)
    except AssertionError:
        return None


@pytest.mark.slow
def test_the_real_declarations_come_in_are_found_and_change_nothing_when_they_come_again(cn: Cli) -> None:
    file, count = DECLARATIONS.path, DECLARATIONS.lines
    command = ("history", "import", file, "--mapping", "shipments_import_declarations")
    first = cn.json("publisher", *command)
    assert (first["recorded"], first["shipments"], first["lines"]) == (count, count, count)
    assert (first["new"], first["unchanged"], first["refused"], first["bad"]) == (count, 0, [], [])
    first_id, last_id = DECLARATIONS.first_id, DECLARATIONS.last_id
    before = indexed(cn, last_id)
    assert len(before["revisions"]) == 1

    second = cn.json("publisher", *command)
    assert (second["new"], second["changed"], second["unchanged"], second["refused"]) == (0, 0, count, [])
    assert second["position"] == first["position"] + count
    marker = shipment("AFTER-THE-REAL-ONES")
    cn.run("publisher", "history", "import", "-", "--format", "jsonl", text=_line(marker))
    indexed(cn, "AFTER-THE-REAL-ONES")  # recorded last: everything before it has been looked at
    after = indexed(cn, last_id)
    assert after["record"]["revision"] == 1
    assert after["record"]["position"] == before["record"]["position"]
    assert after["delete_after"] == before["delete_after"]

    found = searched(cn, "--declaration", first_id, "--node", "cn")
    assert [each["shipment"]["record_id"] for each in found["record"]] == [first_id]
    assert found["record"][0]["shipment"]["goods"][0]["codes"] == [{"code": "420231", "scheme": "hs", "territory": ""}]
    declarant, lines = DECLARATIONS.declarant
    counted = searched(cn, "--party-id", f"trader_id:{declarant}", "--limit", 0, "--node", "cn")
    assert len({each["shipment"]["record_id"] for each in counted["record"]}) == lines
    assert counted["end"][-1]["next_page_token"] == ""
    # mo doesn't run: what it has may be missing, and that is told
    with_mo = searched(cn, "--code", "420231", "--place", "IT", "--node", "cn,mo", code=3)
    assert {each["node"]: each["status"] for each in with_mo["answer"]} == {
        "cn": "complete",
        "mo": "unreachable",
    }


def _line(item: Shipment | ShipmentAddition) -> str:
    return MessageToJson(item, indent=None, preserving_proto_field_name=True) + "\n"


COLUMNS = (
    "record_id,procedure,declared_at,office,ucr,exporter_name,containers,seals,mode,route,"
    "hs_code,description,net_mass_kg,event,event_at,event_place,licences"
)
EXPORT = "export,2026-01-10T12:00:00+08:00,CNSZW"
CSV = f"""{COLUMNS}
F-1,{EXPORT},UCR-F-1,範例金屬有限公司|Hant|zh,TCLU4265770,SEAL-F-1,3,CNSZW;HKHKG,7901110000@CN,zinc ingots,20000,,,,
F-1,,,,,,,,,,8110101000@CN,antimony ingots,500,,,,
F-2,exort,2026-01-10T12:00:00+08:00,,,,,,,,,,,,,,
"""


def test_a_record_is_shown_with_its_revisions_events_and_what_was_added(cn: Cli, tmp_path: Path) -> None:
    file = tmp_path / "shipments.csv"
    file.write_text(CSV)
    imported = cn.run("publisher", "history", "import", file, code=3)
    assert "Line 4, F-2: procedure: 'exort' isn't one of export" in imported.stderr
    indexed(cn, "F-1")
    file.write_text(CSV.replace("zinc ingots,20000", "zinc ingots,20500"))
    assert cn.json("publisher", "history", "import", file, code=3)["changed"] == 1
    indexed(cn, "F-1", revision=2)
    events = tmp_path / "events.csv"
    events.write_text(
        "record_id,event,event_at,event_place,event_source,event_seal\n"
        "F-1,gate_out,2026-01-10T14:00:00+08:00,CNSZW,gate camera 7,SEAL-F-1\n"
    )
    assert cn.json("publisher", "history", "import", events)["additions"] == 1
    cn.eventually("officer", "history", "show", "F-1", until=lambda found: len(found["revisions"]) == 3)

    text = cn.run("officer", "history", "show", "F-1").stdout
    for expected in (
        *("Record cn/F-1", "範例金屬有限公司", "TCLU4265770, seal SEAL-F-1", "20500 kg net", "CNSZW → HKHKG"),
        *("1 event, 0 inspections added", "gate_out", "gate camera 7", "May be purged after", "no hold"),
    ):
        assert expected in text
    revisions = cn.json("officer", "history", "show", "F-1")["revisions"]
    assert [next(iter(each["item"])) for each in revisions] == ["shipment", "shipment", "addition"]
    # what was recorded can be read again, and changes nothing
    lines = "".join(json.dumps(each["item"]) + "\n" for each in revisions[1:])
    assert cn.json("publisher", "history", "import", "-", "--format", "jsonl", text=lines)["unchanged"] == 2


def test_doubtful_identifiers_are_notices_and_errors_where_that_is_wanted(cn: Cli, tmp_path: Path) -> None:
    file = tmp_path / "shipments.csv"
    file.write_text(CSV.replace("F-1", "N-1").replace("TCLU4265770", "TCLU4265771").replace("exort", "export"))
    command = ("history", "import", file)
    left_out = cn.json("publisher", *command, "--strict", "--dry-run", code=3)
    assert left_out["record_id"] == "F-2"
    strict = cn.json("publisher", *command, "--strict", code=3)
    assert [(bad["line"], bad["record_id"], bad["problems"][0]["column"]) for bad in strict["bad"]] == [
        (2, "N-1", "equipment[0].id")
    ]
    taken = cn.json("publisher", *command)
    assert [(one["line"], one["id"], one["scheme"], one["code"]) for one in taken["notices"]] == [
        (2, "N-1", "iso6346", "check_digit")
    ]
    again = cn.json("publisher", *command)  # at once: it may not be indexed yet
    assert (taken["new"], again["new"], again["changed"], again["unchanged"]) == (1, 0, 0, 2)
    told = cn.run("publisher", *command)
    assert "Nothing new" in told.stdout
    assert "1 notice on an identifier; such a line is taken all the same" in told.stderr
    assert "Line 2, N-1: equipment[0].id: " in told.stderr


def test_a_partner_finds_it_in_a_table_with_where_it_comes_from(cn: Cli, hk: Cli, tmp_path: Path) -> None:
    file = tmp_path / "shipments.csv"
    file.write_text(CSV.replace("F-1", "P-1").replace("TCLU4265770", "CSQU3054383"))
    cn.run("publisher", "history", "import", file, code=3)
    indexed(cn, "P-1")
    for criterion in (
        ("--seal", "seal p-1"),
        ("--ucr", "UCR-P-1"),
        ("--container", "CSQU3054383", "--code", "8110", "--place", "HK"),
        ("--container", "CSQU3054383", "--procedure", "export", "--from", "2026-01-10", "--until", "2026-01-10"),
    ):
        shown = hk.run("officer", "history", "search", *criterion, *WHY, "--node", "cn,hk", "-v").stdout
        assert "cn/P-1" in shown, criterion
        assert "complete" in shown
    nothing = hk.run("officer", "history", "search", "--ucr", "NO-SUCH-UCR", *WHY, "--node", "cn,hk").stdout
    assert "Nothing found." in nothing
    hit = hk.run("officer", "history", "search", "--ucr", "UCR-P-1", *WHY, "--node", "cn,hk", "--hit-only").stdout
    assert "yes" in hit
    assert "P-1" not in hit.replace("UCR-P-1", "")


def test_a_trace_is_drawn_written_for_a_report_and_becomes_a_draft_that_is_published(cn: Cli, tmp_path: Path) -> None:
    file = tmp_path / "shipments.csv"
    file.write_text(CSV.replace("F-1", "T-1").replace("TCLU4265770", "MSKU9070323"))
    cn.run("publisher", "history", "import", file, code=3)
    indexed(cn, "T-1")
    html, draft = tmp_path / "case.html", tmp_path / "draft.json"
    files = ("--html", html, "--draft", draft)
    traced = cn.run("officer", "history", "trace", "--ucr", "UCR-T-1", *WHY, "--node", "cn,hk", *files)
    assert "cn/T-1" in traced.stdout
    assert "gateway alert publish" in traced.stderr
    assert html.read_text().startswith("<!doctype html>") or html.read_text().startswith("<!DOCTYPE html>")
    content = json.loads(draft.read_text())
    assert content["case_reference"]
    completed = {
        **content,
        "requested_action": "REQUESTED_ACTION_INSPECT",
        "legal_basis": "CEPA art. 5",
        "handling": {
            "classification": "CLASSIFICATION_OFFICIAL",
            "onward_transfer": "ONWARD_TRANSFER_PROHIBITED",
        },
        "narratives": [{"language": "en", "text": "Antimony without a licence."}],
    }
    draft.write_text(json.dumps(completed))
    assert cn.json("publisher", "alert", "publish", draft, "--to", "hk")["alert_id"]
    again = cn.run("officer", "history", "trace", "--ucr", "UCR-T-1", *WHY, *files, code=2)
    assert "exists already" in again.stderr
    found = cn.json("officer", "history", "trace", "--ucr", "UCR-T-1", *WHY, "--node", "cn,hk")
    assert [leg["record"]["shipment"]["record_id"] for leg in found["trace"]["legs"]] == ["T-1"]


def test_times_say_which_trip_of_a_container_is_traced(cn: Cli, tmp_path: Path) -> None:
    file = tmp_path / "trips.csv"
    file.write_text(
        "record_id,procedure,declared_at,office,ucr,containers\n"
        "TRIP-1,export,2025-07-01T23:30:00+08:00,CNSZW,UCR-TRIP-1,GWDU2507017\n"
        "TRIP-2,export,2026-01-10T12:00:00+08:00,CNSZW,UCR-TRIP-2,GWDU2507017\n"
        "TRIP-1B,reexport,2025-07-05T12:00:00+08:00,CNSZW,UCR-TRIP-1,\n"
    )
    cn.run("publisher", "history", "import", file)
    indexed(cn, "TRIP-1B")

    def traced(*times: str) -> set[str]:
        asked = ("history", "trace", "--container", "GWDU2507017", *times, *WHY, "--node", "cn")
        found = cn.json("officer", *asked)["trace"]
        return {leg["record"]["shipment"]["record_id"] for leg in found.get("legs", [])}

    older = {"TRIP-1", "TRIP-1B"}  # the second was declared after the last day, and belongs to it all the same
    assert traced() == {"TRIP-2"}
    assert traced("--until", "2025-12-31") == older
    assert traced("--from", "2025-07-01", "--until", "2025-07-01") == older
    assert traced("--from", "2025-07-02T00:00:00+08:00") == {"TRIP-2"}
    assert traced("--until", "2025-07-01T15:30:00Z") == set()


def test_holds_are_placed_shown_and_let_go(cn: Cli, tmp_path: Path) -> None:
    file = tmp_path / "shipments.csv"
    file.write_text(CSV.replace("F-1", "H-1").replace("TCLU4265770", "OOLU0000003"))
    cn.run("publisher", "history", "import", file, code=3)
    indexed(cn, "H-1")
    why = ("--reason", "Order 2026/17", "--case", "C-1")
    hold = cn.json("supervisor", "history", "hold", "place", "--container", "OOLU0000003", *why)
    assert hold["records"] == 1
    assert "never while held" in cn.run("officer", "history", "show", "H-1").stdout
    assert "container OOLU0000003" in cn.run("supervisor", "history", "hold", "list").stdout
    cn.run("supervisor", "history", "hold", "release", hold["hold_id"], "--reason", "Closed")
    assert "no hold" in cn.run("officer", "history", "show", "H-1").stdout
    assert cn.json("supervisor", "history", "hold", "list") == []
    (released,) = cn.json("supervisor", "history", "hold", "list", "--released")
    assert released["release_reason"] == "Closed"


def test_rules_and_what_they_found_are_listed(cn: Cli, tmp_path: Path) -> None:
    file = tmp_path / "shipments.csv"
    file.write_text(CSV.replace("F-1", "R-1").replace("TCLU4265770", "TGHU0000008"))
    cn.run("publisher", "history", "import", file, code=3)
    (hit,) = cn.eventually(
        "officer", "history", "risks", "--record", "R-1", "--rule", "R01", until=lambda found: len(found) == 1
    )
    assert hit["discrepancy"]["severity"] == "high"
    assert "R01 controlled_code_no_licence" in cn.run("officer", "history", "risks", "--severity", "high").stdout
    rules = cn.json("officer", "history", "rules")
    assert "R01" in {rule["rule_id"] for rule in rules["rules"]}
    assert rules["version"] in cn.run("officer", "history", "rules", "-v").stdout
    (counted,) = (rule["outcomes"] for rule in rules["rules"] if rule["rule_id"] == "R01")
    assert int(counted["hits"]) >= 1
    assert "What inspections of hits found" in cn.run("officer", "history", "rules").stdout
    page = cn.run("officer", "history", "rules", "r03").stdout
    assert "unit_value_outlier" in page
    assert "1.25" in page
    assert "there is no rule 'R99'" in cn.run("officer", "history", "rules", "R99", code=2).stderr


def test_a_material_is_balanced(cn: Cli, tmp_path: Path) -> None:
    """Its export is known here and its import nowhere."""
    file = tmp_path / "shipments.csv"
    file.write_text(CSV.replace("F-1", "BAL-1").replace("TCLU4265770", "TGHU0000008"))
    cn.run("publisher", "history", "import", file, code=3)
    cn.eventually("officer", "history", "risks", "--record", "BAL-1", until=bool)
    found = cn.json("officer", "history", "balance", "--code", "811010", "--node", "cn", *WHY)
    assert any("cn/BAL-1" in line["records"] for line in found["lines"])
    assert [answer["node"] for answer in found["answers"]] == ["cn"]
    shown = cn.run("officer", "history", "balance", "--code", "811010", "--all", "--node", "cn", *WHY).stdout
    assert "Mass balance" in shown


def test_who_may_not_is_told_the_role(cn: Cli, tmp_path: Path) -> None:
    file = tmp_path / "shipments.csv"
    file.write_text(CSV)
    assert "publisher" in cn.run("officer", "history", "import", file, code=1).stderr
    assert "officer" in cn.run("publisher", "history", "search", "--ucr", "U", *WHY, code=1).stderr
    assert "there is no record 'NONE'" in cn.run("officer", "history", "show", "NONE", code=2).stderr


def named(case: str, count: int) -> list[Shipment]:
    return [shipment(f"{case}-{number}") for number in range(count)]


async def recorded(client: GatewayClient, items: Any, **options: Any) -> list[RecordedBatch]:
    return [batch async for batch in client.history.record(items, **options)]


def test_a_stream_that_is_cut_again_and_again_records_everything_and_once_in_effect(
    nodes: Federation, network: Network
) -> None:
    async def run() -> None:
        proxy = network.proxy(nodes["cn"].local_port)
        items = named("CUT", 2_000)
        async with nodes.client_at(proxy.port, "cn", "publisher") as client:
            proxy.cut_after(90_000, times=6)
            batches = await recorded(client, items, batch=50)
        assert proxy.cuts >= 3
        assert [item.record_id for batch in batches for item in batch.items] == [item.record_id for item in items]
        assert sum(batch.recorded for batch in batches) == 2_000
        assert [batch.position for batch in batches] == sorted(batch.position for batch in batches)
        async with nodes.client("cn", "officer") as officer:

            async def all_there() -> bool:
                found = await officer.history.get("CUT-1999")
                assert found.record.revision == 1
                return True

            await eventually(all_there)
            for number in (0, 149, 150, 551, 1_150, 1_999):
                assert (await officer.history.get(f"CUT-{number}")).record.revision == 1

    nodes.run(run())


def test_what_is_refused_stands_at_its_place_and_the_rest_goes_on(nodes: Federation) -> None:
    wrong = shipment("WRONG-2")
    wrong.goods[0].description = "x" * 2_000
    huge = shipment("HUGE")
    huge.inspections.add().remarks = "x" * BATCH_BYTES
    addition = ShipmentAddition(record_id="WRONG-0")
    addition.events.add(kind=shipment_pb2.SHIPMENT_EVENT_KIND_RELEASE).occurred_at.seconds = 1_768_000_000
    items = [shipment("WRONG-0"), addition, wrong, huge, shipment("WRONG-4")]

    async def source() -> Any:
        for item in items:
            yield item

    async def run() -> None:
        async with nodes.client("cn", "publisher") as client:
            for given in (items, source()):
                batches = await recorded(client, given, batch=2)
                outcome = [batch.refused.get(index) for batch in batches for index, _ in enumerate(batch.items)]
                assert [error.reason if error else None for error in outcome] == [
                    *(None, None, "INVALID_REQUEST", "TOO_LARGE", None)
                ]
                assert sum(batch.recorded for batch in batches) == 3
            assert await recorded(client, []) == []
            with pytest.raises(ValueError, match="batch must be"):
                await recorded(client, items, batch=501)
        async with nodes.client("cn", "officer") as officer:
            with pytest.raises(PermissionDeniedError):
                await recorded(officer, items)

    nodes.run(run())


def test_a_search_goes_through_its_pages_and_can_be_left(nodes: Federation) -> None:
    async def run() -> None:
        items = [shipment(f"PAGE-{number}", export_territory="MN") for number in range(25)]
        for item in items:
            item.equipment[0].id = "PAGU0000001"
        async with nodes.client("cn", "publisher") as client:
            await recorded(client, items)
        async with nodes.client("cn", "officer") as officer:

            async def all_there() -> bool:
                return bool((await officer.history.get("PAGE-24")).record.revision)

            await eventually(all_there)
            wanted = SearchCriteria(containers=["PAGU0000001"])
            found = [each async for each in officer.history.search(wanted, grounds(), nodes=["cn"], page_size=10)]
            records = [each.shipment.record_id for each in found if isinstance(each, HistoryRecord)]
            assert sorted(records) == sorted(item.record_id for item in items)
            answers = [each for each in found if isinstance(each, NodeAnswer)]
            assert [each.count for each in answers] == [10, 10, 5]
            async with aclosing(officer.history.search(wanted, grounds(), nodes=["cn"], page_size=10)) as some:
                async for _ in some:
                    break

    nodes.run(run())


def test_the_guides_code_records_and_finds(nodes: Federation) -> None:
    guide = Path(__file__).parents[2] / "docs" / "integrating.md"
    code: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", guide.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(block, str(guide), "exec"), code)  # noqa: S102  the guide is ours

    async def run() -> None:
        good, wrong = shipment("GUIDE-1"), shipment("GUIDE-2")
        good.equipment[0].id = "GUIU0000001"
        wrong.incoterms = "free on board"
        async with nodes.client("cn", "publisher") as publisher, nodes.client("hk", "officer") as officer:
            (problem,) = await code["record"](publisher, [good, wrong])
            assert problem.startswith("GUIDE-2: shipment.incoterms")

            async def found() -> bool:
                return any(
                    "cn/GUIDE-1 revision 1" in each for each in await code["find_container"](officer, "GUIU0000001")
                )

            await eventually(found)

    nodes.run(run())
