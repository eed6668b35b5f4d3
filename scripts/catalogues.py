"""Collects the texts that people read into gateway.pot, brings the catalogues to its state, and compiles them.

`make catalogues` runs it; translators fill in the .po files. Texts come from

- calls of `_`, `gettext`, `ngettext`, `N_` and `marked` with literals, in Python and in templates;
- `way_out` and `ways_out` of errors, and the help of commands (docstrings below `reports_errors`, but for examples);
- words of the contract that `gateway.translation.labels` lists, and names of the packaged rules.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from gateway.cli.help import help_messages  # noqa: E402
from gateway.contract.enum_words import words  # noqa: E402
from gateway.translation import labels  # noqa: E402
from gateway.translation.rule_sentences import packaged_messages  # noqa: E402
from hatch_build import CATALOGUES, compile_catalogues  # noqa: E402

FOLDER = ROOT / CATALOGUES
TEMPLATE = FOLDER / "gateway.pot"
RULES = "gateway/reference/risk_rules.toml"
CREATED = datetime(2026, 1, 1, tzinfo=UTC)

_UNSTEADY = tuple(
    f'"{name}:'.encode()
    for name in (
        *("Project-Id-Version", "Report-Msgid-Bugs-To", "PO-Revision-Date"),
        *("Last-Translator", "Language-Team", "Generated-By"),
    )
)
"""Beginnings of header lines that say nothing about the texts."""

_MARKED = re.compile(r"\b(?:_|gettext|ngettext|N_|marked|translated_help|ways?_out|reports_errors)\b")
"""A module without these words has no text to translate, and isn't parsed."""

WAYS_OUT = "a way out of an error"
"""Comment at the texts that errors name as the next step."""


@dataclass(frozen=True, slots=True)
class Message:
    """A text to translate."""

    text: str | tuple[str, str]
    context: str | None = None
    comment: str = ""


def messages_in(source: str) -> Iterator[Message]:
    """Texts of a Python module."""
    for node in ast.walk(ast.parse(source if _MARKED.search(source) else "")):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield from _called(node.func.id, [each.value for each in node.args if _is_text(each)])
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            yield from _assigned(node)
        elif isinstance(node, ast.FunctionDef) and any("reports_errors" in ast.unparse(d) for d in node.decorator_list):
            yield from map(Message, help_messages(ast.get_docstring(node) or ""))


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _called(name: str, texts: list[str]) -> Iterator[Message]:
    if name in ("_", "gettext") and texts:
        yield Message(texts[0])
    elif name == "ngettext" and len(texts) >= 2:
        yield Message((texts[0], texts[1]))
    elif name in ("N_", "marked"):
        yield from map(Message, texts)
    elif name == "translated_help" and texts:
        yield from map(Message, help_messages(texts[0]))


def _assigned(node: ast.Assign | ast.AnnAssign) -> Iterator[Message]:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    if "way_out" in names and node.value is not None and _is_text(node.value):
        yield Message(node.value.value, comment=WAYS_OUT)
    if "ways_out" in names and isinstance(node.value, ast.Dict):
        yield from (Message(each.value, comment=WAYS_OUT) for each in node.value.values)


def template_messages(file: Path) -> Iterator[Message]:
    """Texts of a template."""
    with file.open("rb") as source:
        for _, name, texts, _ in babel_extract(source, ("_", "ngettext"), (), {"silent": "false"}):
            found = [texts] if isinstance(texts, str) else [each for each in texts or () if isinstance(each, str)]
            yield from _called(name, found)


def label_messages() -> Iterator[Message]:
    """Words of the contract, with their contexts."""
    for enum in labels.LABELLED_ENUMS:
        yield from (Message(labels.readable(word), enum.DESCRIPTOR.name) for word in words(enum))
    for word in words(labels.EVENT_ENUM):
        yield Message(labels.readable(word), labels.EVENT)
    for context, known in labels.LABELLED_WORDS.items():
        yield from (Message(labels.readable(word), context) for word in known)


def rule_messages() -> Iterator[Message]:
    """Names and typologies of the packaged rules."""
    for rule in tomllib.loads((ROOT / RULES).read_text("utf-8"))["rules"]:
        yield Message(labels.readable(rule["name"]), labels.RULE)
        yield Message(rule["typology"], labels.TYPOLOGY)
    for rule_id, message in packaged_messages().items():
        yield Message(message, comment=f"why rule {rule_id} has fired")


def collected() -> Catalog:
    """All texts, each with the files that it stands in."""
    template = Catalog(project="customs-gateway", charset="utf-8")
    template.header_comment = "# Texts of the gateway that people read. Made by `make catalogues`."
    found: list[tuple[str, Message]] = []
    for file in sorted((ROOT / "gateway").rglob("*.py")):
        name = file.relative_to(ROOT).as_posix()
        if not name.startswith("gateway/v1/"):
            found += [(name, each) for each in messages_in(file.read_text("utf-8"))]
    for file in sorted([*(ROOT / "gateway").rglob("*.j2"), *(ROOT / "gateway/console/templates").rglob("*.html")]):
        found += [(file.relative_to(ROOT).as_posix(), each) for each in template_messages(file)]
    found += [("gateway/translation/labels.py", each) for each in label_messages()]
    found += [(RULES, each) for each in rule_messages()]
    for name, each in found:
        comments = [each.comment] if each.comment else []
        template.add(each.text, locations=[(name, 0)], context=each.context, auto_comments=comments)
    return template


def brought_up_to_date(file: Path, template: Catalog) -> Catalog:
    """A catalogue with the texts that there are now; a text that is gone is dropped, none is guessed."""
    with file.open("rb") as text:
        catalogue = read_po(text)
    catalogue.update(template, no_fuzzy_matching=True, update_creation_date=False)
    catalogue.obsolete.clear()
    return catalogue


def text_of(catalogue: Catalog) -> bytes:
    """The catalogue as a file that changes with its texts alone: no line numbers, no versions of tools."""
    catalogue.creation_date = CREATED  # a missing one would be the present time in what is compiled
    text = io.BytesIO()
    write_po(text, catalogue, width=110, include_lineno=False, sort_by_file=True)
    return b"".join(line for line in text.getvalue().splitlines(keepends=True) if not line.startswith(_UNSTEADY))


def main() -> None:
    """Writes the template, the catalogues, and what is compiled from them."""
    template = collected()
    TEMPLATE.write_bytes(text_of(template))
    for file in sorted(FOLDER.glob("*.po")):
        file.write_bytes(text_of(brought_up_to_date(file, template)))
    compile_catalogues(FOLDER)


if __name__ == "__main__":
    main()
