"""Lists that persons upload are read in a process of their own, beside the pages of others."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import signal
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

import psutil
import pytest
from google.protobuf.json_format import MessageToDict

from gateway.console.reading.reader import ListReader, ReadRow
from gateway.console.views.lists.list_files import ListFile, read_file
from gateway.errors import GatewayError, InputFileError, Kind, TooLargeError
from gateway.formats.lists.rows import BadRow
from gateway.formats.wrong_lines import MOST_WRONG_LINES
from gateway.v1.watchlist_pb2 import WatchlistContent, WatchlistEntry
from gateway.v1.watchlist_service_pb2 import ImportRow
from tests.support.nodes import listed_content

CONTENT = listed_content("Exemplo Metais, Limitada")


def spooled(content: bytes) -> BinaryIO:
    file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115
    file.write(content)
    return file


def file_of(kind: str, content: bytes) -> ListFile:
    return read_file(kind, spooled(content), "minerals", WatchlistContent())


def row(entry_id: str) -> str:
    return json.dumps(MessageToDict(WatchlistEntry(id=entry_id, content=CONTENT)))


def read(file: ListFile, most: int) -> list[ReadRow]:
    try:
        return asyncio.run(ListReader().rows(file, most))
    finally:
        file.stream.close()


def un_list(comments: str) -> bytes:
    person = f"<INDIVIDUAL><REFERENCE_NUMBER>QDi.001</REFERENCE_NUMBER><COMMENTS1>{comments}</COMMENTS1></INDIVIDUAL>"
    return f"<CONSOLIDATED_LIST><INDIVIDUALS>{person}</INDIVIDUALS></CONSOLIDATED_LIST>".encode()


def test_rows_come_as_a_reader_in_this_process_gives_them() -> None:
    content = "\n".join([row("A"), "nonsense", row("B"), '{"id": "C"}']).encode()
    here = list(read_file("jsonl", io.BytesIO(content), "minerals", WatchlistContent()).rows())
    assert read(file_of("jsonl", content), 100) == here
    assert {type(each) for each in here} == {ImportRow, BadRow}


def test_two_readers_of_one_open_file_both_have_all_of_it() -> None:
    file = file_of("jsonl", "\n".join(row(f"A-{number}") for number in range(300)).encode())

    async def both() -> tuple[list[ReadRow], list[ReadRow]]:
        reader = ListReader()
        with file.stream:
            return await asyncio.gather(reader.rows(file, 1_000), reader.rows(file, 1_000))

    first, second = asyncio.run(both())
    assert first == second
    assert len(first) == 300


def test_pages_are_answered_while_a_hostile_list_is_read() -> None:
    async def longest_gap_s() -> float:
        file = file_of("un-xml", un_list("a.a-" * 250_000))
        reading = asyncio.create_task(ListReader().rows(file, 1_000))
        longest_s, before, seen = 0.0, time.monotonic(), False
        while not reading.done():
            seen = seen or bool(_readers())
            await asyncio.sleep(0.01)
            longest_s, before = max(longest_s, time.monotonic() - before), time.monotonic()
        file.stream.close()
        assert isinstance(reading.result()[0], BadRow)
        assert seen, "in a process of its own"
        return longest_s

    assert asyncio.run(longest_gap_s()) < 10.0  # some 40 s where a reader of this process has it


def test_a_table_of_wrong_lines_ends_with_a_clear_sentence() -> None:
    content = b"id,list\n" + b"".join(b"A-%d,other\n" % number for number in range(200_000))
    with pytest.raises(
        InputFileError, match=r"^line 1001: 1000 lines up to this one can't be used.*The first is line 2: list: "
    ):
        read(file_of("csv", content), 500_000)


def test_nothing_is_read_after_too_many_wrong_lines() -> None:
    """A reader of this process: what it has given until then, and what it has taken of the file."""
    content = io.BytesIO(b"id,list\n" + b"".join(b"A-%d,other\n" % number for number in range(50_000)))
    rows = read_file("csv", content, "minerals", WatchlistContent()).rows()
    lines: set[int] = set()
    with pytest.raises(InputFileError, match=f"^line {MOST_WRONG_LINES + 1}: "):
        lines.update(each.line for each in rows if isinstance(each, BadRow))
    assert content.tell() < len(content.getvalue())
    assert len(lines) <= MOST_WRONG_LINES


def test_fewer_wrong_lines_are_all_told() -> None:
    content = b"id,list\n" + b"".join(b"A-%d,other\n" % number for number in range(MOST_WRONG_LINES - 1))
    rows = read(file_of("csv", content), 5_000)
    assert len({each.line for each in rows}) == MOST_WRONG_LINES - 1


def test_more_rows_than_a_page_has_are_refused() -> None:
    content = "\n".join(row(f"A-{number}") for number in range(3)).encode()
    assert len(read(file_of("jsonl", content), 3)) == 3
    with pytest.raises(TooLargeError):
        read(file_of("jsonl", content), 2)


def test_a_file_of_another_form_says_so() -> None:
    with pytest.raises(InputFileError, match="begins with"):
        read(file_of("un-xml", b"<html></html>"), 10)


def test_a_reader_that_fails_is_a_defect_and_the_log_says_how(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(GatewayError, match="defect") as failed:
        read(file_of("no-such-format", b""), 10)
    assert failed.value.kind is Kind.INTERNAL
    [record] = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.__dict__["code"] == 1
    assert "KeyError: 'no-such-format'" in record.__dict__["stderr"]


@pytest.mark.parametrize(
    ("number", "error", "logged"),
    [(signal.SIGKILL, TooLargeError, 0), (signal.SIGXCPU, TooLargeError, 0), (signal.SIGSEGV, GatewayError, 1)],
)
def test_how_a_reader_ended_says_whether_the_list_is_too_large(
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    number: signal.Signals,
    error: type[GatewayError],
    logged: int,
) -> None:
    ended = tmp_path / "ended"  # by this signal before its first row, whenever a busy machine gets to it
    ended.write_text(f"#!/bin/sh\nkill -{number.value} $$\n", encoding="utf-8")
    ended.chmod(0o700)
    monkeypatch.setattr("sys.executable", str(ended))
    with pytest.raises(GatewayError) as failed:
        read(file_of("un-xml", un_list("any")), 1_000)
    assert type(failed.value) is error
    assert len(caplog.records) == logged


def _readers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "gateway.console.reading.worker" in _command(child)]


def _command(process: psutil.Process) -> list[str]:
    """Empty for one that has ended: other tests' orphans come to this process."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []
