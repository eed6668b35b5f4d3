"""The demo's case at three nodes: what the console's pages have to show, told by real calls of the systems.

Antimony declared as lead, from Yantian over Hong Kong to Macao; a watchlist with an approved and an open proposal;
records of all three authorities; questions open and answered; alerts that nobody has read.
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice

from PIL import Image, ImageDraw

from demo import case as story
from demo.consignment import records_of_the_case, records_of_the_twin
from gateway.client import AlertReference, FileAbout, GatewayClient, evidence_of
from gateway.v1 import alert_pb2, options_pb2, party_pb2, screening_pb2, watchlist_pb2
from gateway.v1.licence_service_pb2 import ReportLicenceFollowUpRequest, ReportLicenceUseRequest
from gateway.v1.watchlist_service_pb2 import ProposedEntry, ProposedWithdrawal
from tests.support.federation import NODES, PATIENCE_S, Federation, eventually
from tests.support.licences import NUMBER, REEXPORTED, licence_content, reference
from tests.support.nodes import listed_content
from tests.support.risk_profiles import ID, profile

LIST = "minerals"
SETTINGS = f"""
[lists.{LIST}]
four_eyes = true

[history]
completeness = true
"""
Acting = AbstractAsyncContextManager[GatewayClient]
"""A client that acts for a person, once."""

BOTH = ["hk", "mo"]
"""Partners of cn that may have an entry."""

ROUTINE = 3
"""Alerts of a risk engine from cn and from mo, of which nobody has read any."""

_SOON = timedelta(minutes=40)


@dataclass(frozen=True)
class Case:
    """What pages are opened with.

    Attributes:
        from_cn: read, asked about, answered and found; hk's officers still have to close nothing.
        from_hk: hk's own alert to mo, derived from cn's, with a finding; it waits for hk to close it.
        unread: an alert to hk with an open question, which nobody has acknowledged; `question_id` is the question.
        of_a_consignee: an alert to hk whose consignee is on cn's list in another script.
        closed: an alert of hk to cn with a seizure, closed.
        proposal_id: of cn's proposal that waits for a second person.
        entry_id: an entry of cn's list that is in force.
        records: by node a recorded shipment's id.
        hit_of_mo, hit_of_hk: hits on entries of cn's list that mo and hk reported, and cn hasn't answered.
        licence: number of a licence of cn for hk, of which more was drawn at both than it allows; an amendment of it
            waits as `licence_proposal`.
        profile: id of a risk profile of cn that hk has; a new version of it waits as `profile_proposal`.
        with_file: an alert of cn with an X-ray picture, which hk has fetched; `file` is its digest in hexadecimal.
    """

    from_cn: AlertReference
    from_hk: AlertReference
    unread: AlertReference
    question_id: str
    of_a_consignee: AlertReference
    closed: AlertReference
    proposal_id: str
    entry_id: str
    hit_of_mo: str
    hit_of_hk: str
    records: dict[str, str]
    licence: str
    licence_proposal: str
    profile: str
    profile_proposal: str
    with_file: AlertReference
    file: str


async def play(federation: Federation, *, proposer: Acting, approver: Acting) -> Case:
    """Lets the systems of three running nodes, with `SETTINGS`, live through the case.

    Args:
        federation: the nodes.
        proposer, approver: two persons of cn: a system is no second person.
    """
    now = datetime.now(UTC)
    records = await _record(federation, now)
    from_cn = await _publish(federation, "cn", story.alert_from_cn(now), "hk")
    await _read_and_ask(federation, from_cn)
    from_hk = await _publish(federation, "hk", story.alert_from_hk(now, from_cn), "mo")
    await _find(federation, from_hk)
    async with proposer as officer, approver as supervisor:
        proposal_id, entry_id = await _list(federation, officer, supervisor)
        licence_proposal = await _licence(federation, supervisor)
        profile_proposal = await _profile(federation, supervisor)
    of_a_consignee = await _publish(federation, "cn", story.alert_of_a_consignee(now), "hk")
    closed = await _closed(federation, now)
    unread, question_id = await _unread(federation, now)
    async with federation.client("hk", "officer") as officers:

        async def matched() -> bool:
            return bool([match async for match in officers.screening.matches()])

        await eventually(matched, what="a match at hk")
    with_file, file = await _attached(federation, now)
    hit_of_mo, hit_of_hk = [await _hit(federation, node, entry) for node, entry in (("mo", "W-05"), ("hk", "W-04"))]
    return Case(
        from_cn,
        from_hk,
        unread,
        question_id,
        of_a_consignee,
        closed,
        proposal_id,
        entry_id,
        hit_of_mo,
        hit_of_hk,
        records,
        licence=NUMBER,
        licence_proposal=licence_proposal,
        profile=ID,
        profile_proposal=profile_proposal,
        with_file=with_file,
        file=file,
    )


async def _publish(federation: Federation, node: str, content: alert_pb2.AlertContent, to: str) -> AlertReference:
    async with federation.client(node, "publisher") as engine:
        published = await engine.publish(content, [to])
    alert = AlertReference(publisher=node, alert_id=published.alert_id)
    async with federation.client(to, "officer") as officers:

        async def arrived() -> bool:
            return bool((await officers.get_alert(alert)).alert.id)

        await eventually(arrived, what=f"an alert of {node} at {to}")
    return alert


async def _record(federation: Federation, now: datetime) -> dict[str, str]:
    first = {}
    case, twin = records_of_the_case(now), records_of_the_twin(now)
    for node in NODES:
        shipments = [*case[node], *twin[node]]
        async with federation.client(node, "publisher") as engine:
            async for _ in engine.history.record(shipments):
                pass
        first[node] = shipments[0].record_id
    return first


async def _read_and_ask(federation: Federation, alert: AlertReference) -> None:
    async with federation.client("hk", "officer") as hk, federation.client("cn", "officer") as cn:
        await hk.acknowledge(alert, revision=1, case_reference="HK-2026-0042")
        asked = await hk.ask(alert, story.QUESTION, deadline=datetime.now(UTC) + timedelta(hours=2))

        async def asked_at_cn() -> bool:
            await cn.answer(alert, asked.question_id, story.ANSWER)
            return True

        await eventually(asked_at_cn, what="the question at cn")


async def _find(federation: Federation, alert: AlertReference) -> None:
    async with federation.client("mo", "officer") as mo, federation.client("hk", "officer") as hk:
        await mo.acknowledge(alert, revision=1, case_reference="MO-2026-0009")
        await mo.report_finding(story.finding_by_mo(alert, datetime.now(UTC)))

        async def known() -> bool:
            events = (await hk.get_alert(alert)).history
            return any(event.event.HasField("finding") for event in events)

        await eventually(known, what="the finding at hk")


async def _list(federation: Federation, officer: GatewayClient, supervisor: GatewayClient) -> tuple[str, str]:
    """Five entries in force at hk, and a proposal to add one, change one and withdraw one; its id, and an entry's."""
    contents = [_party(names) for names in (story.EXPORTER, story.HK_CONSIGNEE, story.MO_CONSIGNEE)]
    contents.append(listed_content("示例国际贸易有限公司", reason="Buyer of goods that never arrived (placeholder)"))
    contents.append(listed_content("Exemplo Metais, Limitada", releasable_to=BOTH))
    entries = [ProposedEntry(id=f"W-{number:02d}", content=each) for number, each in enumerate(contents, 1)]
    first = await officer.watchlist.propose(LIST, entries=entries, note="First edition")
    await supervisor.watchlist.decide(first.proposal_id, approve=True, remarks="Compared with the file")
    changed = listed_content("Exemplo Metais, Limitada", reason="End use not shown", releasable_to=BOTH)
    added = ProposedEntry(id="W-06", content=listed_content("Placeholder Rare Earths Limited"))
    amended = ProposedEntry(id="W-05", revision=1, content=changed)
    withdrawn = ProposedWithdrawal(id="W-02", revision=1, reason="Mistaken identity")
    second = await officer.watchlist.propose(
        LIST, entries=[added, amended], withdrawals=[withdrawn], note="Second edition"
    )
    async with federation.client("hk", "officer") as hk:

        async def listed() -> bool:
            return len([entry async for entry in hk.watchlist.entries(filter='publisher = "cn"')]) == len(entries)

        await eventually(listed, what="cn's list at hk")
    return second.proposal_id, "W-01"


