"""Processes that read messages in bulk collect garbage alike."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from gateway.node.workers.collection import THRESHOLD
from gateway.node.workers.preparation import preparation_handlers
from gateway.node.workers.recording import recording_handlers
from gateway.rpc.workers.worker_main import Handlers


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


@pytest.mark.parametrize("opened", [preparation_handlers("gba.customs.example", "cn"), recording_handlers(())])
def test_a_process_leaves_out_what_was_there_and_collects_seldom(opened: AbstractContextManager[Handlers]) -> None:
    gc.unfreeze()
    with opened as handlers:
        assert handlers
        assert gc.get_threshold()[0] == THRESHOLD
        assert gc.get_freeze_count() > 0
