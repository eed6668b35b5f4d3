"""Watchlists between running gateways: real input, changes alone, four eyes, crashes, and where an entry is active."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from gateway.client import GatewayClient, WatchedChanges
from gateway.errors import InvalidRequestError, PermissionDeniedError, PositionUnknownError
from gateway.formats.lists.rows import ListOptions, ListRow
from gateway.formats.lists.un_xml import read_un_xml
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1.watchlist_pb2 import WatchlistContent
from gateway.v1.watchlist_service_pb2 import (
    ImportEnd,
    ImportEntriesRequest,
    ImportEntriesResponse,
    ImportOpening,
    ImportRow,
    ImportRows,
    ProposedEntry,
)
from gateway.watchlists.codec.events import parse_decision, parse_event
from tests.support.command_line import Cli
from tests.support.federation import Federation, eventually, with_logs
from tests.support.nodes import listed_content
from tests.support.proxy import Network
from tests.support.public_files import write_long_list
from tests.support.stored import StoredFeed

WITHOUT_FOUR_EYES = """
[lists.un-sc]
four_eyes = false
[lists.plates]
four_eyes = false
[lists.vans]
four_eyes = false
[lists.crash]
four_eyes = false
[lists.stream]
four_eyes = false
[lists.cut]
four_eyes = false
"""
LEGAL_BASIS = ("--legal-basis", "UNSCR 1718 (2006)")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    for made in with_logs(tmp_path_factory.mktemp("lists"), settings=WITHOUT_FOUR_EYES):
        made.start()
        yield made


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Federation]:
    """For a test whose feeds must hold nothing else."""
    for made in with_logs(tmp_path, settings=WITHOUT_FOUR_EYES):
        made.start()
        yield made


@pytest.fixture(scope="module")
def un_list(nodes: Federation, tmp_path_factory: pytest.TempPathFactory) -> str:
    """cn's list `un-sc`, of which ten entries were changed and one withdrawn; hk holds the same."""
    file = tmp_path_factory.mktemp("un") / "consolidated.xml"
    entries = write_long_list(file)
    import_list = ("watchlist", "import", file, "--list", "un-sc", "--releasable-to", "hk", *LEGAL_BASIS)
    cn = Cli(nodes, "cn")
    cn.run("publisher", *import_list)
    file.write_text(changed(file.read_text(encoding="utf-8"))[0], encoding="utf-8")
    cn.run("publisher", *import_list, "--prune", "--reason", "Delisted by the committee")
    shows(Cli(nodes, "hk"), entries - 1, "--list", "un-sc")
    synced(nodes, 0)
    return "un-sc"


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


def feed_of(nodes: Federation, node: str, recipient: str = "hk") -> StoredFeed:
    """cn's watchlist feed to a partner, as it lies at a node."""
    return nodes[node].feed(f"{FEDERATION}/cn/{recipient}/watchlist")


def travelled(feed: StoredFeed, first: int = 0) -> list[str]:
    """Changes in a feed from an entry on: `+ID@REVISION` or `-ID`."""
    changes = [change for _, _, payload in feed.entries[first:] for change in parse_event(payload).update.changes]
    return [
        f"+{change.entered.id}@{change.entered.revision}" if change.HasField("entered") else f"-{change.ended.id}"
        for change in changes
    ]


def synced(nodes: Federation, changes: int, first: int = 0) -> StoredFeed:
    """Waits until hk holds so many changes from an entry of cn's feed on, and all that cn has; hk's copy of it."""

    async def same() -> bool:
        here, there = feed_of(nodes, "cn"), feed_of(nodes, "hk")
        assert len(travelled(there, first)) >= changes, f"{len(travelled(there, first))} of {changes} changes at hk"
        assert there.size == here.size, f"{there.size} of {here.size} at hk"
        return True

    nodes.run(eventually(same, what="the whole feed at hk"))
    return feed_of(nodes, "hk")


def shows(cli: Cli, count: int, *filters: object) -> list[Any]:
    """Waits until a node lists so many entries."""
    command = ("watchlist", "list", "--limit", 0, *filters)
    return list(cli.eventually("officer", *command, until=lambda found: len(found) == count))


