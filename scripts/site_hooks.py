"""Hooks of MkDocs: adds the pages that are made, and lists the decisions.

A link to a file outside of docs/ becomes the file's path, since the site may be read where the repository isn't.
"""

from __future__ import annotations

import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parents[1]))
from scripts.site_pages import pages

_LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((?!https?:|#|mailto:)([^)\s#]*)(#[^)\s]*)?\)")


def on_config(config: Any) -> Any:
    """Puts every ADR into the navigation."""
    decisions = sorted(path.name for path in (Path(config.docs_dir) / "adr").glob("*.md"))
    for section in config.nav:
        for entry in section.get("Design", []):
            if isinstance(entry, dict) and "Decisions" in entry:
                entry["Decisions"] = [f"adr/{name}" for name in decisions]
    return config


def on_files(files: Files, *, config: Any) -> Files:
    """Adds the reference."""
    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Turns links that leave docs/ into paths of the repository."""
    del config, files
    folder = posixpath.dirname(page.file.src_uri)

    def shown(link: re.Match[str]) -> str:
        text, target, _anchor = link.groups()
        path = posixpath.normpath(posixpath.join("docs", folder, target))
        if path.startswith("docs/"):
            return link[0]
        name = text.strip("`")
        return f"`{path}`" if name in path else f"{text} (`{path}`)"

    return _LINK.sub(shown, markdown)
