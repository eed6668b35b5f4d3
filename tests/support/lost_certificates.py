"""What a thief has of cn: further certificates of its gateway and of a system, which cn revokes alone."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc.aio
import pytest

from gateway.client import GatewayClient
from gateway.contract.ids import GatewayIdentity, SystemIdentity
from gateway.errors import UnauthenticatedError, UnavailableError
from gateway.feed.service.alarms import REVOKED_BY_OWNER
from gateway.rpc.calls import from_rpc_error
from gateway.tls.certificates import inspect_certificate
from gateway.trust.pki.issuance import create_request, load_ca
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import exchange_service_pb2 as pb
from tests.support.command_line import Cli
from tests.support.federation import PATIENCE_S, Federation, alert, eventually
from tests.support.partner import Partner

Credentials = tuple[Path, Path]


class LostCertificates:
    """Certificates of cn that somebody else has; cn and hk run."""

    def __init__(self, nodes: Federation) -> None:
        self._nodes = nodes
        self._folder = nodes.root / "lost"
        self._folder.mkdir()
        self.gateway = self._issued(GatewayIdentity(FEDERATION, "cn"))
        self.system = self._issued(SystemIdentity(FEDERATION, "cn", "officer"))

    def _issued(self, identity: GatewayIdentity | SystemIdentity) -> Credentials:
        key, certificate = (self._folder / f"{type(identity).__name__}.{ending}" for ending in ("key", "pem"))
        request = create_request(identity, key_path=key)
        authority = load_ca(self._nodes["cn"].folder.ca.read_bytes(), self._nodes.folder.ca_key("cn"))
        certificate.write_bytes(authority.issue(request, identity=identity, now=datetime.now(UTC)))
        return certificate, key

    @property
    def fingerprints(self) -> set[str]:
        files = (self.gateway[0], self.system[0])
        return {inspect_certificate(file.read_bytes()).fingerprint_sha256 for file in files}

    def revoke(self) -> None:
        """cn's authority signs, and cn's operator gives the note to cn's node."""
        note, cli = self._folder / "revocation.note", Cli(self._nodes, "cn")
        by = ("--authority", "cn", "--directory-key", self._nodes.folder.directory_key("cn"))
        what = ("--certificate", self.gateway[0], "--certificate", self.system[0], "--reason", "stolen at the quay")
        cli.run("", "directory", "revoke-now", self._nodes.folder.directory, *by, *what, "--yes", "--out", note)
        cli.run("", "directory", "take-revocation", note)

    async def revoked_at_once(self) -> None:
        """They count, then cn revokes them, and cn and hk end and refuse their connections; others go on."""
        nodes, thief = self._nodes, Partner(self._nodes, "cn", "hk", credentials=self.gateway)
        target, (certificate, key) = f"127.0.0.1:{nodes['cn'].local_port}", self.system
        async with (
            GatewayClient.connect(target, ca=nodes["cn"].folder.ca, certificate=certificate, key=key) as thief_at_cn,
            nodes.client("cn", "publisher") as publisher,
            nodes.client("hk", "officer") as officer,
        ):
            assert not await _refused(thief)
            watching = asyncio.create_task(_watched(thief_at_cn))
            self.revoke()
            with pytest.raises(UnauthenticatedError):
                await asyncio.wait_for(watching, PATIENCE_S)
            with pytest.raises(UnauthenticatedError):
                await thief_at_cn.list_alerts_page()
            await eventually(lambda: _refused(thief), what="hk's refusal")
            sent = await publisher.publish(alert(case_reference="AFTER THEFT"), ["hk"])

            async def arrived() -> bool:
                found = [one async for one in officer.list_alerts(filter='case_reference = "AFTER THEFT"')]
                return [one.alert.id for one in found] == [sent.alert_id]

            await eventually(arrived, what="an alert of cn's gateway itself")
        await thief.close()

    def told(self) -> None:
        """Both operators see it, and hk's auditor who passed it on."""
        self._nodes.run(self._told())
        assert "certificates (2)" in Cli(self._nodes, "hk").run("operator", "status").output

    async def _told(self) -> None:
        for node in ("cn", "hk"):
            async with self._nodes.client(node, "operator") as operator:
                await eventually(lambda: owners_alarms(operator), what="the alarm")
                (message,) = await owners_alarms(operator)
            assert message.startswith("cn has revoked certificates (2) and signing keys (0) by itself, the last at ")
            assert message.endswith("its reason: stolen at the quay")
        async with self._nodes.client("hk", "auditor") as auditor:
            (event,) = [each async for each in auditor.evidence.audit_events(filter='method = "take revocation"')]
        assert event.principal == "gateway/cn"
        assert "stolen at the quay" in event.details["detail"]
        assert all(fingerprint in event.details["subject_ids"] for fingerprint in self.fingerprints)

    async def still_refused(self) -> None:
        """hk refuses the gateway's after a restart."""
        thief = Partner(self._nodes, "cn", "hk", credentials=self.gateway)

        async def is_refused() -> bool:
            with suppress(UnavailableError):  # its port for partners may open last
                return await _refused(thief)
            return False

        await eventually(is_refused, what="the refusal after the restart")
        await thief.close()


def revoke_log_key(nodes: Federation, owner: str) -> Path:
    """An authority signs that its node's log key doesn't count from a day ago on; the note."""
    key, yesterday = nodes.directory.nodes[owner].log_keys[0].public_key, datetime.now(UTC) - timedelta(days=1)
    note = nodes.root / f"log key of {owner}.note"
    by = ("--authority", owner, "--directory-key", nodes.folder.directory_key(owner), "--reason", "a copy was found")
    what = ("--key", base64.b64encode(key).decode(), "--since", yesterday.strftime("%Y-%m-%dT%H:%M:%S"))
    Cli(nodes, owner).run("", "directory", "revoke-now", nodes.folder.directory, *by, *what, "--yes", "--out", note)
    return note


def give(nodes: Federation, node: str, note: Path) -> None:
    """An operator gives a node a note by hand."""
    Cli(nodes, node).run("", "directory", "take-revocation", note)


async def owners_alarms(operator: GatewayClient) -> list[str]:
    return [alarm.message for alarm in (await operator.node.status()).alarms if alarm.code == REVOKED_BY_OWNER]


async def _refused(partner: Partner) -> bool:
    try:
        await partner.stub.GetNextDirectory(pb.GetNextDirectoryRequest(after_version=2**63 - 1))
    except grpc.aio.AioRpcError as error:
        refusal = from_rpc_error(error)
        if isinstance(refusal, UnauthenticatedError):
            return True
        raise refusal from None
    return False


async def _watched(client: GatewayClient) -> None:
    async for _ in client.watch():
        pass