async def _licence(federation: Federation, supervisor: GatewayClient) -> str:
    """A licence that cn and hk have used beyond its quantity, with goods that left again; id of an amendment of it."""
    async with federation.client("cn", "publisher") as cn, federation.client("hk", "publisher") as hk:
        published = await cn.licences.publish(NUMBER, licence_content(), note="First licence of the year")
        await supervisor.licences.decide(published.proposal_id, approve=True, remarks="Compared with the file")

        async def used() -> bool:
            for number, client in enumerate((cn, hk), 1):
                await client.licences.report_use(
                    ReportLicenceUseRequest(
                        licence=reference(), declaration=f"D-{number}", quantity="600", day="2026-01-15"
                    )
                )
            return True

        await eventually(used, what="cn's licence at hk")
        await hk.licences.report_follow_up(
            ReportLicenceFollowUpRequest(
                licence=reference(), kind=REEXPORTED, declaration="D-9", quantity="20", day="2026-02-01"
            )
        )
        longer = licence_content(valid_until="2026-12-31")
        amended = await cn.licences.amend(NUMBER, 1, longer, effective_on="2026-07-01", note="Until the year's end")
    return amended.proposal_id


async def _profile(federation: Federation, supervisor: GatewayClient) -> str:
    """A risk profile of cn that hk has; id of a proposal of its next version."""
    async with federation.client("cn", "analyst") as cn, federation.client("hk", "analyst") as hk:
        offered = await cn.risk_profiles.offer(profile(), note="First profile of the year")
        await supervisor.risk_profiles.decide(offered.proposal_id, approve=True, remarks="Compared with the file")

        async def arrived() -> bool:
            return bool([listed async for listed in hk.risk_profiles.all()])

        await eventually(arrived, what="cn's risk profile at hk")
        waiting = await cn.risk_profiles.offer(profile(version=2, title="Heavier zinc"), note="Fewer hits")
    return waiting.proposal_id


