"""Measures watchlists: import, full sync to a partner, and a small change in a large list, beside a floor.

Entries are those of bench/list_names.py, made before the clock starts. Three processes on loopback, real TLS, SQLite
with synchronous=FULL, nothing switched off: validation, agreements, receipts, dispositions.

    python -m bench.lists [--entries N] [--dir FOLDER] [--json FILE]

The floor, in the same run, is the bare 100-per-message gRPC echo of the same bytes.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from grpc.aio import AioRpcError
from rich.console import Console

from bench import list_names
from bench.floors import running_echo
from bench.nodes import LIST, PUBLISHER, NodeProcess, Pair, running_pair
from bench.results import Figures, Tell, quantile, show, write
from gateway.client.alerts import GatewayClient
from gateway.v1 import alert_pb2, watchlist_pb2
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.v1.screening_pb2 import ScreeningSubject, ScreenPartiesRequest
from gateway.v1.watchlist_service_pb2_grpc import WatchlistServiceStub

ROWS = 500
"""Rows in one message of an import."""

CHANGES = 100
"""Small changes that are timed."""

CHANGED = 100
"""Entries in one small change."""

Rows = Sequence[tuple[str, watchlist_pb2.WatchlistContent]]


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
    figures, count = Figures(), len(rows)
    async with running_pair(folder / "nodes") as pair, running_echo(pair.cn.folder, PUBLISHER) as echo:
        floor = await echo.frames_of([content.SerializeToString() for _, content in rows[:100_000]])
        figures.note("lists: echo of the same bytes, 100 per message", "/s", floor)
        stub = stub_of(pair.cn_client)
        await pair.hk.stop()
        tell("importing")
        started, cpu_s = time.perf_counter(), pair.cn.cpu_s

        def imported(until: str) -> None:
            figures.note(f"lists: import, {until}", "/s", count / (time.perf_counter() - started))
            figures.note(f"lists: import, {until}: processor at cn", "µs", (pair.cn.cpu_s - cpu_s) / count * 1e6)

        await import_rows(stub, rows)
        imported("durable")
        await _until(lambda: _is_applied(pair.cn))
        imported("shown in our lists")
        await _until(lambda: _is_released(pair.cn))
        imported("in the partner's feed")
        tell("importing again")
        started = time.perf_counter()
        assert (await import_rows(stub, rows)).unchanged == count
        figures.note("lists: import of the same again", "/s", count / (time.perf_counter() - started))
        tell("syncing")
        cn_cpu = pair.cn.cpu_s
        await pair.hk.start()
        hk_cpu, started = pair.hk.cpu_s, time.perf_counter()
        updates = _query(pair.cn, "SELECT size FROM feeds WHERE origin LIKE '%/cn/hk/watchlist'")
        await _until(lambda: _applied(pair.hk) >= updates)
        figures.note("lists: full sync", "/s", count / (time.perf_counter() - started))
        assert _query(pair.hk, "SELECT count(*) FROM list_entries WHERE ended = 0") == count
        for node, before_s in ((pair.cn, cn_cpu), (pair.hk, hk_cpu)):
            figures.note(f"lists: full sync: processor at {node.name}", "µs", (node.cpu_s - before_s) / count * 1e6)
        figures["lists: full sync / echo"] = figures["lists: full sync"].over(
            figures["lists: echo of the same bytes, 100 per message"]
        )
        tell("small changes")
        taken = [await _change(pair, stub, rows, at) for at in range(CHANGES)]
        for what, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0)):
            figures.note(f"lists: change {what}", "ms", quantile(taken, share))
        for node in (pair.cn, pair.hk):
            figures.note(f"lists: memory of {node.name}", "MB", node.rss_mb)
    return figures


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


async def screening_ready(stub: WatchlistServiceStub) -> None:
    """Waits until the node's screening process has its index."""
    subject = ScreeningSubject(vessels=["NOBODY'S VESSEL"])
    while True:
        with suppress(AioRpcError):  # while the index is loaded
            if (await stub.ScreenParties(ScreenPartiesRequest(subjects=[subject]))).position:
                return
        await asyncio.sleep(0.2)


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


def main(
    entries: Annotated[int, typer.Option(min=CHANGES * CHANGED, help="Entries in the list.")] = 1_000_000,
    folder: Annotated[Path | None, typer.Option("--dir", help="Where the databases go.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="File for the figures.")] = None,
) -> None:
    """Measure import, sync and changes of a watchlist."""
    console = Console()
    place = Path(tempfile.mkdtemp(prefix="gateway-bench-", dir=folder))
    with console.status("making entries") as status:
        figures = asyncio.run(measure(place, rows_of(entries), status.update))
    shutil.rmtree(place)  # kept when something failed: the nodes' logs are there
    show(figures, f"Watchlists, {entries:,} entries", console)
    write(json_file, figures, command=f"python -m bench.lists --entries {entries}")


if __name__ == "__main__":
    typer.run(main)
