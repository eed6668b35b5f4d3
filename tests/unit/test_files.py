"""Files are written by `gateway.files` alone: new ones, never through a link."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway.cli.files import output_file, write_output
from gateway.errors import OptionError
from gateway.feed.service.continuity.marks import Marks
from gateway.files import OWNER_ONLY, create_file, replace_file, replacement

ROOT = Path(__file__).parents[2]
WRITER = ROOT / "gateway/files.py"
OPENING = {"write_text", "write_bytes", "mkstemp", "NamedTemporaryFile", "touch"}
NAMED = re.compile("|".join(["open", *OPENING]))
"""A module without these words opens nothing: half of them aren't parsed."""


def writes(source: str) -> Iterator[str]:
    """Calls that open a file for writing, each with its line."""
    for node in ast.walk(ast.parse(source if NAMED.search(source) else "")):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        modes = [*node.args, *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
        texts = [mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)]
        to_write = name == "open" and any(set(text) <= set("rwaxbt+") and set(text) & set("wax+") for text in texts)
        created = name == "open" and "O_CREAT" in ast.unparse(node)
        method = isinstance(node.func, ast.Attribute) and name in OPENING
        if to_write or created or method:
            yield f"{node.lineno}: {ast.unparse(node)[:100]}"


@pytest.mark.drift
def test_no_other_module_opens_a_file_for_writing() -> None:
    modules = [path for path in (ROOT / "gateway").rglob("*.py") if path != WRITER and "v1" not in path.parts]
    found = {str(path.relative_to(ROOT)): list(writes(path.read_text("utf-8"))) for path in modules}
    assert {path: calls for path, calls in found.items() if calls} == {}
    assert list(writes(WRITER.read_text("utf-8")))  # it is found where it is


@pytest.mark.parametrize("call", ["p.open('wb')", "open(p, mode='a')", "p.write_text('x')", "os.open(p, os.O_CREAT)"])
def test_a_call_that_writes_is_seen(call: str) -> None:
    assert list(writes(call))


def test_a_new_file_is_never_made_through_a_link(tmp_path: Path) -> None:
    victim, link = tmp_path / "victim", tmp_path / "link"
    link.symlink_to(victim)
    with pytest.raises(FileExistsError):
        create_file(link)
    assert not victim.exists()


def named_after(process: int) -> Callable[[Path], Path]:
    return lambda path: path.with_name(f".{path.name}.{process}.partial")


def mark(path: Path) -> None:
    marks = Marks("gba.customs.example/cn", [path])
    marks.set_up(1)
    marks.close()


WRITERS: dict[str, tuple[Callable[[Path], object], list[Callable[[Path], Path]]]] = {
    "an output": (lambda path: write_output(path, b"new"), [named_after(os.getpid())]),
    "marks of what was signed": (mark, [lambda path: path.with_suffix(".new")]),
    "a kept directory": (lambda path: replace_file(path, b"new"), [lambda path: path.with_suffix(".new")]),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_link_planted_where_a_partial_file_was_expected_leads_nowhere(tmp_path: Path, name: str) -> None:
    write, places = WRITERS[name]
    victim, path = tmp_path / "victim", tmp_path / "file"
    victim.write_bytes(b"untouched")
    for place in places:
        place(path).symlink_to(victim)
    write(path)
    assert victim.read_bytes() == b"untouched"
    assert path.exists()
    assert not path.is_symlink()


def test_a_link_in_the_place_of_an_output_is_replaced_or_refused_not_followed(tmp_path: Path) -> None:
    victim, path = tmp_path / "victim", tmp_path / "file"
    path.symlink_to(victim)  # dangling, so that it seems not to exist
    with pytest.raises(OptionError, match="exists already"):
        write_output(path, b"new")
    write_output(path, b"new", replace=True)
    assert (path.read_bytes(), victim.exists()) == (b"new", False)


def test_a_failed_output_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with output_file(tmp_path / "file") as file:
            file.write(b"half")
            raise ValueError("in between")

    with pytest.raises(ValueError, match="in between"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_modes_hold_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with replacement(tmp_path / "own", mode=OWNER_ONLY) as file:
            file.write(b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "own").stat().st_mode & 0o777 == 0o600