async def _hit(federation: Federation, node: str, entry_id: str) -> str:
    """A hit on an entry of cn's list, which cn has; its id."""
    entry = watchlist_pb2.WatchlistReference(publisher="cn", list=LIST, id=entry_id)
    subject = party_pb2.Party(role=party_pb2.PARTY_ROLE_CONSIGNEE, names=[party_pb2.Name(text="Exemplo Metais Lda")])
    found = screening_pb2.ScreeningHit(
        entry=entry, revision=1, match_class=watchlist_pb2.MATCH_CLASS_STRONG, score=0.91
    )
    async with federation.client(node, "officer") as officers, federation.client("cn", "officer") as cn:

        async def reported() -> str:
            hit = await officers.screening.report(
                found, subject=subject, purpose="export_control", case_reference=f"{node.upper()}-2026-0051"
            )
            return hit.hit_id

        hit_id = await eventually(reported, what=f"the entry {entry_id} at {node}")

        async def known() -> bool:
            return bool((await cn.screening.hits_page(filter=f'hit_id = "{hit_id}"')).hits)

        await eventually(known, what=f"the hit of {node} at cn")
    return hit_id


def _party(names: story.Names) -> watchlist_pb2.WatchlistContent:
    main, *others = names.values()
    content = listed_content(main)
    content.names.extend(
        watchlist_pb2.ListedName(text=name, kind=watchlist_pb2.LISTED_NAME_KIND_ALIAS) for name in others
    )
    return content


async def _closed(federation: Federation, now: datetime) -> AlertReference:
    """An alert of hk that cn found right, with a seizure, and that hk closed."""
    alert = await _publish(federation, "hk", next(story.routine_alerts(now, "Z")), "cn")
    async with federation.client("cn", "officer") as cn, federation.client("hk", "officer") as hk:
        await cn.acknowledge(alert, revision=1, case_reference="CN-2026-0077")
        finding = story.finding_by_mo(alert, datetime.now(UTC))
        finding.measures.add(kind=alert_pb2.MEASURE_KIND_SEIZED, element="Sb", net_mass_kg=12_500)
        await cn.report_finding(finding)

        async def known() -> bool:
            return any(step.event.HasField("finding") for step in (await hk.get_alert(alert)).history)

        await eventually(known, what="the finding at hk")
        await hk.close_alert(alert.alert_id, revision=1, outcome=alert_pb2.CLOSE_OUTCOME_CONFIRMED)
    return alert


async def _attached(federation: Federation, now: datetime) -> tuple[AlertReference, str]:
    """An alert with a picture of a container, which is at both sides."""
    grounds = {"purpose": "export_control", "case_reference": "CN-2026-X-RAY"}
    about = FileAbout(
        media_type="image/png",
        file_name="x-ray 盐田 3.png",
        description="X-ray from the side",
        classes=(options_pb2.DISCLOSURE_CLASS_INVESTIGATIVE,),
        **grounds,
    )
    async with federation.client("cn", "officer") as officers:
        stored = await officers.files.put_stream(_picture(), about)
    (content,) = islice(story.routine_alerts(now, "X"), 1)
    content.case_reference = grounds["case_reference"]
    content.evidence.append(evidence_of(stored))
    alert = await _publish(federation, "cn", content, "hk")
    sha256 = stored.evidence.sha256
    async with federation.client("hk", "officer") as officers:
        await officers.files.request(sha256, alert, **grounds)
        await officers.files.wait(sha256, timeout_s=PATIENCE_S)
    return alert, sha256.hex()


async def _picture() -> AsyncIterator[bytes]:
    """What an X-ray scanner may show: a container with something dense in it."""
    out = io.BytesIO()
    scan = Image.new("L", (900, 360), 225)
    draw = ImageDraw.Draw(scan)
    draw.rectangle((40, 60, 860, 300), fill=180, outline=90, width=4)
    for at in range(70, 830, 95):
        draw.rectangle((at, 150, at + 70, 290), fill=60 if at > 500 else 130)
    scan.save(out, "PNG")
    yield out.getvalue()


async def _unread(federation: Federation, now: datetime) -> tuple[AlertReference, str]:
    """Alerts that wait for hk, the last with a question and little time left."""
    for node, series in (("cn", "R"), ("mo", "S")):
        for content in islice(story.routine_alerts(now, series), ROUTINE):
            content.reply_by.FromDatetime(now + timedelta(hours=5))
            last = await _publish(federation, node, content, "hk")
    async with federation.client("mo", "officer") as mo:
        asked = await mo.ask(last, "Is the container still at the terminal?", deadline=now + _SOON, recipient="hk")
    return last, asked.question_id