def identical(cn: Cli) -> dict[str, Any]:
    """What `diff` says of hk's copy; it must be identical."""
    line = cn.run("publisher", "watchlist", "diff", "--with", "hk").stdout
    assert line.startswith("Identical: hk lists ")
    assert line.count("\n") == 1
    found: dict[str, Any] = cn.json("publisher", "watchlist", "diff", "--with", "hk")
    assert found["identical"] is True
    return found


def changed(text: str) -> tuple[str, set[str]]:
    """The list with ten entries changed and one removed; ids of these eleven."""
    blocks = re.findall(r"<INDIVIDUAL>.*?</INDIVIDUAL>", text, re.DOTALL)
    ten = [block for block in blocks if "<COMMENTS1>" in block][:10]
    gone = blocks[100]
    for block in ten:
        text = text.replace(block, block.replace("<COMMENTS1>", "<COMMENTS1>Corrected. "))
    text = text.replace(gone, "")
    return text, {re.findall("<REFERENCE_NUMBER>(.*?)</REFERENCE_NUMBER>", block)[0].strip() for block in (*ten, gone)}


def test_the_united_nations_list_is_synced_and_only_changes_travel(fresh: Federation, tmp_path: Path) -> None:
    nodes, cn, hk, mo = fresh, Cli(fresh, "cn"), Cli(fresh, "hk"), Cli(fresh, "mo")
    file = tmp_path / "consolidated.xml"
    entries = write_long_list(file)
    last = re.findall("<REFERENCE_NUMBER>(.*?)</REFERENCE_NUMBER>", file.read_text(encoding="utf-8"))[-1].encode()
    command = ("watchlist", "import", file, "--list", "un-sc", "--releasable-to", "hk", *LEGAL_BASIS)
    first = cn.json("publisher", *command)
    assert (first["new"], first["problems"], first["refused_count"]) == (entries, [], 0)
    copy = synced(nodes, entries)
    assert copy.root == feed_of(nodes, "cn").root
    assert len(set(travelled(copy))) == len(travelled(copy)) == entries
    assert len(shows(hk, entries, "--publisher", "cn", "--list", "un-sc")) == entries
    said = identical(cn)
    assert said["own_root"] == said["partner_root"] == copy.root.hex()

    again = cn.json("publisher", *command)
    assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, entries)
    assert feed_of(nodes, "cn").size == copy.size
    text, eleven = changed(file.read_text(encoding="utf-8"))
    file.write_text(text, encoding="utf-8")
    kept = cn.json("publisher", *command)
    assert (kept["new"], kept["changed"], kept["unchanged"]) == (0, 10, entries - 11)
    assert (kept["vanished"], kept["withdrawn"]) == (1, 0)
    pruned = cn.json("publisher", *command, "--prune", "--reason", "Delisted by the committee")
    assert (pruned["changed"], pruned["unchanged"], pruned["withdrawn"]) == (0, entries - 1, 1)
    shows(hk, entries - 1, "--list", "un-sc")
    later = travelled(synced(nodes, 11, copy.size), copy.size)
    assert len(later) == 11
    assert {each.strip("+-").partition("@")[0] for each in later} == eleven
    assert identical(cn)["active"] == entries - 1

    assert mo.json("officer", "watchlist", "list") == []
    for node in ("cn", "mo"):
        assert travelled(feed_of(nodes, node, "mo")) == []
    assert last not in b"".join(path.read_bytes() for path in nodes["mo"].data.glob("gateway.sqlite3*"))
    assert last in b"".join(path.read_bytes() for path in nodes["hk"].data.glob("gateway.sqlite3*"))


def test_lists_have_links_to_partners_and_what_is_for_nobody_has_none(nodes: Federation, cn: Cli) -> None:
    row = "id,kind,identifiers,reason\nBOX-1,container,container:CSQU3054383,smuggling\n"
    cn.run("publisher", "watchlist", "import", "-", "--list", "plates", "--format", "csv", *LEGAL_BASIS, text=row)
    assert nodes["cn"].feed(f"{FEDERATION}/cn/cn/lists").size > 0
    links = {link["origin"]: link for link in cn.json("operator", "link", "list")}
    assert f"{FEDERATION}/cn/hk/watchlist" in links
    assert f"{FEDERATION}/cn/cn/lists" not in links


