"""What authorities revoked by themselves is on disk: it restricts after a restart too, and operators put it there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import DirectoryError
from gateway.feed.service.alarms import REVOCATION_REFUSED, REVOKED_BY_OWNER, Alarms
from gateway.node.directory_store import DirectoryStore, KeptVersions
from gateway.node.owner_revocations import BY_HAND, audit_entry
from gateway.trust.rules.audit import AuditResult
from tests.support.directories import NOW, anchors, directory, signed
from tests.support.owner_revocations import certificate, fingerprint, revocation, revoked

NOTE = revoked(revocation("mo", certificate("mo", "lost"), reason="a laptop is gone"))
LOST = fingerprint("mo", "lost")


class Machine:
    """A node's file and data folder; each `store` is another process."""

    def __init__(self, folder: Path) -> None:
        self.file, self.data = folder / "directory.note", folder / "data"
        self.file.write_bytes(signed(directory()))
        self.alarms = Alarms(lambda: 0)

    def store(self) -> DirectoryStore:
        return DirectoryStore(self.file, kept=KeptVersions(self.data), anchors=anchors(), now=NOW)

    def refresh(self, store: DirectoryStore, days: int = 0) -> bool:
        return store.refresh(now=NOW + timedelta(days=days), alarms=self.alarms)

    def put(self, *certificates: str) -> None:
        version = replace(directory(), version=2, revoked_certificates=frozenset(certificates))
        self.file.write_bytes(signed(version))

    def said(self, code: str) -> list[str]:
        return [alarm.message for alarm in self.alarms.list() if alarm.code == code]

    @property
    def folder(self) -> Path:
        return self.data / "directory" / "revocations"

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def is_revoked(store: DirectoryStore) -> bool:
    return store.directory().revoked_certificates == {LOST}


def test_one_counts_at_once_and_after_a_restart_until_a_version_says_it(machine: Machine) -> None:
    store = machine.store()
    before = store.directory()
    made = store.revoke(NOTE, "hk")
    assert is_revoked(store)
    assert store.directory() is not before
    assert [machine.refresh(store), machine.refresh(store)] == [True, False]
    assert machine.said(REVOKED_BY_OWNER) == [
        "mo has revoked certificates (1) and signing keys (0) by itself, the last at 2026-01-15 08:00 UTC; draft a "
        "version of the directory that says so; its reason: a laptop is gone"
    ]
    assert machine.names == [f"mo.{made.digest.hex()}.note"]
    assert (machine.folder.stat().st_mode & 0o777, (machine.folder / machine.names[0]).stat().st_mode & 0o777) == (
        0o700,
        0o600,
    )
    again = machine.store()
    assert is_revoked(again)
    assert again.new_revocations() == [], "it was taken before"
    machine.put(LOST)
    assert machine.refresh(again)
    assert (machine.said(REVOKED_BY_OWNER), len(machine.names), is_revoked(again)) == ([], 1, True)
    assert is_revoked(machine.store())


def test_before_a_nodes_first_version_too(machine: Machine) -> None:
    machine.folder.mkdir(parents=True)
    (machine.folder / "from mo.note").write_bytes(NOTE)
    assert is_revoked(machine.store())


def test_new_ones_are_told_once_with_who_gave_them(machine: Machine) -> None:
    store = machine.store()
    machine.refresh(store)
    store.revoke(NOTE, "hk")
    store.revoke(NOTE, "cn")
    machine.folder.joinpath("x.note").write_bytes(revoked(revocation("cn", certificate("cn", "lost"))))
    machine.refresh(store)
    told = store.new_revocations()
    assert [(made.authority, source) for made, source in told] == [("mo", "hk"), ("cn", BY_HAND)]
    assert store.new_revocations() == []
    event = audit_entry(*told[0], node="me", time_ms=7)
    assert (event.principal, event.result, event.counts) == (
        "gateway/hk",
        AuditResult.ALLOW,
        (("certificates", 1), ("keys", 0)),
    )
    assert all(word in event.detail for word in ("mo, 2026-01-15T08:00:00Z", "a laptop is gone", "system/mo/lost"))
    assert event.subject_ids == (told[0][0].digest.hex(), LOST)
    assert audit_entry(*told[1], node="me", time_ms=7).principal == "gateway/me"


@pytest.mark.parametrize("name", ["mo.note", f"mo.{'0' * 64}.note"], ids=["any name", "as another node names it"])
def test_a_file_that_an_operator_puts_there_is_taken_and_gets_its_name(machine: Machine, name: str) -> None:
    store = machine.store()
    machine.refresh(store)
    machine.folder.mkdir()
    (machine.folder / name).write_bytes(NOTE)
    assert machine.refresh(store)
    assert is_revoked(store)
    (kept,) = machine.names
    assert kept == f"mo.{store.state().revocations[0].digest.hex()}.note"
    (machine.folder / kept).unlink()
    machine.refresh(store)
    assert machine.names == [kept], "evidence isn't lost by a hand"
    assert [source for _, source in store.new_revocations()] == [BY_HAND]


