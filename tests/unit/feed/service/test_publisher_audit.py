"""What a recipient finds when a publisher shows its checkpoint: each test changes exactly one of the numbered steps."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from gateway.errors import MalformedError, QuarantinedError
from gateway.evidence.codec.bundle import Bundle
from gateway.evidence.service.files import read_bundle
from gateway.evidence.service.quarantine_check import examine_quarantine
from gateway.evidence.service.report import StepStatus
from gateway.feed.service.publisher_audit import PublisherAudit
from gateway.feed.service.receiver import Refusal
from gateway.feed.tables.feeds import FeedState
from gateway.tlog.checkpoint import Checkpoint, parse_checkpoint_body, sign_checkpoint
from gateway.tlog.note import parse_note
from gateway.trust.service.directory_versions import RootOfTrust
from gateway.v1 import feed_pb2
from tests.support import merkle_oracle
from tests.support.author import Author
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes

HELD = 5


class Scene:
    """hk holds five entries of cn, and cn has seven."""

    def __init__(self, nodes: Sequence[PaperNode]) -> None:
        self.nodes, self.hk, self.cn = nodes, nodes[1], Author(nodes[0], "hk")
        self.entries = list(self.cn.alerts(7))
        self.receive(self.entries[:HELD])
        self.audit = PublisherAudit(self.hk.database, receiver=self.hk.receiver, trust=lambda: self.hk.trust)

    def receive(self, entries: Sequence[feed_pb2.Entry]) -> feed_pb2.Receipt | Refusal:
        batch = self.cn.batch(*entries)
        result: feed_pb2.Receipt | Refusal = self.hk.writer.run(self.hk.receiver.open_batch("cn", batch))
        return result

    def leaves(self, entries: Sequence[feed_pb2.Entry]) -> list[bytes]:
        return [sha256(b"\x00" + entry.header).digest() for entry in entries]

    def shown(self, entries: Sequence[feed_pb2.Entry]) -> feed_pb2.FeedPosition:
        root = merkle_oracle.root(self.leaves(entries))
        note = sign_checkpoint(Checkpoint(self.cn.origin.line, len(entries), root), self.cn.key)
        return feed_pb2.FeedPosition(origin=self.cn.origin.line, size=len(entries), root=root, cosigned_checkpoint=note)

    def run(self, position: feed_pb2.FeedPosition, hashes: Sequence[bytes] = ()) -> Refusal | None:
        """All steps, as the link takes them."""
        held = self.audit.held(self.cn.origin)
        assert held is not None
        assert held.head.size == HELD
        verified = self.audit.verify_shown(self.cn.origin, position)
        command = self.audit.compare(self.cn.origin, held, verified, hashes)
        return None if command is None else self.hk.writer.run(command)

    def kept(self) -> Bundle:
        """The files of the quarantine."""
        feed = self.hk.outgoing.feed(self.cn.origin)
        assert feed is not None
        return read_bundle(Path(feed.evidence_path))

    def anchors(self) -> RootOfTrust:
        """What somebody outside knows."""
        trust = self.hk.trust
        vkeys = [authority.directory_key for authority in trust.directory.authorities.values()]
        return RootOfTrust.from_vkeys(vkeys, federation=trust.federation, threshold=trust.directory.threshold)

    @property
    def state(self) -> FeedState:
        feed = self.hk.outgoing.feed(self.cn.origin)
        assert feed is not None
        return feed.state


@pytest.fixture
def scene(tmp_path: Path, make_database: MakeDatabase) -> Iterator[Scene]:
    with paper_nodes(tmp_path, make_database) as nodes:
        yield Scene(nodes)


def proof(scene: Scene, entries: Sequence[feed_pb2.Entry]) -> list[bytes]:
    return merkle_oracle.consistency(HELD, scene.leaves(entries))


@pytest.mark.both_databases
def test_a_publisher_with_the_same_or_more_entries_is_in_order(scene: Scene) -> None:
    assert scene.run(scene.shown(scene.entries[:HELD])) is None
    assert scene.run(scene.shown(scene.entries), proof(scene, scene.entries)) is None
    assert scene.state is FeedState.ACTIVE
    assert isinstance(scene.receive(scene.entries[HELD:]), feed_pb2.Receipt)


def test_nothing_is_asked_where_nothing_is_stored(scene: Scene) -> None:
    assert scene.audit.held(scene.hk.origin("cn").reverse) is not None
    assert scene.audit.held(scene.hk.origin("mo").reverse) is None


@pytest.mark.parametrize("size", [3, HELD, 7])
def test_another_history_puts_the_feed_into_quarantine_with_evidence(scene: Scene, size: int) -> None:
    other = [*scene.cn.alerts(1), *scene.entries[1:size]]
    position = scene.shown(other)
    hashes = proof(scene, other) if size > HELD else []
    held = scene.audit.held(scene.cn.origin)
    assert held is not None
    refused = scene.run(position, hashes)
    assert refused is not None
    assert f"checkpoint of {size} entries contradicts the {HELD} stored here" in refused.error.message
    assert scene.state is FeedState.QUARANTINED
    feed = scene.hk.outgoing.feed(scene.cn.origin)
    assert feed is not None
    folder = Path(feed.evidence_path)
    assert (folder / "received.checkpoint").read_bytes() == position.cosigned_checkpoint
    assert (folder / "held.checkpoint").read_bytes() == held.note
    assert (folder / "received.proof").read_bytes().count(b"\n") == len(hashes)
    with pytest.raises(QuarantinedError):
        scene.receive(scene.entries[HELD:])
    assert scene.audit.held(scene.cn.origin) is None  # nothing more to find


@pytest.mark.parametrize("size", [1, 3, HELD])
def test_the_evidence_proves_both_histories_to_others(scene: Scene, size: int) -> None:
    other = [*scene.cn.alerts(1), *scene.entries[1:size]]
    assert scene.run(scene.shown(other)) is not None
    examination = examine_quarantine(scene.kept(), anchors=scene.anchors())
    assert [step.status for step in examination.steps] == [StepStatus.PASSED] * 5
    fork = examination.evidence
    assert fork is not None
    assert (fork.held.size, fork.received.size) == (HELD, size)
    assert fork.received.root == merkle_oracle.root(scene.leaves(other))
    assert fork.held_root == merkle_oracle.root(scene.leaves(scene.entries[:size]))
    assert fork.told.startswith(f"cn has signed two histories of {scene.cn.origin}: of the first {size} ")


def test_a_longer_history_is_contradicted_by_the_recipients_word_alone(scene: Scene) -> None:
    other = [*scene.cn.alerts(1), *scene.entries[1:]]
    assert scene.run(scene.shown(other), proof(scene, other)) is not None
    examination = examine_quarantine(scene.kept(), anchors=scene.anchors())
    assert examination.evidence is None
    assert examination.steps[-1].name == "contradiction"
    assert "more than the 5 held" in examination.steps[-1].detail


def test_changed_evidence_proves_nothing(scene: Scene) -> None:
    """A recipient that would like a fork can't make one: of an honest publisher's checkpoints, or with its own key."""
    other = [*scene.cn.alerts(1), *scene.entries[1:3]]
    assert scene.run(scene.shown(other)) is not None
    kept = dict(scene.kept().files)
    honest = scene.shown(scene.entries[:3]).cosigned_checkpoint
    root, *hashes = kept["held.proof"].split(b"\n")
    wrong = b"\n".join([base64.b64encode(bytes(32)), *hashes])
    own_key = Author(scene.nodes[1], "cn").key.named(scene.cn.key.name)
    own = sign_checkpoint(parse_checkpoint_body(parse_note(honest).unverified_text), own_key)
    changed: list[tuple[str, bytes | None, str]] = [
        ("received.checkpoint", honest, "contradiction"),
        ("received.checkpoint", own, "received"),
        ("received.checkpoint", b"no checkpoint", "received"),
        ("held.checkpoint", b"no checkpoint", "held"),
        ("held.proof", wrong, "contradiction"),
        ("held.proof", root, "contradiction"),
        ("held.proof", b"", "contradiction"),
        ("held.proof", None, "contradiction"),
        ("directory.note", b"no directory", "directory"),
        ("directory.note", None, "files"),
    ]
    for name, content, step in changed:
        files = {**kept, name: content}
        bundle = Bundle.of((file, data) for file, data in files.items() if data is not None)
        examination = examine_quarantine(bundle, anchors=scene.anchors())
        assert examination.evidence is None, name
        assert examination.steps[-1].name == step, (name, examination.steps[-1])


def test_an_honest_checkpoint_with_a_wrong_proof_is_not_accepted(scene: Scene) -> None:
    hashes = proof(scene, scene.entries)
    for wrong in ([], hashes[:-1], [*hashes[:-1], bytes(32)], [*hashes, bytes(32)], [b"short"]):
        held = scene.audit.held(scene.cn.origin)
        assert held is not None
        verified = scene.audit.verify_shown(scene.cn.origin, scene.shown(scene.entries))
        assert scene.audit.compare(scene.cn.origin, held, verified, wrong) is not None
    assert scene.run(scene.shown(scene.entries), [bytes(32), *hashes[1:]]) is not None
    assert scene.state is FeedState.QUARANTINED


def test_a_publisher_restored_from_a_backup_is_not_quarantined(scene: Scene) -> None:
    assert scene.run(scene.shown(scene.entries[:3])) is None
    assert scene.state is FeedState.ACTIVE


def test_what_the_publisher_did_not_sign_proves_nothing(scene: Scene) -> None:
    other = scene.shown([*scene.cn.alerts(1), *scene.entries[1:]])
    right = scene.shown(scene.entries)
    unsigned = feed_pb2.FeedPosition(origin=other.origin, size=other.size, root=other.root)
    of_another_size = feed_pb2.FeedPosition(
        origin=other.origin, size=6, root=other.root, cosigned_checkpoint=other.cosigned_checkpoint
    )
    of_another_root = feed_pb2.FeedPosition(
        origin=other.origin, size=7, root=other.root, cosigned_checkpoint=right.cosigned_checkpoint
    )
    for position in (unsigned, of_another_size, of_another_root):
        with pytest.raises(MalformedError, match="signed by it"):
            scene.run(position)
    assert scene.state is FeedState.ACTIVE