def test_a_file_with_rows_that_cant_be_read_withdraws_nothing(cn: Cli, tmp_path: Path) -> None:
    file = tmp_path / "vans.csv"
    head = "id,kind,identifiers,reason\n"
    command = ("watchlist", "import", file, "--list", "vans", *LEGAL_BASIS)
    file.write_text(
        head + "P-1,vehicle,plate:粤Z1234港,smuggling\nP-2,vehicle,plate:MO-1,smuggling\n", encoding="utf-8"
    )
    assert cn.json("publisher", *command)["new"] == 2
    file.write_text(head + "P-2,car,plate:MO-1,smuggling\nP-3,vehicle,plate:MO-3,smuggling\n", encoding="utf-8")
    told = cn.run("publisher", *command, "--prune", "--reason", "x", code=3)
    assert "nothing was withdrawn" in told.stderr
    assert "Line 2, P-2: kind: 'car' isn't one of" in told.stderr
    assert {each["entry"]["id"] for each in shows(cn, 3, "--list", "vans")} == {"P-1", "P-2", "P-3"}
    refused = cn.json("publisher", *command, "--releasable-to", "xx", code=1)
    assert [each["line"] for each in refused["refused"]] == [3]
    assert "'xx' isn't a partner" in refused["refused"][0]["message"]


def test_a_proposal_has_no_effect_before_another_person_approves_it(
    nodes: Federation, cn: Cli, hk: Cli, tmp_path: Path
) -> None:
    file = tmp_path / "minerals.csv"
    file.write_text("id,kind,name,reason\nM-1,organisation,Placeholder Metals,Diversion\n")
    command = ("watchlist", "import", file, "--list", "minerals", "--releasable-to", "hk", *LEGAL_BASIS)
    before = feed_of(nodes, "cn").size
    proposal = cn.json("supervisor", *command)["proposal_id"]
    (waiting,) = cn.json("supervisor", "watchlist", "proposals")
    assert (waiting["proposal_id"], waiting["proposer"], waiting["changes"]) == (proposal, "supervisor", 1)
    own = cn.run("supervisor", "watchlist", "approve", proposal, code=1)
    assert "four eyes" in own.stderr
    assert (cn.json("officer", "watchlist", "list", "--list", "minerals"), feed_of(nodes, "cn").size) == ([], before)
    assert cn.run("supervisor", "watchlist", "reject", proposal, "--remarks", "My own").exit_code == 0

    proposal = cn.json("publisher", *command)["proposal_id"]
    again = cn.json("publisher", *command)
    assert (again["proposal_id"], again["proposed_before"]) == (proposal, True)
    assert "no second proposal was made" in cn.run("supervisor", *command).stderr
    assert [each["proposal_id"] for each in cn.json("supervisor", "watchlist", "proposals")] == [proposal]
    assert hk.json("officer", "watchlist", "list", "--list", "minerals") == []
    assert cn.json("supervisor", "watchlist", "approve", proposal)["changes"] == 1
    shows(hk, 1, "--list", "minerals")
    assert cn.json("supervisor", "watchlist", "proposals") == []
    assert "approved before" in cn.run("supervisor", "watchlist", "approve", proposal, code=2).stderr


