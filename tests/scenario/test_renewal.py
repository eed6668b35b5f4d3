"""What changes while gateways run: certificates and the directory, without a restart and without a lost alert."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.client import GatewayClient
from gateway.contract.ids import BETWEEN_NODES, EARLIER
from gateway.errors import AgreementForbidsError, UnauthenticatedError
from gateway.node.assembly.node import system_clock_ms
from gateway.tls.certificates import inspect_certificate
from gateway.trust.service.directory_drafts import revoke
from gateway.v1.node_service_pb2 import LINK_STATE_CONNECTED
from tests.support.federation import Federation, NodeProcess, alert, eventually, origin, with_logs
from tests.support.stopwatch import Stopwatch
from tests.support.stored import published_ids


async def shown_certificate(node: NodeProcess, caller: NodeProcess) -> str:
    """Fingerprint of the certificate that a node shows to a partner that connects now."""
    context = ssl.create_default_context(cafile=str(node.folder.ca))
    context.load_cert_chain(caller.folder.certificate, caller.folder.key)
    context.set_alpn_protocols(["h2"])
    _, writer = await asyncio.open_connection("127.0.0.1", node.peer_port, ssl=context, server_hostname="localhost")
    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return inspect_certificate(ssl.DER_cert_to_PEM_cert(shown).encode()).fingerprint_sha256


async def directory_version(client: GatewayClient, version: int) -> None:
    async def in_force() -> bool:
        return (await client.node.directory()).version == version

    await eventually(in_force, what=f"directory version {version} at {client.node_name}")


async def all_connected(client: GatewayClient) -> None:
    async def connected() -> bool:
        between = [link for link in await client.node.links() if link.partner in ("cn", "hk")]
        begun = set(BETWEEN_NODES) - set(EARLIER)
        return len(between) == 2 * len(begun) and all(link.state == LINK_STATE_CONNECTED for link in between)

    await eventually(connected, what=f"all links of {client.node_name}")


def test_certificates_are_renewed_without_a_restart(either: Federation) -> None:
    either.start("cn", "hk")
    cn, hk = either["cn"], either["hk"]

    async def run() -> None:
        async with (
            either.client("cn", "publisher") as risk,
            either.client("hk", "publisher") as hk_risk,
            either.client("cn", "operator") as cn_operator,
            either.client("hk", "operator") as hk_operator,
        ):
            await all_connected(cn_operator)
            await all_connected(hk_operator)
            ids = [(await risk.publish(alert(), ["hk"])).alert_id]
            old = [either.renew_certificate(name) for name in ("cn", "hk")]
            assert await shown_certificate(hk, cn) not in old
            assert await shown_certificate(cn, hk) not in old
            # Links that still used an old certificate would be cut off now: the next directory revokes both.
            now = datetime.now(UTC)
            directory = revoke(either.directory, issued_at=now, since=now, fingerprints=old)
            either.put_directory(directory)
            await directory_version(cn_operator, directory.version)
            await directory_version(hk_operator, directory.version)
            for _ in range(3):
                ids.append((await risk.publish(alert(), ["hk"])).alert_id)
                await hk_risk.publish(alert(), ["cn"])
            await either.converged(("cn", "hk"), ("hk", "cn"))
            assert published_ids(hk.feed(origin("cn", "hk"))) == ids
            await all_connected(cn_operator)
            await all_connected(hk_operator)
            own = (await hk_operator.node.certificates())[0]
            assert own.fingerprint_sha256 == inspect_certificate(hk.folder.certificate.read_bytes()).fingerprint_sha256
            assert own.fingerprint_sha256 not in old

    either.run(run())
    assert (cn.started, hk.started) == (1, 1)


def test_a_half_written_certificate_cuts_nobody_off(federation: Federation) -> None:
    federation.start("cn", "hk")
    certificate: Path = federation["hk"].folder.certificate
    whole = certificate.read_bytes()
    certificate.write_bytes(whole[: len(whole) // 2])

    async def run() -> None:
        async with federation.client("cn", "publisher") as risk:
            assert await shown_certificate(federation["hk"], federation["cn"])
            await risk.publish(alert(), ["hk"])
            await federation.converged(("cn", "hk"))
        async with federation.client("hk", "operator") as operator:  # a new connection to hk's local port
            await operator.node.status()

    federation.run(run())
    assert "previous ones stay in force" in federation["hk"].log


@pytest.mark.slow
def test_a_revoked_system_is_cut_off_from_its_open_streams(federation: Federation) -> None:
    federation.start("cn")
    fingerprint = inspect_certificate(
        federation["cn"].folder.system_certificate("analyst").read_bytes()
    ).fingerprint_sha256

    async def run() -> None:
        async with (
            federation.client("cn", "publisher") as risk,
            federation.client("cn", "operator") as operator,
            federation.client("cn", "analyst") as analyst,
            federation.client("cn", "officer") as officer,
            federation.client("cn", "auditor") as auditor,
        ):
            revoked_watch, other_watch = analyst.watch(), officer.watch()
            await risk.publish(alert(), ["hk"])
            await anext(revoked_watch)
            await anext(other_watch)
            now = datetime.now(UTC)
            directory = revoke(federation.directory, issued_at=now, since=now, fingerprints=[fingerprint])
            federation.put_directory(directory)
            await directory_version(operator, directory.version)
            with pytest.raises(UnauthenticatedError):
                await anext(analyst.list_alerts())
            with pytest.raises(UnauthenticatedError):
                await asyncio.wait_for(anext(revoked_watch), 10)
            await risk.publish(alert(), ["hk"])
            await asyncio.wait_for(anext(other_watch), 10)
            denials = [event async for event in auditor.evidence.audit_events(filter="result = deny")]
            assert any("revoked" in str(event.details) for event in denials)

    federation.run(run())


def test_a_new_directory_is_taken_over_and_a_wrong_one_is_not(federation: Federation) -> None:
    federation.start("cn", "hk")
    first = federation.folder.directory.read_bytes()

    async def alarmed(operator: GatewayClient) -> str:
        alarms = (await operator.node.status()).alarms
        return "; ".join(alarm.message for alarm in alarms if alarm.code == "DIRECTORY")

    async def run() -> None:
        async with federation.client("cn", "publisher") as risk, federation.client("cn", "operator") as operator:
            await risk.publish(alert(), ["hk"])
            changed = replace(federation.directory, version=2)
            changed = replace(changed, agreements=tuple(a for a in changed.agreements if a.id != "cn-hk"))
            federation.put_directory(changed, signers=["cn"])  # one of three; two are needed
            assert "2 succession" in await eventually(lambda: alarmed(operator), what="the alarm")
            await risk.publish(alert(), ["hk"])
            federation.put_directory(changed, signers=["cn", "mo"])
            await directory_version(operator, 2)
            assert await alarmed(operator) == ""

            async def forbidden() -> bool:
                with pytest.raises(AgreementForbidsError):
                    await risk.publish(alert(), ["hk"])
                return True

            with Stopwatch() as watch:
                await eventually(forbidden)
            assert watch.quiet_s < 3
            federation.folder.directory.write_bytes(first)
            assert "5 version" in await eventually(lambda: alarmed(operator), what="the alarm")
            with pytest.raises(AgreementForbidsError):
                await risk.publish(alert(), ["hk"])
        federation["cn"].kill()
        federation["cn"].start()  # the file has an older version than the accepted one, which stays in force
        async with federation.client("cn", "publisher") as risk, federation.client("cn", "operator") as operator:
            assert "5 version" in await eventually(lambda: alarmed(operator), what="the alarm after the start")
            with pytest.raises(AgreementForbidsError):
                await risk.publish(alert(), ["hk"])

    federation.run(run())


def test_certificates_that_end_soon_are_told_of_partners_and_systems_too(federation: Federation) -> None:
    def later() -> int:
        return system_clock_ms() + 80 * 24 * 3600 * 1000

    async def run() -> None:
        async with (
            federation.inside("cn", clock=later),
            federation.inside("hk", clock=later),
            federation.client("cn", "operator") as operator,
        ):

            async def told() -> bool:
                alarms = [one.message for one in (await operator.node.status()).alarms]
                return all(
                    any(message.startswith(begin) for message in alarms)
                    for begin in (
                        "this gateway's certificate ends at",
                        "the certificate of system/cn/operator ends at",
                        "the certificate of gateway/hk ends at",
                    )
                )

            await eventually(told, what="the alarms")

    federation.run(run())


def test_a_restart_without_the_directory_file_goes_on_and_the_alarm_ends_with_the_cause(federation: Federation) -> None:
    federation.start("cn", "hk")
    note = federation.folder.directory.read_bytes()
    federation["cn"].kill()
    federation.folder.directory.unlink()
    federation["cn"].start()

    async def alarmed(operator: GatewayClient) -> str:
        alarms = (await operator.node.status()).alarms
        return "; ".join(alarm.message for alarm in alarms if alarm.code == "DIRECTORY")

    async def run() -> None:
        async with federation.client("cn", "publisher") as risk, federation.client("cn", "operator") as operator:
            await risk.publish(alert(), ["hk"])
            await federation.converged(("cn", "hk"))
            assert "No such file" in await eventually(lambda: alarmed(operator), what="the alarm")
            federation.folder.directory.write_bytes(note)

            async def calm() -> bool:
                return not await alarmed(operator)

            await eventually(calm, what="the end of the alarm")

    federation.run(run())


def test_beyond_its_grace_a_directory_stops_the_exchange_and_not_the_node(federation: Federation) -> None:
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=2)
    federation.put_directory(replace(federation.directory, version=2, expires_at=end, grace_days=0))

    def afterwards() -> int:
        return system_clock_ms() + 3 * 60 * 1000  # a node that was silent for 5 minutes asks its partners first

    async def run() -> None:
        async with federation.inside("cn"), federation.client("cn", "operator") as operator:

            async def warned() -> bool:
                return any("expires on" in alarm.message for alarm in (await operator.node.status()).alarms)

            await eventually(warned, what="the warning before the end")
        async with (
            federation.inside("cn", clock=afterwards),
            federation.inside("hk"),
            federation.client("cn", "operator") as operator,
            federation.client("cn", "publisher") as risk,
        ):

            async def over() -> bool:
                return any("grace are over" in alarm.message for alarm in (await operator.node.status()).alarms)

            await eventually(over, what="the alarm after the end")
            await risk.publish(alert(), ["hk"])
            federation.put_directory(replace(federation.directory, version=3, expires_at=end + timedelta(days=9)))
            await directory_version(operator, 3)
            await federation.converged(("cn", "hk"))

    federation.run(run())


def test_an_expired_directory_keeps_the_exchange_going_for_its_grace(tmp_path: Path) -> None:
    for federation in with_logs(tmp_path):
        now = datetime.now(UTC)
        federation.put_directory(
            replace(
                federation.directory,
                version=2,
                issued_at=now.replace(microsecond=0) - timedelta(days=9),
                expires_at=now.replace(microsecond=0) - timedelta(days=1),
            )
        )
        federation.start("cn", "hk")
        federation.run(exchange_with_a_warning(federation))


async def exchange_with_a_warning(federation: Federation) -> None:
    async with federation.client("cn", "publisher") as risk, federation.client("cn", "operator") as operator:
        await risk.publish(alert(), ["hk"])
        await federation.converged(("cn", "hk"))

        async def warned() -> bool:
            return any("expired on" in alarm.message for alarm in (await operator.node.status()).alarms)

        await eventually(warned, what="the loud warning")