def test_a_file_that_is_refused_is_an_alarm_until_it_is_right_or_gone(machine: Machine) -> None:
    store = machine.store()
    machine.refresh(store)
    machine.folder.mkdir()
    file = machine.folder / "mo.note"
    for content, words in (
        (revoked(revocation("mo", certificate("hk"))), "isn't mo's"),
        (NOTE[:-3], "step 1 form"),
        (b"x" * 100_000, "at most 65536 are read"),
    ):
        file.write_bytes(content)
        machine.refresh(store)
        (message,) = machine.said(REVOCATION_REFUSED)
        assert message.startswith(f"a revocation in {machine.folder} is refused: mo.note: ")
        assert words in message
        assert store.state().revocations == ()
    file.write_bytes(NOTE)
    machine.refresh(store)
    assert (machine.said(REVOCATION_REFUSED), is_revoked(store)) == ([], True)
    machine.put(LOST)
    machine.refresh(store)
    file.write_bytes(revoked(revocation("mo", certificate("mo", "lost"), reason="another note of the same")))
    machine.refresh(store)
    assert "mo.note: the directory says all of it already" in machine.said(REVOCATION_REFUSED)[0]
    file.unlink()
    machine.refresh(store)
    assert machine.said(REVOCATION_REFUSED) == []
    assert len(machine.names) == 1


def test_one_that_waits_for_a_version_is_taken_with_it(machine: Machine) -> None:
    """E.g. of a CA that the version in force here doesn't name yet."""
    store = machine.store()
    machine.folder.mkdir(parents=True)
    mo = directory().nodes["mo"]
    later = replace(mo, tls_ca_pems=directory().nodes["mo"].tls_ca_pems)
    without = replace(directory(), nodes={**directory().nodes, "mo": replace(mo, tls_ca_pems=())})
    machine.file.write_bytes(signed(replace(without, version=2)))
    machine.refresh(store)
    (machine.folder / "mo.note").write_bytes(NOTE)
    machine.refresh(store)
    assert "isn't under mo's own CA" in machine.said(REVOCATION_REFUSED)[0]
    machine.file.write_bytes(signed(replace(without, version=3, nodes={**without.nodes, "mo": later})))
    machine.refresh(store)
    assert (machine.said(REVOCATION_REFUSED), is_revoked(store)) == ([], True)


def test_a_node_does_not_start_without_what_it_cannot_read(machine: Machine) -> None:
    store = machine.store()
    store.revoke(NOTE, "hk")
    (path,) = machine.folder.glob("*")
    path.unlink()
    path.symlink_to(path)
    with pytest.raises(DirectoryError, match="can't be read") as raised:
        machine.store()
    assert "node's user" in raised.value.way_out
    machine.refresh(store)
    assert is_revoked(store), "a running node knows it"
    assert is_revoked(machine.store()), "and keeps it again"


def test_a_file_that_cannot_be_read_hides_no_other(machine: Machine) -> None:
    store = machine.store()
    machine.folder.mkdir(parents=True)
    (machine.folder / "a.note").mkdir()
    (machine.folder / "b.note").symlink_to("b.note")
    (machine.folder / "mo.note").write_bytes(NOTE)
    machine.refresh(store)
    assert is_revoked(store)
    assert "a.note can't be read" in machine.said(REVOCATION_REFUSED)[0]
    assert is_revoked(machine.store())


@pytest.mark.parametrize("planted", [b"", b"nonsense\n", revoked(revocation("mo", certificate("hk")))])
def test_a_planted_file_hides_no_true_one(machine: Machine, planted: bytes) -> None:
    store = machine.store()
    store.revoke(NOTE, "hk")
    (path,) = machine.folder.glob("*")
    path.with_name(f"hk.{'1' * 64}.note").write_bytes(planted)
    again = machine.store()
    assert is_revoked(again)
    path.write_bytes(planted)
    other = machine.store()
    assert other.directory().revoked_certificates == frozenset()
    machine.refresh(other)
    assert machine.said(REVOCATION_REFUSED) != []
    other.revoke(NOTE, "hk")
    assert path.read_bytes() == NOTE
    assert is_revoked(machine.store())


def test_certificates_that_have_expired_need_no_version_any_more(machine: Machine) -> None:
    store = machine.store()
    store.revoke(NOTE, "hk")
    machine.refresh(store, days=300)
    assert (machine.said(REVOKED_BY_OWNER), is_revoked(store)) == ([], True)


def test_several_by_one_authority_are_one_alarm(machine: Machine) -> None:
    store = machine.store()
    log_key, later = directory().nodes["mo"].log_keys[0].public_key, NOW + timedelta(minutes=5)
    second = revocation("mo", certificate("mo", "lost"), certificate("mo"), keys={log_key: NOW}, reason="more is gone")
    store.revoke(NOTE, "hk")
    store.revoke(revoked(replace(second, issued_at=later)), "hk")
    store.revoke(revoked(revocation("hk", certificate("hk", "lost"))), "hk")
    machine.refresh(store)
    messages = {message.partition(" has ")[0]: message for message in machine.said(REVOKED_BY_OWNER)}
    assert sorted(messages) == ["hk", "mo"]
    assert messages["mo"] == (
        "mo has revoked certificates (2) and signing keys (1) by itself, the last at 2026-01-15 08:05 UTC; draft a "
        "version of the directory that says so; its reason: more is gone"
    )