def test_show_says_where_a_withdrawn_entry_is_still_active(nodes: Federation, cn: Cli, hk: Cli, tmp_path: Path) -> None:
    content = tmp_path / "entry.json"
    entry = {
        "kind": "WATCHLIST_KIND_PERSON",
        "names": [{"text": "陳大文", "script": "Hant"}],
        "reason": "Courier",
        "legal_basis": "Arrangement 2024, article 7",
        "purpose": "export_control",
        "requested_action": "REQUESTED_ACTION_INSPECT",
        "handling": {
            "classification": "CLASSIFICATION_RESTRICTED",
            "onward_transfer": "ONWARD_TRANSFER_PROHIBITED",
        },
        "releasable_to": ["hk"],
    }
    content.write_text(json.dumps(entry))
    name = "plates/PERSON-1"
    cn.run("publisher", "watchlist", "propose", content, "--list", "plates", "--id", "PERSON-1")
    show = ("watchlist", "show", name)
    active = cn.eventually("officer", *show, until=lambda found: outcome(found) == "applied")
    (copy,) = active["copies"]
    assert (copy["partner"], copy["state"], copy["revision"]) == ("hk", "active", 1)
    entry["remarks"] = "Uses two phones"
    content.write_text(json.dumps(entry))
    options = ("--list", "plates", "--id", "PERSON-1", "--revision")
    cn.run("publisher", "watchlist", "propose", content, *options, 1)
    assert "at revision 2, not 1" in cn.run("publisher", "watchlist", "propose", content, *options, 1, code=1).stderr
    hk.eventually("officer", "watchlist", "show", f"cn/{name}", until=lambda found: found["entry"]["revision"] == 2)

    nodes.between("cn", "hk").cut()
    try:
        assert "at revision 2" in cn.run("publisher", "watchlist", "withdraw", name, "--reason", "x", code=1).stderr
        cn.run("publisher", "watchlist", "withdraw", name, "--reason", "Cleared", "--revision", 2)
        ending = cn.eventually("officer", *show, until=lambda found: found["entry"] is None)
        assert [each["state"] for each in ending["copies"]] == ["ending"]
        told = cn.run("officer", *show).stdout
        assert "has ended" in told
        assert "may still be active: its end is sent, no receipt yet" in told
        assert hk.json("officer", "watchlist", "show", f"cn/{name}")["entry"]["revision"] == 2
        assert cn.run("publisher", "watchlist", "withdraw", name, "--reason", "x", code=2).stderr
    finally:
        nodes.between("cn", "hk").heal()
    ended = cn.eventually("officer", *show, until=lambda found: outcome(found) == "applied")
    assert [each["state"] for each in ended["copies"]] == ["ended"]
    assert ended["copies"][0]["receipted_at"] >= copy["receipted_at"]
    hk.run("officer", "watchlist", "show", f"cn/{name}", code=2)


def outcome(found: dict[str, Any]) -> str:
    return str(found["copies"][0].get("outcome", "")) if found.get("copies") else ""


def test_killed_in_the_middle_of_the_sync_a_partner_ends_with_equal_roots_and_nothing_twice(
    nodes: Federation, tmp_path: Path
) -> None:
    entries = write_long_list(tmp_path / "consolidated.xml")
    with (tmp_path / "consolidated.xml").open("rb") as stream:
        options = ListOptions(list="crash", defaults=listed_content(releasable_to=["hk"]))
        rows = [row for row in read_un_xml(stream, options) if isinstance(row, ListRow)]
    assert len(rows) == entries
    before, start = feed_of(nodes, "cn").size, asyncio.Event()
    at_kill = 0

    async def source() -> AsyncIterator[ImportRow]:
        for number, row in enumerate(rows):
            if number == 501:  # the first message with 500 rows is sent by now
                await start.wait()
            yield ImportRow(id=row.id, content=row.content, line=row.line)

    async def kill() -> None:
        async def some() -> bool:
            return feed_of(nodes, "hk").size > before

        nonlocal at_kill
        await eventually(some, every_s=0.01, what="a part of the list at hk")
        nodes["hk"].kill()
        at_kill = len(travelled(feed_of(nodes, "hk"), before))
        start.set()

    async def run() -> None:
        async with nodes.client("cn", "publisher") as client:
            killing = asyncio.create_task(kill())
            response = await client.watchlist.import_entries("crash", source())
            await killing
            assert response.added == entries

    nodes.run(run())
    assert 0 < at_kill <= 500, "hk had a part of it"
    nodes["hk"].start()
    copy = synced(nodes, entries, before)
    assert copy.root == feed_of(nodes, "cn").root
    assert Counter(travelled(copy, before)) == Counter(f"+{row.id}@1" for row in rows)
    assert identical(Cli(nodes, "cn"))["partner_root"] == copy.root.hex()
    shows(Cli(nodes, "hk"), entries, "--list", "crash")

    async def watched() -> list[str]:
        async with nodes.client("hk", "officer") as client:
            return [
                change.change.entered.id
                async for each in client.watchlist.watch(until_current=True)
                for change in each.changes
                if change.change.entered.list == "crash"
            ]

    seen = nodes.run(watched())
    assert len(seen) == len(set(seen)) == entries


LONG_REMARKS = "A placeholder of the tests, with something to say. " * 12
"""What makes 500 entries a message of about 0.7 MB."""


def rows_of(count: int, remarks: str = "") -> list[ImportRow]:
    return [
        ImportRow(
            id=f"S-{number:04d}", content=listed_content(f"Placeholder {number}", remarks=remarks), line=number + 1
        )
        for number in range(count)
    ]


