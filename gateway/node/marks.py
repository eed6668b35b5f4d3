"""Opens the marks of what a node has signed, and prepares them for a new node."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from gateway.feed.service.alarms import Alarms
from gateway.feed.service.continuity.mark_files import peek
from gateway.feed.service.continuity.marks import Marks
from gateway.feed.service.continuity.recovery import Start, own_feeds
from gateway.node.defaults import MARKS_FILE, STARTS_FILE
from gateway.node.settings import Settings
from gateway.trust.pki.issuance import BACKDATED
from gateway.trust.rules.directory import Directory, of_algorithm


def open_marks(settings: Settings, *, alarms: Alarms | None = None) -> Marks:
    """The marks of a node, locked; raises ConfigurationError as `Marks`."""
    return Marks(f"{settings.federation}/{settings.node}", mark_places(settings), alarms=alarms)


def mark_places(settings: Settings) -> list[Path]:
    """Files of the marks: in the data folder, and the second place where there is one."""
    return [settings.data_dir / MARKS_FILE, *([settings.mark_copy] if settings.mark_copy else [])]


def prepare_marks(data_dir: Path, *, federation: str, node: str, made_at: datetime) -> None:
    """Notes in a new node's folder when it was made: before the directory knows its keys, nothing was signed.

    Raises:
        StoreUnavailableError: the folder can't be written.
    """
    marks = Marks(f"{federation}/{node}", [data_dir / MARKS_FILE])
    if not marks.found:
        marks.set_up(int(made_at.timestamp()) * 1000)
    marks.close()


def has_run(settings: Settings) -> bool:
    """Whether the node has run in its data folder before, as far as the folder says."""
    state = peek(settings.data_dir / MARKS_FILE)
    return (state is not None and state.alive_at > 0) or (settings.data_dir / STARTS_FILE).exists()


def start_of(settings: Settings, directory: Directory, now_ms: int, *, others_run: bool = False) -> Start:
    """What a node knows at its start."""
    return Start(
        own=own_feeds(directory, settings.node),
        keys_known_since=_known_since(directory, settings.node),
        now_ms=now_ms,
        starts=settings.data_dir / STARTS_FILE,
        others_run=others_run,
    )


def _known_since(directory: Directory, node: str) -> int:
    """When the directory's first log key of a node was made, in milliseconds since 1970."""
    first = min(record.not_before for record in of_algorithm(directory.signer(node).log_keys))
    return int((first + BACKDATED).timestamp()) * 1000
