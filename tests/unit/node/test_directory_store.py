"""A node keeps every version of the directory that it accepted, and verifies them again at each start."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import DirectoryError
from gateway.feed.service.alarms import Alarms
from gateway.node import directory_store
from gateway.node.directory_store import EARLIER_FILE, DirectoryStore, KeptVersions
from gateway.trust.rules.directory import Validity
from gateway.trust.service.directory_drafts import next_version
from tests.support.directories import NODES, NOW, anchors, authority_signer, directory, rotated, signed

LATER = NOW + timedelta(days=10)


FIRST = signed(directory())
SECOND = signed(
    rotated(next_version(directory(), issued_at=LATER)),
    [authority_signer(name, generation) for generation in (0, 1) for name in NODES],
)
PLANTED = signed(
    rotated(replace(next_version(directory(), issued_at=LATER), version=9)),
    [authority_signer(name, 1) for name in NODES],
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def opened(data: Path, note: bytes) -> DirectoryStore:
    file = data.with_name("directory.note")
    file.write_bytes(note)
    return DirectoryStore(file, kept=KeptVersions(data), anchors=anchors(), now=LATER)


def alarms_of(store: DirectoryStore, now: datetime = LATER) -> tuple[list[str], Alarms]:
    """What the store says when it looks at its file."""
    alarms = Alarms(lambda: 0)
    store.refresh(now=now, alarms=alarms)
    return [alarm.message for alarm in alarms.list()], alarms


def test_a_restart_without_the_file_goes_on_with_the_accepted_version(data: Path) -> None:
    file = data.with_name("directory.note")
    opened(data, FIRST)
    file.unlink()
    store = DirectoryStore(file, kept=KeptVersions(data), anchors=anchors(), now=LATER)
    assert store.trusted().version == 1
    ((message,), alarms) = alarms_of(store)
    assert message == f"directory file {file}: No such file or directory; version 1 stays in force"
    file.write_bytes(FIRST)  # the same bytes as before
    store.refresh(now=LATER, alarms=alarms)
    assert alarms.list() == []
    file.unlink()
    store.refresh(now=LATER, alarms=alarms)
    file.write_bytes(SECOND)
    assert store.refresh(now=LATER, alarms=alarms)
    assert (store.trusted().version, alarms.list()) == (2, [])


def test_without_file_and_accepted_version_there_is_no_start(data: Path) -> None:
    with pytest.raises(DirectoryError, match="No such file"):
        DirectoryStore(data / "none.note", kept=KeptVersions(data), anchors=anchors(), now=LATER)


def test_an_alarm_lasts_as_long_as_the_file_is_wrong(data: Path) -> None:
    file = data.with_name("directory.note")
    store, alarms = opened(data, FIRST), Alarms(lambda: 0)

    def seen(note: bytes | None) -> str:
        file.write_bytes(note) if note is not None else file.unlink()
        for _ in range(2):  # the second look finds the same file
            store.refresh(now=LATER, alarms=alarms)
        return "; ".join(alarm.message for alarm in alarms.list())

    assert "2 succession" in seen(PLANTED)
    assert "No such file" in seen(None)
    assert "2 succession" in seen(PLANTED), "not what was wrong before"
    assert seen(FIRST) == ""


def test_a_version_that_cant_be_kept_is_in_force_and_kept_later(data: Path) -> None:
    store, alarms = opened(data, FIRST), Alarms(lambda: 0)
    folder, aside = data / "directory", data / "aside"
    folder.rename(aside)
    folder.touch()  # no folder can be made there
    data.with_name("directory.note").write_bytes(SECOND)
    assert store.refresh(now=LATER, alarms=alarms)
    assert store.trusted().version == 2
    assert ["can't be kept" in alarm.message for alarm in alarms.list()] == [True]
    folder.unlink()
    aside.rename(folder)
    store.refresh(now=LATER, alarms=alarms)
    assert (names(data), alarms.list()) == (["000001.note", "000002.note"], [])


def test_the_version_in_force_is_in_force_after_a_restart_beyond_its_grace(data: Path) -> None:
    opened(data, FIRST)
    over = directory().grace_ends_at + timedelta(days=1)
    file = data.with_name("directory.note")
    for path in (file, data / "gone.note"):
        store = DirectoryStore(path, kept=KeptVersions(data), anchors=anchors(), now=over)
        assert store.trusted().validity(over) is Validity.EXPIRED
    with pytest.raises(DirectoryError, match="6 validity"):
        DirectoryStore(file, kept=KeptVersions(data.with_name("new")), anchors=anchors(), now=over)


def names(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "directory").iterdir())


def test_every_version_is_kept_and_a_restart_goes_on_from_the_newest(data: Path) -> None:
    store = opened(data, FIRST)
    data.with_name("directory.note").write_bytes(SECOND)
    assert store.refresh(now=LATER, alarms=Alarms(lambda: 0))
    assert names(data) == ["000001.note", "000002.note"]
    assert opened(data, SECOND).trusted().version == 2
    assert opened(data, FIRST).trusted().version == 2


def test_more_signatures_on_a_version_do_not_replace_what_was_kept(data: Path) -> None:
    opened(data, FIRST)
    opened(data, SECOND)
    fewer = signed(rotated(next_version(directory(), issued_at=LATER)), [authority_signer(name, 1) for name in NODES])
    assert opened(data, fewer).trusted().note == fewer
    assert opened(data, SECOND).trusted().version == 2
    assert (data / "directory/000002.note").read_bytes() == SECOND


@pytest.mark.parametrize("name", [EARLIER_FILE, "directory/000009.note"])
def test_a_planted_version_stops_the_start(data: Path, name: str) -> None:
    path = data / name
    path.parent.mkdir(parents=True)
    path.write_bytes(PLANTED)
    with pytest.raises(DirectoryError, match="2 succession") as caught:
        opened(data, PLANTED)
    assert "000001.note" in caught.value.way_out
    with pytest.raises(DirectoryError, match="2 succession"):
        opened(data, FIRST)


def test_a_planted_version_behind_genuine_ones_stops_the_start(data: Path) -> None:
    opened(data, FIRST)
    (data / "directory/000009.note").write_bytes(PLANTED)
    with pytest.raises(DirectoryError, match="2 succession"):
        opened(data, FIRST)


def test_an_earlier_releases_file_goes_into_the_folder(data: Path) -> None:
    data.mkdir()
    (data / EARLIER_FILE).write_bytes(FIRST)
    opened(data, SECOND)
    assert names(data) == ["000001.note", "000002.note"]
    assert not (data / EARLIER_FILE).exists()


def test_an_earlier_releases_file_after_a_change_of_keys_needs_the_versions_before(data: Path) -> None:
    third = signed(
        replace(rotated(next_version(directory(), issued_at=LATER)), version=3),
        [authority_signer(name, 1) for name in NODES],
    )
    data.mkdir()
    (data / EARLIER_FILE).write_bytes(third)
    with pytest.raises(DirectoryError, match=EARLIER_FILE):
        opened(data, third)
    (data / "directory").mkdir()
    for number, note in enumerate((FIRST, SECOND, third), 1):
        (data / f"directory/{number:06}.note").write_bytes(note)
    assert opened(data, third).trusted().version == 3
    assert not (data / EARLIER_FILE).exists()


def test_kept_versions_are_the_owners_alone(data: Path) -> None:
    opened(data, FIRST)
    assert (data / "directory").stat().st_mode & 0o777 == 0o700
    assert (data / "directory/000001.note").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("wrong", [b"", b"nonsense\n", PLANTED], ids=["empty", "no note", "of others"])
def test_a_wrong_file_does_not_stop_a_start_with_an_accepted_version(data: Path, wrong: bytes) -> None:
    opened(data, FIRST)
    store = opened(data, wrong)
    assert store.trusted().version == 1
    ((message,), alarms) = alarms_of(store)
    assert message.startswith(f"directory file {data.with_name('directory.note')}: ")
    assert message.endswith("version 1 stays in force")
    data.with_name("directory.note").write_bytes(SECOND)
    assert store.refresh(now=LATER, alarms=alarms)
    assert (store.trusted().version, alarms.list()) == (2, [])


def test_where_accepted_versions_cannot_be_listed_no_older_one_is_accepted(data: Path) -> None:
    opened(data, signed(replace(directory(), version=2)))
    (data / "directory").rename(data / "elsewhere")
    (data / "directory").symlink_to("directory")
    with pytest.raises(DirectoryError, match=r"accepted versions of the directory in .* can't be read"):
        opened(data, FIRST)


def test_an_older_file_does_not_take_the_accepted_version_back(data: Path) -> None:
    opened(data, FIRST)
    opened(data, SECOND)
    store = opened(data, FIRST)
    assert store.trusted().version == 2
    assert len(alarms_of(store)[0]) == 1


def test_an_empty_kept_version_is_named(data: Path) -> None:
    opened(data, FIRST)
    opened(data, SECOND)
    kept = data / "directory" / "000002.note"
    kept.write_bytes(b"")
    with pytest.raises(DirectoryError, match=f"^{kept} is empty") as refused:
        opened(data, SECOND)
    assert "remove the empty file" in refused.value.way_out


def test_a_version_that_cannot_be_kept_at_the_start_is_an_alarm(data: Path) -> None:
    opened(data, FIRST)
    (data / "directory" / "000001.note").rename(data / EARLIER_FILE)
    (data / "directory").rmdir()
    (data / "directory").write_text("a file where the folder belongs")
    store = opened(data, FIRST)
    ((message,), _) = alarms_of(store)
    assert "can't be kept in the data folder" in message
    assert "directory" in message


def test_the_file_is_read_again_after_each_change_alone(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(data, FIRST)
    reads: list[Path] = []
    read = directory_store._read

    def counted(file: Path) -> bytes:
        reads.append(file)
        return read(file)

    monkeypatch.setattr(directory_store, "_read", counted)
    file = data.with_name("directory.note")
    for _ in range(3):
        alarms_of(store)
    assert len(reads) <= 1
    file.write_bytes(b"x" * len(FIRST))
    assert alarms_of(store)[0] != []
    file.write_bytes(SECOND)
    assert alarms_of(store)[0] == []
    assert store.trusted().version == 2
