"""Measures watchlists: import, full sync to a partner, and a small change in a large list, beside their floors.

Entries are those of bench/list_names.py, made before the clock starts. Three processes on loopback, real TLS, SQLite
with synchronous=FULL, nothing switched off: validation, agreements, receipts, dispositions.

    python -m bench.lists [--entries N] [--dir FOLDER]

Floors, in the same run: the bare 100-per-message gRPC echo of the same bytes, and bare SQLite inserts of the same rows
as the recipient keeps of each entry (its row, and its share of the payload).
"""

from __future__ import annotations

import asyncio
import math
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench import list_names
from bench.floors import running_echo
from bench.nodes import LIST, PUBLISHER, NodeProcess, Pair, running_pair
from gateway.client.alerts import GatewayClient
from gateway.v1 import alert_pb2, watchlist_pb2
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.v1.watchlist_service_pb2_grpc import WatchlistServiceStub

ROWS = 500
"""Rows in one message of an import."""

CHANGES = 100
"""Small changes that are timed."""

CHANGED = 100
"""Entries in one small change."""

Rows = Sequence[tuple[str, watchlist_pb2.WatchlistContent]]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Figures:
    """Entries per second; milliseconds for `change_*`.

    Attributes:
        imported: until the import was acknowledged: durable at the publisher.
        applied: until the publisher's lists show it.
        released: until all of it stands in the partner's feed.
        again: an import of the same source: nothing changes.
        synced: from the moment at which the partner's node serves, with all of it on the publisher's disk, until its
            lists show all of it.
        change_p50_ms, change_p99_ms, change_max_ms: from the call until a watcher at the partner has all of it.
        durable_us, released_us: processor time of the publisher's node per entry, from the import's begin until it was
            acknowledged, and until all of it stands in the partner's feed.
        cn_us, hk_us: the same of both nodes for the full sync.
        echo: floor: entries per second through a bare echo.
        inserts: floor: entries per second into bare SQLite.
    """

    entries: int
    mean_bytes: float
    imported: float
    applied: float
    released: float
    again: float
    synced: float
    change_p50_ms: float
    change_p99_ms: float
    change_max_ms: float
    durable_us: float
    released_us: float
    cn_us: float
    hk_us: float
    echo: float
    inserts: float
    cn_rss_mb: float
    hk_rss_mb: float


def rows_of(count: int) -> Rows:
    """Entries ready to import, all releasable to hk."""
    return [(entry_id, _ready(content)) for entry_id, content in list_names.entries(count)]


def _ready(content: watchlist_pb2.WatchlistContent) -> watchlist_pb2.WatchlistContent:
    content.reason = content.reason or "Antimony declared as lead."
    content.legal_basis = content.legal_basis or "Export Control Law, article 20"
    content.purpose = "export_control"
    content.requested_action = alert_pb2.REQUESTED_ACTION_INSPECT
    content.handling.classification = alert_pb2.CLASSIFICATION_RESTRICTED
    content.handling.onward_transfer = alert_pb2.ONWARD_TRANSFER_PROHIBITED
    del content.releasable_to[:]
    content.releasable_to.append("hk")
    return content


