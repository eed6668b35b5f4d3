"""Evidence files in an S3 store that is a server of its own, checks signatures and goes away at times."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.attachments.service.object_store import ObjectStore, s3_client
from gateway.client import new_request_id
from gateway.errors import FileDamagedError, GatewayError, StoreUnavailableError
from gateway.v1.file_pb2 import FileState
from tests.support.federation import Federation, eventually, with_logs
from tests.support.files import (
    GROUNDS,
    KEPT,
    about,
    came,
    digest,
    in_state,
    picture,
    published,
    read,
    signed,
    slowly,
    written,
)
from tests.support.s3_store import OWNER, UNKNOWN_USER, WRONG_SECRET, Credentials, RunningStore, s3_store

HERE = FileState.FILE_STATE_HERE
BUCKET = "evidence"
LARGE = 6_000_000
"""Bytes of a file that goes into the store in several parts."""


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStore]:
    with s3_store(tmp_path_factory.mktemp("s3"), BUCKET) as running:
        yield running


def store_of(
    s3: RunningStore, scratch: Path, patch: pytest.MonkeyPatch, *, bucket: str = BUCKET, by: Credentials = OWNER
) -> ObjectStore:
    for name, value in by.environment.items():
        patch.setenv(name, value)
    return ObjectStore(s3_client(f"s3://{bucket}/{scratch.name}", endpoint=s3.endpoint), scratch=scratch)


@pytest.mark.parametrize("size", [1, 300_000, LARGE])
def test_what_is_put_is_read_in_any_part(
    s3: RunningStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    store, content = store_of(s3, tmp_path, monkeypatch), picture(max(size, 4))[:size]
    name = sha256(content).hexdigest()
    for _ in range(2):  # put again, it is the same object
        store.put(name, written(tmp_path, content, "source.part"))
        assert not (tmp_path / "source.part").exists()
    for offset, length in ((0, size), (0, 1), (size - 1, 10), (size // 3, 70_000), (size // 2 + 1, size), (size, 1)):
        assert store.read(name, offset, length) == content[offset : offset + length]
    assert [(found.sha256, found.size, found.age_s < 600) for found in store.objects()] == [(name, size, True)]
    with store.local(name) as path:
        assert path.read_bytes() == content
    store.delete(name)
    store.delete(name)
    assert list(store.objects()) == []
    with pytest.raises(FileDamagedError, match="are gone"):
        store.read(name, 0, 1)


@pytest.mark.parametrize(
    ("bucket", "by", "text"),
    [
        ("no-such-bucket", OWNER, r"the bucket that attachments.store names isn't there \(NoSuchBucket\)"),
        (BUCKET, WRONG_SECRET, r"the store refuses AWS_ACCESS_KEY_ID .* \(SignatureDoesNotMatch\)"),
        (BUCKET, UNKNOWN_USER, r"the store refuses AWS_ACCESS_KEY_ID .* \(InvalidAccessKeyId\)"),
    ],
)
def test_a_store_that_refuses_says_what_to_set_right(
    s3: RunningStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket: str, by: Credentials, text: str
) -> None:
    """No call takes the refusal for a file that is gone, or for an erased one."""
    store, name = store_of(s3, tmp_path, monkeypatch, bucket=bucket, by=by), "a" * 64
    for size in (10, LARGE):
        source = written(tmp_path, bytes(size), "source.part")
        with pytest.raises(StoreUnavailableError, match=text):
            store.put(name, source)
        assert source.stat().st_size == size
    for call in (
        lambda: store.read(name, 0, 1),
        lambda: store.delete(name),
        lambda: list(store.objects()),
        lambda: store.local(name).__enter__(),
    ):
        with pytest.raises(StoreUnavailableError, match=text):
            call()


def settings(s3: RunningStore, folder: Path) -> str:
    return KEPT + f'store = "s3://{BUCKET}/{folder.name}"\ns3_endpoint = "{s3.endpoint}"\n'


def test_an_upload_goes_on_through_restarts_of_the_node_and_of_the_store(s3: RunningStore, tmp_path: Path) -> None:
    """cn keeps its files in S3, hk in a folder: what is cut off goes on, and the partner reads through the restart."""
    content, upload_id = picture(LARGE, seed=3), new_request_id()
    for nodes in with_logs(tmp_path, settings_of=lambda node: settings(s3, tmp_path) if node == "cn" else KEPT):
        line = nodes.between("hk", "cn")
        line.narrow(20_000_000)
        nodes["cn"].start(**OWNER.environment)

        async def cut_off(nodes: Federation = nodes) -> None:
            async with nodes.client("cn", "publisher") as risk:
                chunks = slowly(content, pieces=100, pause_s=0.05)
                going = asyncio.create_task(risk.files.put_stream(chunks, about(), upload_id=upload_id))
                await eventually(lambda: risk.files.upload_offset(upload_id), what="the first bytes")
                nodes["cn"].kill()
                with pytest.raises(GatewayError):
                    await going

        async def go_on(nodes: Federation = nodes) -> None:
            async with nodes.client("cn", "publisher") as risk, nodes.client("hk", "officer") as desk:
                assert 0 < await risk.files.upload_offset(upload_id) < len(content)
                s3.stop()
                going = asyncio.create_task(risk.files.put(written(tmp_path, content), about(), upload_id=upload_id))

                async def whole() -> bool:
                    return await risk.files.upload_offset(upload_id) == len(content)

                await eventually(whole, what="all bytes at the node, which the store doesn't take")
                assert (await risk.files.list_page()).stored_bytes == 0
                await asyncio.to_thread(s3.start)
                stored = await going
                assert (stored.state, stored.evidence.sha256) == (HERE, digest(content))
                assert list((nodes["cn"].data / "files" / "uploads").iterdir()) == []

                reference = await published(risk, [signed(content)])
                await came(desk, reference)
                await desk.files.request(digest(content), reference, **GROUNDS)

                async def some() -> bool:
                    return (await desk.files.get(digest(content))).received_bytes > 100_000

                await eventually(some, what="some of the file")
                await asyncio.to_thread(s3.stop)
                with pytest.raises(StoreUnavailableError, match="evidence files in S3"):
                    await read(risk, digest(content))
                await asyncio.to_thread(s3.start)
                await in_state(desk, digest(content), HERE, within_s=100)
                assert await read(desk, digest(content)) == await read(risk, digest(content)) == content

        nodes.run(cut_off())
        nodes["cn"].start(**OWNER.environment)
        nodes.start("hk")
        nodes.run(go_on())
