"""Batches that aren't the publisher's next one, at a real receiver with its database: none gets into the feed.

Each case changes one thing of the sound batch that follows five stored entries. The receiver refuses it, or puts the
feed into quarantine; afterwards, resumed, it still takes the sound one.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from google.protobuf.message import DecodeError

from gateway.contract.ids import Channel, FeedOrigin
from gateway.errors import GatewayError
from gateway.feed.service.states import StateCommand
from gateway.feed.tables.feeds import FeedState
from gateway.tlog.checkpoint import Checkpoint, cosign, sign_checkpoint
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import feed_pb2
from tests.support.author import Author
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, paper_nodes

pytestmark = pytest.mark.both_databases


@dataclass(frozen=True)
class Scene:
    """What cn sent to hk, the sound batch that follows, and batches of other feeds."""

    first: feed_pb2.Batch
    second: feed_pb2.Batch
    sound: feed_pb2.Batch
    author: Author
    others: tuple[tuple[str, Author], ...]
    recipient: PaperNode


Case = tuple[str, str, feed_pb2.Batch]
"""Name, who sends it, and what."""


def varied(batch: feed_pb2.Batch, change: Callable[[feed_pb2.Batch], object]) -> feed_pb2.Batch:
    copied = feed_pb2.Batch()
    copied.CopyFrom(batch)
    change(copied)
    return copied


def with_entries(batch: feed_pb2.Batch, entries: Sequence[feed_pb2.Entry]) -> feed_pb2.Batch:
    copied = feed_pb2.Batch(origin=batch.origin, first_index=batch.first_index, checkpoint=batch.checkpoint)
    copied.entries.extend(entries)
    return copied


def names(scene: Scene) -> Iterator[Case]:
    """Feeds that aren't cn's alerts to hk, and callers who aren't cn."""
    line = scene.author.origin.line
    lines = [
        f"{federation}/{publisher}/{recipient}/alerts"
        for federation in (FEDERATION, "other.example")
        for publisher in ("cn", "hk", "mo", "xx")
        for recipient in ("cn", "hk", "mo")
    ]
    lines += [
        "",
        "/",
        line.upper(),
        f"{line}/",
        f"/{line}",
        line.replace("/", "//"),
        f"{line}\n",
        f" {line}",
        "a" * 5_000,
    ]
    lines += [line.replace("alerts", channel) for channel in ("lists", "records", "gossip", "", "alert", "../alerts")]
    lines += [line.replace("/cn/", f"/{node}/") for node in ("CN", "c\u043d", "cn\u200b", "%63n", "..", "")]
    for name, peer in itertools.product(dict.fromkeys(lines), ("cn", "hk", "mo")):
        if (name, peer) != (line, "cn"):
            yield f"{name[:60]!r} from {peer}", peer, varied(scene.sound, lambda batch, name=name: _rename(batch, name))


def _rename(batch: feed_pb2.Batch, name: str) -> None:
    batch.origin = name


def indexes(scene: Scene) -> Iterator[Case]:
    for index in (0, 1, 2, 3, 4, 6, 7, 100, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1):
        yield f"at {index}", "cn", varied(scene.sound, lambda batch, index=index: _move(batch, index))


def _move(batch: feed_pb2.Batch, index: int) -> None:
    batch.first_index = index