def test_a_large_import_that_comes_again_is_one_proposal_unless_something_differs(nodes: Federation) -> None:
    cn = Cli(nodes, "cn")

    async def proposed(count: int) -> ImportEntriesResponse:
        async with nodes.client("cn", "publisher") as client:
            return await client.watchlist.import_entries("eyes", rows_of(count))

    first, second, other = (nodes.run(proposed(count)) for count in (1_100, 1_100, 1_101))
    assert (second.proposal_id, second.proposed_before) == (first.proposal_id, True)
    assert not first.proposed_before
    assert not other.proposed_before
    waiting = cn.json("supervisor", "watchlist", "proposals")
    assert [each["proposal_id"] for each in waiting] == [first.proposal_id, other.proposal_id]
    for each in waiting:
        cn.run("supervisor", "watchlist", "reject", each["proposal_id"], "--remarks", "A test")

    async def at_one_moment() -> list[ImportEntriesResponse]:
        return await asyncio.gather(*(proposed(600) for _ in range(6)))

    at_once = nodes.run(at_one_moment())
    (proposal,) = {each.proposal_id for each in at_once}
    assert sorted(each.proposed_before for each in at_once) == [False, *[True] * 5]
    assert [each["proposal_id"] for each in cn.json("supervisor", "watchlist", "proposals")] == [proposal]
    cn.run("supervisor", "watchlist", "reject", proposal, "--remarks", "A test")
    third = nodes.run(proposed(1_100))  # a rejected one isn't proposed any more
    assert not third.proposed_before
    cn.run("supervisor", "watchlist", "reject", third.proposal_id, "--remarks", "A test")


@pytest.mark.parametrize("cut", ["by its caller", "by a crash"])
def test_a_proposal_whose_import_is_cut_off_ends_by_itself(nodes: Federation, cut: str) -> None:
    cn = nodes["cn"]

    def decided() -> list[tuple[str, str]]:
        feed = cn.feed(f"{FEDERATION}/cn/cn/lists")
        made = [parse_decision(payload) for _, _, payload in feed.entries]
        kinds = [(each, each.WhichOneof("decision")) for each in made]
        return [(kind, getattr(each, kind).proposal_id) for each, kind in kinds if kind in {"proposed", "rejected"}]

    before = len(decided())

    async def proposed() -> bool:
        return len(decided()) > before

    async def rejected() -> bool:
        (kind, proposal), (ended, of) = decided()[before], decided()[-1]
        assert (kind, ended, of) == ("proposed", "rejected", proposal)
        return True

    async def source() -> AsyncIterator[ImportRow]:
        for row in rows_of(1_100):
            yield row
        await asyncio.Event().wait()  # there would be more

    async def run() -> None:
        async with nodes.client("cn", "publisher") as client:
            importing = asyncio.create_task(client.watchlist.import_entries("eyes", source()))
            await eventually(proposed, what="a part of the proposal")
            if cut == "by a crash":
                cn.kill()
            importing.cancel()
            await asyncio.gather(importing, return_exceptions=True)

    nodes.run(run())
    if cut == "by a crash":
        cn.start()
    nodes.run(eventually(rejected, what="the proposal's end"))
    assert Cli(nodes, "cn").json("supervisor", "watchlist", "proposals") == []


