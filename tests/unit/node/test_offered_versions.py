"""What partners offered is on disk: it restricts after a restart too, whatever else lies in the folder."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import DirectoryError
from gateway.feed.service.alarms import DIRECTORY, DIRECTORY_OFFERED, DIRECTORY_SPLIT, Alarms
from gateway.node.directory_store import DirectoryStore, KeptVersions, put_in_place
from gateway.trust.rules.directory import Directory
from tests.support.directories import NODES, NOW, anchors, authority_signer, directory, rotated, signed

A, B = "aa" * 32, "bb" * 32
OVER = NOW + timedelta(days=200)


def version(number: int, *certificates: str, days: int = 365) -> Directory:
    return replace(
        directory(),
        version=number,
        revoked_certificates=frozenset(certificates),
        expires_at=NOW + timedelta(days=days),
    )


def of_both(made: Directory) -> bytes:
    return signed(made, [authority_signer(name, generation) for generation in (0, 1) for name in NODES])


def of_new(made: Directory) -> bytes:
    return signed(made, [authority_signer(name, 1) for name in NODES])


class Machine:
    """A node's file and data folder; each `store` is another process."""

    def __init__(self, folder: Path) -> None:
        self.file, self.data = folder / "directory.note", folder / "data"
        self.file.write_bytes(signed(version(1)))
        self.alarms = Alarms(lambda: 0)

    def store(self, *, takes: bool = False, now: datetime = NOW) -> DirectoryStore:
        return DirectoryStore(self.file, kept=KeptVersions(self.data), anchors=anchors(), now=now, takes_offers=takes)

    def refresh(self, store: DirectoryStore, now: datetime = NOW) -> bool:
        return store.refresh(now=now, alarms=self.alarms)

    def said(self, code: str) -> list[str]:
        return [alarm.message for alarm in self.alarms.list() if alarm.code == code]

    @property
    def offered(self) -> list[Path]:
        return sorted((self.data / "directory" / "offered").glob("*"))

    @property
    def kept(self) -> list[str]:
        return sorted(path.name for path in (self.data / "directory").glob("*.note"))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def revoked(store: DirectoryStore) -> frozenset[str]:
    return store.directory().revoked_certificates


def test_an_offer_counts_at_once_and_after_a_restart_until_it_is_in_force(machine: Machine) -> None:
    store = machine.store()
    before = store.directory()
    store.offer(signed(version(2, A)), "hk")
    assert revoked(store) == {A}
    assert (store.directory() is not before, store.trusted().version) == (True, 1)
    assert [machine.refresh(store), machine.refresh(store)] == [True, False]
    (message,) = machine.said(DIRECTORY_OFFERED)
    assert "version 2 of the directory is offered by hk" in message
    again = machine.store()
    assert (revoked(again), again.trusted().version, again.state().later[0].partner) == ({A}, 1, "hk")
    machine.file.write_bytes(signed(version(2, A)))
    assert machine.refresh(again)
    assert (machine.said(DIRECTORY_OFFERED), machine.offered, machine.kept) == (
        [],
        [],
        ["000001.note", "000002.note"],
    )


def test_one_that_cannot_be_removed_counts_no_more_once_a_later_one_is_in_force(machine: Machine) -> None:
    store = machine.store()
    store.offer(signed(version(2, A)), "hk")
    (path,) = machine.offered
    path.unlink()
    path.mkdir()  # `unlink` fails
    machine.file.write_bytes(signed(version(3, B)))
    assert machine.refresh(store)
    assert (revoked(store), store.trusted().version, path.exists()) == ({B}, 3, True)
    store.offer(signed(version(4, A)), "hk")
    assert revoked(store) == {A, B}
    assert revoked(machine.store()) == {A, B}


def test_one_whose_file_came_back_counts_no_more_either(machine: Machine) -> None:
    store = machine.store()
    store.offer(signed(version(2, A)), "hk")
    (path,) = machine.offered
    note = path.read_bytes()
    machine.file.write_bytes(signed(version(3)))
    machine.refresh(store)
    path.write_bytes(note)
    assert (revoked(store), revoked(machine.store())) == (frozenset(), frozenset())


@pytest.mark.parametrize(
    "planted", [b"", b"nonsense\n", of_new(rotated(version(2, B)))], ids=["empty", "none", "theirs"]
)
def test_a_planted_file_hides_no_true_one(machine: Machine, planted: bytes) -> None:
    store = machine.store()
    store.offer(signed(version(2, A)), "hk")
    (path,) = machine.offered
    path.write_bytes(planted)
    others = [path.with_name(path.name.replace("000002", number)) for number in ("000001", "000009")]
    for other in others:
        other.write_bytes(planted)
    again = machine.store()
    assert revoked(again) == frozenset()
    assert again.offer(signed(version(2, A)), "hk").version == 2
    assert path.read_bytes() == signed(version(2, A))
    assert revoked(machine.store()) == {A}


def test_files_count_by_their_content_in_any_order(machine: Machine) -> None:
    store = machine.store()
    for note in (of_both(rotated(version(2, A))), of_new(rotated(version(3, B)))):
        store.offer(note, "hk")
    second, third = machine.offered
    third.rename(third.with_name(third.name.replace("000003", "000001")))
    again = machine.store()
    assert [offer.version.version for offer in again.state().offers] == [2, 3]
    assert revoked(again) == {A, B}
    machine.refresh(again)
    assert machine.offered == [second, third]


def test_one_that_cannot_be_stored_counts_and_is_stored_later(machine: Machine) -> None:
    store = machine.store()
    folder = machine.data / "directory" / "offered"
    folder.touch()  # no folder can be made there
    store.offer(signed(version(2, A)), "hk")
    assert revoked(store) == {A}
    machine.refresh(store)
    assert ["can't be kept" in message for message in machine.said(DIRECTORY)] == [True]
    folder.unlink()
    machine.refresh(store)
    assert (machine.said(DIRECTORY), len(machine.offered)) == ([], 1)


