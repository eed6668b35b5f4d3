"""What files a node takes, and whether a file is one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.errors import FileRefusedError, FileStoreFullError

CHUNK_BYTES = 1024 * 1024
"""Most bytes of one message."""

HEAD_BYTES = 16
"""Bytes of a file's beginning that its media type is compared with."""

_BEGINNINGS: Mapping[str, tuple[bytes, ...]] = {
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
    "image/tiff": (b"II*\x00", b"MM\x00*"),
    "image/bmp": (b"BM",),
    "application/pdf": (b"%PDF-",),
    "application/zip": (b"PK\x03\x04",),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": (b"PK\x03\x04",),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": (b"PK\x03\x04",),
}
"""How files of some types begin; the first bytes are compared, and nothing is parsed."""


@dataclass(frozen=True, slots=True)
class FileLimits:
    """What a node takes.

    Attributes:
        max_file_bytes: of one file.
        max_total_bytes: of all files together.
        media_types: allowed ones.
        retention_ms: milliseconds that a file is kept after the end of the last alert that names it.
    """

    max_file_bytes: int
    max_total_bytes: int
    media_types: frozenset[str]
    retention_ms: int

    def require_taken(self, *, media_type: str, size: int) -> None:
        """Raises FileRefusedError for a type that isn't allowed, or more bytes than one file may have."""
        if media_type not in self.media_types:
            taken = ", ".join(sorted(self.media_types))
            raise FileRefusedError(
                f"files of the type {media_type!r} aren't taken; these are: {taken}", metadata={"field": "media_type"}
            )
        self.require_size(size)

    def require_size(self, size: int) -> None:
        """Raises FileRefusedError for more bytes than one file may have."""
        if size > self.max_file_bytes:
            raise FileRefusedError(
                f"a file may have at most {self.max_file_bytes:,} bytes", metadata={"field": "size_bytes"}
            )

    def require_room(self, stored: int, more: int) -> None:
        """Raises FileStoreFullError when all files together would take more room than they may."""
        if stored + more > self.max_total_bytes:
            raise FileStoreFullError(
                f"{stored:,} bytes of files are kept, and {more:,} more exceed the {self.max_total_bytes:,} allowed"
            )


def require_beginning(media_type: str, head: bytes) -> None:
    """Raises FileRefusedError where the first bytes aren't those of the type, for types that have such."""
    beginnings = _BEGINNINGS.get(media_type)
    if beginnings is not None and not head.startswith(beginnings):
        raise FileRefusedError(
            f"it doesn't begin as a file of the type {media_type} does", metadata={"field": "media_type"}
        )
