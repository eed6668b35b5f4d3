"""Files of a bundle of evidence about an alert, and its .zip form.

A bundle is a function of a few originals (directory; header, salt, payload and proof of each entry);
evidence.codec.bundle_text renders the rest, so a reader can render it again and compare.

    README.txt  manifest.json  directory.note
    header.binpb  salt.bin  payload.binpb  alert.tlog-proof  alert.json
    events/001-acknowledged/  header.binpb  salt.bin  payload.binpb  event.tlog-proof  event.json
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.errors import MalformedError, TooLargeError

MAX_FILE_BYTES = 2 * 1024 * 1024
"""Largest file in bytes: a directory has at most 1 MiB, a payload's text about as much."""

MAX_EVENTS = 999
"""Most later events: three digits; a rich alert has some 400."""

MAX_FILES = 8 + 5 * MAX_EVENTS

MAX_BUNDLE_BYTES = 64 * 1024 * 1024
"""Most bytes of a bundle, so that a stranger's can't fill memory."""

MAX_ZIP_BYTES = MAX_BUNDLE_BYTES + MAX_FILES * 512
"""Largest .zip in bytes: files are stored, each named twice."""

README, MANIFEST, DIRECTORY = "README.txt", "manifest.json", "directory.note"
HEADER, SALT, PAYLOAD = "header.binpb", "salt.bin", "payload.binpb"
_ENTRY_FILES = (HEADER, SALT, PAYLOAD)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_EVENT = re.compile(r"events/([0-9]{3})-([a-z_]{1,32})/([a-z.-]{1,32})")
_MAX_NAME_CHARS = 200
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_FILE_MODE = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class EvidenceEntry:
    """An entry's originals, unverified.

    Attributes:
        header: EntryHeader bytes as hashed.
        salt, payload: committed to by the header's digest.
        proof: C2SP tlog-proof file.
    """

    header: bytes
    salt: bytes
    payload: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class EvidenceParts:
    """A bundle's originals, unverified.

    Attributes:
        directory_note: the directory with the keys.
        alert: the entry that published the alert.
        events: later entries about it, in the exporter's order.
    """

    directory_note: bytes
    alert: EvidenceEntry
    events: tuple[EvidenceEntry, ...]


class Bundle:
    """Files by name, within the limits; `parts_of` checks whether they belong together.

    Raises:
        MalformedError: a name is absolute, has a step upwards, is hidden or has other characters than bundles' names.
        TooLargeError: a limit is exceeded.
    """

    __slots__ = ("files",)

    def __init__(self, files: Mapping[str, bytes]) -> None:
        if len(files) > MAX_FILES:
            raise TooLargeError(f"a bundle has at most {MAX_FILES} files; this one has {len(files)}")
        for name, content in files.items():
            require_file_name(name)
            require_file_size(name, len(content))
        if (total := sum(map(len, files.values()))) > MAX_BUNDLE_BYTES:
            raise TooLargeError(f"the files have {total} bytes; at most {MAX_BUNDLE_BYTES} are read")
        self.files: Mapping[str, bytes] = MappingProxyType(dict(sorted(files.items())))

    @classmethod
    def of(cls, files: Iterable[tuple[str, bytes]]) -> Bundle:
        """Refuses repeated names."""
        found: dict[str, bytes] = {}
        for name, content in files:
            if name in found:
                raise MalformedError(f"the bundle has {name} twice")
            found[name] = content
        return cls(found)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Bundle) and dict(self.files) == dict(other.files)

    __hash__ = None  # type: ignore[assignment]


def require_file_name(name: str) -> None:
    """Raises MalformedError for a name that no bundle has."""
    if len(name) > _MAX_NAME_CHARS or _NAME.fullmatch(name) is None:
        raise MalformedError(f"{name[:_MAX_NAME_CHARS]!r} can't be the name of a file in a bundle")


def require_file_size(name: str, size: int) -> None:
    """Raises TooLargeError for a size that no bundle has."""
    if size > MAX_FILE_BYTES:
        raise TooLargeError(f"{name} has {size} bytes; at most {MAX_FILE_BYTES} are read")