def checkpoints(scene: Scene) -> Iterator[Case]:
    """Other heads soundly signed, and heads in another form."""
    key, line, root = scene.author.key, scene.author.origin.line, scene.author.tree.root
    heads = {
        f"size {size}": Checkpoint(line, size, root) for size in (1, 3, 5, 6, 7, 9, 10, 11, 16, 2**31, 2**32, 2**62)
    }
    heads |= {f"root {name}": Checkpoint(line, 8, other) for name, other in (("0", bytes(32)), ("1", b"\xff" * 32))}
    heads["root turned"] = Checkpoint(line, 8, root[::-1])
    notes = {name: sign_checkpoint(head, key) for name, head in heads.items()}
    good = scene.sound.checkpoint
    text, _, signature = good.partition(b"\n\n")
    for name, author in scene.others:
        if author.node.name != "cn":  # cn has one key for all its feeds
            notes[f"signed by {name}"] = sign_checkpoint(Checkpoint(line, 8, root), author.key.named(line))
        other = sign_checkpoint(Checkpoint(author.origin.line, 8, root), author.key)
        notes[f"named as {name}"] = other
        notes[f"signature of {name} put under it"] = text + b"\n\n" + other.partition(b"\n\n")[2]
    notes["a receipt in place of the signature"] = (
        text + b"\n\n" + cosign(good, scene.recipient.cosigner, 1_770_000_000)
    )
    notes |= {
        "empty": b"",
        "text alone": text + b"\n",
        "no signature": text + b"\n\n",
        "signature alone": signature,
        "carriage returns": good.replace(b"\n", b"\r\n"),
        "no newline at the end": good[:-1],
        "one more": good + b"\n",
        "a byte order mark": b"\xef\xbb\xbf" + good,
        "UTF-16": good.decode().encode("utf-16"),
        "twice": good + good,
        "size 08": good.replace(b"\n8\n", b"\n08\n"),
        "size +8": good.replace(b"\n8\n", b"\n+8\n"),
        "size 8.0": good.replace(b"\n8\n", b"\n8.0\n"),
        "size in hexadecimal": good.replace(b"\n8\n", b"\n0x8\n"),
        "size in Arabic digits": good.replace(b"\n8\n", "\n٨\n".encode()),
        "size missing": good.replace(b"\n8\n", b"\n"),
        "root without padding": good.replace(b"=\n\n", b"\n\n"),
        "root in URL letters": text.replace(b"+", b"-").replace(b"/", b"_") + b"\n\n" + signature,
        "a space at a line's end": good.replace(b"\n8\n", b"\n8 \n"),
        "an unsigned line more": text + b"\nextension\n\n" + signature,
        "a hyphen for the dash": good.replace("— ".encode(), b"- "),
        "an escape in it": good.replace(b"\n8\n", b"\n8\n\x1b[2J\n"),
        "a zero byte": good.replace(b"\n8\n", b"\n8\0\n"),
        "65 signatures": good + signature * 65,
        "a mebibyte": text + b"\n" + b"x\n" * (1 << 19) + b"\n" + signature,
    }
    for name, note in notes.items():
        yield f"checkpoint: {name}", "cn", varied(scene.sound, lambda batch, note=note: _note(batch, note))
    for at in range(0, len(good), 5):
        flipped = good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :]
        yield f"checkpoint: bit of byte {at}", "cn", varied(scene.sound, lambda batch, note=flipped: _note(batch, note))


def _note(batch: feed_pb2.Batch, note: bytes) -> None:
    batch.checkpoint = note


def arrangements(scene: Scene) -> Iterator[Case]:
    """The batch's own entries, in other numbers and orders, or among others."""
    own = list(scene.sound.entries)
    old = [*scene.first.entries, *scene.second.entries]
    for order in itertools.permutations(range(3)):
        if order != (0, 1, 2):
            yield f"order {order}", "cn", with_entries(scene.sound, [own[at] for at in order])
    for size in (0, 1, 2):
        for chosen in itertools.combinations(range(3), size):
            yield f"only {chosen}", "cn", with_entries(scene.sound, [own[at] for at in chosen])
    for at in range(3):
        yield f"{at} twice", "cn", with_entries(scene.sound, [*own[: at + 1], *own[at:]])
        yield f"{at} for all", "cn", with_entries(scene.sound, [own[at]] * 3)
        for number, entry in enumerate(old):
            yield f"{at} by stored {number}", "cn", with_entries(scene.sound, [*own[:at], entry, *own[at + 1 :]])
    fresh = scene.author.event(published=scene.author.alert())
    for at in range(4):
        yield f"one put in at {at}", "cn", with_entries(scene.sound, [*own[:at], fresh, *own[at:]])
    yield "a thousand and one", "cn", with_entries(scene.sound, [own[0]] * 1_001)


