"""The example in docs/extending.md is a change that works: applied to a copy of this tree it records and projects."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.db.database import Database
from tests.support.databases import MakeDatabase

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs/extending.md"
MOST_FILES = 6
MIGRATION = "gateway/db/migrations/versions"

DRIVER = """
import sys
from pathlib import Path

from sqlalchemy import func, select

from gateway.contract.ids import Channel, FeedOrigin
from gateway.db import migrate
from gateway.db.database import Database
from gateway.feed.projection.rebuild import rebuild
from gateway.feed.service.writing.commands import new_entry
from gateway.history.tables import seals
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1.seal_pb2 import SealEvent, SealRecorded
from tests.support.nodes import paper_nodes


class Record:
    weight = 1

    def __init__(self, number, holder):
        self.event = SealEvent(recorded=SealRecorded(number=number, holder=holder))

    def execute(self, tx):
        origin = FeedOrigin(FEDERATION, tx.own_node, tx.own_node, Channel.SEALS)
        return tx.append(origin, new_entry("SealEvent", self.event, now_ms=tx.now_ms)).index


def stored():
    with database.read() as conn:
        return [tuple(row) for row in conn.execute(select(seals.seals).order_by(seals.seals.c.number))]


database = Database(sys.argv[1])
migrate.upgrade(database)
with paper_nodes(Path(sys.argv[2]), lambda: database, ("cn",)) as (cn,):
    cn.publish("hk")
    indexes = [cn.writer.run(Record(number, holder)) for number, holder in (("L2", "B"), ("L1", "A"), ("L2", "C"))]
    assert indexes == [0, 1, 2], indexes
    cn.settle()
    before = stored()
    assert [(row[0], row[1], row[4]) for row in before] == [("L1", "A", 1), ("L2", "C", 2)], before
    with database.read() as conn:
        assert seals.find(conn, "L2").holder == "C"
        assert seals.find(conn, "L3") is None
    with database.write() as conn:
        cn.projector.clear(conn)
    assert stored() == []
    report = rebuild(cn.writer, report_progress=lambda _: None)
    assert report.entries == 4, report
    assert stored() == before
database.close()
"""


def _blocks() -> list[list[str]]:
    text = DOCUMENT.read_text(encoding="utf-8")
    return [block.splitlines() for block in re.findall(r"^```diff\n(.*?)^```$", text, flags=re.S | re.M)]


def _apply(tree: Path) -> list[str]:
    """Applies the document's changes; every one must fit exactly once."""
    changed = []
    for lines in _blocks():
        path = lines[1].removeprefix("+++ b/")
        target = tree / path
        hunks = "\n".join(lines[2:]).split("@@")[1:]
        text = "" if lines[0] == "--- /dev/null" else target.read_text(encoding="utf-8")
        assert (lines[0] == "--- /dev/null") == (not target.exists()), path
        for hunk in hunks:
            parts = [(line[:1], line[1:] + "\n") for line in hunk.strip("\n").split("\n")]
            old = "".join(line for mark, line in parts if mark != "+")
            new = "".join(line for mark, line in parts if mark != "-")
            assert text.count(old) == 1 or not old, f"{path}: {old!r} stands there {text.count(old)} times"
            text = text.replace(old, new) if old else new
        target.unlink(missing_ok=True)  # it may be a link to the file of this tree
        target.write_text(text, encoding="utf-8")
        changed.append(path)
    return changed


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A copy of this tree with the example in it, its code generated, and the files that were changed."""
    folder = tmp_path_factory.mktemp("extended")
    for name in ("gateway", "protos", "third_party", "scripts", "tests/support"):
        shutil.copytree(ROOT / name, folder / name, copy_function=_link, ignore=shutil.ignore_patterns("__pycache__"))
    changed = _apply(folder)
    _run(
        folder,
        *("-m", "grpc_tools.protoc", "--proto_path=protos", "--proto_path=third_party/protos"),
        *("--python_out=.", "gateway/v1/seal.proto"),
    )
    before = set((folder / MIGRATION).glob("0*.py"))
    _run(folder, "scripts/migration.py", "seals")
    changed += [str(path.relative_to(folder)) for path in set((folder / MIGRATION).glob("0*.py")) - before]
    return folder, changed


def _run(folder: Path, *arguments: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_channel_touches_few_files(tree: tuple[Path, list[str]]) -> None:
    _, changed = tree
    assert len(set(changed)) == len(changed)
    assert len(changed) <= MOST_FILES, changed
    outside = [path for path in changed if not path.startswith(("gateway/history/", "protos/", MIGRATION))]
    assert outside == ["gateway/contract/ids.py", "gateway/node/projections.py"]


def test_the_new_channel_is_recorded_projected_cleared_and_rebuilt(
    tree: tuple[Path, list[str]], make_empty_database: MakeDatabase, tmp_path: Path
) -> None:
    folder, _ = tree
    database: Database = make_empty_database()
    url = database.engine.url.render_as_string(hide_password=False)
    _run(folder, "-c", DRIVER, url, str(tmp_path))
