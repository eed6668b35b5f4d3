"""An alert is erased at its publisher and at the partner that agreed to it; no file of either has a word of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.client import AlertReference, GatewayClient
from gateway.errors import AlertHeldError, ErasedError, IllegalTransitionError, NotFoundError, PermissionDeniedError
from gateway.node.assembly.node import system_clock_ms
from gateway.node.maintenance import maintenance
from gateway.v1 import alert_pb2, casework_service_pb2, history_pb2, party_pb2
from gateway.v1.alert_service_pb2 import ListErasuresResponse
from tests.support.command_line import Cli
from tests.support.federation import Federation, alert, eventually, origin, with_logs
from tests.support.files import KEPT, about, picture, written

SETTINGS = f"""{KEPT}
[casework]
enabled = true

[notifications]
enabled = true

[link_analysis]
enabled = true
"""
SECRETS = (
    *("Quandorvex", "Zilbrantic", "Wexmoorian", "Plumgarto", "Vextrillo", "Narquestine", "Jubelwort", "Hextabloom"),
    "CSQU3054383",
)
"""Words of the alert that nothing else in a node has."""

SEARCHED = casework_service_pb2.InboxFilter(scope=casework_service_pb2.INBOX_SCOPE_ALL, text="Narquestine")
CN_HK_FEED = origin("cn", "hk")
LAW = "Customs Act, article 12"
CN_HK = ("cn", "hk")


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Federation]:
    for made in with_logs(tmp_path, settings=SETTINGS):
        _agree(made)
        made.start("cn", "hk")
        yield made


def _agree(nodes: Federation, *, erasure: bool = True) -> None:
    old = nodes.directory
    agreements = tuple(
        replace(each, extensions={**each.extensions, "erasure": erasure})
        if (each.sender, each.recipient) == CN_HK
        else each
        for each in old.agreements
    )
    nodes.put_directory(replace(old, version=old.version + 1, agreements=agreements))


def secret_alert(**more: object) -> alert_pb2.AlertContent:
    content = alert(**more)
    content.narratives[0].text = "The cargo of Quandorvex."
    party = content.subject.parties.add(role=party_pb2.PARTY_ROLE_CONSIGNEE)
    party.names.add(text="Zilbrantic Trading Limited", script="Latn", language="en")
    return content


async def whole_life(nodes: Federation, folder: Path) -> AlertReference:
    """An alert with a thread, notes and a file, which is closed."""
    async with (
        nodes.client("cn", "publisher") as cn,
        nodes.client("cn", "supervisor") as boss,
        nodes.client("hk", "supervisor") as hk,
    ):
        kept = await boss.files.put(written(folder, picture()), about(description="X-ray of Hextabloom"))
        content = secret_alert()
        content.evidence.add().CopyFrom(kept.evidence)
        published = await cn.publish(content, ["hk"])
        this = AlertReference(publisher="cn", alert_id=published.alert_id)
        await eventually(lambda: is_there(hk, this), what="the alert at hk")
        await hk.acknowledge(this, revision=1)
        asked = await hk.ask(this, "What of Wexmoorian?", deadline=datetime.now(UTC) + timedelta(days=1))
        await eventually(lambda: has(boss, this, "question"), what="the question")
        await boss.answer(this, asked.question_id, "Plumgarto knows.", revision=1)
        await hk.report_finding(
            alert_pb2.AlertFinding(
                alert=this,
                result=alert_pb2.FINDING_RESULT_CONFIRMED,
                inspected_at=(await hk.get_alert(this)).alert.published_at,
                methods=["x_ray"],
                revision=1,
                remarks="Vextrillo in the box.",
            )
        )
        await hk.casework.add_note(this, "Ask Jubelwort.")
        await boss.casework.add_note(this, "Ask Jubelwort too.")
        await eventually(lambda: has(boss, this, "finding"), what="the finding")
        with pytest.raises(IllegalTransitionError, match="acknowledged; it is erased once it has ended"):
            await boss.erase_alert(this, legal_basis=LAW)
        await cn.close_alert(
            published.alert_id, revision=1, outcome=alert_pb2.CLOSE_OUTCOME_CONFIRMED, remarks="Narquestine was right."
        )
        await eventually(lambda: has(hk, this, "closed"), what="the closing at hk")
        for client in (boss, hk):
            await eventually(lambda client=client: is_found(client), what="the search index")  # type: ignore[misc]
    return this


async def is_there(client: GatewayClient, this: AlertReference) -> bool:
    try:
        return bool((await client.get_alert(this)).alert.id)
    except NotFoundError:
        return False


async def has(client: GatewayClient, this: AlertReference, event: str) -> bool:
    return event in [change.event.WhichOneof("event") for change in (await client.get_alert(this)).history]


async def is_found(client: GatewayClient) -> bool:
    return bool([row async for row in client.casework.inbox(SEARCHED)])


async def is_erased(client: GatewayClient, this: AlertReference) -> bool:
    try:
        await client.get_alert(this)
    except ErasedError:
        return True
    return False


async def erase(nodes: Federation, this: AlertReference) -> None:
    async with nodes.client("cn", "supervisor") as boss, nodes.client("cn", "officer") as officer:
        with pytest.raises(PermissionDeniedError):
            await officer.erase_alert(this, legal_basis=LAW)

        response = await eventually(lambda: boss.erase_alert(this, legal_basis=LAW), what="the last step's receipt")
        assert list(response.asked) == ["hk"]


def words_in(folder: Path) -> dict[str, list[str]]:
    """Secrets that files of a folder have, in any case, with the files."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
        if path.is_file():
            content = path.read_bytes().lower()
            for secret in SECRETS:
                if secret.lower().encode() in content:
                    found.setdefault(secret, []).append(path.name)
    return found