def _headers(entry: feed_pb2.Entry) -> Iterator[tuple[str, bytes]]:
    header = feed_pb2.EntryHeader.FromString(entry.header)
    changes: dict[str, dict[str, object]] = {
        "format 0": {"format": 0}, "format 2": {"format": 2}, "format 3": {"format": 3},
        "format 2^31": {"format": 2**31},
        "no type": {"type": ""}, "another type": {"type": "WatchlistEvent"}, "a long type": {"type": "A" * 300},
        "no digest": {"payload_digest": b""}, "a short digest": {"payload_digest": header.payload_digest[:31]},
        "another digest": {"payload_digest": header.payload_digest[::-1]},
        "no time": {"recorded_at_unix_ms": 0}, "another time": {"recorded_at_unix_ms": 2**62},
        "follows one": {"follows": 1}, "follows more than there is": {"follows": 2**63 - 1},
    }  # fmt: skip
    for name, fields in changes.items():
        changed = feed_pb2.EntryHeader()
        changed.CopyFrom(header)
        for field, value in fields.items():
            setattr(changed, field, value)
        yield name, changed.SerializeToString(deterministic=True)
    yield "nothing", b""
    yield "an unknown field", entry.header + b"\x98\x06\x01"
    yield "format once more", entry.header + b"\x08\x01"
    yield "a byte less", entry.header[:-1]
    yield "a longer number", entry.header.replace(b"\x08\x01", b"\x08\x81\x00", 1)


def _bodies(entry: feed_pb2.Entry, other: feed_pb2.Entry) -> Iterator[tuple[str, bytes, bytes]]:
    salt, payload = entry.salt, entry.payload
    yield "no salt", b"", payload
    yield "a short salt", salt[:31], payload
    yield "a long salt", salt + b"\0", payload
    yield "a bit of the salt", bytes([salt[0] ^ 1]) + salt[1:], payload
    yield "zeros as salt", bytes(32), payload
    yield "a byte moved to the salt", salt + payload[:1], payload[1:]
    yield "a byte moved to the payload", salt[:31], salt[31:] + payload
    yield "no payload", salt, b""
    yield "a bit of the payload", salt, payload[:-1] + bytes([payload[-1] ^ 1])
    yield "a byte more", salt, payload + b"\0"
    yield "a byte less", salt, payload[:-1]
    yield "another's payload", salt, other.payload
    yield "another's salt", other.salt, payload
    yield "a payload too large", salt, bytes(256 * 1024 + 1)


def contents(scene: Scene) -> Iterator[Case]:
    """One entry changed: its header, its salt or its payload."""
    own = list(scene.sound.entries)
    for at, entry in enumerate(own):
        parts = [(f"header: {name}", header, entry.salt, entry.payload) for name, header in _headers(entry)]
        parts += [
            (f"body: {name}", entry.header, salt, payload) for name, salt, payload in _bodies(entry, own[(at + 1) % 3])
        ]
        for name, header, salt, payload in parts:
            changed = feed_pb2.Entry(header=header, salt=salt, payload=payload)
            yield f"entry {at}, {name}", "cn", with_entries(scene.sound, [*own[:at], changed, *own[at + 1 :]])


def replays(scene: Scene) -> Iterator[Case]:
    """Indexes, entries and checkpoints of different batches put together."""
    batches = {"first": scene.first, "second": scene.second, "sound": scene.sound}
    for index, entries, checkpoint in itertools.product(batches, repeat=3):
        if not index == entries == checkpoint:
            mixed = with_entries(batches[entries], batches[entries].entries)
            mixed.first_index, mixed.checkpoint = batches[index].first_index, batches[checkpoint].checkpoint
            yield f"index of {index}, entries of {entries}, checkpoint of {checkpoint}", "cn", mixed


