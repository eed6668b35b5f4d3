"""Files between two pages, and files that come in parts: each one person's, for a while, and few."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.console.spool import (
    KEPT_S,
    LARGEST_OF_A_PERSON,
    LARGEST_OF_ALL,
    MAX_FILES,
    OF_A_PERSON,
    PARTS_KEPT_S,
    HandedOver,
    PartialFiles,
    Spool,
)
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


LARGEST = 1_000


@pytest.fixture
def coming() -> Iterator[PartialFiles]:
    made = PartialFiles(clock=Clock())
    yield made
    made.close()


def begun(coming: PartialFiles, owner: str = "ana", size: int = 10, largest: int = LARGEST) -> str:
    return coming.begin(owner, "a.jpg", "image/jpeg", size, largest=largest)


@given(st.binary(max_size=50), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=20))
def test_parts_at_whatever_offsets_never_make_another_file(content: bytes, parts: list[tuple[int, int]]) -> None:
    """Slices of a file, each said to begin where it does: what is there is always the file's beginning."""
    coming = PartialFiles()
    token = begun(coming, size=len(content))
    kept = coming.get("ana", token)
    for offset, length in parts:
        before = kept.received
        after = coming.append("ana", token, offset, content[offset : offset + length])
        fits = offset == before
        assert after == kept.received == (before + len(content[offset : offset + length]) if fits else before)
        kept.file.seek(0)
        assert kept.file.read() == content[:after]
    coming.close()


def test_a_part_beyond_the_file_s_size_is_left_out(coming: PartialFiles) -> None:
    token = begun(coming, size=10)
    assert coming.append("ana", token, 0, b"12345") == 5
    assert coming.append("ana", token, 5, b"123456") == 5
    assert coming.append("ana", token, 5, b"12345") == 10


def test_a_partial_file_is_its_person_s_alone(coming: PartialFiles) -> None:
    token = begun(coming)
    for act in (lambda: coming.get("eve", token), lambda: coming.append("eve", token, 0, b"x")):
        with pytest.raises(NotFoundError):
            act()
    assert coming.get("ana", token).received == 0


def test_a_file_waits_for_its_next_part_for_an_hour() -> None:
    clock = Clock()
    coming = PartialFiles(clock=clock)
    token, idle = begun(coming), begun(coming)
    clock.now = PARTS_KEPT_S - 1
    coming.append("ana", token, 0, b"x")
    clock.now = PARTS_KEPT_S + 1
    assert coming.get("ana", token).received == 1
    with pytest.raises(NotFoundError):
        coming.get("ana", idle)
    coming.close()


def test_of_a_person_the_file_that_waits_longest_goes_first(coming: PartialFiles) -> None:
    first, second = begun(coming), begun(coming)
    coming.append("ana", first, 0, b"x")
    for _ in range(OF_A_PERSON - 1):
        begun(coming)
    coming.get("ana", first)
    with pytest.raises(NotFoundError):
        coming.get("ana", second)


def test_bytes_of_a_person_and_of_all_are_bounded(coming: PartialFiles) -> None:
    tokens = [begun(coming, size=LARGEST) for _ in range(LARGEST_OF_A_PERSON + 1)]
    with pytest.raises(NotFoundError):
        coming.get("ana", tokens[0])
    coming.get("ana", tokens[1])
    for person in range(LARGEST_OF_ALL - LARGEST_OF_A_PERSON):
        begun(coming, f"person-{person}", LARGEST)
    with pytest.raises(OverloadedError):
        begun(coming, "somebody else", 1)


def test_a_file_that_was_handed_over_takes_no_room_and_its_result_is_kept(coming: PartialFiles) -> None:
    results = [HandedOver(f"{number:064x}", "a.jpg", "") for number in range(LARGEST_OF_ALL + 1)]
    tokens = []
    for result in results:
        tokens.append(begun(coming, size=LARGEST))
        coming.finish(coming.get("ana", tokens[-1]), result)
    assert [coming.get("ana", token).result for token in tokens] == results


def test_a_file_that_is_handed_over_is_left_out_afterwards(coming: PartialFiles) -> None:
    async def run() -> None:
        token = begun(coming)
        kept = coming.get("ana", token)
        async with kept.handing_over:
            leaving = asyncio.create_task(coming.drop(kept, token))
            await asyncio.sleep(0)
            for _ in range(OF_A_PERSON + 1):
                begun(coming)
            assert not kept.file.closed
        await leaving
        assert kept.file.closed

    asyncio.run(run())


def test_a_full_disk_leaves_what_is_there(coming: PartialFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    token = begun(coming)
    coming.append("ana", token, 0, b"12345")
    kept = coming.get("ana", token)

    class Full:
        def seek(self, offset: int) -> None: ...

        def write(self, part: bytes) -> int:
            raise OSError("No space left on device")

    monkeypatch.setattr(kept, "file", Full())
    with pytest.raises(OverloadedError):
        coming.append("ana", token, 5, b"12345")
    assert kept.received == 5
    monkeypatch.undo()
