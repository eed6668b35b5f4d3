"""An alert's whole life between three real gateways, as the systems of each authority see it."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import pytest

from gateway.client import AlertReference, GatewayClient, new_alert
from gateway.contract.messages import to_timestamp
from gateway.errors import (
    AgreementForbidsError,
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    PositionUnknownError,
    RequestIdReusedError,
    RevisionConflictError,
)
from gateway.v1 import alert_pb2, alert_service_pb2
from gateway.v1.alert_service_pb2 import AlertChange, GetAlertResponse
from tests.support.federation import Federation, alert, eventually, new_id, origin


def reference(publisher: str, alert_id: str) -> AlertReference:
    return AlertReference(publisher=publisher, alert_id=alert_id)


async def arrived(client: GatewayClient, alert: AlertReference, *, revision: int = 1) -> GetAlertResponse:
    async def there() -> GetAlertResponse | None:
        found = await client.get_alert(alert)
        return found if found.alert.revision >= revision else None

    found = await eventually(there, what=f"revision {revision} at {client.node_name}")
    assert found is not None
    return found


async def has_status(client: GatewayClient, alert: AlertReference, status: alert_pb2.AlertStatus.ValueType) -> None:
    async def there() -> bool:
        found = await client.get_alert(alert)
        return all(delivery.status == status for delivery in found.deliveries)

    await eventually(there, what=f"{alert_pb2.AlertStatus.Name(status)} at {client.node_name}")


def steps(found: GetAlertResponse, recipient: str) -> list[str | None]:
    return [change.event.WhichOneof("event") for change in found.history if change.recipient == recipient]


async def changes(client: GatewayClient, position: int = 0) -> list[AlertChange]:
    return [change async for change in client.watch(position, until_current=True)]


async def end_of(client: GatewayClient) -> int:
    return max((change.position for change in await changes(client)), default=0)


def test_the_whole_life_of_an_alert(running_federation: Federation) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)

    async def run() -> None:
        async with (
            running_federation.client("cn", "publisher") as risk,
            running_federation.client("cn", "officer") as desk,
            running_federation.client("hk", "officer") as hk,
            running_federation.client("mo", "officer") as mo,
        ):
            published = await risk.publish(alert(case_reference="LIFE-1"), ["hk", "mo"])
            assert (published.revision, {entry.origin for entry in published.entries}) == (
                1,
                {origin("cn", "hk"), origin("cn", "mo")},
            )
            this = reference("cn", published.alert_id)
            seen = await arrived(hk, this)
            assert (seen.alert.content.case_reference, seen.alert.recipient) == ("LIFE-1", "hk")
            assert [delivery.recipient for delivery in seen.deliveries] == ["hk"]  # none learns of the others
            await arrived(mo, this)

            amended = alert(case_reference="LIFE-1", priority=alert_pb2.PRIORITY_B)
            assert (await risk.amend(published.alert_id, amended, revision=1)).revision == 2
            with pytest.raises(RevisionConflictError):
                await risk.amend(published.alert_id, amended, revision=1)
            assert (await arrived(hk, this, revision=2)).alert.content.priority == alert_pb2.PRIORITY_B
            await arrived(mo, this, revision=2)

            for unseen in (1, 3):
                with pytest.raises(RevisionConflictError):
                    await hk.acknowledge(this, revision=unseen)
            await hk.acknowledge(this, revision=2, case_reference="HK-77")
            await mo.flag(
                this, revision=2, reason=alert_pb2.FLAG_REASON_ALREADY_LEFT, explanation="Left by truck this morning."
            )
            asked = await hk.ask(this, "Which seal number?", deadline=tomorrow)
            await eventually(lambda: is_open(desk, this, "hk", asked.question_id), what="the question at cn")
            await desk.answer(this, asked.question_id, "HLXU-1188.")
            with pytest.raises(IllegalTransitionError):
                await desk.answer(this, asked.question_id, "Once more.")
            back = await desk.ask(this, "Where is it now?", deadline=tomorrow, recipient="hk")
            await eventually(lambda: is_open(hk, this, "hk", back.question_id), what="the question at hk")
            await hk.answer(this, back.question_id, "Kwai Tsing, terminal 4.")
            finding = alert_pb2.AlertFinding(
                alert=this,
                result=alert_pb2.FINDING_RESULT_CONFIRMED,
                inspected_at=(await desk.get_alert(this)).alert.published_at,
                methods=["x_ray", "laboratory"],
                revision=2,
                remarks="Antimony, 99.65 %.",
            )
            await hk.report_finding(finding)

            async def found_at_cn() -> bool:
                return "finding" in steps(await desk.get_alert(this), "hk")

            await eventually(found_at_cn, what="the finding at cn")
            await desk.close_alert(published.alert_id, revision=2, outcome=alert_pb2.CLOSE_OUTCOME_CONFIRMED)
            for client in (desk, hk, mo):
                await has_status(client, this, alert_pb2.ALERT_STATUS_CLOSED)
            with pytest.raises(IllegalTransitionError):
                await hk.acknowledge(this, revision=2)

            whole = ["published", "amended", "acknowledged", "question", "answer", "question", "answer", "finding"]
            here, there = await desk.get_alert(this), await hk.get_alert(this)
            assert steps(here, "hk") == steps(there, "hk") == [*whole, "closed"]
            assert (
                steps(here, "mo")
                == steps(await mo.get_alert(this), "mo")
                == [
                    "published",
                    "amended",
                    "flagged",
                    "closed",
                ]
            )
            texts = {change.event.answer.text for change in here.history} - {""}
            assert texts == {"HLXU-1188.", "Kwai Tsing, terminal 4."}

            async def receipted_and_applied() -> bool:
                found = await desk.get_alert(this)
                steps = [change.delivery for change in found.history] + [one.last_step for one in found.deliveries]
                return all(
                    one.HasField("receipted_at") and one.state == alert_service_pb2.DELIVERY_STATE_APPLIED
                    for one in steps
                )

            await eventually(receipted_and_applied, what="receipts and dispositions of every step")

    running_federation.run(run())


async def is_open(client: GatewayClient, alert: AlertReference, recipient: str, question_id: str) -> bool:
    found = await client.get_alert(alert)
    return any(question_id in one.open_question_ids for one in found.deliveries if one.recipient == recipient)


def test_a_withdrawn_and_an_expired_alert_end_on_both_sides(running_federation: Federation) -> None:
    async def run() -> None:
        async with (
            running_federation.client("cn", "publisher") as risk,
            running_federation.client("hk", "officer") as hk,
        ):
            void = await risk.publish(alert(), ["hk"])
            soon = to_timestamp(int((datetime.now(UTC) + timedelta(seconds=1.5)).timestamp() * 1000))
            brief = await risk.publish(alert(valid_until=soon), ["hk"])
            await arrived(hk, reference("cn", void.alert_id))
            await risk.withdraw(void.alert_id, revision=1, reason="Another consignment was meant.")
            for client in (risk, hk):
                await has_status(client, reference("cn", void.alert_id), alert_pb2.ALERT_STATUS_WITHDRAWN)
                await has_status(client, reference("cn", brief.alert_id), alert_pb2.ALERT_STATUS_EXPIRED)
            with pytest.raises(IllegalTransitionError):
                await hk.acknowledge(reference("cn", void.alert_id), revision=1)

    running_federation.run(run())


def test_only_its_publisher_ends_an_alert(running_federation: Federation) -> None:
    async def run() -> None:
        async with (
            running_federation.client("cn", "publisher") as risk,
            running_federation.client("hk", "supervisor") as hk,
        ):
            published = await risk.publish(alert(), ["hk"])
            await arrived(hk, reference("cn", published.alert_id))
            with pytest.raises(NotFoundError):
                await hk.withdraw(published.alert_id, revision=1, reason="Not ours to withdraw.")
            with pytest.raises(NotFoundError):
                await hk.amend(published.alert_id, alert(), revision=1)
            with pytest.raises(NotFoundError):
                await hk.close_alert(published.alert_id, revision=1, outcome=alert_pb2.CLOSE_OUTCOME_UNFOUNDED)
            with pytest.raises(IllegalTransitionError):
                await hk_acknowledges_as_publisher(running_federation, published.alert_id)

    running_federation.run(run())


async def hk_acknowledges_as_publisher(federation: Federation, alert_id: str) -> None:
    async with federation.client("cn", "officer") as own:
        await own.acknowledge(reference("cn", alert_id), revision=1)


def test_a_watch_goes_on_where_it_was_left_without_gap_or_double(running_federation: Federation) -> None:
    async def run() -> None:
        async with (
            running_federation.client("cn", "publisher") as risk,
            running_federation.client("hk", "analyst") as hk,
        ):
            start = await end_of(hk)
            ids = [(await risk.publish(alert(), ["hk"])).alert_id for _ in range(5)]
            seen: list[AlertChange] = []
            publishing: asyncio.Task[list[str]] | None = None
            while len(seen) < 12:  # every watch is left after two changes, the later ones before they are published
                position = seen[-1].position if seen else start
                async with aclosing(hk.watch(position)) as watch:  # type: ignore[type-var]
                    for _ in range(2):
                        change = await asyncio.wait_for(anext(watch), 20)
                        seen.append(change)
                        if len(seen) == 3 and publishing is None:
                            publishing = asyncio.create_task(publish_slowly(risk, 7, ids))
            assert publishing is not None
            await publishing
            assert [change.alert.alert_id for change in seen] == ids
            positions = [change.position for change in seen]
            assert positions == sorted(set(positions))
            again = [change async for change in hk.watch(start, until_current=True)]
            assert [c for c in again if c.alert.alert_id in set(ids)] == seen
            with pytest.raises(PositionUnknownError):
                await anext(hk.watch(1_000_000))

    running_federation.run(run())


async def publish_slowly(client: GatewayClient, count: int, ids: list[str]) -> list[str]:
    for _ in range(count):
        await asyncio.sleep(0.02)
        ids.append((await client.publish(alert(), ["hk"])).alert_id)
    return ids


def test_lists_with_filters_and_pages(running_federation: Federation) -> None:
    async def run() -> None:
        async with (
            running_federation.client("cn", "publisher") as risk,
            running_federation.client("hk", "analyst") as hk,
        ):
            for number in range(5):
                priority = alert_pb2.PRIORITY_A if number % 2 else alert_pb2.PRIORITY_C
                await risk.publish(alert(case_reference="PAGES", priority=priority), ["hk", "mo"])
            for client, where in ((hk, "case_reference = PAGES AND direction = in"), (risk, "case_reference = PAGES")):
                expected = 5 if client is hk else 10  # the publisher sees a copy for each recipient

                async def all_there(client: GatewayClient = client, where: str = where, n: int = expected) -> bool:
                    return len([one async for one in client.list_alerts(filter=where)]) == n

                await eventually(all_there, what="the list")
                pages = [
                    [(one.alert.id, one.alert.recipient) async for one in client.list_alerts(filter=where, page_size=n)]
                    for n in (1, 2, 3, 1000)
                ]
                assert pages[0] == pages[1] == pages[2] == pages[3]
                assert len(set(pages[0])) == expected
                ids = [alert_id for alert_id, _ in pages[0]]
                assert ids == sorted(ids, reverse=True)
            urgent = [one async for one in hk.list_alerts(filter="case_reference = PAGES AND priority = A")]
            assert len(urgent) == 2
            page = await hk.list_alerts_page(filter="case_reference = PAGES", page_size=2)
            for broken in ({"filter": "priority = A", "page_token": page.next_page_token}, {"filter": "nonsense"}):
                with pytest.raises(InvalidRequestError):
                    await hk.list_alerts_page(**broken)

    running_federation.run(run())


def test_a_request_that_is_sent_again_has_no_second_effect(running_federation: Federation) -> None:
    async def run() -> None:
        async with (
            running_federation.client("cn", "publisher") as risk,
            running_federation.client("cn", "supervisor") as other,
            running_federation.client("hk", "officer") as hk,
        ):
            request_id, content = new_id(), alert(case_reference="TWICE")
            answers = await asyncio.gather(*(risk.publish(content, ["hk"], request_id=request_id) for _ in range(10)))
            assert sum(not answer.published_before for answer in answers) == 1
            assert {answer.alert_id for answer in answers} == {answers[0].alert_id}
            many = [new_alert(content, ["hk"], request_id)] * 3 + [new_alert(alert(), ["hk"])]
            outcomes = [outcome.result() async for outcome in risk.publish_many(many)]
            assert [(one.alert_id, one.published_before) for one in outcomes[:3]] == [(answers[0].alert_id, True)] * 3
            for changed in ((alert(case_reference="OTHER"), ["hk"]), (content, ["hk", "mo"])):
                with pytest.raises(RequestIdReusedError):
                    await risk.publish(*changed, request_id=request_id)
            assert (await other.publish(alert(), ["hk"], request_id=request_id)).alert_id != answers[0].alert_id
            this = reference("cn", answers[0].alert_id)
            await arrived(hk, this)
            step = new_id()
            first = await hk.acknowledge(this, revision=1, request_id=step)
            assert await hk.acknowledge(this, revision=1, request_id=step) == first
            twice = [one async for one in hk.list_alerts(filter="case_reference = TWICE")]
            assert len(twice) == 1

            async def acknowledged() -> list[str | None] | None:
                found = steps(await hk.get_alert(this), "hk")
                return found if len(found) > 1 else None

            assert await eventually(acknowledged) == ["published", "acknowledged"]

    running_federation.run(run())


def test_an_alert_for_hk_is_nowhere_at_mo(running_federation: Federation) -> None:
    secret = "SECRET-OF-CN-AND-HK"

    async def run() -> None:
        async with (
            running_federation.client("cn", "publisher") as risk,
            running_federation.client("hk", "officer") as hk,
            running_federation.client("mo", "supervisor") as mo,
        ):
            published = await risk.publish(alert(case_reference=secret), ["hk"])
            open_one = await risk.publish(alert(case_reference="FOR-MO"), ["mo"])
            this = reference("cn", published.alert_id)
            await arrived(hk, this)
            await arrived(mo, reference("cn", open_one.alert_id))
            with pytest.raises(NotFoundError):
                await mo.get_alert(this)
            with pytest.raises(NotFoundError):
                await mo.acknowledge(this, revision=1)
            with pytest.raises(NotFoundError):
                await mo.evidence.export(this)
            assert secret not in {one.alert.content.case_reference async for one in mo.list_alerts()}
            assert published.alert_id not in {change.alert.alert_id for change in await changes(mo)}
            assert not {link.origin for link in await mo.node.links()} & {origin("cn", "hk"), origin("hk", "cn")}
            await running_federation.converged(("cn", "hk"), ("cn", "mo"))

    running_federation.run(run())
    files = [path for path in running_federation["mo"].data.rglob("*") if path.is_file()]
    assert any(b"FOR-MO" in path.read_bytes() for path in files)  # it would be found
    assert not any(secret.encode() in path.read_bytes() for path in files)
    assert any(secret.encode() in path.read_bytes() for path in running_federation["hk"].data.iterdir())


def onward(rule: alert_pb2.OnwardTransfer.ValueType, *nodes: str) -> alert_pb2.AlertContent:
    handling = alert_pb2.Handling(onward_transfer=rule, onward_recipients=nodes)
    return alert(handling=handling, case_reference="ONWARD")


def test_passing_on_needs_the_publishers_consent(running_federation: Federation) -> None:
    async def run() -> None:
        async with (
            running_federation.client("cn", "publisher") as risk,
            running_federation.client("hk", "publisher") as hk,
        ):
            contents = {
                "no": onward(alert_pb2.ONWARD_TRANSFER_PROHIBITED),
                "other": onward(alert_pb2.ONWARD_TRANSFER_LISTED, "xx"),
                "listed": onward(alert_pb2.ONWARD_TRANSFER_LISTED, "mo"),
                "all": onward(alert_pb2.ONWARD_TRANSFER_FEDERATION),
            }
            given = {name: reference("cn", (await risk.publish(c, ["hk"])).alert_id) for name, c in contents.items()}
            for one in given.values():
                await arrived(hk, one)
            for name in ("no", "other"):
                with pytest.raises(PermissionDeniedError, match="passed on to mo"):
                    await hk.publish(alert(derived_from=[given[name]]), ["mo"])
                with pytest.raises(PermissionDeniedError):  # nor hidden among recipients that may have it
                    await hk.publish(alert(derived_from=[given["all"], given[name]]), ["cn", "mo"])
                await hk.publish(alert(derived_from=[given[name]]), ["cn"])  # back to its publisher
            with pytest.raises(NotFoundError):
                await hk.publish(alert(derived_from=[reference("cn", new_id())]), ["mo"])
            passed = await hk.publish(alert(derived_from=[given["listed"], given["all"]]), ["mo"])
            with pytest.raises(PermissionDeniedError):  # an amendment is no way round
                await hk.amend(passed.alert_id, alert(derived_from=[given["no"]]), revision=1)

    running_federation.run(run())


def test_what_the_contract_or_the_agreement_does_not_allow_is_named_at_once(running_federation: Federation) -> None:
    async def run() -> None:
        async with running_federation.client("cn", "publisher") as risk:
            wrong = alert(legal_basis="x" * 300)
            wrong.priority = alert_pb2.PRIORITY_UNSPECIFIED
            wrong.ClearField("subject")
            with pytest.raises(InvalidRequestError) as caught:
                await risk.publish(wrong, ["hk"])
            assert {one.field for one in caught.value.violations} >= {
                "content.priority",
                "content.legal_basis",
                "content.subject",
            }
            with pytest.raises(AgreementForbidsError):
                await risk.publish(alert(purpose="curiosity"), ["hk"])
            with pytest.raises(InvalidRequestError, match="isn't a partner"):
                await risk.publish(alert(), ["xx"])
            past = to_timestamp(1_000)
            with pytest.raises(InvalidRequestError):
                await risk.publish(alert(valid_until=past), ["hk"])
            published = await risk.publish(alert(), ["hk"])
            with pytest.raises(InvalidRequestError):
                await risk.amend(published.alert_id, alert(valid_until=past), revision=1)
            with pytest.raises(InvalidRequestError, match="revision"):  # after which there is none
                await risk.amend(published.alert_id, alert(), revision=2**32 - 1)

    running_federation.run(run())
