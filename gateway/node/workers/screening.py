"""The screening index in a process of its own: `python -m gateway.node.workers.screening`, started by the node.

Reading a long list into the index takes minutes of processor time, and so may comparing it with the parties of before.
In the node's own process every alert would have to wait for the interpreter meanwhile; here it can't. The process reads
the database, writes its snapshot and nothing else, and talks to the node alone, in frames on stdin and stdout
(rpc.worker_process has their form): what it finds, the node keeps. It ends when the node does.
"""

from __future__ import annotations

import gc
import json
import logging
import os
import queue
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

from gateway.db.database import Database
from gateway.errors import GatewayError
from gateway.node.workers.process import told, write_frame
from gateway.rpc.worker_process import DONE, FAILED, READY, read_frame
from gateway.screening.index.index import GC_THRESHOLD
from gateway.screening.result import Thresholds
from gateway.v1 import screening_pb2
from gateway.watchlists.codec.matches import encode_findings
from gateway.watchlists.codec.screening import answer
from gateway.watchlists.rpc.screening import FOLLOW, SCREEN
from gateway.watchlists.service.match_search import MatchSearch
from gateway.watchlists.service.screening import Screener

log = logging.getLogger("gateway.screening")

NICENESS = 5
"""Added to the process's niceness: whatever the node does goes first, and a third of a busy core is left for this."""

SAVE_EVERY_S = 600.0
"""How often the snapshot is renewed when something has changed, in seconds."""


class Worker:
    """Answers the node; a thread follows the lists and looks for matches."""

    def __init__(self, screener: Screener, search: MatchSearch) -> None:
        self._screener = screener
        self._search = search
        self._asked: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._follow, name="follow", daemon=True)

    def run(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        """Serves until the node closes its end; then saves the index."""
        taken = self._screener.start()
        gc.freeze()  # a long list is a million objects that no collection need look at again
        gc.set_threshold(GC_THRESHOLD)
        log.info("screening against %d entries%s", self._screener.entries, ", from the snapshot" if taken else "")
        self._outgoing = outgoing
        self._write(READY)
        self._thread.start()
        while (received := read_frame(incoming.read)) is not None:
            if received[:1] == FOLLOW:
                self._asked.put(received[1:])
            elif received[:1] == SCREEN:
                self._write(self._answer(received[1:]))
        self._asked.put(None)
        self._thread.join()
        self._save()

    def _answer(self, asked: bytes) -> bytes:
        try:
            begin = 12 + int.from_bytes(asked[8:12])
            hidden = frozenset(asked[12:begin].decode().split())
            request = screening_pb2.ScreenPartiesRequest.FromString(asked[begin:])
            done = self._screener.screen(
                request.subjects,
                visible=lambda group: group not in hidden,
                at_ms=int.from_bytes(asked[:8]),
                max_hits=request.max_hits,
            )
            found = answer((one.reference for one in request.subjects), done.found)
            response = screening_pb2.ScreenPartiesResponse(subjects=found, position=done.position)
            return SCREEN + DONE + response.SerializeToString()
        except Exception as error:
            log.exception("a screening failed")
            return SCREEN + FAILED + type(error).__name__.encode()

    def _follow(self) -> None:
        save_at = time.monotonic() + SAVE_EVERY_S
        while True:
            try:
                asked = self._asked.get(timeout=max(0.0, save_at - time.monotonic()))
                if asked is None:
                    return
                self._write(self._found(asked))
                while self._asked.empty() and self._screener.tidy():
                    pass
            except queue.Empty:
                self._save()
                save_at = time.monotonic() + SAVE_EVERY_S
            except BrokenPipeError:
                return  # the node is gone

    def _found(self, asked: bytes) -> bytes:
        try:
            found = self._search.step(json.loads(asked[8:]), at_ms=int.from_bytes(asked[:8]))
            return FOLLOW + DONE + encode_findings(found)
        except GatewayError as error:
            return FOLLOW + FAILED + str(error).encode()
        except Exception as error:
            log.exception("the search for matches failed")
            return FOLLOW + FAILED + type(error).__name__.encode()

    def _write(self, body: bytes) -> None:
        with self._writing:
            write_frame(self._outgoing, body)

    def _save(self) -> None:
        try:
            self._screener.save()
        except (GatewayError, OSError) as error:
            log.warning("the screening index wasn't saved: %s", error)


def main() -> None:
    """Reads what to do from the first frame, and serves."""
    os.nice(NICENESS)
    todo = told()
    if todo is None:
        return
    thresholds = {name: Thresholds(*scores) for name, scores in todo["thresholds"].items()}
    database = Database(todo["database_url"])
    try:
        screener = Screener(database, Path(todo["snapshot"]), thresholds=thresholds)
        Worker(screener, MatchSearch(database, screener)).run(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        pass  # the node is gone
    finally:
        database.close()


if __name__ == "__main__":
    main()
