"""Every text that the command line and the report show is marked for translation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = ("gateway/cli", "gateway/tracing/report")
DATA = {
    "gateway/cli/trial/federation.py": "the authorities' names in a directory",
    "gateway/cli/trial/samples.py": "files to try commands with",
}
"""Modules whose texts are data."""

MODULES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if path.relative_to(ROOT).as_posix() not in DATA
)
TEMPLATES = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.j2"))

MARKS = frozenset({"_", "gettext", "ngettext", "pgettext", "N_", "marked", "translated_help"})

SHOWN = {
    **dict.fromkeys(("note", "line", "warning", "confirm", "progress", "track", "table", "facts"), 0),  # of Output
    **dict.fromkeys(("print_line", "print_facts", "print_table"), 0),
    **dict.fromkeys(("ConfigurationError", "MalformedError", "NotFoundError", "TooLargeError"), 0),
    **dict.fromkeys(("Violation", "problem"), 2),
}
"""Calls whose literal arguments people read, single words included, from this argument on."""

SHOWN_KEYWORDS = frozenset({"help", "rich_help_panel", "label"})

PROSE = re.compile(r"[A-Za-z]{2,}[,;:.]? +[A-Za-z]+|^[A-Z][a-z]+$")
"""Two words, or one with a capital: what people read, and no key, code or format."""

PART = re.compile(r"(^|\s)[A-Za-z]{3,}(\s|$)")
"""A word beside what an f-string fills in."""

WORD = re.compile(r"[A-Za-z]{3,}")

EXCEPTIONS = {
    "gateway/cli/alert/read.py": {"Receipt": "the name of a column that is marked in another module"},
    "gateway/cli/display/cell_texts.py": {"UTC": "the name of a zone"},
    "gateway/cli/short_ids.py": dict.fromkeys(('" AND ', 'publisher = "', 'reporter = "'), "a filter"),
    "gateway/cli/display/terminal.py": {"bold underline": "a style of rich"},
    "gateway/cli/trial/command.py": dict.fromkeys(
        (
            "  gateway alert list --system officers --config ",
            "  gateway alert publish ",
            " --to hk --system risk-engine \\",
        ),
        "commands",
    ),
    "gateway/cli/console.py": {
        "Install the gateway's wheel with the extra: pip install 'WHEEL[console]'.": "translated by the error"
    },
    "gateway/cli/trial/consoles.py": dict.fromkeys(
        (
            "# Settings of the console; paths are relative to this file.",
            " # for browsers, or a proxy before it",
            " # its address in the browser",
            " # for persons who chose none",
            "address = ",
            "bind = ",
            'certificate = "pki/systems/',
            "domain = ",
            'key = "pki/systems/',
            "origin = ",
            "origins = [",
            '.pem" # with the role console',
            "zone = ",
        ),
        "a settings file",
    ),
    "gateway/cli/trial/persons.py": {
        "/enrol/": "a path",
        **dict.fromkeys(("Ana Sousa", "Maria Costa", "Pedro Ho"), "names of persons"),
    },
    "gateway/cli/trial/processes.py": {"Host": "a header"},
    "gateway/cli/usage.py": dict.fromkeys(
        (
            " is a directory",
            " is a file",
            "Input should be a valid integer",
            "Input should be a valid number",
            "Value error, ",
            "^'(.*?)' is not one of (.*)$",
            "^Got unexpected extra argument[s()]* \\((.*)\\)$",
            "^Input should be (greater|less) than or equal to (\\S+)$",
            "^No such command '(.*?)'\\.",
            "does not exist",
            "requires an argument",
        ),
        "what the library says, to be found in its messages",
    ),
    "gateway/cli/main.py": {"gateway ": "the name of the program"},
    "gateway/cli/alert/measures.py": {" UTC": "the name of a zone"},
    "gateway/cli/node/backup.py": {" UTC": "the name of a zone"},
    "gateway/cli/node/serve.py": dict.fromkeys(
        (
            "the node has ended: %s",
            "the node was interrupted at its start",
            "the node has ended by an unexpected error",
        ),
        "lines of the log, which is English",
    ),
    "gateway/cli/watchlist/importing.py": {"as a default": "found in a reason, not shown"},
    "gateway/cli/help.py": {"Example": "begins a paragraph of commands, which aren't translated"},
    "gateway/cli/history/trace_terminal.py": {
        **dict.fromkeys(("bold red", "bold yellow", "bold blue", "bold reverse"), "styles of rich"),
    },
    "gateway/cli/node/init.py": {
        **dict.fromkeys(
            ("gateway pki signing-keys ", "gateway pki request --kind gateway ", "gateway pki request --kind system "),
            "commands",
        ),
        **dict.fromkeys((" --name NAME --out ", "gateway doctor --config ", "gateway serve --config "), "commands"),
    },
    "gateway/cli/output.py": {
        **dict.fromkeys(("bold red", "bold yellow"), "styles of rich"),
        "Check the path, that it exists, and that this user may read or write there.": "a way out, translated later",
        " has no JSON form here": "a defect, which isn't translated",
    },
    "gateway/cli/pki/show.py": {"certificate of a CA": "found in an error's message, not shown"},
    "gateway/tracing/report/picture.py": dict.fromkeys(("lane lane", "mark ", " first"), "classes of CSS"),
}
"""Texts that stay as they are, with the reason."""

SETTINGS_FILE = ("gateway/cli/node/init.py", "settings_text")
"""Function that writes the settings file, which is English everywhere."""


def unmarked(source: str, *, without: str = "") -> Iterator[str]:
    """Texts outside marks: prose anywhere, and any word that is given to what prints."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):  # docstrings of modules, classes, functions, constants
            node.body = [each for each in body if not (isinstance(each, ast.Expr) and _is_text(each.value))]
    yield from _prose(tree, without)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _words_shown(node)


