"""Persons behind pseudonyms: where an agreement says so, and only our node can tell whom they mean."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gateway.client import AlertReference, GatewayClient
from gateway.errors import NotFoundError, PermissionDeniedError
from gateway.v1.alert_service_pb2 import GetAlertResponse
from gateway.v1.screening_pb2 import ScreeningHit
from gateway.v1.watchlist_pb2 import HIT_OUTCOME_FALSE, MATCH_CLASS_STRONG, WatchlistReference
from gateway.v1.watchlist_service_pb2 import ListedHit, ProposedEntry
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.nodes import listed_content
from tests.support.persons import SETTINGS, SYSTEMS, audited, enrolled

LISTS = """
[lists.vans]
four_eyes = false
"""
REASON = "Request of hk in case HK-2026-17"


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    """cn shows hk pseudonyms and mo names; hk shows cn names."""
    for made in with_logs(tmp_path_factory.mktemp("pseudonyms"), settings=SETTINGS + LISTS, systems=SYSTEMS):
        before = made.directory
        agreements = tuple(
            replace(one, extensions={"persons": "pseudonyms"}) if (one.sender, one.recipient) == ("cn", "hk") else one
            for one in before.agreements
        )
        made.put_directory(replace(before, agreements=agreements))
        made.start()
        yield made


async def seen_at(nodes: Federation, node: str, reference: AlertReference) -> GetAlertResponse:
    async with nodes.client(node, "auditor") as reader:

        async def there() -> GetAlertResponse | None:
            try:
                return await reader.get_alert(reference)
            except NotFoundError:
                return None

        found: GetAlertResponse = await eventually(there, within_s=30)
        return found


def test_a_partner_sees_one_pseudonym_for_a_person_and_the_own_node_the_name(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "console") as console, nodes.client("cn", "operator") as operator:
            chan = await enrolled(console, operator, "publisher", "officer")
            other = await enrolled(console, operator, "publisher")
            first, second = [await chan.client().publish(alert(), ["hk", "mo"]) for _ in range(2)]
            third = await other.client().publish(alert(), ["hk"])
            await chan.client().withdraw(second.alert_id, revision=1, reason="A mistake")
            seen = {
                (node, published.alert_id): (
                    await seen_at(nodes, node, AlertReference(publisher="cn", alert_id=published.alert_id))
                )
                for node, published in (("hk", first), ("hk", second), ("hk", third), ("mo", first))
            }
            pseudonym = seen["hk", first.alert_id].history[0].event.actor
            assert pseudonym.startswith("person/~")
            assert chan.name not in str(seen["hk", first.alert_id])
            assert seen["hk", second.alert_id].history[0].event.actor == pseudonym
            assert seen["hk", third.alert_id].history[0].event.actor != pseudonym
            assert seen["mo", first.alert_id].history[0].event.actor == f"person/{chan.name}"
            own = await chan.client().get_alert(AlertReference(publisher="cn", alert_id=second.alert_id))
            to_hk = [change for change in own.history if change.recipient == "hk"]
            assert {change.event.actor for change in to_hk} == {pseudonym}
            assert {change.own_actor for change in to_hk} == {f"person/{chan.name}"}
            async with nodes.client("cn", "supervisor") as supervisor:
                meant = await supervisor.persons.resolve_pseudonym(pseudonym, reason=REASON)
            assert (meant.person.name, meant.partner) == (chan.name, "hk")

            async def recorded() -> bool:  # with the next commit
                events = await audited(nodes, "method = /gateway.v1.PersonService/ResolvePseudonym")
                return any(REASON in str(event.details) for event in events)

            await eventually(recorded, within_s=10)

    nodes.run(run())


async def listed(nodes: Federation, owner: str, entry_id: str) -> None:
    """An entry of a partner that cn has; no person decides at the partner."""
    async with nodes.client(owner, "publisher") as risk:
        entry = ProposedEntry(id=entry_id, content=listed_content("示例稀土有限公司", releasable_to=["cn"]))
        await risk.watchlist.propose("vans", entries=[entry])
    async with nodes.client("cn", "auditor") as reader:

        async def there() -> bool:
            return any([one async for one in reader.watchlist.entries(filter=f"id = {entry_id}")])

        await eventually(there, within_s=30)


def test_a_hit_names_who_confirmed_it_as_an_alert_does(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "console") as console, nodes.client("cn", "operator") as operator:
            chan = await enrolled(console, operator, "officer", "publisher")
            seen: dict[str, str] = {}
            for owner in ("hk", "mo"):
                await listed(nodes, owner, f"{owner}-1")
                met = ScreeningHit(
                    entry=WatchlistReference(publisher=owner, list="vans", id=f"{owner}-1"),
                    revision=1,
                    match_class=MATCH_CLASS_STRONG,
                    score=0.9,
                )
                reported = await chan.client().screening.report(met, purpose="export_control")
                async with nodes.client(owner, "auditor") as reader:

                    async def there(reader: GatewayClient = reader, hit_id: str = reported.hit_id) -> ListedHit | None:
                        hits = [hit async for hit in reader.screening.hits()]
                        return next((hit for hit in hits if hit.hit.hit_id == hit_id), None)

                    hit = await eventually(there, within_s=30)
                assert not hit.own_actor
                seen[owner] = hit.actor
            assert seen["hk"].startswith("person/~")
            assert seen["mo"] == f"person/{chan.name}"
            own = {hit.hit.entry.publisher: hit async for hit in chan.client().screening.hits()}
            assert (own["hk"].actor, own["hk"].own_actor) == (seen["hk"], f"person/{chan.name}")
            async with nodes.client("cn", "supervisor") as supervisor:
                meant = await supervisor.persons.resolve_pseudonym(seen["hk"], reason=REASON)
            assert meant.person.name == chan.name

    nodes.run(run())


def test_a_hit_s_answer_names_who_gave_it(nodes: Federation) -> None:
    async def run() -> None:
        async with (
            nodes.client("cn", "console") as console,
            nodes.client("cn", "operator") as operator,
            nodes.client("hk", "console") as console_of_hk,
            nodes.client("hk", "operator") as operator_of_hk,
            nodes.client("cn", "publisher") as risk,
        ):
            chan = await enrolled(console, operator, "officer")
            at_hk = (await enrolled(console_of_hk, operator_of_hk, "officer")).client()
            entry = ProposedEntry(id="cn-1", content=listed_content("示例稀土有限公司", releasable_to=["hk"]))
            await risk.watchlist.propose("vans", entries=[entry])

            async def reported() -> str:
                met = ScreeningHit(
                    entry=WatchlistReference(publisher="cn", list="vans", id="cn-1"),
                    revision=1,
                    match_class=MATCH_CLASS_STRONG,
                    score=0.9,
                )
                try:
                    return (await at_hk.screening.report(met, purpose="export_control")).hit_id
                except NotFoundError:  # the entry is on its way
                    return ""

            hit_id = await eventually(reported, within_s=30)

            async def at_owner() -> ListedHit | None:
                hits = [hit async for hit in chan.client().screening.hits(filter=f'hit_id = "{hit_id}"')]
                return hits[0] if hits else None

            waiting = await eventually(at_owner, within_s=30)
            assert (waiting.answer_actor, waiting.own_answer_actor) == ("", "")
            await chan.client().screening.answer("hk", hit_id, HIT_OUTCOME_FALSE)

            async def answered_there() -> ListedHit | None:
                (hit,) = [hit async for hit in at_hk.screening.hits(filter=f'hit_id = "{hit_id}"')]
                return hit if hit.outcome else None

            seen = await eventually(answered_there, within_s=30)
            assert seen.answer_actor.startswith("person/~")
            assert not seen.own_answer_actor
            own = await at_owner()
            assert own is not None
            assert (own.answer_actor, own.own_answer_actor) == (seen.answer_actor, f"person/{chan.name}")

    nodes.run(run())


def test_nobody_else_can_tell_whom_it_means(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "console") as console, nodes.client("cn", "operator") as operator:
            chan = await enrolled(console, operator, "publisher")
            published = await chan.client().publish(alert(), ["hk"])
            reference = AlertReference(publisher="cn", alert_id=published.alert_id)
            pseudonym = (await seen_at(nodes, "hk", reference)).history[0].event.actor
            with pytest.raises(PermissionDeniedError):
                await chan.client().persons.resolve_pseudonym(pseudonym, reason=REASON)
            async with nodes.client("hk", "supervisor") as at_hk:
                with pytest.raises(NotFoundError):
                    await at_hk.persons.resolve_pseudonym(pseudonym, reason=REASON)

    nodes.run(run())
