"""Later versions of the directory travel between nodes; until all have one, they say which version each has."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from gateway.client import GatewayClient
from gateway.errors import DirectoryError, PermissionDeniedError, UnauthenticatedError
from gateway.feed.service.alarms import DIRECTORY_OFFERED, DIRECTORY_REFUSED, DIRECTORY_SPLIT, DIRECTORY_VERSIONS
from gateway.rpc.calls import from_rpc_error
from gateway.tlog.note import parse_note
from gateway.tls.certificates import inspect_certificate
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_drafts import next_version, revoke
from gateway.v1 import exchange_service_pb2 as pb
from gateway.v1.alert_pb2 import AlertReference
from tests.support.command_line import Cli
from tests.support.federation import PULLED, Federation, alert, eventually, origin, with_logs
from tests.support.lost_certificates import LostCertificates, give, owners_alarms, revoke_log_key
from tests.support.partner import Partner, an_alert


def started(
    folder: Path, links: dict[str, Any], *, older: str = "hk", from_partners: str = "ask"
) -> Iterator[Federation]:
    """cn and hk, of which one has a copy of the directory that nobody replaces."""
    for made in with_logs(folder, links=links):
        shutil.copyfile(made.folder.directory, own_copy(made, older))
        settings = made[older].config.read_text(encoding="utf-8")
        shared, own = (json.dumps(str(path)) for path in (made.folder.directory, own_copy(made, older)))
        assert f"file = {shared}" in settings
        settings = settings.replace(f"file = {shared}", f'file = {own}\nfrom_partners = "{from_partners}"')
        made[older].config.write_text(settings, encoding="utf-8")
        made.start("cn", "hk")
        yield made


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[Federation]:
    yield from started(tmp_path, {}, from_partners="refuse")


@pytest.fixture(params=[{}, PULLED], ids=["pushed", "fetched"])
def asking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Federation]:
    yield from started(tmp_path, request.param)


@pytest.fixture
def taking(tmp_path: Path) -> Iterator[Federation]:
    """hk opens all connections, and cn has the older version."""
    yield from started(tmp_path, PULLED, older="cn", from_partners="take")


def own_copy(nodes: Federation, node: str = "hk") -> Path:
    return nodes[node].folder.path / "own.note"


async def told(operator: GatewayClient, code: str = DIRECTORY_VERSIONS) -> str:
    return "; ".join(alarm.message for alarm in (await operator.node.status()).alarms if alarm.code == code)


def revoking(nodes: Federation, node: str, **changes: Any) -> Directory:
    """The next version, in which a gateway's certificate is revoked."""
    now, certificate = datetime.now(UTC), inspect_certificate(nodes[node].folder.certificate.read_bytes())
    made = revoke(nodes.directory, issued_at=now, since=now, fingerprints=[certificate.fingerprint_sha256])
    return replace(made, **changes)


async def both_say(cn: GatewayClient, hk: GatewayClient, at_cn: int, at_hk: int) -> bool:
    """Whether each has this version, and says so of the other."""
    statuses = [await node.node.status() for node in (cn, hk)]
    said = [[(one.partner, one.version) for one in status.partner_directories] for status in statuses]
    own = [status.directory_version for status in statuses]
    return own == [at_cn, at_hk] and said == [[("hk", at_hk)], [("cn", at_cn)]]


async def says(operator: GatewayClient, *words: str) -> bool:
    message = await told(operator) + await told(operator, DIRECTORY_OFFERED)
    return all(word in message for word in words)


async def silent(*operators: GatewayClient) -> bool:
    codes = (DIRECTORY_VERSIONS, DIRECTORY_OFFERED, DIRECTORY_SPLIT)
    return not any([await told(operator, code) for operator in operators for code in codes])


async def owners_alarms_ended(operator: GatewayClient) -> bool:
    return await owners_alarms(operator) == []


async def accepted(partner: Partner) -> bool:
    return not await refused(partner)


async def refused(partner: Partner) -> bool:
    """What the node answers, asked again when a connection ended first, as they do when a directory takes effect."""

    async def answer() -> str:
        try:
            await partner.send()
        except UnauthenticatedError:
            return "refused"
        return "taken"

    return await eventually(answer, what="an answer") == "refused"


