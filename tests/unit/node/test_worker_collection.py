"""Processes that read messages in bulk collect garbage alike."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from gateway.node.workers.collection import THRESHOLD
from gateway.node.workers.recording import recording_handlers


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_a_process_leaves_out_what_was_there_and_collects_seldom() -> None:
    gc.unfreeze()
    with recording_handlers(()) as handlers:
        assert handlers
        assert gc.get_threshold()[0] == THRESHOLD
        assert gc.get_freeze_count() > 0
