"""Reads what is noted beside a node's database: how many entries it signed, and its counts of local records."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from gateway.contract.ids import FeedOrigin
from gateway.db.database import Database
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.releases import KeptReceipt, Releases
from gateway.feed.tables import feeds, heads
from gateway.files import OWNER_ONLY, replace_file
from gateway.node.backups.manifest import NodeTally
from gateway.node.backups.snapshot import read_tally
from gateway.node.marks import open_marks
from gateway.node.settings import Settings
from gateway.tlog.checkpoint import first_lines

TALLY_FILE = "tally.json"
"""File in the data folder with the counts of what only this node has."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is noted beside a node's database; None where nothing was noted.

    Attributes:
        signed: entries signed of each own feed, by name.
        tally: counts shortly before the loss.
        since: when the folder was prepared, in milliseconds since 1970; 0 if unknown. The notes begin then.
    """

    signed: Mapping[str, int] | None = None
    tally: NodeTally | None = None
    since: int = 0

    def reaching(self, time_ms: int) -> Known:
        """These notes if they began by that time, else none: a younger folder misses a part of what happened since."""
        return Known() if self.since > time_ms else self


@contextmanager
def stopped_node(settings: Settings) -> Iterator[Known]:
    """The notes of a stopped node, which can't be started while the block runs.

    Raises:
        MarksInUseError: the node runs.
    """
    with closing(open_marks(settings)) as marks:
        yield known_of(settings, marks)


def known_of(settings: Settings, marks: Marks) -> Known:
    """The notes in the data folder and at the second place of the marks."""
    # `committed` may lag behind: a head that is marked as signed may have been committed and acknowledged.
    feeds = marks.state.feeds.items()
    signed = {origin.line: max(mark.committed.size, mark.signed.size) for origin, mark in feeds}
    noted = [tally for place in tally_places(settings) if (tally := read_tally_file(place)) is not None]
    return Known(signed if marks.found else None, _furthest(noted), marks.state.lost_at or marks.state.made_at)


def tally_places(settings: Settings) -> list[Path]:
    """Files with the counts: in the data folder, and beside the second place of the marks."""
    copy = settings.mark_copy
    return [settings.data_dir / TALLY_FILE, *([copy.with_name(f"{copy.name}.{TALLY_FILE}")] if copy else [])]


def _furthest(noted: Sequence[NodeTally]) -> NodeTally | None:
    """The larger value of each count; None if no place has any."""
    if not noted:
        return None
    names = [field.name for field in fields(NodeTally)]
    return NodeTally(**{name: max(getattr(tally, name) for tally in noted) for name in names})


def signed_size(marks: Marks, origin: FeedOrigin) -> int:
    """Entries of an own feed that the node has signed and committed; 0 where the marks don't say."""
    mark = marks.of(origin)
    return 0 if mark is None else mark.committed.size


def read_tally_file(file: Path) -> NodeTally | None:
    """The counts noted last; None without a readable file."""
    try:
        document = json.loads(file.read_bytes())
        return NodeTally(**{field.name: int(document[field.name]) for field in fields(NodeTally)})
    except (OSError, ValueError, TypeError, KeyError):
        return None


class ReceiptKeeper:
    """Notes the newest receipt of each own feed beside the marks; call `keep_up` every second and at a stop."""

    def __init__(self, database: Database, releases: Releases) -> None:
        self._database = database
        self._releases = releases

    def keep_up(self) -> None:
        """Writes what is new; raises StoreUnavailableError."""
        receipts: dict[FeedOrigin, KeptReceipt] = {}
        with self._database.read() as conn:
            for feed_id, origin, size in feeds.receipted(conn):
                kept = self._releases.receipt_of(origin)
                if kept is not None and kept.size >= size:
                    continue
                checkpoint = heads.checkpoint_at(conn, feed_id, size)
                if checkpoint is not None:
                    receipts[origin] = KeptReceipt(size, checkpoint.root, first_lines(checkpoint.cosigned_note))
        self._releases.keep(receipts)


class TallyKeeper:
    """Notes the counts outside the database; call `keep_up` every second and at a stop.

    A restore then tells what it has lost, but for the last second.
    """

    def __init__(self, database: Database, places: Sequence[Path]) -> None:
        self._database = database
        self._first, *self._others = places
        self._noted = read_tally_file(self._first)

    def keep_up(self) -> None:
        """Writes the counts if they moved; raises GatewayError or OSError."""
        with self._database.read() as conn:
            tally = read_tally(conn)
        if tally == self._noted:
            return
        content = json.dumps(asdict(tally)).encode() + b"\n"
        replace_file(self._first, content, mode=OWNER_ONLY)
        self._noted = tally
        for place in self._others:
            with contextlib.suppress(OSError):  # the alarm MARKS says that this place can't be written
                replace_file(place, content, mode=OWNER_ONLY)
