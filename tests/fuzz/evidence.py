"""Targets: bundles of evidence. A bundle that verifies is the one that was exported."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from gateway.contract.limits import SALT_BYTES
from gateway.errors import GatewayError
from gateway.evidence.codec.answer_bundle import is_answer, parts_of_answer, render_answer
from gateway.evidence.codec.audit_head import (
    AUDIT_ENTRIES,
    audit_feed,
    encode_head_file,
    head_event,
    verify_head_file,
)
from gateway.evidence.codec.bundle import Bundle, decode_zip, encode_zip, parts_of
from gateway.evidence.codec.bundle_text import render
from gateway.evidence.service.answer_check import examine_answer
from gateway.evidence.service.check import examine
from gateway.evidence.service.files import read_bundle
from gateway.feed.codec import make_entry
from gateway.feed.tables.feeds import StoredEntry
from gateway.tlog.checkpoint import Checkpoint, sign_checkpoint
from gateway.tlog.merkle import Tree
from gateway.trust.rules.audit import AuditHead
from gateway.trust.service.directory_versions import TrustedDirectory, accept
from tests.fuzz.target import target
from tests.support.directories import FEDERATION, NOW, anchors, directory, signed, signer

FILES = Path(__file__).parents[1] / "fixtures/first_release_candidate"
DIRECTORY = (FILES / "directory.note").read_bytes()


@cache
def sound(name: str) -> Bundle:
    """The bundle about an alert, or about an answer, of the earlier release."""
    return decode_zip((FILES / f"{name}-evidence.zip").read_bytes())


def _small() -> Iterator[bytes]:
    yield encode_zip(Bundle({"README.txt": b"words", "events/001-closed/salt.bin": bytes(32)}))
    yield encode_zip(Bundle({}))


@target(_small)
def bundle_zip(data: bytes) -> None:
    """A .zip file that is read is packed to the same bytes."""
    assert encode_zip(decode_zip(data)) == data


@target(lambda: [(FILES / f"{name}-evidence.zip").read_bytes() for name in ("alert", "answer")], max_bytes=262_144)
def evidence_zip(data: bytes) -> None:
    """No other file verifies."""
    _verify(decode_zip(data))


def _replacements() -> Iterator[bytes]:
    for name in ("alert", "answer"):
        for number, content in enumerate(sound(name).files.values()):
            yield bytes([name == "answer", number]) + content


@target(_replacements, max_bytes=65_536)
def evidence_file(data: bytes) -> None:
    """No file of a bundle can be replaced; the first two bytes choose bundle and file."""
    whole = sound("answer" if data[:1] == b"\x01" else "alert")
    names = list(whole.files)
    name = names[data[1] % len(names) if len(data) > 1 else 0]
    _verify(Bundle({**whole.files, name: data[2:]}))


def _verify(bundle: Bundle) -> None:
    if is_answer(bundle):
        answer = examine_answer(bundle, directory_note=DIRECTORY)
        assert answer.evidence is None or bundle == sound("answer")
        render_answer(parts_of_answer(bundle))
    else:
        examination = examine(bundle, directory_note=DIRECTORY, require_receipt=False)
        assert examination.evidence is None or bundle == sound("alert")
        render(parts_of(bundle))


def _folders() -> Iterator[bytes]:
    yield b"README.txt\0words\0events/001-closed/salt.bin\0salt"
    yield b"a/b/c/d\0deep\0.hidden\0x"


@target(_folders, max_bytes=1_024)
def bundle_folder(data: bytes) -> None:
    """A folder is read as a bundle or refused; names and contents come in turns."""
    parts = data.split(b"\0")
    with tempfile.TemporaryDirectory() as folder:
        written = {}
        for name, content in zip(parts[::2], parts[1::2], strict=False):
            path = Path(folder, name.decode("utf-8", "replace").lstrip("/"))
            if ".." in path.parts or len(name) > 100 or any(0xD800 <= ord(c) < 0xE000 for c in path.name):
                continue
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            except OSError:
                continue
            written[str(path.relative_to(folder))] = content
        bundle = read_bundle(Path(folder))
        assert dict(bundle.files) == {name: content for name, content in written.items() if name in bundle.files}
        assert decode_zip(encode_zip(bundle)) == bundle
    try:
        parts_of(bundle)
    except GatewayError:
        return


@cache
def _trust() -> TrustedDirectory:
    return accept(signed(directory()), now=NOW, anchors=anchors())


@cache
def sound_head() -> bytes:
    """The second of three heads of cn's audit log, as a file."""
    origin = audit_feed(FEDERATION, "cn")
    entries = [
        make_entry(
            AUDIT_ENTRIES.type_name,
            head_event(AuditHead(10 * number, bytes([number] * 32))).SerializeToString(deterministic=True),
            salt=bytes([number] * SALT_BYTES),
            recorded_at_ms=int(NOW.timestamp() * 1000) + number,
        )
        for number in range(1, 4)
    ]
    first, second, third = entries
    tree = Tree.empty().append([entry.leaf for entry in entries]).tree
    note = sign_checkpoint(Checkpoint(origin.line, 3, tree.root), signer(origin.line, 2_000))
    stored = StoredEntry(1, second.header, second.salt, second.payload)
    return encode_head_file(stored, (first.leaf, third.leaf), note)


@target(lambda: [sound_head()])
def audit_head_file(data: bytes) -> None:
    """No file verifies as another head than the one that was signed."""
    head = verify_head_file(data, _trust(), "cn")
    assert (head.head, head.index) == (AuditHead(20, bytes([2] * 32)), 1)