async def measure(folder: Path, rows: Rows, tell: Tell) -> Figures:
    """Takes all figures at one size."""
    async with running_pair(folder / "nodes") as pair, running_echo(pair.cn.folder, PUBLISHER) as echo:
        tell("floors")
        floor = await echo.frames_of([content.SerializeToString() for _, content in rows[:100_000]])
        inserts = await asyncio.to_thread(_bare_inserts, folder / "bare.sqlite3", rows)
        stub = stub_of(pair.cn_client)
        await pair.hk.stop()
        tell("importing")
        started, import_cpu = time.perf_counter(), pair.cn.cpu_s
        await import_rows(stub, rows)
        imported = time.perf_counter() - started
        durable_us = (pair.cn.cpu_s - import_cpu) / len(rows) * 1e6
        await _until(lambda: _is_applied(pair.cn))
        applied = time.perf_counter() - started
        tell("releasing")
        await _until(lambda: _is_released(pair.cn))
        released = time.perf_counter() - started
        released_us = (pair.cn.cpu_s - import_cpu) / len(rows) * 1e6
        tell("importing again")
        started = time.perf_counter()
        assert (await import_rows(stub, rows)).unchanged == len(rows)
        again = time.perf_counter() - started
        tell("syncing")
        cn_cpu = pair.cn.cpu_s
        await pair.hk.start()
        hk_cpu, started = pair.hk.cpu_s, time.perf_counter()
        updates = _query(pair.cn, "SELECT size FROM feeds WHERE origin LIKE '%/cn/hk/watchlist'")
        await _until(lambda: _applied(pair.hk) >= updates)
        synced = time.perf_counter() - started
        assert _query(pair.hk, "SELECT count(*) FROM list_entries WHERE ended = 0") == len(rows)
        cn_us, hk_us = (
            (now - then) / len(rows) * 1e6 for now, then in ((pair.cn.cpu_s, cn_cpu), (pair.hk.cpu_s, hk_cpu))
        )
        tell("small changes")
        taken = sorted([await _change(pair, stub, rows, at) for at in range(CHANGES)])
        return Figures(
            entries=len(rows),
            mean_bytes=sum(content.ByteSize() for _, content in rows) / len(rows),
            imported=len(rows) / imported,
            applied=len(rows) / applied,
            released=len(rows) / released,
            again=len(rows) / again,
            synced=len(rows) / synced,
            change_p50_ms=taken[len(taken) // 2],
            change_p99_ms=taken[math.ceil(len(taken) * 0.99) - 1],
            change_max_ms=taken[-1],
            durable_us=durable_us,
            released_us=released_us,
            cn_us=cn_us,
            hk_us=hk_us,
            echo=floor,
            inserts=inserts,
            cn_rss_mb=pair.cn.rss_mb,
            hk_rss_mb=pair.hk.rss_mb,
        )


def stub_of(client: GatewayClient) -> WatchlistServiceStub:
    """WatchlistService over a connection of the client's own kind."""
    return WatchlistServiceStub(client._connection._new_channel())


async def import_rows(stub: WatchlistServiceStub, rows: Rows) -> pb.ImportEntriesResponse:
    """Imports entries into LIST."""

    async def messages() -> AsyncIterator[pb.ImportEntriesRequest]:
        yield pb.ImportEntriesRequest(open=pb.ImportOpening(list=LIST))
        for at in range(0, len(rows), ROWS):
            chunk = [
                pb.ImportRow(id=entry_id, content=content, line=line)
                for line, (entry_id, content) in enumerate(rows[at : at + ROWS], at + 1)
            ]
            yield pb.ImportEntriesRequest(rows=pb.ImportRows(rows=chunk))
        yield pb.ImportEntriesRequest(end=pb.ImportEnd(rows=len(rows)))

    response: pb.ImportEntriesResponse = await stub.ImportEntries(messages())
    assert response.refused_count == 0, response.refused[0]
    return response


async def _change(pair: Pair, stub: WatchlistServiceStub, rows: Rows, number: int) -> float:
    """Amends CHANGED entries and waits until a watcher at the partner has them; milliseconds."""
    watching = stub_of(pair.hk_client)
    position = 0
    async for response in watching.WatchEntries(pb.WatchEntriesRequest(position=_applied(pair.hk), until_current=True)):
        position = response.position
    call = watching.WatchEntries(pb.WatchEntriesRequest(position=position))
    seen = asyncio.create_task(_saw(call, CHANGED))
    await asyncio.sleep(0.05)  # the watch is open
    chosen = rows[number * CHANGED : (number + 1) * CHANGED]  # each entry once, so that all are at revision 1
    for _, content in chosen:
        content.remarks = f"change {number}"
    proposed = [pb.ProposedEntry(id=entry_id, revision=1, content=content) for entry_id, content in chosen]
    request = pb.ProposeEntriesRequest(request_id=str(uuid.uuid4()), list=LIST, entries=proposed)
    started = time.perf_counter()
    await stub.ProposeEntries(request)
    await seen
    taken = time.perf_counter() - started
    call.cancel()
    return taken * 1000


async def _saw(call: AsyncIterable[pb.WatchEntriesResponse], count: int) -> None:
    async for response in call:
        count -= len(response.changes)
        if count <= 0:
            return


def _query(node: NodeProcess, statement: str) -> int:
    with sqlite3.connect(f"file:{node.folder.path / 'data' / 'gateway.sqlite3'}?mode=ro", uri=True) as connection:
        found = connection.execute(statement).fetchone()
    connection.close()
    return int(found[0] or 0) if found else 0


def _applied(node: NodeProcess) -> int:
    return _query(node, "SELECT applied FROM list_progress")


def _is_applied(node: NodeProcess) -> bool:
    head = _query(node, "SELECT max(first_position + count - 1) FROM journal")
    projected = _query(node, "SELECT position FROM projector_progress")
    return projected >= head and _applied(node) >= _query(node, "SELECT max(seq) FROM list_changes") > 0


def _is_released(node: NodeProcess) -> bool:
    told = _query(node, "SELECT considered FROM list_distribution WHERE partner = 'hk'")
    return told >= _query(node, "SELECT max(seq) FROM list_changes") and _is_applied(node)


async def _until(done: Callable[[], bool]) -> None:
    while not await asyncio.to_thread(done):  # noqa: ASYNC110  another process does it
        await asyncio.sleep(0.02)


def _bare_inserts(path: Path, rows: Rows) -> float:
    """Rows like those that the recipient keeps, 500 in a durable transaction, with nothing else done."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=wal", "synchronous=full"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE payloads (idx INTEGER PRIMARY KEY, payload BLOB)")
    connection.execute(
        "CREATE TABLE listed (publisher TEXT, list TEXT, id TEXT, kind INT, revision INT, place INT, ordinal INT, "
        "PRIMARY KEY (publisher, list, id)) WITHOUT ROWID"
    )
    taken = [(entry_id, content.kind, content.SerializeToString()) for entry_id, content in rows]
    started = time.perf_counter()
    for at in range(0, len(taken), ROWS):
        chunk = taken[at : at + ROWS]
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO payloads VALUES (?, ?)", (at, b"".join(body for _, _, body in chunk)))
        connection.executemany(
            "INSERT INTO listed VALUES ('cn', 'bench', ?, ?, 1, ?, ?)",
            [(entry_id, kind, at, ordinal) for ordinal, (entry_id, kind, _) in enumerate(chunk)],
        )
        connection.execute("COMMIT")
    taken_s = time.perf_counter() - started
    connection.close()
    return len(taken) / taken_s


def show(figures: Figures, console: Console) -> None:
    """Prints figures and targets."""
    table = Table("figure", "value", title=f"Watchlists, {figures.entries:,} entries of {figures.mean_bytes:.0f} bytes")
    table.columns[1].justify = "right"
    for name, value in (
        ("floor: echo of the same bytes, 100 per message", f"{figures.echo:,.0f} /s"),
        ("floor: bare SQLite inserts of the same rows", f"{figures.inserts:,.0f} /s"),
        ("import, durable", f"{figures.imported:,.0f} /s"),
        ("import, shown in our lists", f"{figures.applied:,.0f} /s"),
        ("import, in the partner's feed", f"{figures.released:,.0f} /s"),
        (
            "  processor at cn until then, and of it until durable",
            f"{figures.released_us:.0f}, {figures.durable_us:.0f} µs each",
        ),
        ("import of the same again", f"{figures.again:,.0f} /s"),
        ("full sync: publisher's disk to partner's lists", f"{figures.synced:,.0f} /s"),
        ("  of the echo", f"{figures.synced / figures.echo:.2f} ×"),
        ("  of the inserts", f"{figures.synced / figures.inserts:.2f} ×"),
        ("  processor at cn, hk", f"{figures.cn_us:.0f}, {figures.hk_us:.0f} µs each"),
        (f"a change of {CHANGED} at a watcher there, median", f"{figures.change_p50_ms:.0f} ms"),
        (f"  p99, and the slowest of {CHANGES}", f"{figures.change_p99_ms:.0f}, {figures.change_max_ms:.0f} ms"),
        ("memory at cn, hk", f"{figures.cn_rss_mb:.0f}, {figures.hk_rss_mb:.0f} MB"),
    ):
        table.add_row(name, value)
    console.print(table)
    targets = Table("target", "wanted", "reached", "", title="Targets")
    for what, wanted, reached, met in (
        ("full sync", "≥ 25,000 /s", f"{figures.synced:,.0f} /s", figures.synced >= 25_000),
        ("import", "≥ 20,000 /s", f"{figures.imported:,.0f} /s", figures.imported >= 20_000),
        ("change at the watcher", "≤ 200 ms p99", f"{figures.change_p99_ms:.0f} ms", figures.change_p99_ms <= 200),
    ):
        targets.add_row(what, wanted, reached, "met" if met else "not met")
    console.print(targets)


def main(
    entries: Annotated[int, typer.Option(min=CHANGES * CHANGED, help="Entries in the list.")] = 1_000_000,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where the databases go.")] = None,
) -> None:
    """Measure import, sync and changes of a watchlist."""
    console = Console()
    place = Path(tempfile.mkdtemp(prefix="gateway-bench-", dir=folder))
    with console.status("making entries") as status:
        rows = rows_of(entries)
        figures = asyncio.run(measure(place, rows, status.update))
    shutil.rmtree(place)  # kept when something failed: the nodes' logs are there
    show(figures, console)


if __name__ == "__main__":
    typer.run(main)
