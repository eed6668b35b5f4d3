"""Who may do what at a whole node, and what doesn't let a node start. The listeners alone: test_tls_listeners."""

from __future__ import annotations

import shutil
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc.aio
import pytest

from gateway.client import AlertReference, GatewayClient
from gateway.contract.channel_options import channel_options
from gateway.errors import ConfigurationError, GatewayError, PermissionDeniedError
from gateway.node.assembly.node import Node
from gateway.node.marks import prepare_marks
from gateway.tls.certificates import inspect_certificate
from gateway.trust.service.directory_drafts import revoke
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import alert_pb2
from gateway.v1 import exchange_service_pb2 as pb
from tests.support.federation import SYSTEMS, Federation, alert, eventually, new_id, origin
from tests.support.nodes import federation as another_federation
from tests.support.partner import Partner, an_alert, refusal

THIS = AlertReference(publisher="hk", alert_id=new_id())


async def passes(call: Awaitable[object]) -> bool:
    """Whether a call gets as far as its handler, which may then e.g. not find what it names."""
    try:
        await call
    except PermissionDeniedError:
        return False
    except GatewayError:
        return True
    return True


async def drained(client: GatewayClient) -> list[int]:
    return [change.position async for change in client.watch(until_current=True)]


CALLS: dict[str, tuple[set[str], Callable[[GatewayClient], Awaitable[object]]]] = {
    "publish": ({"publisher", "supervisor"}, lambda c: c.publish(alert(), ["hk"])),
    "withdraw": ({"publisher", "supervisor"}, lambda c: c.withdraw(THIS.alert_id, revision=1, reason="x")),
    "acknowledge": ({"officer", "supervisor"}, lambda c: c.acknowledge(THIS, revision=1)),
    "ask": ({"officer", "supervisor"}, lambda c: c.ask(THIS, "x", deadline=datetime.now(UTC))),
    "close": (
        {"publisher", "officer", "supervisor"},
        lambda c: c.close_alert(THIS.alert_id, revision=1, outcome=alert_pb2.CLOSE_OUTCOME_UNFOUNDED),
    ),
    "list": (
        {"publisher", "officer", "analyst", "supervisor", "auditor"},
        lambda c: c.list_alerts_page(page_size=1),
    ),
    "watch": ({"publisher", "officer", "analyst", "supervisor"}, drained),
    "suspend": ({"operator"}, lambda c: c.node.suspend_link(origin("cn", "xx"), reason="x")),
    "recover": ({"operator"}, lambda c: c.node.recover_feed(origin("cn", "xx"))),
    "keys": ({"operator", "auditor"}, lambda c: c.node.keys()),
    "status": ({"operator", "supervisor", "auditor"}, lambda c: c.node.status()),
    "evidence": ({"officer", "supervisor", "auditor"}, lambda c: c.evidence.export(THIS)),
    "audit": ({"auditor", "supervisor"}, lambda c: c.evidence.audit_events_page(page_size=1)),
}


def test_each_role_may_do_its_own_and_nothing_else(federation: Federation) -> None:
    async def run() -> None:
        async with federation.inside("cn"), federation.client("cn", "auditor") as auditor:
            denied = 0
            for system in SYSTEMS:
                async with federation.client("cn", system) as client:
                    for name, (roles, call) in CALLS.items():
                        let_in = await passes(call(client))
                        assert let_in is (system in roles), (system, name)
                        denied += not let_in

            async def recorded() -> bool:
                events = [one async for one in auditor.evidence.audit_events(filter="result = deny")]
                return len(events) == denied

            await eventually(recorded, what="every refusal in the audit log")

    federation.run(run())


def test_certificates_of_others_open_nothing(federation: Federation) -> None:
    """Another node's system and gateway at the local port, own systems and another's system at the peer port."""

    async def run() -> None:
        async with federation.inside("cn") as node:
            await federation_call(federation, "cn", "publisher", node.local_port)  # the control
            for name, system, port in (
                ("hk", "publisher", node.local_port),
                ("hk", "", node.local_port),
                ("cn", "", node.local_port),
                ("cn", "publisher", node.peer_port),
                ("hk", "publisher", node.peer_port),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await federation_call(federation, name, system, port)
                assert caught.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED)
            assert federation["cn"].feed(origin("cn", "hk")).size == 1  # the control's alone

    federation.run(run())


async def federation_call(federation: Federation, name: str, system: str, port: int) -> None:
    from gateway.client import new_alert
    from gateway.rpc.listener.tls import channel_credentials
    from gateway.v1 import alert_service_pb2_grpc

    folder = federation.folder.node(name)
    certificate = folder.system_certificate(system) if system else folder.certificate
    key = folder.system_key(system) if system else folder.key
    credentials = channel_credentials(
        federation["cn"].folder.ca.read_bytes(), certificate.read_bytes(), key.read_bytes()
    )
    options = channel_options(server_name=f"cn.{FEDERATION}")
    async with grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options=options) as channel:
        await alert_service_pb2_grpc.AlertServiceStub(channel).PublishAlert(new_alert(alert(), ["hk"]), timeout=5)


