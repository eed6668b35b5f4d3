"""What partners say of their directories: an alarm for each that differs, and streams end when this node's changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import DirectoryChangedError
from gateway.feed.service.alarms import DIRECTORY_VERSIONS, Alarms
from gateway.feed.service.partner_directories import PartnerDirectories
from gateway.v1.feed_pb2 import HeldDirectory
from tests.support.nodes import trusted


class Node:
    """cn, whose directory a test replaces."""

    def __init__(self) -> None:
        self.trust = trusted()
        self.alarms = Alarms(lambda: 0)
        self.directories = PartnerDirectories(trust=lambda: self.trust, alarms=self.alarms, clock=lambda: 0)

    def put_next_version(self) -> None:
        made = self.trust.directory
        self.trust = trusted()
        self.trust.directory = replace(made, version=made.version + 1)

    def revoke(self) -> None:
        """More is revoked, under the same number."""
        made = self.trust.directory
        self.trust = trusted()
        self.trust.directory = replace(made, revoked_certificates=frozenset({"aa" * 32}))
        self.trust.known_version = made.version + 1

    def take_revocation(self) -> None:
        """An owner's, beside the same version."""
        made = self.trust.directory
        self.trust = trusted()
        self.trust.directory = replace(made, revoked_certificates=frozenset({"bb" * 32}))
        self.trust.owners_digest = b"\x01" * 32

    def alarmed(self) -> dict[str, str]:
        return {alarm.subject: alarm.message for alarm in self.alarms.list() if alarm.code == DIRECTORY_VERSIONS}


@pytest.fixture
def cn() -> Node:
    return Node()


def test_a_stream_ends_once_another_version_is_in_force(cn: Node) -> None:
    require_current = cn.directories.current()
    require_current()
    cn.put_next_version()
    with pytest.raises(DirectoryChangedError, match="version 2 of the directory is in force here now"):
        require_current()
    cn.directories.current()()


def test_each_partner_on_another_version_has_an_alarm_until_both_are_the_same(cn: Node) -> None:
    first = cn.directories.held()
    cn.directories.note("hk", first)
    cn.directories.note("mo", HeldDirectory())  # an earlier release
    assert cn.alarmed() == {}
    cn.put_next_version()
    cn.directories.compare()
    assert set(cn.alarmed()) == {"hk"}
    cn.directories.note("mo", HeldDirectory(version=first.version + 2))
    assert "what version 2 revokes still counts at hk" in cn.alarmed()["hk"]
    assert "what version 3 revokes still counts here" in cn.alarmed()["mo"]
    cn.directories.note("hk", cn.directories.held())
    cn.directories.note("mo", HeldDirectory(version=first.version + 1, digest=bytes(32)))
    assert "another version 2 of the directory" in cn.alarmed().pop("mo")
    assert set(cn.alarmed()) == {"mo"}
    cn.directories.note("mo", cn.directories.held())
    assert cn.alarmed() == {}


def test_a_stream_ends_once_more_is_revoked(cn: Node) -> None:
    require_current = cn.directories.current()
    cn.revoke()
    with pytest.raises(DirectoryChangedError, match="version 2 of the directory was offered here"):
        require_current()
    cn.directories.current()()


def test_a_version_that_is_known_is_said_to_be_refused_already(cn: Node) -> None:
    first = cn.directories.held()
    cn.revoke()
    assert (cn.directories.held().version, cn.directories.held().known_version) == (1, 2)
    cn.directories.note("hk", HeldDirectory(version=2, digest=bytes(32), known_version=2))
    assert "what version 2 revokes is refused here already" in cn.alarmed()["hk"]
    cn.put_next_version()
    cn.directories.note("hk", HeldDirectory(version=1, digest=first.digest, known_version=2))
    assert "what version 2 revokes is refused at hk already" in cn.alarmed()["hk"]


def test_a_partner_that_lacks_what_an_owner_revoked_is_named_and_streams_end_when_it_is_taken(cn: Node) -> None:
    earlier = HeldDirectory(version=1, digest=cn.trust.digest)
    require_current, before = cn.directories.current(), cn.directories.held()

    def lacks(held: HeldDirectory) -> bool:
        cn.directories.note("hk", held)
        (said,) = cn.directories.listed()
        return cn.directories.lacks_revocations(said)

    assert not lacks(before)
    assert not lacks(earlier)
    cn.take_revocation()
    with pytest.raises(DirectoryChangedError, match="what an authority revoked by itself was taken here"):
        require_current()
    assert lacks(before)
    assert lacks(earlier)
    assert not lacks(cn.directories.held())
    assert not lacks(HeldDirectory(version=2, digest=bytes(32), revocations_digest=before.revocations_digest))
    cn.put_next_version()
    cn.take_revocation()
    assert lacks(before)
    assert not lacks(HeldDirectory(version=1, digest=bytes(32), revocations_digest=b"\x02" * 32)), "it may have more"


def test_both_digests_of_two_versions_are_named_also_of_an_earlier_one(cn: Node) -> None:
    theirs, ours = b"\x01" * 32, b"\x02" * 32
    cn.directories.note("hk", cn.directories.held())
    cn.directories.note_past("hk", 1, digest=theirs, own=ours)
    assert f"SHA-256 {theirs.hex()} there and {ours.hex()} here" in cn.alarmed()["hk"]
    cn.directories.note("hk", cn.directories.held())
    assert "another version 1" in cn.alarmed()["hk"], "a statement about the newest says nothing about that"
    cn.directories.note_past("hk", 2, digest=b"", own=b"")
    assert "another version 1" in cn.alarmed()["hk"], "nor does what a later version is compared with"
    for digest, own in ((ours, ours), (b"", ours), (theirs, b"")):
        cn.directories.note_past("hk", 1, digest=digest, own=own)
        assert cn.alarmed() == {}
    cn.directories.note_past("hk", 1, digest=theirs, own=ours)
    cn.put_next_version()
    cn.directories.note("hk", cn.directories.held())
    assert cn.alarmed() == {}, "both have the same later one in force"
    other = HeldDirectory(version=cn.directories.held().version, digest=theirs)
    cn.directories.note("hk", other)
    assert f"SHA-256 {theirs.hex()} there and {cn.directories.held().digest.hex()} here" in cn.alarmed()["hk"]


def test_listeners_hear_of_each_statement(cn: Node) -> None:
    heard: list[str] = []
    cn.directories.on_statement(lambda: heard.append("it"))
    cn.directories.note("mo", HeldDirectory())
    cn.directories.note("hk", cn.directories.held())
    assert heard == ["it"]