SOUND = {(f"{FEDERATION}/mo/hk/alerts", "mo", 0), (f"{FEDERATION}/cn/hk/watchlist", "cn", 0)}
"""Feeds that these partners may begin here."""


def foreign(scene: Scene) -> Iterator[Case]:
    """Sound batches of other feeds, under their own name and under this one."""
    for name, author in scene.others:
        batch = author.batch(*author.alerts(1), keep=False)
        for line, index in itertools.product((author.origin.line, scene.author.origin.line), (0, 5)):
            moved = varied(batch, lambda other, line=line, index=index: (_rename(other, line), _move(other, index)))
            for peer in ("cn", "hk", "mo"):
                if (line, peer, index) not in SOUND:
                    yield f"{name} as {line} at {index} from {peer}", peer, moved


def flipped_bits(scene: Scene) -> Iterator[Case]:
    """Bits of the whole message, as a defective line would flip them; what is no message any more isn't counted."""
    whole, rng = scene.sound.SerializeToString(), random.Random(13)
    for _ in range(80):
        changed = bytearray(whole)
        changed[at := rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
        try:
            yield f"a bit of byte {at} of the message", "cn", feed_pb2.Batch.FromString(bytes(changed))
        except DecodeError:
            continue


GROUPS = (names, indexes, checkpoints, arrangements, contents, replays, foreign, flipped_bits)


@pytest.fixture
def scene(tmp_path: Path, make_database: MakeDatabase) -> Iterator[Scene]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as (cn, hk, mo):
        author = Author(cn, "hk")
        first, second = author.batch(*author.alerts(3)), author.batch(*author.alerts(2))
        for batch in (first, second):
            assert isinstance(send(hk, "cn", batch), feed_pb2.Receipt)
        sound = author.batch(*author.alerts(3))
        watchlist = Author(cn, "hk")
        watchlist.origin = FeedOrigin(FEDERATION, "cn", "hk", Channel.WATCHLIST)
        watchlist.key = watchlist.key.named(watchlist.origin.line)
        others = (
            ("cn to mo", Author(cn, "mo")),
            ("mo to hk", Author(mo, "hk")),
            ("hk to cn", Author(hk, "cn")),
            ("cn's watchlist", watchlist),
        )
        yield Scene(first, second, sound, author, others, hk)


def send(node: PaperNode, peer: str, batch: feed_pb2.Batch) -> object:
    """A receipt, or what stands in its place."""
    try:
        return node.writer.run(node.receiver.open_batch(peer, batch))
    except GatewayError as error:
        return error


def state(scene: Scene) -> tuple[int, bytes, bytes]:
    feed = scene.recipient.outgoing.feed(scene.author.origin)
    assert feed is not None
    return feed.size, feed.tree.root, feed.checkpoint


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_nothing_foreign_gets_into_a_feed(scene: Scene, group: Callable[[Scene], Iterator[Case]]) -> None:
    before = state(scene)
    for name, peer, batch in group(scene):
        answer = send(scene.recipient, peer, batch)
        assert not isinstance(answer, feed_pb2.Receipt), name
        assert state(scene) == before, name
        scene.recipient.writer.run(StateCommand(scene.author.origin, FeedState.ACTIVE, ""))
    for publisher, channel in (("mo", Channel.ALERTS), ("mo", Channel.WATCHLIST), ("cn", Channel.WATCHLIST)):
        assert scene.recipient.outgoing.size(FeedOrigin(FEDERATION, publisher, "hk", channel)) == 0
    receipt = send(scene.recipient, "cn", scene.sound)
    assert isinstance(receipt, feed_pb2.Receipt)
    assert receipt.size == 8


def test_there_are_as_many_foreign_feeds_as_were_tried_by_hand(scene: Scene) -> None:
    names = [name for group in GROUPS for name, _, _ in group(scene)]
    assert len(names) >= 416