def test_a_revoked_partner_is_cut_off_and_the_others_are_not(federation: Federation) -> None:
    async def run() -> None:
        async with federation.inside("cn"), federation.client("cn", "operator") as operator:
            hk, mo = Partner(federation, "hk", "cn"), Partner(federation, "mo", "cn")
            await hk.send(hk.batch([an_alert()]))
            fingerprint = inspect_certificate(federation["hk"].folder.certificate.read_bytes()).fingerprint_sha256
            now = datetime.now(UTC)
            version = revoke(federation.directory, issued_at=now, since=now, fingerprints=[fingerprint])
            federation.put_directory(version)

            async def in_force() -> bool:
                return (await operator.node.directory()).version == version.version

            await eventually(in_force)
            await eventually(lambda: is_unauthenticated(hk), what="the refusal by reason, after the cut")
            assert federation["cn"].feed(origin("hk", "cn")).size == 1
            position = (await mo.stub.GetCheckpoint(pb.GetCheckpointRequest(origin=origin("mo", "cn")))).position
            assert (position.origin, position.size) == (origin("mo", "cn"), 0)  # mo is served
            await hk.close()
            await mo.close()

    federation.run(run())


async def is_unauthenticated(partner: Partner) -> bool:
    """Whether a batch is refused by its reason; the connection from before the revocation is cut, which is one too."""
    reason = (await refusal(partner.send(partner.batch([an_alert()])))).reason
    assert reason in ("UNAUTHENTICATED", "UNAVAILABLE")
    return reason == "UNAUTHENTICATED"


def test_what_a_revoked_log_key_signs_is_not_stored(federation: Federation) -> None:
    async def run() -> None:
        async with federation.inside("cn"), federation.client("cn", "operator") as operator:
            hk = Partner(federation, "hk", "cn")
            await hk.send(hk.batch([an_alert()]))
            now = datetime.now(UTC)
            version = revoke(federation.directory, issued_at=now, since=now, public_keys=[hk.log_key.public_key])
            federation.put_directory(version)

            async def in_force() -> bool:
                return (await operator.node.directory()).version == version.version

            await eventually(in_force)
            assert (await refusal(hk.send(hk.batch([an_alert()])))).reason == "MISBEHAVIOUR"
            assert federation["cn"].feed(origin("hk", "cn")).size == 1
            await hk.close()

    federation.run(run())


def another_nodes_certificate(federation: Federation) -> None:
    for name in ("certificate", "key"):
        shutil.copy(getattr(federation["hk"].folder, name), getattr(federation["cn"].folder, name))


def another_nodes_log_key(federation: Federation) -> None:
    shutil.copy(federation["hk"].folder.log_key, federation["cn"].folder.log_key)


def unsigned_directory(federation: Federation) -> None:
    federation.put_directory(federation.directory, signers=["cn"])


def changed_directory(federation: Federation) -> None:
    path = federation.folder.directory
    path.write_bytes(path.read_bytes().replace(b"127.0.0.1", b"127.0.0.2", 1))


def planted_version(federation: Federation) -> None:
    """A directory of the same federation's name, signed by all the keys that it names."""
    folder = federation["cn"].data / "directory"
    folder.mkdir(parents=True)
    shutil.copy(another_federation().directory, folder / "000009.note")


def planted_earlier_file(federation: Federation) -> None:
    federation["cn"].data.mkdir(exist_ok=True)
    shutil.copy(another_federation().directory, federation["cn"].data / "directory.accepted.note")


def no_directory(federation: Federation) -> None:
    federation.folder.directory.unlink()


def readable_key(federation: Federation) -> None:
    federation["cn"].folder.log_key.chmod(0o644)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (another_nodes_certificate, "is the certificate of"),
        (another_nodes_log_key, "keys.log"),
        (unsigned_directory, "2 succession"),
        (changed_directory, "2 succession"),
        (planted_version, "data/directory/000009.note: .*2 succession"),
        (planted_earlier_file, "accepted.note: .*2 succession"),
        (no_directory, "directory file"),
        (readable_key, "log.pem"),
    ],
)
def test_a_node_does_not_start_and_says_why(
    federation: Federation, spoil: Callable[[Federation], None], says: str
) -> None:
    spoil(federation)
    with pytest.raises(ConfigurationError, match=says):
        Node(federation["cn"].settings)


def test_a_node_with_an_expired_certificate_does_not_start(federation: Federation) -> None:
    certificate = inspect_certificate(federation["cn"].folder.certificate.read_bytes())
    after = int((certificate.not_after + timedelta(hours=1)).timestamp() * 1000)
    with pytest.raises(ConfigurationError, match=r"gateway\.pem: valid from"):
        Node(federation["cn"].settings, clock=lambda: after)


def test_two_nodes_do_not_share_a_port(federation: Federation, tmp_path: Path) -> None:
    federation.start("cn")
    elsewhere = {"data_dir": tmp_path / "data"}  # on the same folder it is refused before
    prepare_marks(tmp_path / "data", federation=FEDERATION, node="cn", made_at=federation.now)

    async def run() -> None:
        with pytest.raises(ConfigurationError, match="can't listen on"):
            await Node(federation["cn"].settings.model_copy(update=elsewhere)).start()

    federation.run(run())
