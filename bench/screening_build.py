"""Indexes a made list as a node does: processes read names, one for each core, and one writes the index.

The list is made before and passed as bytes. A node reads it from its database instead; here nothing but indexing is
measured.
"""

from __future__ import annotations

import gc
import os
import pickle
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import NamedTuple

from bench.list_names import entries
from gateway.rpc.workers.worker_main import Handlers
from gateway.rpc.workers.worker_process import WorkerProcess, ordered_calls
from gateway.screening.index.entries import IndexEntry
from gateway.screening.index.index import GC_THRESHOLD, NameIndex
from gateway.screening.index.reading import ReadEntry, RefusedEntry, read_entries
from gateway.v1 import watchlist_pb2
from gateway.watchlists.codec.screening import record_of

BUILD = "build"
BUILD_S = 3_600.0
MIN_PARTS = 3
"""Parts for each process, as in a node."""
PART_ENTRIES = 10_000


class Built(NamedTuple):
    """An index, the seconds and the processor seconds that it took, and the most megabytes of each other process."""

    names: NameIndex
    seconds: float
    processor: float
    peaks: list[float]


def peak_mb() -> float:
    """Most resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)


class _Answer(NamedTuple):
    """A part, and what its process has used so far."""

    part: list[ReadEntry]
    process: int
    peak: float
    seconds: float


def _read(listed: bytes) -> list[ReadEntry]:
    return list(read_entries(pickle.loads(listed), _refuse))  # noqa: S301 (made by this run)


def _refuse(entry: RefusedEntry) -> None:
    raise entry.error


def _build(listed: bytes) -> _Answer:
    return _Answer(_read(listed), os.getpid(), peak_mb(), time.process_time())


@contextmanager
def handlers() -> Iterator[Handlers]:
    """In a process that reads names."""
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    yield {BUILD: _build}


def records(count: int) -> Iterator[IndexEntry]:
    """The generator's entries as the index takes them."""
    for entry_id, content in entries(count):
        yield record_of("cn", watchlist_pb2.WatchlistEntry(list="synthetic", id=entry_id, revision=1, content=content))


def made(count: int) -> list[bytes]:
    """A list in the batches that become parts."""
    following = records(count)
    return [pickle.dumps(batch) for batch in iter(lambda: list(islice(following, PART_ENTRIES)), [])]


def build(listed: list[bytes], file: Path) -> Built:
    """Indexes a list in a new file."""
    index, began, used = NameIndex(file), time.perf_counter(), time.process_time()
    processes = min(len(os.sched_getaffinity(0)), len(listed) // MIN_PARTS)
    others: dict[int, _Answer] = {}
    if processes < 2:
        index.add(chain.from_iterable(map(_read, listed)))
    else:
        index.add(chain.from_iterable(_parts(listed, processes, others)))
    processor = time.process_time() - used + sum(answer.seconds for answer in others.values())
    return Built(index, time.perf_counter() - began, processor, [answer.peak for answer in others.values()])


def _parts(listed: Iterable[bytes], processes: int, others: dict[int, _Answer]) -> Iterator[list[ReadEntry]]:
    """`others`: gets what each process has used."""
    workers = [WorkerProcess(f"names {n}", handlers, (), deadlines_s={BUILD: BUILD_S}) for n in range(processes)]
    for future in ordered_calls(workers, BUILD, ((batch,) for batch in listed)):
        answer: _Answer = future.result()
        others[answer.process] = answer._replace(part=[])
        yield answer.part
