"""What waits for a decision reaches people by watch, mail and webhook, and a case system through the outbox, once."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.client import GatewayClient
from gateway.v1.notification_service_pb2 import (
    Notification,
    NotificationAudience,
    NotificationChannel,
    NotificationKind,
    NotificationRule,
)
from gateway.v1.watchlist_service_pb2 import ProposedEntry
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.nodes import listed_content
from tests.support.persons import PASSWORD, SETTINGS, SYSTEMS, Officer, enrolled
from tests.support.programs import NATS_SERVER
from tests.support.receivers import (
    SECRET,
    MailReceiver,
    NatsProcess,
    WebReceiver,
    mail_receiver,
    nats_process,
    web_receiver,
)
from tests.support.tls_servers import server_files

KINDS = [
    NotificationKind.NOTIFICATION_KIND_PROPOSAL,
    NotificationKind.NOTIFICATION_KIND_MATCH,
    NotificationKind.NOTIFICATION_KIND_BREAK_GLASS,
]
LISTED = "示例稀土有限公司"
GUIDE = Path(__file__).parents[2] / "docs" / "integrating.md"


@dataclass
class Ways:
    nodes: Federation
    mail: MailReceiver
    web: WebReceiver
    nats: NatsProcess


def settings(folder: Path, mail: MailReceiver, web: WebReceiver, nats: NatsProcess) -> str:
    secret = folder / "secret"
    secret.touch(mode=0o600)
    secret.write_text(f"whsec_{SECRET}", encoding="ascii")
    assert nats.tls is not None
    return f"""{SETTINGS}
[lists.vans]
four_eyes = false
[casework]
enabled = true
[notifications]
enabled = true
[notifications.mail]
host = "localhost"
port = {mail.port}
security = "starttls"
ca = "{nats.tls.ca}"
sender = "gateway@customs.hk.example"
spacing_s = 0
[notifications.webhooks.case-system]
url = "{web.url}"
secret_file = "{secret}"
[notifications.outbox]
nats = "{nats.url}"
ca = "{nats.tls.ca}"
"""


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    """hk tells by all ways, over TLS; cn is its partner."""
    NATS_SERVER.require()
    folder = tmp_path_factory.mktemp("ways")
    files = server_files(folder, "servers")
    with (
        mail_receiver(starttls=files.context()) as mail,
        web_receiver() as web,
        nats_process(folder / "nats", tls=files) as nats,
    ):
        hk = settings(folder, mail, web, nats)
        lines = {"hk": hk, "cn": "[lists.vans]\nfour_eyes = false\n"}
        for made in with_logs(folder / "nodes", settings_of=lambda name: lines.get(name, ""), systems=SYSTEMS):
            made.start("cn", "hk")
            yield Ways(made, mail, web, nats)


@dataclass
class HongKong:
    """Clients of hk, and two supervisors who can be mailed."""

    console: GatewayClient
    operator: GatewayClient
    publisher: GatewayClient
    officer: Officer
    supervisor: Officer
    other: Officer


async def at_hk(ways: Ways, stack: AsyncExitStack) -> HongKong:
    names = ("console", "operator", "publisher")
    console, operator, publisher = [await stack.enter_async_context(ways.nodes.client("hk", name)) for name in names]
    officer = await enrolled(console, operator, "officer")
    supervisors = [await enrolled(console, operator, "supervisor", "officer") for _ in range(2)]
    for person in (*supervisors, officer):
        await operator.persons.change(person.name, email=f"{person.name}@customs.hk.example")
    audiences = [
        ([NotificationChannel.NOTIFICATION_CHANNEL_EMAIL], NotificationAudience(role="supervisor")),
        ([], NotificationAudience(webhook="case-system")),
    ]
    rules = [NotificationRule(kinds=KINDS, channels=channels, audience=to) for channels, to in audiences]
    await operator.notifications.set_shared_rules(rules)
    return HongKong(console, operator, publisher, officer, *supervisors)


async def told(person: Officer, kind: NotificationKind.ValueType) -> list[Notification]:
    """As the person's open page sees it, which watches."""
    found: list[Notification] = []
    watching = person.client().notifications.watch()
    async with asyncio.timeout(60):
        async for seen in watching:
            found += [one for one in seen.notifications if one.kind == kind]
            if found:
                break
    await watching.aclose()
    return found


def mailed(ways: Ways, person: Officer, words: str) -> list[str]:
    address = f"{person.name}@customs.hk.example"
    return [mail.get_content() for mail in ways.mail.mails if mail["To"] == address and words in mail.as_string()]


async def reached(ways: Ways, person: Officer, words: str, kind: str) -> None:
    async def both() -> bool:
        posted = [one for one in ways.web.taken if one.document["type"] == kind]
        return bool(mailed(ways, person, words) and posted)

    await eventually(both, within_s=60, what=f"a mail and a request of {kind}")
    assert all(one.is_signed for one in ways.web.posted)


