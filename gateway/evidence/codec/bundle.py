"""Files of a bundle of evidence about an alert, and its .zip form.

A bundle is a function of a few originals (directory; header, salt, payload and proof of each entry);
evidence.codec.bundle_text renders the rest, so a reader can render it again and compare.

    README.txt  manifest.json  directory.note
    header.binpb  salt.bin  payload.binpb  alert.tlog-proof  alert.json
    events/001-acknowledged/  header.binpb  salt.bin  payload.binpb  event.tlog-proof  event.json
    alert.consistency  alert.tsr  (where a third party has stamped a receipt that covers the alert)
    alert.witnessed  (where witnesses have cosigned a receipted checkpoint that covers it)
"""

from __future__ import annotations

import re
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.contract.limits import MAX_MESSAGE_BYTES
from gateway.errors import MalformedError, TooLargeError
from gateway.files import stored_zip

MAX_FILE_BYTES = MAX_MESSAGE_BYTES
"""Largest file in bytes: a batch that put a feed into quarantine. A directory has at most 1 MiB, a payload's text about
as much."""

MAX_EVENTS = 999
"""Most later events: three digits; a rich alert has some 400."""

MAX_FILES = 11 + 5 * MAX_EVENTS

MAX_BUNDLE_BYTES = 64 * 1024 * 1024
"""Most bytes of a bundle, so that a stranger's can't fill memory."""

MAX_ZIP_BYTES = MAX_BUNDLE_BYTES + MAX_FILES * 512
"""Largest .zip in bytes: files are stored, each named twice."""

MAX_PARTS = 64
"""Most bundles in one .zip file: of an alert with so many steps that one bundle doesn't hold them."""

MAX_PARTS_BYTES = 4 * MAX_BUNDLE_BYTES
"""Largest .zip file of several bundles."""

README, MANIFEST, DIRECTORY = "README.txt", "manifest.json", "directory.note"
HEADER, SALT, PAYLOAD = "header.binpb", "salt.bin", "payload.binpb"
CONSISTENCY, TIME_STAMP = "alert.consistency", "alert.tsr"
WITNESSED = "alert.witnessed"
_ENTRY_FILES = (HEADER, SALT, PAYLOAD)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)*")
_EVENT = re.compile(r"events/([0-9]{3})-([a-z_]{1,32})/([a-z.-]{1,32})")
_MAX_NAME_CHARS = 200

# Of PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16; `encode_zip` settles every value that is passed over here.
_LOCAL_HEADER_BYTES = 30
_ENTRY = struct.Struct("<10sH12xLH16x")  # signature and versions, compression, uncompressed size, length of the name
_ENTRY_SIGNATURE = b"PK\x01\x02"
_END = struct.Struct("<4s4HLLH")
_END_SIGNATURE = b"PK\x05\x06"


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
class EvidenceTimeStamp:
    """A stamp on a receipted checkpoint that covers the alert, unverified.

    Attributes:
        consistency: leads from the checkpoint of the alert's proof to the stamped one, which is in it verbatim.
        stamp: TimeStampResp of RFC 3161 in DER, on SHA-256 of that checkpoint with its signatures.
    """

    consistency: bytes
    stamp: bytes


@dataclass(frozen=True, slots=True)
class EvidenceParts:
    """A bundle's originals, unverified.

    Attributes:
        directory_note: the directory with the keys.
        alert: the entry that published the alert.
        events: later entries about it, in the exporter's order.
        time_stamp: None without one.
        witnessed: leads from the checkpoint of the alert's proof to a receipted one, which is in it with the signatures
            of log, recipient and witnesses; empty without one.
    """

    directory_note: bytes
    alert: EvidenceEntry
    events: tuple[EvidenceEntry, ...]
    time_stamp: EvidenceTimeStamp | None = None
    witnessed: bytes = b""


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


def require_file_size(name: str, size: int, most: int = MAX_FILE_BYTES) -> None:
    """Raises TooLargeError for a size that no bundle has."""
    if size > most:
        raise TooLargeError(f"{name} has {size} bytes; at most {most} are read")


def alert_files(entry: EvidenceEntry, text: bytes) -> dict[str, bytes]:
    """The alert's files."""
    return _entry_files("", "alert", entry, text)


def event_folder(number: int, kind: str) -> str:
    """Folder of a later event; `number` is from 1."""
    return f"events/{number:03}-{kind}"


def event_files(folder: str, entry: EvidenceEntry, text: bytes) -> dict[str, bytes]:
    """The files of a later event."""
    return _entry_files(folder + "/", "event", entry, text)


def time_stamp_files(stamp: EvidenceTimeStamp | None) -> dict[str, bytes]:
    """The files of a time stamp; none without one."""
    return {} if stamp is None else {CONSISTENCY: stamp.consistency, TIME_STAMP: stamp.stamp}


