"""Runs a piece of work on persons in a writer's transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from sqlalchemy import Connection

from gateway.feed.service.writing.transaction import Transaction

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class PersonCommand(Generic[ResultT]):
    """`work(conn, now_ms)` in a transaction; it raises a GatewayError only before any write."""

    work: Callable[[Connection, int], ResultT]
    weight: int = 1

    def execute(self, tx: Transaction) -> ResultT:
        return self.work(tx.conn, tx.now_ms)
