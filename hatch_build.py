"""Compiles the catalogues of translations (.po) into what the program reads (.mo), for every build and installation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

CATALOGUES = Path("gateway", "translation", "catalogues")


class CatalogueBuildHook(BuildHookInterface[Any]):
    """Hatch calls it before it collects the files."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        compile_catalogues(Path(self.root) / CATALOGUES)


def compile_catalogues(folder: Path) -> None:
    """Writes each .mo beside its .po."""
    for source in sorted(folder.glob("*.po")):
        with source.open("rb") as text, source.with_suffix(".mo").open("wb") as compiled:
            write_mo(compiled, read_po(text))