def parts_of(bundle: Bundle) -> EvidenceParts:
    """Takes a bundle apart; raises MalformedError that names missing and unknown files."""
    left = dict(bundle.files)
    missing = [name for name in (README, MANIFEST, DIRECTORY) if name not in left]
    directory = left.get(DIRECTORY, b"")
    for name in (README, MANIFEST, DIRECTORY):
        left.pop(name, None)
    alert = _take_entry(left, "", "alert", missing)
    events = [_take_entry(left, folder + "/", "event", missing) for folder in _event_folders(left)]
    time_stamp = _take_time_stamp(left, missing)
    witnessed = left.pop(WITNESSED, b"")
    problems = [f"{name} is missing" for name in missing] + [f"{name} is unknown" for name in left]
    if problems:
        raise MalformedError("the bundle isn't complete: " + "; ".join(problems[:20]))
    return EvidenceParts(directory, alert, tuple(events), time_stamp, witnessed)


def encode_zip(bundle: Bundle) -> bytes:
    """The bundle as a .zip file, the same bytes on every machine."""
    return stored_zip(bundle.files)


def decode_zip(data: bytes) -> Bundle:
    """Reads exactly what `encode_zip` writes: the bytes must round-trip.

    Raises:
        TooLargeError: larger than a limit.
        MalformedError: not a bundle's .zip in canonical form.
    """
    if len(data) > MAX_ZIP_BYTES:
        raise TooLargeError(f"the file has {len(data)} bytes; a bundle has at most {MAX_ZIP_BYTES}")
    bundle = Bundle.of(_stored_files(data))
    if encode_zip(bundle) != data:
        raise _repacked()
    return bundle


def decode_zips(data: bytes) -> list[Bundle]:
    """The bundle of a .zip file; of one that holds several bundles' .zip files, as the console packs them, each.

    Raises:
        TooLargeError: larger than a limit.
        MalformedError: not a bundle's .zip in canonical form, or there is something else between them.
    """
    if not _is_of_parts(data):
        return [decode_zip(data)]
    if len(data) > MAX_PARTS_BYTES:
        raise TooLargeError(f"the file has {len(data)} bytes; bundles in one have at most {MAX_PARTS_BYTES}")
    files = dict(_stored_files(data, most=MAX_PARTS, most_bytes=MAX_ZIP_BYTES))
    if stored_zip(files) != data:
        raise _repacked()
    return [decode_zip(part) for _name, part in sorted(files.items())]


def _is_of_parts(data: bytes) -> bool:
    """Whether the first file in it is a .zip file."""
    try:
        count, place, end = _directory_of(data)
        return count > 0 and _directory_entry(data, place, end)[0].endswith(".zip")
    except MalformedError:
        return False


def _stored_files(
    data: bytes, *, most: int = MAX_FILES, most_bytes: int = MAX_FILE_BYTES
) -> Iterator[tuple[str, bytes]]:
    """Files in the order of the central directory, each cut out of the file where the last one ends.

    No size and no offset of a stranger's file is followed: nothing is unpacked, and no two files share bytes.
    """
    count, place, end = _directory_of(data)
    if count > most:
        raise TooLargeError(f"a bundle has at most {most} files; this one has {count}")
    at = 0
    for _ in range(count):
        name, size, compression, place = _directory_entry(data, place, end)
        require_file_name(name)
        require_file_size(name, size, most_bytes)
        if compression != zipfile.ZIP_STORED:
            raise MalformedError(f"{name} is compressed; bundles aren't")
        start = at + _LOCAL_HEADER_BYTES + len(name)
        at = start + size
        if at > len(data):
            raise _repacked()
        yield name, data[start:at]


def _directory_of(data: bytes) -> tuple[int, int, int]:
    """Number of files, and where the central directory begins and ends."""
    end = len(data) - _END.size
    if end < 0 or data[end : end + 4] != _END_SIGNATURE:
        raise MalformedError("not a .zip file of a bundle, or it was packed again")
    _, _, _, _, count, size, begin, _ = _END.unpack_from(data, end)
    if begin + size != end:
        raise _repacked()
    return count, begin, end


def _directory_entry(data: bytes, place: int, end: int) -> tuple[str, int, int, int]:
    """Name, size and compression of the file whose directory entry is at `place`, and the next entry's place."""
    if place + _ENTRY.size > end or data[place : place + 4] != _ENTRY_SIGNATURE:
        raise _repacked()
    _, compression, size, name_bytes = _ENTRY.unpack_from(data, place)
    following = place + _ENTRY.size + name_bytes
    if following > end:
        raise _repacked()
    try:
        name = data[place + _ENTRY.size : following].decode("ascii")
    except UnicodeDecodeError as error:
        raise MalformedError("the .zip file has a name that no bundle has") from error
    return name, size, compression, following


def _repacked() -> MalformedError:
    return MalformedError("the .zip file isn't in the form in which bundles are written; it was packed again")


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


def _take_time_stamp(left: dict[str, bytes], missing: list[str]) -> EvidenceTimeStamp | None:
    names = (CONSISTENCY, TIME_STAMP)
    if not any(name in left for name in names):
        return None
    missing.extend(name for name in names if name not in left)
    consistency, stamp = (left.pop(name, b"") for name in names)
    return EvidenceTimeStamp(consistency, stamp)


def _event_folders(files: Iterable[str]) -> list[str]:
    folders = {name.rpartition("/")[0] for name in files if _EVENT.fullmatch(name)}
    return sorted(folders)
