"""What an operator sees of a version of the directory before it is taken, and when it is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import DirectoryError, MalformedError
from gateway.node.directory_preview import preview_of
from gateway.node.directory_store import DirectoryStore, KeptVersions
from gateway.trust.codec.directory import encode_directory
from gateway.trust.pki.issuance import create_ca
from gateway.trust.rules.directory import Directory
from gateway.v1.node_service_pb2 import PreviewDirectoryResponse
from tests.support.directories import NOW, anchors, authority_signer, directory, rotated, signed

FIRST = directory()
NEXT = replace(FIRST, version=2, expires_at=FIRST.expires_at + timedelta(days=5))


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    file = tmp_path / "directory.note"
    file.write_bytes(signed(FIRST))
    return DirectoryStore(file, kept=KeptVersions(tmp_path / "data"), anchors=anchors(), now=NOW)


def looked_at(store: DirectoryStore, version: Directory, names: Sequence[str] = ()) -> PreviewDirectoryResponse:
    signers = [authority_signer(name) for name in names]
    note = signed(version, signers) if signers else encode_directory(version)
    return preview_of(note, store.state(), NOW)


def by_signature(shown: PreviewDirectoryResponse, *, given: bool) -> list[str]:
    return [signer.authority for signer in shown.signers if signer.signed is given]


def test_a_draft_shows_what_changes_and_that_nobody_has_signed(store: DirectoryStore) -> None:
    shown = looked_at(store, NEXT)
    assert (shown.version, shown.version_in_force, shown.threshold, shown.threshold_in_force) == (2, 1, 2, 2)
    assert by_signature(shown, given=False) == ["cn", "hk", "mo"]
    changes = {change.path: (change.before, change.after) for change in shown.changes}
    assert changes.keys() == {"expires_at", "version"}
    assert changes["version"] == ("1", "2")
    assert shown.problem


def test_who_has_signed_and_who_is_missing_is_known_before_it_is_enough(store: DirectoryStore) -> None:
    shown = looked_at(store, NEXT, ["hk"])
    assert (by_signature(shown, given=True), by_signature(shown, given=False)) == (["hk"], ["cn", "mo"])
    assert "2 succession" in shown.problem
    enough = looked_at(store, NEXT, ["hk", "mo"])
    assert (by_signature(enough, given=False), enough.problem) == (["cn"], "")


def test_new_keys_of_authorities_must_sign_beside_the_old(store: DirectoryStore) -> None:
    note = signed(rotated(NEXT), [authority_signer("cn"), authority_signer("cn", 1)])
    shown = preview_of(note, store.state(), NOW)
    assert len(shown.signers) == 6
    assert sum(signer.signed for signer in shown.signers if signer.counts_in_force) == 1
    assert sum(signer.signed for signer in shown.signers if signer.counts_itself) == 1
    assert not any(signer.counts_in_force and signer.counts_itself for signer in shown.signers)


def test_a_signature_over_other_bytes_is_none(store: DirectoryStore) -> None:
    other = replace(NEXT, grace_days=NEXT.grace_days + 1)
    note = encode_directory(other) + signed(NEXT).partition(b"\n\n")[1][1:] + signed(NEXT).rpartition(b"\n\n")[2]
    assert by_signature(preview_of(note, store.state(), NOW), given=True) == []


def test_cas_that_are_named_no_more_are_told(store: DirectoryStore, tmp_path: Path) -> None:
    other = create_ca(node="mo", federation=FIRST.federation, key_path=tmp_path / "ca.key", now=NOW)
    mo = replace(FIRST.nodes["mo"], tls_ca_pems=(other.certificate_pem.decode(),))
    shown = looked_at(store, replace(NEXT, nodes={**FIRST.nodes, "mo": mo}))
    assert [(ca.node, "mo" in ca.subject) for ca in shown.dropped_cas] == [("mo", True)]
    assert any(change.path.startswith("nodes.mo") for change in shown.changes)


def test_whole_agreements_and_nodes_are_told_as_they_are_written(store: DirectoryStore) -> None:
    first, *others = FIRST.agreements
    (change,) = [
        change
        for change in looked_at(store, replace(NEXT, agreements=tuple(others))).changes
        if change.path.startswith("agreements")
    ]
    assert change.path == f"agreements.{first.id}"
    assert first.clause[:20] in change.before
    assert change.after == ""


@pytest.mark.parametrize("bytes_", [b"", b"nonsense", b"{}", b"x\n\n\xe2\x80\x94 a AAAAAAAA\n"])
def test_what_is_no_directory_is_refused(store: DirectoryStore, bytes_: bytes) -> None:
    with pytest.raises(MalformedError):
        preview_of(bytes_, store.state(), NOW)


def test_only_one_with_enough_signatures_takes_the_files_place(store: DirectoryStore, tmp_path: Path) -> None:
    file = tmp_path / "directory.note"
    with pytest.raises(DirectoryError, match="2 succession"):
        store.take(signed(NEXT, [authority_signer("cn")]), NOW)
    with pytest.raises(DirectoryError, match="5 version"):
        store.take(signed(replace(FIRST, grace_days=1)), NOW)
    assert file.read_bytes() == signed(FIRST)
    assert store.take(signed(NEXT), NOW).version == 2
    assert file.read_bytes() == signed(NEXT)
    file.write_bytes(b"a draft\n")
    with pytest.raises(DirectoryError, match="it is left alone"):
        store.take(signed(NEXT), NOW)
