"""Where files lie: a folder, and a store by obstore; partial files, and paths that aren't any."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import obstore.store
import pytest

from gateway.attachments.rules.limits import FileLimits
from gateway.attachments.service.object_store import ObjectStore, s3_client
from gateway.attachments.service.storage import FileStore, FolderStore
from gateway.attachments.service.uploads import Uploads
from gateway.errors import (
    ConfigurationError,
    FileDamagedError,
    FileRefusedError,
    InvalidRequestError,
    OverloadedError,
    StoreUnavailableError,
)

CONTENT = os.urandom(300_000)
DIGEST = sha256(CONTENT).hexdigest()
LIMITS = FileLimits(
    max_file_bytes=1_000_000, max_total_bytes=9_000_000, media_types=frozenset({"image/png"}), retention_ms=1
)


def folder_store(folder: Path) -> FileStore:
    return FolderStore(folder / "kept")


def object_store(folder: Path) -> FileStore:
    """The product's own code for S3 over obstore's store in memory: the same calls, another service."""
    return ObjectStore(obstore.store.MemoryStore(), scratch=folder)


@pytest.fixture(params=[folder_store, object_store])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> FileStore:
    make: Callable[[Path], FileStore] = request.param
    return make(tmp_path)


def put(store: FileStore, folder: Path, content: bytes = CONTENT) -> str:
    source = folder / "source.part"
    source.write_bytes(content)
    digest = sha256(content).hexdigest()
    store.put(digest, source)
    assert not source.exists()
    return digest


def test_what_is_put_is_read_in_parts_and_deleted(store: FileStore, tmp_path: Path) -> None:
    assert put(store, tmp_path) == put(store, tmp_path) == DIGEST
    assert store.read(DIGEST, 0, 10) + store.read(DIGEST, 10, 10**6) == CONTENT
    assert [(one.sha256, one.size) for one in store.objects()] == [(DIGEST, len(CONTENT))]
    with store.local(DIGEST) as path:
        assert path.read_bytes() == CONTENT
    store.delete(DIGEST)
    store.delete(DIGEST)
    assert list(store.objects()) == []
    for reading in (lambda: store.read(DIGEST, 0, 1), lambda: store.local(DIGEST).__enter__()):
        with pytest.raises(FileDamagedError, match="are gone"):
            reading()


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", "/" + "a" * 63])
def test_nothing_but_a_digest_becomes_a_path(store: FileStore, name: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        store.read(name, 0, 1)
    with pytest.raises(ValueError, match="SHA-256"):
        store.delete(name)


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    uploads = Uploads(tmp_path / "uploads", LIMITS).prepare()
    with uploads.opened("one") as partial:
        partial.append(CONTENT)
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(StoreUnavailableError, match="No space left"):
            partial.append(CONTENT)
        monkeypatch.undo()
        partial.append(CONTENT)
    assert uploads.size("one") == 2 * len(CONTENT)


def test_a_partial_file_goes_on_where_it_is(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path, LIMITS)
    with uploads.opened("one", 0) as partial:
        partial.append(CONTENT[:1000])
        with pytest.raises(OverloadedError), uploads.opened("one"):
            pass
    with pytest.raises(InvalidRequestError, match="1000 bytes are here"), uploads.opened("one", 1001):
        pass
    with uploads.opened("one", 400) as partial:  # what was sent twice is written once
        partial.append(CONTENT[400:])
        partial.require_digest(bytes.fromhex(DIGEST))
    with uploads.opened("two", 0) as partial:
        partial.append(b"other")
        with pytest.raises(FileRefusedError, match="discarded"):
            partial.require_digest(bytes.fromhex(DIGEST))
    assert uploads.size("two") == 0
    with pytest.raises(FileRefusedError), uploads.opened("three", 0) as partial:
        partial.append(bytes(LIMITS.max_file_bytes + 1))


def test_a_link_in_the_place_of_a_partial_file_isn_t_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"kept")
    (tmp_path / "one.part").symlink_to(target)
    with pytest.raises(StoreUnavailableError), Uploads(tmp_path, LIMITS).opened("one", 0):
        pass
    assert target.read_bytes() == b"kept"


def test_abandoned_uploads_go_after_a_day(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path, LIMITS)
    for name, age_s in (("old", 90_000), ("new", 10)):
        with uploads.opened(name, 0) as partial:
            partial.append(b"x")
        past = os.stat(tmp_path / f"{name}.part").st_mtime - age_s
        os.utime(tmp_path / f"{name}.part", (past, past))
    assert uploads.sweep() == 1
    assert (uploads.size("old"), uploads.size("new")) == (0, 1)


def test_an_upload_is_its_caller_s_alone() -> None:
    assert Uploads.of_caller("system/cn/a", "ID") != Uploads.of_caller("system/cn/b", "ID")
    assert Uploads.of_caller("system/cn/a", "ID") == Uploads.of_caller("system/cn/a", "id")
    assert Uploads.of_caller("../..", "/").replace("-", "").isalnum()


def test_a_url_names_a_bucket() -> None:
    s3_client("s3://bucket/some/prefix", endpoint="http://127.0.0.1:9", region="eu-west-1")
    with pytest.raises(ConfigurationError, match="s3://BUCKET/PREFIX"):
        s3_client("s3:///nothing")


def test_a_store_that_isn_t_there_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "y")
    client = s3_client("s3://bucket", endpoint="http://127.0.0.1:9")
    with pytest.raises(StoreUnavailableError, match="S3"):
        ObjectStore(client, scratch=tmp_path).read(DIGEST, 0, 1)
