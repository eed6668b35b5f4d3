"""Places of requests are given back however a request ends, and strangers take none of persons."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import pytest

from gateway.console.server.admission import (
    STRANGERS,
    STRANGERS_RECEIVING,
    UPLOADS_OF_A_SESSION,
    Admission,
    ConsoleBusyError,
)


class LeftError(Exception):
    """A request that ended early."""


@pytest.fixture
def admission() -> Admission:
    async def is_session(token: str, _background: bool) -> bool:
        return token == "chan"

    return Admission(2, is_session, lambda token: token == "chan")


@pytest.mark.parametrize("person", [True, False])
def test_a_request_that_ends_early_gives_its_place_back(admission: Admission, person: bool) -> None:
    async def run() -> None:
        for _ in range(STRANGERS + 1):
            with pytest.raises(LeftError):
                async with admission.place(person=person):
                    raise LeftError

    asyncio.run(asyncio.wait_for(run(), 10))


def test_persons_have_places_that_strangers_cant_take(admission: Admission) -> None:
    async def run() -> None:
        for _ in range(STRANGERS):
            await admission.place(person=False).__aenter__()
        async with admission.place(person=True), admission.place(person=True):
            with pytest.raises(ConsoleBusyError):
                await admission.place(person=True).__aenter__()

    asyncio.run(run())


def test_forms_and_files_that_arrive_at_once_are_few(admission: Admission) -> None:
    async def run() -> None:
        with ExitStack() as received:
            for _ in range(STRANGERS_RECEIVING):
                received.enter_context(admission.receiving(person=False))
            with pytest.raises(ConsoleBusyError):
                received.enter_context(admission.receiving(person=False))
        with admission.receiving(person=False):
            pass
        for _ in range(UPLOADS_OF_A_SESSION):
            await admission.upload("chan").__aenter__()
        with pytest.raises(ConsoleBusyError):
            await admission.upload("chan").__aenter__()
        async with admission.upload("wong"):
            pass

    asyncio.run(run())
