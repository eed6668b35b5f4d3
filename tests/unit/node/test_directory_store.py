"""A node keeps every version of the directory that it accepted, and verifies them again at each start."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import DirectoryError
from gateway.feed.service.alarms import Alarms
from gateway.node.directory_store import EARLIER_FILE, DirectoryStore, KeptVersions
from gateway.trust.rules.directory import Authority, Directory
from gateway.trust.service.directory_drafts import next_version
from tests.support.directories import NODES, NOW, anchors, authority_signer, card, directory, signed

LATER = NOW + timedelta(days=10)


def rotated(version: Directory) -> Directory:
    """The version with other directory keys for everybody."""
    cards = {name: card(name, generation=1) for name in NODES}
    named = {
        name: Authority(name, cards[name].directory_key, authority.display_names)
        for name, authority in version.authorities.items()
    }
    return replace(version, authorities=named)


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


def names(data: Path) -> list[str]:
    return sorted(path.name for path in (data / "directory").iterdir())


def test_every_version_is_kept_and_a_restart_goes_on_from_the_newest(data: Path) -> None:
    store = opened(data, FIRST)
    data.with_name("directory.note").write_bytes(SECOND)
    assert store.refresh(now=LATER, alarms=Alarms(lambda: 0))
    assert names(data) == ["000001.note", "000002.note"]
    assert opened(data, SECOND).trusted().version == 2
    with pytest.raises(DirectoryError):
        opened(data, FIRST)


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
