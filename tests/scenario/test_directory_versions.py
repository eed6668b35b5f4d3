"""One node stays on an older directory: it and its partners say so, and which version each has."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.client import GatewayClient
from gateway.errors import DirectoryChangedError, UnauthenticatedError
from gateway.feed.service.alarms import DIRECTORY_VERSIONS
from gateway.tls.certificates import inspect_certificate
from gateway.trust.service.directory_drafts import next_version, revoke
from gateway.v1 import exchange_service_pb2 as pb
from tests.support.command_line import Cli
from tests.support.federation import PATIENCE_S, PULLED, Federation, eventually, with_logs
from tests.support.partner import Partner, an_alert


def started(folder: Path, links: dict[str, Any]) -> Iterator[Federation]:
    """cn, and hk with a copy of the directory that nobody replaces."""
    for made in with_logs(folder, links=links):
        shutil.copyfile(made.folder.directory, own_copy(made))
        settings = made["hk"].config.read_text(encoding="utf-8")
        shared, own = (json.dumps(str(path)) for path in (made.folder.directory, own_copy(made)))
        assert shared in settings
        made["hk"].config.write_text(settings.replace(shared, own), encoding="utf-8")
        made.start("cn", "hk")
        yield made


@pytest.fixture(params=[{}, PULLED], ids=["pushed", "fetched"])
def nodes(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Federation]:
    yield from started(tmp_path, request.param)


@pytest.fixture
def pushing(tmp_path: Path) -> Iterator[Federation]:
    yield from started(tmp_path, {})


def own_copy(nodes: Federation) -> Path:
    return nodes["hk"].folder.path / "own.note"


async def told(operator: GatewayClient) -> str:
    (message, *_) = [
        alarm.message for alarm in (await operator.node.status()).alarms if alarm.code == DIRECTORY_VERSIONS
    ] or [""]
    return message


def test_both_sides_say_that_one_is_on_an_older_version_until_it_isnt(nodes: Federation) -> None:
    async def run() -> None:
        async with nodes.client("cn", "operator") as at_cn, nodes.client("hk", "operator") as at_hk:

            async def both_say(version: int) -> bool:
                said = [(await at.node.status()).partner_directories for at in (at_cn, at_hk)]
                return [[(one.partner, one.version) for one in each] for each in said] == [
                    [("hk", version)],
                    [("cn", version)],
                ]

            first = nodes.directory.version
            await eventually(lambda: both_say(first), what="each other's version")
            assert (await told(at_cn), await told(at_hk)) == ("", "")
            nodes.put_directory(next_version(nodes.directory, issued_at=datetime.now(UTC)))

            async def alarmed() -> bool:
                return bool(await told(at_cn) and await told(at_hk))

            await eventually(alarmed, what="the alarms at both")
            assert await told(at_cn) == (
                f"hk has version {first} of the directory, this node {first + 1}: what version {first + 1} revokes "
                "still counts at hk until it has put that in force"
            )
            assert await told(at_hk) == (
                f"cn says that it has version {first + 1} of the directory, this node {first}: what version "
                f"{first + 1} revokes still counts here until it is put in force"
            )
            shutil.copyfile(nodes.folder.directory, own_copy(nodes))
            await eventually(lambda: both_say(first + 1), what="the newer version at both")

            async def ended() -> bool:
                return not (await told(at_cn) or await told(at_hk))

            await eventually(ended, what="the end of the alarms")

    nodes.run(run())
    version = nodes.directory.version
    assert f"version {version}; partners say: hk {version}" in Cli(nodes, "cn").run("operator", "status").output


def test_a_revoked_certificate_is_taken_by_the_older_node_alone_and_both_have_the_alarm(pushing: Federation) -> None:
    async def run() -> None:
        now, of_mo = datetime.now(UTC), inspect_certificate(pushing["mo"].folder.certificate.read_bytes())
        at_cn, at_hk = Partner(pushing, "mo", "cn"), Partner(pushing, "mo", "hk")
        async with pushing.client("cn", "operator") as cn, pushing.client("hk", "operator") as hk:
            for partner in (at_cn, at_hk):
                await partner.send(partner.batch([an_alert(publisher="mo", recipient=partner.node)]))
            pushing.put_directory(
                revoke(pushing.directory, issued_at=now, since=now, fingerprints=[of_mo.fingerprint_sha256])
            )

            async def refused() -> bool:
                try:
                    await at_cn.send()
                except UnauthenticatedError:
                    return True
                return False

            await eventually(refused, what="the newer node's refusal")

            async def alarmed() -> bool:
                return bool(await told(cn) and await told(hk))

            await eventually(alarmed, what="the alarms at both")
            await at_hk.send()
            shutil.copyfile(pushing.folder.directory, own_copy(pushing))

            async def ended() -> bool:
                return not (await told(cn) or await told(hk))

            await eventually(ended, what="the end of the alarms")
            with pytest.raises(UnauthenticatedError):
                await at_hk.send()
        for partner in (at_cn, at_hk):
            await partner.close()

    pushing.run(run())


def test_a_stream_that_began_under_an_older_version_ends(pushing: Federation) -> None:
    """So that both sides say their versions again."""

    async def run() -> None:
        mo = Partner(pushing, "mo", "cn")
        call = mo.stub.Replicate()
        await call.write(pb.ReplicateRequest(open=pb.FeedOpening(origin=mo.feed)))
        before = (await mo.read(call, "position")).directory.version
        pushing.put_directory(next_version(pushing.directory, issued_at=datetime.now(UTC)))
        with pytest.raises(DirectoryChangedError, match=f"version {before + 1} of the directory is in force"):
            await asyncio.wait_for(mo.read(call, "receipt"), PATIENCE_S)
        await mo.send()
        await mo.close()

    pushing.run(run())