def test_without_versions_from_partners_both_say_that_one_is_older_and_what_is_revoked_counts_there(
    refusing: Federation,
) -> None:
    async def run() -> None:
        first = refusing.directory.version
        at_cn, at_hk = Partner(refusing, "mo", "cn"), Partner(refusing, "mo", "hk")
        async with refusing.client("cn", "operator") as cn, refusing.client("hk", "operator") as hk:
            await eventually(lambda: both_say(cn, hk, first, first), what="each other's version")
            assert (await told(cn), await told(hk)) == ("", "")
            for partner in (at_cn, at_hk):
                await partner.send(partner.batch([an_alert(publisher="mo", recipient=partner.node)]))
            refusing.put_directory(revoking(refusing, "mo"))
            await eventually(lambda: refused(at_cn), what="the newer node's refusal")
            await eventually(lambda: both_say(cn, hk, first + 1, first), what="each other's version")
            await eventually(lambda: told(cn), what="the alarm at cn")
            await eventually(lambda: told(hk), what="the alarm at hk")
            assert await told(cn) == (
                f"hk has version {first} of the directory, this node {first + 1}: what version {first + 1} revokes "
                "still counts at hk until it has put that in force"
            )
            assert await told(hk) == (
                f"cn says that it has version {first + 1} of the directory, this node {first}: what version "
                f"{first + 1} revokes still counts here until it is put in force"
            )
            await at_hk.send()
            with pytest.raises(PermissionDeniedError, match=r"directory\.from_partners"):
                await offer(at_hk, refusing.folder.directory.read_bytes())
            shutil.copyfile(refusing.folder.directory, own_copy(refusing))
            await eventually(lambda: both_say(cn, hk, first + 1, first + 1), what="the newer version at both")
            await eventually(lambda: silent(cn, hk), what="the end of the alarms")
            assert await refused(at_hk)
        for partner in (at_cn, at_hk):
            await partner.close()

    refusing.run(run())
    version = refusing.directory.version
    assert f"version {version}; partners say: hk {version}" in Cli(refusing, "cn").run("operator", "status").output
    refusing.run(a_revoked_log_key_signs_no_more_and_takes_no_evidence_back(refusing))


async def a_revoked_log_key_signs_no_more_and_takes_no_evidence_back(nodes: Federation) -> None:
    """cn's owner revokes it from a day ago on; hk, which takes nothing from partners, lacks that until it gets it."""
    async with (
        nodes.client("cn", "publisher") as publisher,
        nodes.client("cn", "operator") as cn,
        nodes.client("hk", "operator") as hk,
        nodes.client("hk", "auditor") as auditor,
    ):
        before = await publisher.publish(alert(case_reference="BEFORE"), ["hk"])
        reference = AlertReference(publisher="cn", alert_id=before.alert_id)

        async def exported() -> bool:
            return (await auditor.evidence.verify(await auditor.evidence.export(reference))).verified

        await eventually(exported, what="its evidence at hk")
        note = revoke_log_key(nodes, "cn")
        give(nodes, "cn", note)
        await eventually(lambda: owners_alarms(cn), what="the alarm at cn")

        async def hk_lacks() -> bool:
            (said,) = (await cn.node.status()).partner_directories
            return said.lacks_revocations

        async def hk_has() -> bool:
            return not await hk_lacks()

        await eventually(hk_lacks, what="what cn's operator sees of hk")
        assert await owners_alarms(hk) == []
        give(nodes, "hk", note)
        await eventually(lambda: owners_alarms(hk), what="the alarm at hk")
        await eventually(hk_has, what="the same of hk")
        await publisher.publish(alert(case_reference="AFTER"), ["hk"])

        async def not_believed() -> bool:
            feeds = [link for link in await cn.node.links() if link.origin == origin("cn", "hk")]
            return "names no log key of cn that is valid now" in feeds[0].last_error

        await eventually(not_believed, what="hk's refusal of what the key signs")
        assert await exported()


