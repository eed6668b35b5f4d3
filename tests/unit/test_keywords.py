"""With `-k`, files that can't have a test with its words aren't read, and those that can are."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.keywords import MOST_WORDS, Keywords


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "tests" / "links"
    folder.mkdir(parents=True)
    (folder / "conftest.py").write_text('params=["push", "pull"]')
    (folder / "test_outages.py").write_text("def test_a_cut_network_heals(): ...")
    (tmp_path / "tests" / "test_notes.py").write_text("class TestParsing: ...")
    return tmp_path / "tests"


@pytest.mark.parametrize(
    ("expression", "read"),
    [
        ("cut_network", {"test_outages.py"}),
        ("OUTAGES", {"test_outages.py"}),
        ("links", {"test_outages.py"}),
        ("push", {"test_outages.py"}),
        ("test_a_cut_network_heals[push-3]", {"test_outages.py"}),
        ("TestParsing and sqlite", {"test_notes.py"}),
        ("parsing or heals", {"test_notes.py", "test_outages.py"}),
        ("heals and parsing", {"test_notes.py", "test_outages.py"}),  # nobody's: all are read
        ("not heals", {"test_notes.py", "test_outages.py"}),  # another test of the file may lack it
        ("parsing and not heals", {"test_notes.py"}),
        ("computed_elsewhere", {"test_notes.py", "test_outages.py"}),
        (" or ".join(f"heals{n}" for n in range(MOST_WORDS + 1)), {"test_outages.py"}),
    ],
)
def test_files_that_are_read(root: Path, expression: str, read: set[str]) -> None:
    keywords = Keywords(expression, root, everywhere=("sqlite", "postgresql"))

    assert {path.name for path in root.rglob("test_*.py") if not keywords.leaves_out(path)} == read
    assert keywords.leaves_out(root / "links") is ("test_outages.py" not in read)
    assert not keywords.leaves_out(root)
    assert (keywords.read, keywords.total) == (len(read), 2)