def test_an_import_that_ends_too_early_withdraws_nothing(nodes: Federation) -> None:
    """A stream that breaks can end like one that was ended: only the import's own last message says that all came."""
    rows = [ImportRow(id=f"C-{number}", content=listed_content(releasable_to=[])) for number in range(4)]
    opening = ImportEntriesRequest(open=ImportOpening(list="cut", prune=True, prune_reason="gone"))
    two = ImportEntriesRequest(rows=ImportRows(rows=rows[:2]))

    async def run() -> None:
        async with nodes.client("cn", "publisher") as client:
            assert (await client.watchlist.import_entries("cut", rows)).added == 4
            call = client._connection.stubs.watchlist.ImportEntries
            for messages, what in (
                ([opening, two], "before the import's `end`"),
                ([opening, two, ImportEntriesRequest(end=ImportEnd(rows=4))], "2 rows came, 4 were sent"),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await call(iter(messages))
                assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
                assert what in refused.value.details()
            done = await call(iter([opening, two, ImportEntriesRequest(end=ImportEnd(rows=2))]))
            assert (done.unchanged, done.withdrawn) == (2, 2)

    nodes.run(run())


def test_a_watch_over_a_network_that_fails_begins_the_full_state_anew_and_has_no_gap_and_no_double_after_it(
    nodes: Federation, network: Network
) -> None:
    proxy = network.proxy(nodes["hk"].local_port)
    interruptions: list[object] = []

    async def run() -> None:
        async with (
            nodes.client("cn", "publisher") as cn,
            nodes.client("hk", "officer") as hk,
            nodes.client_at(proxy.port, "hk", "officer") as through,
        ):
            sent: list[int] = []
            rows = rows_of(1_200, LONG_REMARKS)
            response = await cn.watchlist.import_entries("stream", rows, on_progress=sent.append)
            assert (response.added, sent) == (1_200, [500, 500, 200])

            async def arrived() -> bool:
                return len([each async for each in hk.watchlist.entries(filter='list = "stream"')]) == 1_200

            await eventually(arrived)
            proxy.cut_after(900_000, times=2)  # a message has 0.7 MB
            held: dict[str, int] = {}
            begun = 0
            done = asyncio.Event()
            after: list[str] = []

            def keep(each: WatchedChanges) -> None:
                nonlocal begun
                begun += each.begins
                if each.begins:
                    held.clear()
                for change in each.changes:
                    entry = change.change.entered
                    if entry.list == "stream":
                        assert each.full_state or entry.id not in after, "twice"
                        held[entry.id] = entry.revision
                        after.extend([] if each.full_state else [entry.id])

            async def watch() -> None:
                stream = through.watchlist.watch(full_state=True, on_interruption=interruptions.append)
                async for each in stream:
                    keep(each)
                    if each.position and not done.is_set():
                        done.set()
                    if len(after) == 300:
                        return

            watching = asyncio.create_task(watch())
            await asyncio.wait_for(done.wait(), 20)
            assert (begun, len(interruptions), set(held.values())) == (3, 2, {1})
            proxy.cut_after(30_000, times=4)
            for part in range(3):
                changed_rows = rows_of(300, "changed")[100 * part : 100 * part + 100]
                await cn.watchlist.import_entries("stream", changed_rows)
            await asyncio.wait_for(watching, 30)
            assert (len(held), Counter(held.values())) == (1_200, {1: 900, 2: 300})
            assert begun == 3
            assert len(interruptions) > 2

    nodes.run(run())


def test_what_a_client_isnt_allowed_or_asks_wrongly_raises_what_it_is(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "officer") as officer, nodes.client("cn", "publisher") as publisher:
            with pytest.raises(PermissionDeniedError):
                await officer.watchlist.import_entries("plates", rows_of(2_000))
            with pytest.raises(PermissionDeniedError):
                await publisher.watchlist.decide("01890000-0000-7000-8000-000000000001", approve=True)
            with pytest.raises(InvalidRequestError):
                await publisher.watchlist.import_entries("Not A List", rows_of(2_000))
            with pytest.raises(PositionUnknownError):
                _ = [each async for each in publisher.watchlist.watch(10_000_000)]
            await repeated(publisher)

    nodes.run(run())


def test_the_guides_code_does_what_the_guide_says(nodes: Federation, capsys: pytest.CaptureFixture[str]) -> None:
    code = python_of("docs/integrating.md")

    async def run() -> None:
        async with nodes.client("cn", "publisher") as cn, nodes.client("cn", "supervisor") as supervisor:
            contents = {"G-1": listed_content("Guide", releasable_to=[]), "G-2": listed_content(reason="")}
            problems = await code["import_list"](cn, contents)
            assert len(problems) == 1
            assert problems[0].startswith("line 2: content.reason")
            said = capsys.readouterr().out
            assert "1 new, 0 changed, 0 unchanged" in said
            held: dict[str, WatchlistContent] = {}
            position = await code["follow_lists"](cn, held, None)
            assert "cn/minerals/G-1" not in held
            await supervisor.watchlist.decide(said.split()[-1], approve=True)

            async def listed() -> bool:
                nonlocal position
                position = await code["follow_lists"](cn, held, position)
                return "cn/minerals/G-1" in held

            await eventually(listed, what="what was approved")
            everything: dict[str, WatchlistContent] = {}
            assert await code["follow_lists"](cn, everything, None) == position
            assert everything == held

    nodes.run(run())


def python_of(document: str) -> dict[str, Any]:
    """What the Python blocks of a document define."""
    text = (Path(__file__).parents[2] / document).read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        exec(compile(block, document, "exec"), names)  # noqa: S102  the guide is ours
    return names


async def repeated(client: GatewayClient) -> None:
    """The same request id has its effect once."""
    content: WatchlistContent = listed_content("Once", releasable_to=[])
    answers = [
        await client.watchlist.propose(
            "plates",
            entries=[ProposedEntry(content=content)],
            request_id="01890000-0000-7000-8000-000000000002",
        )
        for _ in range(2)
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("kind", ["csv", "jsonl", "ftm"])
def test_an_export_that_is_imported_changes_nothing(cn: Cli, un_list: str, tmp_path: Path, kind: str) -> None:
    target = tmp_path / f"list.{kind}"
    written = cn.json("officer", "watchlist", "export", "--list", un_list, "--format", kind, "--out", target)
    options = ("--list", un_list, "--format", kind, "--releasable-to", "hk", *LEGAL_BASIS)
    back = cn.json("publisher", "watchlist", "import", target, *options)
    assert (back["new"], back["changed"], back["vanished"]) == (0, 0, 0)
    assert back["unchanged"] == written["written"] > 1_000


def test_exports_of_a_partners_copy_and_in_formats_that_are_only_written(
    cn: Cli, hk: Cli, un_list: str, tmp_path: Path
) -> None:
    mine, theirs = tmp_path / "cn.csv", tmp_path / "hk.csv"
    export = ("watchlist", "export", "--list", un_list, "--format")
    cn.run("officer", *export, "csv", "--out", mine)
    hk.run("officer", *export, "csv", "--publisher", "cn", "--out", theirs)
    assert mine.read_bytes() == theirs.read_bytes()
    assert hk.run("officer", *export, "csv", "--publisher", "cn").stdout.encode() == mine.read_bytes()
    cn.run("officer", *export, "stix", "--out", tmp_path / "stix.json")
    bundle = json.loads((tmp_path / "stix.json").read_bytes())
    assert bundle["type"] == "bundle"
    listed = [each for each in bundle["objects"] if each["type"] == "identity" and "extensions" in each]
    (extension,) = {name for each in listed for name in each["extensions"]}
    amended = [each for each in listed if each["extensions"][extension]["revision"] > 1]
    assert len(amended) >= 10
    assert all(each["created"] < each["modified"] for each in amended)
    assert all(each["created"] == each["modified"] for each in listed if each not in amended)
    hk.run("officer", *export, "stix", "--publisher", "cn", "--out", tmp_path / "theirs.json")
    assert (tmp_path / "theirs.json").read_bytes() == (tmp_path / "stix.json").read_bytes()
    told = cn.run("officer", *export, "ftm", "--out", tmp_path / "entities.ftm.json").stderr
    assert "Not carried whole by this format:" in told
    assert "exists already" in cn.run("officer", *export, "csv", "--out", mine, code=2).stderr
    assert "no entry in list nothing" in cn.run("officer", *export[:3], "nothing", "--format", "csv", code=2).stderr


def test_an_entry_that_ends_soon_is_shown_and_an_alarm(nodes: Federation, cn: Cli) -> None:
    until = datetime.now(UTC) + timedelta(days=3)
    file = (
        "id,kind,identifiers,reason,valid_until\n"
        f"SOON,container,container:CSQU3054383,smuggling,{until:%Y-%m-%dT%H:%M:%SZ}\n"
    )
    cn.run("publisher", "watchlist", "import", "-", "--list", "stream", "--format", "csv", *LEGAL_BASIS, text=file)
    (listed,) = shows(cn, 1, "--expiring")
    assert (listed["entry"]["list"], listed["entry"]["id"]) == ("stream", "SOON")
    assert f"{until:%m-%d}" in cn.run("officer", "watchlist", "list", "--expiring").stdout
    status = cn.eventually("operator", "status", until=lambda found: "LIST_EXPIRES" in json.dumps(found))
    (alarm,) = [each for each in status["alarms"] if each["code"] == "LIST_EXPIRES"]
    assert "entries of stream whose validity ends within 14 days: 1, the first at" in alarm["message"]
    events = cn.eventually("auditor", "audit", "list", "--filter", "reason = LIST_EXPIRES", until=bool)
    assert "entries of stream that end soon: 1; first SOON" in nodes["cn"].log
    assert [event["details"]["subject_ids"] for event in events] == ["cn/stream/SOON"]
