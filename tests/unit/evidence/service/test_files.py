"""Bundles on disk and as .zip: what isn't exactly a bundle is refused."""

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, MalformedError, TooLargeError
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
    with pytest.raises(ConfigurationError, match="exists already"):
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