async def changes(ways: Ways, *kinds: str) -> list[Any]:
    """Documents of the stream of these kinds, as soon as there is one of each."""

    async def enough() -> list[Any]:
        found = [json.loads(message.data) for message in await ways.nats.messages()]
        wanted = [one for one in found if one["kind"] in kinds]
        return wanted if {one["kind"] for one in wanted} == set(kinds) else []

    return await eventually(enough, within_s=60, every_s=0.3, what=f"changes {kinds}")


async def once(ways: Ways) -> None:
    messages = await ways.nats.messages()
    ids = Counter(message.headers["Nats-Msg-Id"] for message in messages)
    assert max(ids.values()) == 1
    assert {json.loads(message.data)["id"] for message in messages} == set(ids)


def test_a_proposal_waits_for_a_second_person_and_its_decision_and_entries_are_told(ways: Ways) -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            hk = await at_hk(ways, stack)
            for approve in (True, False):
                entry = ProposedEntry(
                    id=f"entry-{approve}".lower(), content=listed_content(LISTED, releasable_to=["cn"])
                )
                proposed = await hk.officer.client().watchlist.propose("minerals", entries=[entry])
                decide = hk.supervisor.client().watchlist.decide
                assert await told(hk.supervisor, NotificationKind.NOTIFICATION_KIND_PROPOSAL)
                await decide(proposed.proposal_id, approve=approve, remarks="Seen")
                last = proposed.proposal_id
            await reached(ways, hk.other, "proposal", "notification.proposal")
            kinds = ("proposal.proposed", "proposal.approved", "proposal.rejected", "list.changed")
            found = await changes(ways, *kinds)
            of_last = [one["kind"] for one in found if one.get("proposal_id") == last]
            assert of_last == ["proposal.proposed", "proposal.rejected"]
            (entered,) = [one for one in found if one["kind"] == "list.changed"]
            assert entered["publisher"] == "hk"
            assert entered["changes"] == [{"list": "minerals", "id": "entry-true", "revision": 1, "change": "entered"}]
            assert LISTED not in str(found), "references alone"
            await once(ways)

    ways.nodes.run(run())


def test_a_match_to_confirm_and_a_partners_entry_are_told(ways: Ways) -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            hk = await at_hk(ways, stack)
            risk = await stack.enter_async_context(ways.nodes.client("cn", "publisher"))
            entry = ProposedEntry(id="van", content=listed_content(LISTED, releasable_to=["hk"]))
            await risk.watchlist.propose("vans", entries=[entry])
            content = alert()
            content.subject.parties.add(role=5).names.add(text="Shili Xitu Co., Ltd.")
            published = await risk.publish(content, ["hk"])
            (one, *_) = await told(hk.supervisor, NotificationKind.NOTIFICATION_KIND_MATCH) or await told(
                hk.other, NotificationKind.NOTIFICATION_KIND_MATCH
            )
            await reached(ways, hk.other, "match", "notification.match")
            officer = hk.officer.client()
            matches = [match async for match in officer.screening.matches(filter=f"source_id = {published.alert_id}")]
            await officer.screening.dismiss(matches[0].match_id, reason="Another company")
            found = await changes(ways, "match.open", "match.dismissed", "list.changed")
            assert {match["match_id"] for match in found if match["kind"] == "match.dismissed"} == {matches[0].match_id}
            assert "cn" in {change["publisher"] for change in found if change["kind"] == "list.changed"}
            assert one.event_id
            await once(ways)

    ways.nodes.run(run())


def test_a_broken_glass_is_told_to_the_other_supervisors(ways: Ways) -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            hk = await at_hk(ways, stack)
            await hk.supervisor.client().persons.break_glass(["operator"], "Nobody can be reached", minutes=20)
            assert await told(hk.other, NotificationKind.NOTIFICATION_KIND_BREAK_GLASS)
            await reached(ways, hk.other, "glass", "notification.break_glass")
            assert not mailed(ways, hk.supervisor, "glass"), "not to who has broken it"

    ways.nodes.run(run())


def test_the_guides_code_for_inbox_notifications_and_persons(ways: Ways, capsys: pytest.CaptureFixture[str]) -> None:
    code: dict[str, Any] = {}
    for block in re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        exec(compile(block, str(GUIDE), "exec"), code)  # noqa: S102  the guide is ours

    async def run() -> None:
        async with AsyncExitStack() as stack:
            hk = await at_hk(ways, stack)
            assert await code["own_name"](hk.console, hk.officer.name, PASSWORD) == f"Officer {hk.officer.name[-4:]}"
            risk = await stack.enter_async_context(ways.nodes.client("cn", "publisher"))
            waiting = asyncio.create_task(code["next_told"](hk.officer.client(), 0))
            published = await risk.publish(alert(), ["hk"])
            await asyncio.wait_for(waiting, 60)
            assert published.alert_id in capsys.readouterr().out

            async def handed_out() -> bool:
                given = await code["hand_out"](hk.supervisor.client(), hk.officer.name)
                return published.alert_id in {reference.alert_id for reference in given}

            await eventually(handed_out, within_s=60)

    ways.nodes.run(run())