def eventually_gone(folder: Path) -> None:
    """The log is cut, and bytes of files are removed, soon after the commit."""
    deadline = time.monotonic() + 30
    while found := words_in(folder):
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def _directory_file(nodes: Federation) -> Path:
    return nodes.folder.directory


def test_nothing_of_an_erased_alert_is_left_in_any_file_of_both_nodes(nodes: Federation, tmp_path: Path) -> None:
    this = nodes.run(whole_life(nodes, tmp_path))
    named = f"cn/{this.alert_id}"
    for node in CN_HK:
        assert set(words_in(nodes[node].data)) == set(SECRETS)
    before = tmp_path / "before"
    Cli(nodes, "cn").run("auditor", "evidence", "export", named, "--out", before)

    async def work() -> None:
        await erase(nodes, this)
        async with nodes.client("cn", "auditor") as cn, nodes.client("hk", "auditor") as hk:
            await eventually(lambda: is_erased(hk, this), what="the erasure at hk")
            with pytest.raises(ErasedError, match=rf"erased at cn on .* under rule request, legal basis {LAW}"):
                await cn.get_alert(this)

            async def confirmed() -> list[str]:
                page = await cn.erasures_page(alert=this)
                return [f"{each.node} {each.rule}" for each in page.erasures if len(page.erasures) == 2]

            assert await eventually(confirmed, what="the confirmation of hk") == ["hk partner_request", "cn request"]
            async with nodes.client("cn", "supervisor") as boss:
                assert not await is_found(boss)
                told = [one async for one in boss.evidence.audit_events() if one.method.endswith("EraseAlert")]
                assert LAW in told[0].details["detail"]

    nodes.run(work())
    for node in CN_HK:
        eventually_gone(nodes[node].data)
        nodes[node].stop()
        assert words_in(nodes[node].data) == {}
        with maintenance(nodes[node].settings) as opened:
            assert opened.verify(lambda _: None).findings == ()
            opened.rebuild(lambda *_: None)
            assert opened.verify(lambda _: None).findings == ()
    Cli(nodes, "cn").run("", "evidence", "verify", before, "--directory", _directory_file(nodes))
    nodes.start("cn", "hk")
    refused = Cli(nodes, "cn").run("auditor", "evidence", "export", named, "--out", tmp_path / "after", code=None)
    assert refused.exit_code
    assert "under rule request" in refused.output
    shown = Cli(nodes, "hk").run("officer", "alert", "erased").output
    assert "partner_request" in shown
    assert LAW in shown


def test_a_hold_stops_it_at_both_and_a_partner_erases_when_its_hold_ends(nodes: Federation, tmp_path: Path) -> None:
    this = nodes.run(whole_life(nodes, tmp_path))
    criteria = history_pb2.SearchCriteria(containers=["CSQU3054383"])

    async def work() -> None:
        async with nodes.client("cn", "supervisor") as cn, nodes.client("hk", "supervisor") as hk:
            ours = await cn.history.place_hold(criteria, reason="Order 12", case_reference="SZ-12")
            theirs = await hk.history.place_hold(criteria, reason="Order 13", case_reference="HK-13")
            with pytest.raises(AlertHeldError, match=rf"{ours.hold_id} \(case SZ-12\)"):
                await cn.erase_alert(this, legal_basis=LAW)
            assert await has(cn, this, "closed")
            await cn.history.release_hold(ours.hold_id, reason="It is over")
            await erase(nodes, this)

            async def answered() -> list[str]:
                page = await cn.erasures_page(alert=this)
                return [alert_pb2.ErasureRefusal.Name(each.refusal) for each in page.erasures if each.node == "hk"]

            assert await eventually(answered, what="the refusal of hk") == ["ERASURE_REFUSAL_LEGAL_HOLD"]
            assert await has(hk, this, "closed")
            with pytest.raises(ErasedError, match=r"kept at hk on .*: legal hold"):
                await cn.get_alert(this)
            await hk.history.release_hold(theirs.hold_id, reason="It is over")
            await eventually(lambda: is_erased(hk, this), what="the erasure at hk")

    nodes.run(work())


