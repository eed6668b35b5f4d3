"""Handlers of a screening process that takes its time, for tests; the process imports this module."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.rpc.workers.worker_main import Handlers
from gateway.v1 import screening_pb2
from gateway.watchlists.service.screening_handlers import ESTIMATE, FOLLOW, SCREEN, SCREEN_FEW

SCREEN_S = 0.005
"""Seconds for one subject."""


def screen(
    request: screening_pb2.ScreenPartiesRequest, _hidden: frozenset[str], at_ms: int
) -> screening_pb2.ScreenPartiesResponse:
    """Finds nothing, slowly."""
    time.sleep(SCREEN_S * len(request.subjects))
    subjects = [screening_pb2.ScreenedSubject(reference=subject.reference) for subject in request.subjects]
    return screening_pb2.ScreenPartiesResponse(subjects=subjects, position=at_ms)


@contextmanager
def slow_screening(*_arguments: object) -> Iterator[Handlers]:
    """Opens them."""
    yield {FOLLOW: screen, SCREEN: screen, SCREEN_FEW: screen, ESTIMATE: screen}
