"""Bundles on disk and as .zip: what isn't exactly a bundle is refused."""

import io
import os
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from gateway.errors import MalformedError, OptionError, TooLargeError
from gateway.evidence.codec.bundle import MAX_FILE_BYTES, MAX_FILES, Bundle, decode_zip, encode_zip, parts_of
from gateway.evidence.service.files import read_bundle, write_bundle

ENTRY = ("header.binpb", "salt.bin", "payload.binpb")
FILES = {
    name: name.encode()
    for name in ("README.txt", "manifest.json", "directory.note", "alert.tlog-proof", "alert.json", *ENTRY)
}
FILES |= {f"events/001-acknowledged/{name}": b"x" for name in (*ENTRY, "event.tlog-proof", "event.json")}


@pytest.mark.parametrize("name", ["case.zip", "case"])
def test_what_was_written_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / "new" / name
    write_bundle(Bundle(FILES), path)
    assert read_bundle(path) == Bundle(FILES)
    assert [each.name for each in path.parent.iterdir()] == [name]
    with pytest.raises(OptionError, match="exists already"):
        write_bundle(Bundle(FILES), path)


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../b", "a//b", ".hidden", "a/.b", "a\\b", "a b", "ä", "", "a/", "x" * 201, "a\n"]
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(MalformedError):
        Bundle(FILES | {name: b""})
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr(zipfile.ZipInfo(name or "/"), b"")
    with pytest.raises(MalformedError):
        decode_zip(archive.getvalue())


def test_limits_hold(tmp_path: Path) -> None:
    with pytest.raises(TooLargeError):
        Bundle({"a": bytes(MAX_FILE_BYTES + 1)})
    with pytest.raises(TooLargeError):
        Bundle({f"f{number}": b"" for number in range(MAX_FILES + 1)})
    with pytest.raises(TooLargeError):
        Bundle({f"f{number}": bytes(MAX_FILE_BYTES) for number in range(33)})
    folder = tmp_path / "case"
    write_bundle(Bundle(FILES), folder)
    with (folder / "payload.binpb").open("r+b") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # sparse: refused by its size, never read
    with pytest.raises(TooLargeError):
        read_bundle(folder)


@pytest.mark.parametrize("name", [*FILES, "more.txt", "events/2-x/event.json", "events/001-acknowledged/alert.json"])
def test_a_missing_or_unknown_file_is_named(name: str) -> None:
    files = dict(FILES)
    if name in files:
        del files[name]
    else:
        files[name] = b""
    with pytest.raises(MalformedError, match=name.replace(".", r"\.")):
        parts_of(Bundle(files))


def packed(change: Callable[[zipfile.ZipFile], None], **options: int) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", **options) as made:  # type: ignore[call-overload]
        for name, content in sorted(FILES.items()):
            made.writestr(zipfile.ZipInfo(name), content, compress_type=options.get("compression"))
        change(made)
    return archive.getvalue()


def add_twice(made: zipfile.ZipFile) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        made.writestr(zipfile.ZipInfo("README.txt"), b"another")


def test_zip_files_packed_by_others_are_refused() -> None:
    sound = encode_zip(Bundle(FILES))
    for data, why in (
        (packed(lambda made: None), "packed again"),
        (packed(lambda made: None, compression=zipfile.ZIP_DEFLATED), "compressed"),
        (packed(add_twice), "twice"),
        (packed(lambda made: setattr(made, "comment", b"hello")), "packed again"),
        (sound + b"\0", "zip|packed"),
        (b"MZ" + sound, "packed again"),
        (sound[:-1], "zip"),
        (b"", "zip"),
        (b"PK\x05\x06" + bytes(18), "packed again|complete|"),
    ):
        with pytest.raises(MalformedError, match=why):
            parts_of(decode_zip(data))


def test_a_zip_that_unpacks_to_more_than_it_has_is_refused_before_it_is_unpacked() -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("payload.binpb", bytes(MAX_FILE_BYTES * 20))
    with pytest.raises(TooLargeError):
        decode_zip(archive.getvalue())


def local_header(name: bytes, content: bytes) -> bytes:
    size = len(content)
    return (
        struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 0, 0, 33, zlib.crc32(content), size, size, len(name), 0) + name
    )


def zip_of(local: bytes, files: Iterable[tuple[bytes, int, int, int]], *, count: int | None = None) -> bytes:
    """A .zip with this directory: name, CRC, size and place of each file."""
    entries = [
        struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 788, 20, 0, 0, 0, 33, crc, size, size, len(name), *[0] * 5, place)
        + name
        for name, crc, size, place in files
    ]
    directory = b"".join(entries)
    number = len(entries) % 65_536 if count is None else count
    return (
        local + directory + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, number, number, len(directory), len(local), 0)
    )


def overlapping(count: int) -> bytes:
    """A .zip bomb without compression: each file's bytes are the local headers and bytes of all later ones."""
    local, files = bytes(MAX_FILE_BYTES - 40 * count), []
    for number in reversed(range(count)):
        name, content = b"f%04d" % number, local
        local = local_header(name, content) + content
        files.append((name, zlib.crc32(content), len(content), len(local)))
    return zip_of(local, [(name, crc, size, len(local) - end) for name, crc, size, end in reversed(files)])


def peak_of(work: Callable[[], object]) -> int:
    """Most bytes that the work held at once."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        decode_zip(data)


def test_files_of_a_zip_that_share_their_bytes_are_refused_before_they_are_read() -> None:
    bomb = overlapping(120)
    with zipfile.ZipFile(io.BytesIO(bomb)) as archive:
        assert sum(member.file_size for member in archive.infolist()) > 240_000_000
    assert len(bomb) < MAX_FILE_BYTES + 20_000
    assert peak_of(lambda: refused(bomb)) < 4 * len(bomb)


@pytest.mark.parametrize("count", [None, 1, 3])
def test_a_zip_with_very_many_names_is_refused_before_they_are_read(count: int | None) -> None:
    many = zip_of(local_header(b"000000", b""), [(b"%06d" % number, 0, 0, 0) for number in range(100_000)], count=count)
    assert peak_of(lambda: refused(many)) < 1_000_000 + len(many)


def test_a_folder_with_very_many_names_is_refused_before_it_is_listed(tmp_path: Path) -> None:
    for number in range(MAX_FILES + 1_500):
        (tmp_path / f"d{number}").mkdir()
    with pytest.raises(TooLargeError):
        read_bundle(tmp_path)


@pytest.mark.parametrize("name", ["case.zip", "case"])
def test_a_planted_partial_file_is_not_written_through(tmp_path: Path, name: str) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (tmp_path / f".{name}.{os.getpid()}.partial").symlink_to(victim)
    write_bundle(Bundle(FILES), tmp_path / name)
    assert victim.read_bytes() == b"untouched"
    assert read_bundle(tmp_path / name) == Bundle(FILES)


def test_links_and_deep_folders_are_refused(tmp_path: Path) -> None:
    for number, make in enumerate(
        (
            lambda folder: (folder / "link.txt").symlink_to("/etc/hostname"),
            lambda folder: (folder / "events" / "link").symlink_to(tmp_path),
            lambda folder: os.mkfifo(folder / "pipe"),
            lambda folder: (folder / "events" / "001-acknowledged" / "deeper").mkdir(),
        )
    ):
        folder = tmp_path / f"case{number}"
        write_bundle(Bundle(FILES), folder)
        make(folder)
        with pytest.raises(MalformedError, match="neither a file nor a folder"):
            read_bundle(folder)


def test_what_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_bundle(tmp_path / "case.zip")