async def is_in_force(nodes: Federation) -> bool:
    return f"directory version {nodes.directory.version} is in force" in nodes["cn"].log


def test_what_a_partner_gives_back_after_a_lost_disk_is_erased_again(nodes: Federation, tmp_path: Path) -> None:
    _agree(nodes, erasure=False)
    nodes.run(eventually(lambda: is_in_force(nodes), what="the directory"))
    this = nodes.run(whole_life(nodes, tmp_path))

    async def erased() -> None:
        async with nodes.client("cn", "supervisor") as cn:
            response = await eventually(lambda: cn.erase_alert(this, legal_basis=LAW), what="the last step's receipt")
            assert list(response.asked) == []
            assert await is_erased(cn, this)

            async def stored() -> bool:
                return nodes["cn"].feed(CN_HK_FEED).size == nodes["hk"].feed(CN_HK_FEED).size

            await eventually(stored, what="the statement at hk")

    nodes.run(erased())
    nodes["cn"].stop()
    for path in nodes["cn"].data.glob("gateway.sqlite3*"):
        path.unlink()
    nodes["cn"].start()

    async def recovered() -> None:
        async with nodes.client("cn", "supervisor") as cn, nodes.client("cn", "operator") as operator:

            async def back() -> bool:
                await operator.node.recover_feed(CN_HK_FEED)
                return await is_erased(cn, this)

            await eventually(back, what="the erasure after the recovery")
        async with nodes.client("hk", "officer") as hk:
            assert await has(hk, this, "closed")

    nodes.run(recovered())
    eventually_gone(nodes["cn"].data / "gateway.sqlite3")


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Federation]:
    retention = f'[retention]\nalerts = {{ C = 10 }}\nlegal_basis = "{LAW}"\n'
    for made in with_logs(tmp_path, settings_of=lambda node: SETTINGS + (retention if node == "cn" else "")):
        _agree(made)
        made.start("cn", "hk")
        yield made


def test_retention_says_what_it_will_take_and_takes_it_by_itself(keeping: Federation, tmp_path: Path) -> None:
    this = keeping.run(whole_life(keeping, tmp_path))
    cn = Cli(keeping, "cn")
    assert cn.json("auditor", "alert", "retention", "--days", "9")["alerts"] == []
    (due,) = cn.json("auditor", "alert", "retention", "--days", "11")["alerts"]
    assert (due["alert"]["alert_id"], due["rule"]) == (this.alert_id, "retention.alerts.c")
    for node in CN_HK:
        keeping[node].stop()
    later = lambda: system_clock_ms() + 11 * 24 * 3600 * 1000  # noqa: E731

    async def ten_days_later() -> None:
        async with (
            keeping.inside("cn", clock=later),
            keeping.inside("hk", clock=later),
            keeping.client("cn", "auditor") as at_cn,
            keeping.client("hk", "auditor") as at_hk,
        ):
            for client in (at_cn, at_hk):
                await eventually(lambda client=client: is_erased(client, this), what="the end")  # type: ignore[misc]
            page = await eventually(lambda: said(at_cn, this, 2), what="the confirmation")
            assert [(each.node, each.rule) for each in page.erasures] == [
                ("hk", "partner_request"),
                ("cn", "retention.alerts.c"),
            ]
            (told,) = [one async for one in at_cn.evidence.audit_events() if one.method == "erase_alerts"]
            assert told.details["detail"] == f"rule retention.alerts.c; legal basis: {LAW}"

            async def gone() -> bool:
                return not any(words_in(keeping[node].data / "gateway.sqlite3") for node in CN_HK)

            await eventually(gone, what="databases without a word of it")

    keeping.run(ten_days_later())


async def said(client: GatewayClient, this: AlertReference, count: int) -> ListErasuresResponse | None:
    page = await client.erasures_page(alert=this)
    return page if len(page.erasures) == count else None
