"""The screening index in a process of its own: `python -m gateway.node.screening_worker`, started by the node.

Reading a long list into the index takes minutes of processor time. In the node's own process every alert would have to
wait for the interpreter meanwhile; here it can't. The process reads the database, writes its snapshot, and talks to the
node alone, in frames on stdin and stdout (transport.screening has their form). It ends when the node does.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from pathlib import Path
from typing import BinaryIO

from gateway.errors import GatewayError
from gateway.screening.result import Thresholds
from gateway.services.screening import Screener, Subject
from gateway.store.database import Database
from gateway.transport.screening import ANSWER, ERROR, FOLLOW, READY, SCREEN, frame, read_frame
from gateway.v1 import screening_pb2
from gateway.wire.screening import answer, sought_of

log = logging.getLogger("gateway.screening")

NICENESS = 10
"""Added to the process's niceness: whatever the node does goes first."""

SAVE_EVERY_S = 600.0
"""How often the snapshot is renewed when something has changed, in seconds."""


class Worker:
    """Answers the node; a thread follows the lists."""

    def __init__(self, screener: Screener) -> None:
        self._screener = screener
        self._moved = threading.Event()
        self._ending = False
        self._thread = threading.Thread(target=self._follow, name="follow", daemon=True)

    def run(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        """Serves until the node closes its end; then saves the index."""
        taken = self._screener.start()
        log.info("screening against %d entries%s", self._screener.entries, ", from the snapshot" if taken else "")
        _write(outgoing, READY)
        self._thread.start()
        while (received := read_frame(incoming.read)) is not None:
            if received[:1] == FOLLOW:
                self._moved.set()
            elif received[:1] == SCREEN:
                _write(outgoing, self._answer(received[1:]))
        self._ending = True
        self._moved.set()
        self._thread.join()
        self._save()

    def _answer(self, asked: bytes) -> bytes:
        try:
            begin = 12 + int.from_bytes(asked[8:12])
            hidden = frozenset(asked[12:begin].decode().split())
            request = screening_pb2.ScreenPartiesRequest.FromString(asked[begin:])
            subjects = [Subject(one.reference, sought_of(one)) for one in request.subjects]
            done = self._screener.screen(
                subjects,
                visible=lambda group: group not in hidden,
                at_ms=int.from_bytes(asked[:8]),
                max_hits=request.max_hits,
            )
            found = answer((one.reference for one in request.subjects), done.found)
            response = screening_pb2.ScreenPartiesResponse(subjects=found, position=done.position)
            return ANSWER + response.SerializeToString()
        except Exception as error:
            log.exception("a screening failed")
            return ERROR + type(error).__name__.encode()

    def _follow(self) -> None:
        while not self._ending:
            self._moved.clear()
            try:
                for found in self._screener.follow().backward:
                    log.warning(
                        "party %s, screened before, may be on %s now", found.party, "/".join(found.hit.reference)
                    )
                while not self._moved.is_set() and self._screener.tidy():
                    pass
            except GatewayError as error:
                log.warning("the screening index waits: %s", error)
            if not self._moved.wait(SAVE_EVERY_S):
                self._save()

    def _save(self) -> None:
        try:
            self._screener.save()
        except (GatewayError, OSError) as error:
            log.warning("the screening index wasn't saved: %s", error)


def _write(outgoing: BinaryIO, body: bytes) -> None:
    outgoing.write(frame(body))
    outgoing.flush()


def main() -> None:
    """Reads what to do from the first frame, and serves."""
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s [%(levelname)s] %(message)s [%(name)s]"
    )
    os.nice(NICENESS)
    first = read_frame(sys.stdin.buffer.read)
    if first is None:
        return
    told = json.loads(first)
    thresholds = {name: Thresholds(*scores) for name, scores in told["thresholds"].items()}
    database = Database(told["database_url"])
    try:
        Worker(Screener(database, Path(told["snapshot"]), thresholds=thresholds)).run(
            sys.stdin.buffer, sys.stdout.buffer
        )
    except BrokenPipeError:
        pass  # the node is gone
    finally:
        database.close()


if __name__ == "__main__":
    main()
