"""Evidence files in tests: settings that keep them, small pictures, and alerts that name them."""

from __future__ import annotations

import asyncio
import random
import struct
import zlib
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

from gateway.client import AlertReference, FileAbout, GatewayClient
from gateway.v1 import alert_pb2
from gateway.v1.alert_service_pb2 import GetAlertResponse
from gateway.v1.file_pb2 import AttachedFile, FileState
from tests.support.federation import alert, eventually

KEPT = """
[attachments]
enabled = true
"""
GROUNDS = {"purpose": "export_control", "case_reference": "CASE-2026-0001"}


def about(media_type: str = "image/jpeg", **more: object) -> FileAbout:
    return FileAbout(media_type=media_type, **GROUNDS, **more)  # type: ignore[arg-type]


def picture(size: int = 50_000, seed: int = 1) -> bytes:
    """Bytes that begin as a JPEG does, and don't compress."""
    return b"\xff\xd8\xff\xe0" + random.Random(seed).randbytes(size - 4)


def huge_png(width: int, height: int) -> bytes:
    """A PNG that says so many pixels in its head, and has a few."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")


async def slowly(content: bytes, *, pieces: int, pause_s: float) -> AsyncIterator[bytes]:
    """The bytes in so many pieces, with a pause after each."""
    size = len(content) // pieces + 1
    for at in range(0, len(content), size):
        yield content[at : at + size]
        await asyncio.sleep(pause_s)


def written(folder: Path, content: bytes, name: str = "x-ray.jpg") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def digest(content: bytes) -> bytes:
    return sha256(content).digest()


def signed(content: bytes, **more: object) -> alert_pb2.EvidenceDigest:
    """What an alert says of bytes."""
    return alert_pb2.EvidenceDigest(  # type: ignore[arg-type]
        sha256=digest(content), **{"media_type": "image/jpeg", "size_bytes": len(content)} | more
    )


async def published(
    client: GatewayClient,
    evidence: list[alert_pb2.EvidenceDigest],
    recipients: tuple[str, ...] = ("hk",),
    **more: object,
) -> AlertReference:
    content = alert(evidence=evidence, **more)
    made = await client.publish(content, list(recipients))
    return AlertReference(publisher=client.node_name, alert_id=made.alert_id)


async def came(client: GatewayClient, reference: AlertReference) -> GetAlertResponse:
    return await eventually(lambda: client.get_alert(reference), what=f"the alert at {client.node_name}")


async def in_state(
    client: GatewayClient, sha: bytes, state: FileState.ValueType, within_s: float = 60.0
) -> AttachedFile:
    """The file once it is in a state."""

    async def there() -> AttachedFile | None:
        file = await client.files.get(sha)
        assert file.state == state, f"{FileState.Name(file.state)}: {file.reason}"
        return file

    found = await eventually(there, within_s=within_s, what=FileState.Name(state))
    assert found is not None
    return found


async def read(client: GatewayClient, sha: bytes) -> bytes:
    return await client.files.get_bytes(sha, **GROUNDS, most=2**30)
