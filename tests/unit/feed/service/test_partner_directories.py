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
