"""Copies a stopped node's database files, and puts them back by hand, as no `gateway restore` would."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.support.federation import NodeProcess


def keep_files(node: NodeProcess, folder: Path) -> None:
    """Copies the files to a new folder."""
    folder.mkdir()
    for file in node.data.glob("gateway.sqlite3*"):
        shutil.copy2(file, folder / file.name)


def put_files_back(node: NodeProcess, folder: Path) -> None:
    """Replaces the files by those of that folder."""
    for file in node.data.glob("gateway.sqlite3*"):
        file.unlink()
    for file in folder.iterdir():
        shutil.copy2(file, node.data / file.name)