def alert_files(entry: EvidenceEntry, text: bytes) -> dict[str, bytes]:
    """The alert's files."""
    return _entry_files("", "alert", entry, text)


def event_folder(number: int, kind: str) -> str:
    """Folder of a later event; `number` is from 1."""
    return f"events/{number:03}-{kind}"


def event_files(folder: str, entry: EvidenceEntry, text: bytes) -> dict[str, bytes]:
    """The files of a later event."""
    return _entry_files(folder + "/", "event", entry, text)


def parts_of(bundle: Bundle) -> EvidenceParts:
    """Takes a bundle apart; raises MalformedError that names missing and unknown files."""
    left = dict(bundle.files)
    missing = [name for name in (README, MANIFEST, DIRECTORY) if name not in left]
    directory = left.get(DIRECTORY, b"")
    for name in (README, MANIFEST, DIRECTORY):
        left.pop(name, None)
    alert = _take_entry(left, "", "alert", missing)
    events = [_take_entry(left, folder + "/", "event", missing) for folder in _event_folders(left)]
    problems = [f"{name} is missing" for name in missing] + [f"{name} is unknown" for name in left]
    if problems:
        raise MalformedError("the bundle isn't complete: " + "; ".join(problems[:20]))
    return EvidenceParts(directory, alert, tuple(events))


def encode_zip(bundle: Bundle) -> bytes:
    """The bundle as a .zip file, the same bytes on every machine."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in bundle.files.items():
            info = zipfile.ZipInfo(name, _ZIP_TIME)
            info.create_system, info.external_attr = _UNIX, _FILE_MODE
            archive.writestr(info, content)
    return target.getvalue()


def decode_zip(data: bytes) -> Bundle:
    """Reads exactly what `encode_zip` writes: the bytes must round-trip.

    Raises:
        TooLargeError: larger than a limit.
        MalformedError: not a bundle's .zip in canonical form.
    """
    if len(data) > MAX_ZIP_BYTES:
        raise TooLargeError(f"the file has {len(data)} bytes; a bundle has at most {MAX_ZIP_BYTES}")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            bundle = Bundle.of(_stored_files(archive))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise MalformedError(f"not a .zip file of a bundle: {error}") from None
    if encode_zip(bundle) != data:
        raise MalformedError("the .zip file isn't in the form in which bundles are written; it was packed again")
    return bundle


def _stored_files(archive: zipfile.ZipFile) -> Iterator[tuple[str, bytes]]:
    members = archive.infolist()
    if len(members) > MAX_FILES:
        raise TooLargeError(f"a bundle has at most {MAX_FILES} files; this one has {len(members)}")
    for member in members:
        require_file_name(member.filename)
        require_file_size(member.filename, member.file_size)
        if member.compress_type != zipfile.ZIP_STORED:
            raise MalformedError(f"{member.filename} is compressed; bundles aren't")
        yield member.filename, archive.read(member)


def _entry_files(folder: str, stem: str, entry: EvidenceEntry, text: bytes) -> dict[str, bytes]:
    return {
        folder + HEADER: entry.header,
        folder + SALT: entry.salt,
        folder + PAYLOAD: entry.payload,
        f"{folder}{stem}.tlog-proof": entry.proof,
        f"{folder}{stem}.json": text,
    }


def _take_entry(left: dict[str, bytes], folder: str, stem: str, missing: list[str]) -> EvidenceEntry:
    names = [folder + name for name in _ENTRY_FILES] + [f"{folder}{stem}.tlog-proof", f"{folder}{stem}.json"]
    missing.extend(name for name in names if name not in left)
    header, salt, payload, proof, _ = (left.pop(name, b"") for name in names)
    return EvidenceEntry(header, salt, payload, proof)


def _event_folders(files: Iterable[str]) -> list[str]:
    folders = {name.rpartition("/")[0] for name in files if _EVENT.fullmatch(name)}
    return sorted(folders)