def test_versions_that_are_over_do_not_stop_the_way_to_the_newest(machine: Machine) -> None:
    store = machine.store()
    for note in (
        of_both(rotated(version(2, A, days=30))),
        of_new(rotated(version(3, days=40))),
        of_new(rotated(version(4))),
    ):
        store.offer(note, "hk")
    restarted = machine.store(takes=True, now=OVER)
    assert machine.refresh(restarted, OVER)
    assert (restarted.trusted().version, machine.file.read_bytes()) == (4, of_new(rotated(version(4))))
    assert machine.kept == [f"00000{number}.note" for number in (1, 2, 3, 4)]
    assert (machine.offered, machine.store(now=OVER).trusted().version) == ([], 4)


def test_a_crash_between_the_file_and_the_kept_versions_leaves_the_way(machine: Machine) -> None:
    """The command has written the file; no process has seen it yet."""
    store = machine.store()
    for note in (of_both(rotated(version(2, A))), of_new(rotated(version(3)))):
        store.offer(note, "hk")
    offer = store.state().newest(NOW)
    assert offer is not None
    put_in_place(machine.file, offer.version.note, store.state())
    started = machine.store()
    assert (started.trusted().version, machine.kept) == (3, ["000001.note", "000002.note", "000003.note"])


@pytest.mark.parametrize(
    "other", [b"a draft\n", signed(version(2)), signed(version(3))], ids=["none", "2", "another 3"]
)
def test_what_an_operator_has_put_there_meanwhile_stays(machine: Machine, other: bytes) -> None:
    store = machine.store()
    store.offer(signed(version(3, A)), "hk")
    offer = store.state().newest(NOW)
    assert offer is not None
    machine.file.write_bytes(other)
    with pytest.raises(DirectoryError, match="it is left alone"):
        put_in_place(machine.file, offer.version.note, store.state())
    assert machine.file.read_bytes() == other
    machine.file.unlink()
    with pytest.raises(DirectoryError, match="No such file"):
        put_in_place(machine.file, offer.version.note, store.state())
    assert not machine.file.exists()


def test_a_node_that_takes_offers_leaves_another_file_alone(machine: Machine) -> None:
    store = machine.store(takes=True)
    machine.refresh(store)
    machine.file.write_bytes(b"a draft\n")
    store.offer(signed(version(2, A)), "hk")
    for _ in range(2):
        machine.refresh(store)
    assert (machine.file.read_bytes(), store.trusted().version, revoked(store)) == (b"a draft\n", 1, {A})
    machine.file.write_bytes(signed(version(1)))
    machine.refresh(store)
    assert (store.trusted().version, machine.said(DIRECTORY), machine.said(DIRECTORY_OFFERED)) == (2, [], [])


def test_a_file_that_was_refused_is_looked_at_again_once_the_version_before_it_is_offered(machine: Machine) -> None:
    store = machine.store()
    machine.file.write_bytes(of_new(rotated(version(3))))
    machine.refresh(store)
    assert ["2 succession" in message for message in machine.said(DIRECTORY)] == [True]
    store.offer(of_both(rotated(version(2, A))), "hk")
    machine.refresh(store)
    assert (store.trusted().version, machine.said(DIRECTORY)) == (3, [])
    assert machine.kept == ["000001.note", "000002.note", "000003.note"]


def test_a_file_keeps_its_mode(machine: Machine) -> None:
    machine.file.chmod(0o640)
    store = machine.store(takes=True)
    store.offer(signed(version(2)), "hk")
    before = os.umask(0o077)
    try:
        machine.refresh(store)
    finally:
        os.umask(before)
    assert (store.trusted().version, machine.file.stat().st_mode & 0o777) == (2, 0o640)


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_node_does_not_start_without_what_an_unreadable_offer_revokes(machine: Machine, what: str) -> None:
    machine.store().offer(signed(version(2, A)), "hk")
    (path,) = machine.offered
    broken = path if what == "file" else path.parent
    broken.rename(machine.data / "elsewhere")
    broken.symlink_to(broken.name)  # as unreadable for root as for anybody
    with pytest.raises(DirectoryError, match=f"{broken.name} can't be read"):
        machine.store()
    broken.unlink()
    (machine.data / "elsewhere").rename(broken)
    assert revoked(machine.store()) == {A}


def test_a_split_is_an_alarm_until_the_file_of_the_wrong_one_is_removed(machine: Machine) -> None:
    store = machine.store(takes=True)
    machine.refresh(store)
    store.offer(signed(version(2, A)), "hk")
    store.offer(signed(version(2, B)), "mo")
    machine.refresh(store)
    assert store.trusted().version == 1
    (message,) = machine.said(DIRECTORY_SPLIT)
    digests = [offer.version.digest.hex() for offer in store.state().offers]
    assert all(word in message for word in (*digests, "hk", "mo", "version 2"))
    restarted = machine.store(takes=True)
    machine.refresh(restarted)
    assert machine.said(DIRECTORY_SPLIT) == [message]
    (wrong,) = [path for path in machine.offered if ".mo." in path.name]
    wrong.unlink()
    for _ in range(2):
        machine.refresh(restarted)
    assert (machine.said(DIRECTORY_SPLIT), restarted.trusted().version, revoked(restarted)) == ([], 2, {A})


def test_offered_versions_are_the_owners_alone(machine: Machine) -> None:
    machine.store().offer(signed(version(2)), "hk")
    (path,) = machine.offered
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
