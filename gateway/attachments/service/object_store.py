"""Keeps files in an S3-compatible store, by obstore, which is imported only where this is used (extra `s3`)."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway.attachments.service.storage import StoredObject, failing_as_store, missing, require_digest
from gateway.errors import ConfigurationError, GatewayError, StoreUnavailableError
from gateway.files import OWNER_ONLY, create_file

_COPY_BYTES = 1024 * 1024

_CODE = re.compile(r"<Code>(\w+)</Code>")
"""A store's error code, in the library's text."""

_CREDENTIALS = "the store refuses AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the node's environment"
_REFUSALS: Mapping[str, str] = {
    "NoSuchBucket": "the bucket that attachments.store names isn't there",
    "InvalidAccessKeyId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "AccessDenied": "the store's policy doesn't let these credentials do this in the bucket",
}
"""What an operator has to set right, by the code; the library takes a missing bucket for a missing object."""


class _PastEndError(Exception):
    """The object has no byte at the offset."""


class ObjectStore:
    """A bucket, by its client; a file is the object `PREFIX/DIGEST`.

    An object appears whole or not at all, and is durable when `put` returns: so S3 promises.
    """

    def __init__(self, client: Any, *, scratch: Path) -> None:
        """`client` is a store of obstore; `scratch` a local folder for what a scanner reads."""
        import obstore  # noqa: PLC0415  # an extra

        self._api = obstore
        self._client = client
        self._scratch = scratch

    def put(self, sha256: str, source: Path) -> None:
        key = require_digest(sha256)
        with failing_as_store():
            with source.open("rb") as file, _failing():
                self._api.put(self._client, key, file)
            source.unlink()

    def read(self, sha256: str, offset: int, length: int) -> bytes:
        key = require_digest(sha256)
        if length <= 0:
            return b""
        try:
            with _failing(sha256):
                return bytes(self._api.get_range(self._client, key, start=offset, length=length))
        except _PastEndError:
            return b""

    def delete(self, sha256: str) -> None:
        key = require_digest(sha256)
        try:
            with _failing():
                self._api.delete(self._client, key)
        except FileNotFoundError:
            return

    def objects(self) -> Iterator[StoredObject]:
        now = datetime.now(UTC)
        with _failing():
            for page in self._api.list(self._client):
                for found in page:
                    name = str(found["path"]).rpartition("/")[2]
                    age_s = (now - found["last_modified"]).total_seconds()
                    try:
                        yield StoredObject(require_digest(name), int(found["size"]), age_s)
                    except ValueError:
                        continue  # somebody else's object

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        copy = self._scratch / f"scan-{secrets.token_hex(8)}.part"
        try:
            with failing_as_store(), create_file(copy, mode=OWNER_ONLY) as file, _failing(sha256):
                for chunk in self._api.get(self._client, require_digest(sha256)).stream(min_chunk_size=_COPY_BYTES):
                    file.write(chunk)
            yield copy
        finally:
            copy.unlink(missing_ok=True)


def s3_client(url: str, *, endpoint: str = "", region: str = "") -> Any:
    """A client of s3://BUCKET/PREFIX; its credentials are in the environment (AWS_ACCESS_KEY_ID, …).

    Raises:
        ConfigurationError: the extra isn't installed, or the URL isn't one of a bucket.
    """
    try:
        from obstore.store import S3Store  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise ConfigurationError(
            "attachments.store names S3, and the library for it isn't installed",
            way_out="Install the gateway's wheel with the extra: pip install 'WHEEL[s3]'.",
        ) from error
    parts = urlsplit(url)
    if parts.scheme != "s3" or not parts.netloc:
        raise ConfigurationError(f"attachments.store: {url!r} isn't of the form s3://BUCKET/PREFIX")
    options: dict[str, Any] = {"client_options": {"allow_http": endpoint.startswith("http://"), "timeout": "30s"}}
    if endpoint:
        options |= {"endpoint": endpoint, "virtual_hosted_style_request": False}
    if region or not os.environ.get("AWS_REGION"):
        options["region"] = region or "us-east-1"
    retries: Any = {"max_retries": 3}
    return S3Store(parts.netloc, prefix=parts.path.strip("/") or None, retry_config=retries, **options)


@contextmanager
def _failing(sha256: str = "") -> Iterator[None]:
    """Turns errors of the library, which has a tree of its own, into the store's."""
    try:
        yield
    except (GatewayError, GeneratorExit):
        raise
    except Exception as error:
        code = _CODE.search(str(error))
        if code is not None and code[1] in _REFUSALS:
            raise StoreUnavailableError(f"evidence files in S3: {_REFUSALS[code[1]]} ({code[1]})") from error
        if code is not None and code[1] == "InvalidRange":
            raise _PastEndError from error
        if isinstance(error, FileNotFoundError):
            raise missing(sha256) if sha256 else error from error
        text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise StoreUnavailableError(f"evidence files in S3: {text}") from error