def marked_texts(source: str) -> set[str]:
    """Texts that are marked: elsewhere in their module they are keys, e.g. of the columns that a narrow table lacks."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call) and _name(node) in MARKS)
    return {text.value for call in calls for text in call.args if _is_text(text)}


def _is_text(node: object) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _name(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _prose(node: ast.AST, without: str) -> Iterator[str]:
    if isinstance(node, ast.FunctionDef) and node.name == without:
        return
    if isinstance(node, ast.Call) and _name(node) in MARKS:
        below: list[ast.AST] = [each for each in node.args if not _is_text(each)]
        below += [each.value for each in node.keywords]
    else:
        below = list(ast.iter_child_nodes(node))
    if _is_text(node) and PROSE.search(node.value):
        yield node.value
    if isinstance(node, ast.JoinedStr):
        yield from (each.value for each in node.values if _is_text(each) and PART.search(each.value))
    for each in below:
        yield from _prose(each, without)


def _words_shown(call: ast.Call) -> Iterator[str]:
    given = list(call.args[SHOWN.get(_name(call), len(call.args)) :])
    given += [each.value for each in call.keywords if each.arg in SHOWN_KEYWORDS]
    while given:
        node = given.pop()
        if _is_text(node) and WORD.search(node.value):
            yield node.value
        elif isinstance(node, (ast.JoinedStr, ast.Tuple, ast.List)):
            given += node.values if isinstance(node, ast.JoinedStr) else node.elts
        elif isinstance(node, ast.IfExp):
            given += [node.body, node.orelse]
        elif isinstance(node, ast.BinOp):
            given += [node.left, node.right]
        elif isinstance(node, ast.Dict):
            given += [key for key in node.keys if key is not None]


def unmarked_in_template(source: str) -> Iterator[str]:
    """Texts of a template outside expressions: between tags, and in attributes that are read."""
    constant = re.sub(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", "", source, flags=re.DOTALL)
    texts = re.split(r"<[^>]*>", constant)
    texts += re.findall(r'\b(?:title|alt|aria-label)="([^"]*)"', constant)
    yield from (text.strip() for text in texts if WORD.search(text))


@pytest.mark.drift
@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_texts_are_marked(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    without = SETTINGS_FILE[1] if name == SETTINGS_FILE[0] else ""
    source = path.read_text("utf-8")
    found = set(unmarked(source, without=without)) - marked_texts(source) - EXCEPTIONS.get(name, {}).keys()
    assert found == set(), "give them to `_` or `ngettext` (names of columns to `marked`), then run `make catalogues`"


@pytest.mark.drift
def test_exceptions_are_still_there() -> None:
    gone = {
        (name, text)
        for name, texts in EXCEPTIONS.items()
        for text in texts
        if text not in set(unmarked((ROOT / name).read_text("utf-8")))
    }
    assert gone == set()


@pytest.mark.drift
@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_texts_of_templates_are_marked(path: Path) -> None:
    assert list(unmarked_in_template(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("output.note('done')", {"done"}),
        ("output.note(f'{count} done')", {" done"}),
        ("output.note('done' if whole else _('partly'))", {"done"}),
        ("output.table(_('Alerts'), ('alert', 'rev'), rows)", {"alert", "rev"}),
        ("output.facts(_('Alert'), {'alert': 1})", {"alert"}),
        ("raise ConfigurationError('wrong')", {"wrong"}),
        ("typer.Option(help='a number')", {"a number"}),
        ("title = 'Nothing found'", {"Nothing found"}),
        ("COLUMNS = ('Alert', 'rev')", {"Alert"}),
        ("_('Written: {path}', path='to a file')", {"to a file"}),
        ("f'{count} entries'", {" entries"}),
        ("f'between {start} and {end}'", {"between ", " and "}),
        ("f'{name}: {value}'", set()),
        ("output.note(_('done'))", set()),
        ("output.table(_('Alerts'), marked('alert', 'rev'), rows)", set()),
        ("ngettext('one record', 'more records', count)", set()),
        ("'''A docstring of some words.'''\nname = 'a_key'", set()),
    ],
)
def test_what_is_not_marked_is_found(source: str, found: set[str]) -> None:
    assert set(unmarked(source)) == found


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("<p>Nobody was asked.</p>", ["Nobody was asked."]),
        ('<svg aria-label="A picture">{{ x }}</svg>', ["A picture"]),
        ('<p class="note">{{ _("Nobody was asked.") }}</p>', []),
        ("{% if x %}<td>{% endif %}No. {{ y }}", []),
        ("<p>{{ x }} records</p>", ["records"]),
    ],
)
def test_what_a_template_has_unmarked_is_found(source: str, found: list[str]) -> None:
    assert list(unmarked_in_template(source)) == found
