"""Files between two pages are one person's, for a quarter of an hour, and few."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.console.spool import KEPT_S, MAX_FILES, Spool
from gateway.errors import NotFoundError, OverloadedError


@pytest.fixture
def spools() -> Iterator[Callable[..., Spool]]:
    """Makes spools that are closed at the end."""
    made: list[Spool] = []

    def make(**options: Any) -> Spool:
        made.append(Spool(**options))
        return made[-1]

    yield make
    for spool in made:
        spool.close()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_file_is_read_again_by_its_owner_alone(spools: Callable[..., Spool]) -> None:
    spool = spools()
    token = spool.put("ana", "list.csv", io.BytesIO(b"id\n1\n"))
    for _time in range(2):
        name, file = spool.get("ana", token)
        assert (name, file.read()) == ("list.csv", b"id\n1\n")
    with pytest.raises(NotFoundError):
        spool.get("eve", token)
    spool.drop("eve", token)
    spool.get("ana", token)
    spool.drop("ana", token)
    with pytest.raises(NotFoundError):
        spool.get("ana", token)


def test_files_end(spools: Callable[..., Spool]) -> None:
    clock = Clock()
    spool = spools(clock=clock)
    token = spool.put("ana", "a", io.BytesIO(b"x"))
    clock.now = KEPT_S + 1
    with pytest.raises(NotFoundError):
        spool.get("ana", token)


def test_files_are_few(spools: Callable[..., Spool]) -> None:
    spool = spools()
    for _number in range(MAX_FILES // 2):
        spool.put("ana", "a", io.BytesIO(b"x"))
    with pytest.raises(OverloadedError):
        spool.put("ana", "a", io.BytesIO(b"x"))
    tokens = [spool.put(f"person-{number}", "a", io.BytesIO(b"x")) for number in range(MAX_FILES)]
    spool.get(f"person-{MAX_FILES - 1}", tokens[-1])