def test_what_an_owner_and_an_offered_version_revoke_is_refused_at_once_and_after_a_restart_until_it_is_taken(
    asking: Federation,
) -> None:
    cli, file, lost = Cli(asking, "hk"), own_copy(asking), LostCertificates(asking)
    asking.run(lost.revoked_at_once())
    lost.told()

    async def offered() -> None:
        mo = Partner(asking, "mo", "hk")
        async with asking.client("cn", "operator") as cn, asking.client("hk", "operator") as hk:
            await mo.send()  # its certificate is remembered now
            asking.put_directory(revoking(asking, "mo"))
            await eventually(lambda: refused(mo), what="hk's refusal")
            await eventually(lambda: told(hk, DIRECTORY_OFFERED), what="the alarm")
            assert (await hk.node.status()).directory_version == 1
            assert await told(hk, DIRECTORY_OFFERED) == (
                "version 2 of the directory is offered by cn, and what it revokes is refused already: gateway "
                "directory take puts it in force"
            )
            await eventually(lambda: says(cn, "hk has version 1", "refused at hk already"), what="cn's alarm")
            await eventually(lambda: says(hk, "cn has version 2", "refused here already"), what="hk's alarm")
        await mo.close()

    asking.run(offered())
    asking["cn"].stop()
    asking["hk"].stop()
    asking["hk"].start()

    async def restarted() -> None:
        mo = Partner(asking, "mo", "hk")
        await eventually(lambda: refused(mo), what="the refusal after the restart")
        await mo.close()

    asking.run(lost.still_refused())
    asking.run(restarted())
    saying_it = asking.directory.revoked_certificates | lost.fingerprints
    third_version = next_version(asking.directory, issued_at=datetime.now(UTC))
    asking.put_directory(replace(third_version, revoked_certificates=saying_it))
    asking["cn"].start()
    second, third = cli.eventually("", "directory", "offered", until=lambda listed: len(listed) == 2)
    assert [(one["version"], one["offered_by"]) for one in (second, third)] == [(2, "cn"), (3, "cn")]
    assert "revoked_certificates" in {difference["path"] for difference in second["differences"]}
    assert "expires_at" in {difference["path"] for difference in third["differences"]}
    shown = cli.run("", "directory", "offered", width=80).output
    assert "Version 3, offered by cn" in shown

    before = file.read_bytes()
    declined = cli.run("", "directory", "take", text="n\n", code=None).output
    assert "revoked_certificates" in declined
    assert "nothing was changed" in declined
    half = asking.signed_directory(replace(asking.directory, version=4), signers=["cn"])
    file.write_bytes(half)  # an operator's, meanwhile
    assert "it is left alone" in cli.run("", "directory", "take", "--yes", code=None).output
    assert file.read_bytes() == half
    file.write_bytes(before)
    assert "Directory put in place" in cli.run("", "directory", "take", text="y\n").output
    assert file.read_bytes() == asking.folder.directory.read_bytes()

    async def taken() -> None:
        mo = Partner(asking, "mo", "hk")
        async with asking.client("cn", "operator") as cn, asking.client("hk", "operator") as hk:
            await eventually(lambda: both_say(cn, hk, 3, 3), what="the newest version at both")
            await eventually(lambda: silent(cn, hk), what="the end of the alarms")
            for operator in (cn, hk):
                await eventually(partial(owners_alarms_ended, operator), what="their end: a version says it")
        assert await refused(mo)
        await mo.close()

    asking.run(taken())
    asking.run(lost.still_refused())
    assert cli.json("", "directory", "offered") == []
    assert cli.json("", "directory", "take")["version"] == 3, "nothing to take: nothing to confirm"


def test_a_version_is_handed_over_and_taken_and_two_of_one_number_are_named_and_stop_that(taking: Federation) -> None:
    async def run() -> None:
        mo = Partner(taking, "mo", "cn")
        first = taking.directory
        async with taking.client("cn", "operator") as cn, taking.client("hk", "operator") as hk:
            with pytest.raises(DirectoryError, match="2 succession"):
                await offer(mo, taking.signed_directory(replace(first, version=2), signers=["mo"]))
            assert "that mo offers is refused" in await told(cn, DIRECTORY_REFUSED)
            taking.put_directory(next_version(first, issued_at=datetime.now(UTC)))
            await eventually(lambda: both_say(cn, hk, 2, 2), what="version 2 in force at cn")
            assert own_copy(taking, "cn").read_bytes() == taking.folder.directory.read_bytes()
            await eventually(lambda: silent(cn, hk), what="the end of the alarms")

            other = taking.signed_directory(revoking(taking, "mo", version=2))
            assert await offer(mo, other) == 2
            assert await refused(mo), "what the other version revokes"
            digests = [
                sha256(parse_note(note).unverified_text).hexdigest()
                for note in (taking.folder.directory.read_bytes(), other)
            ]
            await eventually(lambda: told(cn, DIRECTORY_SPLIT), what="the alarm")
            assert await told(cn, DIRECTORY_SPLIT) == (
                f"version 2 of the directory here has SHA-256 {digests[0]}, as mo offers it {digests[1]}: one of them "
                "is forged; compare both with all authorities"
            )
            taking.put_directory(next_version(taking.directory, issued_at=datetime.now(UTC)))
            await eventually(lambda: says(cn, "isn't taken", "two different versions 2"), what="no taking")
            assert (await cn.node.status()).directory_version == 2
            (forged,) = (taking["cn"].data / "directory" / "offered").glob(f"*{digests[1]}*")
            forged.unlink()
            await eventually(lambda: both_say(cn, hk, 3, 3), what="version 3 in force at cn")
            await eventually(lambda: silent(cn, hk), what="the end of the alarms")
            await eventually(lambda: accepted(mo), what="mo's certificate again")
        await mo.close()

    taking.run(run())


async def offer(partner: Partner, note: bytes) -> int:
    try:
        response = await partner.stub.OfferDirectory(pb.OfferDirectoryRequest(note=note))
    except grpc.aio.AioRpcError as error:
        raise from_rpc_error(error) from None
    return int(response.known_version)
