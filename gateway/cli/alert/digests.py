"""Evidence that a command names by the digests of files."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from hashlib import file_digest
from pathlib import Path

from gateway.v1.alert_pb2 import EvidenceDigest


def digests_of(paths: Sequence[Path]) -> list[EvidenceDigest]:
    """What an alert or a finding says of files; `gateway file put` uploads them."""
    digests = []
    for path in paths:
        with path.open("rb") as file:
            sha256 = file_digest(file, "sha256").digest()
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        size = path.stat().st_size
        digests.append(
            EvidenceDigest(
                sha256=sha256, media_type=media_type, description=path.name, size_bytes=size, file_name=path.name
            )
        )
    return digests
