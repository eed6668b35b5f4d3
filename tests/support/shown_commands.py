"""Commands that documents, help and errors show: where they stand, their words, and what is wrong with them.

A command is what follows `gateway` at the beginning of a line of code, or of code in a sentence or table.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cache
from inspect import cleandoc
from pathlib import Path
from typing import Any

from scripts import inventory

ROOT = Path(__file__).parents[2]

COMMANDS = dict(sorted(inventory.commands().items()))

PASTED = [
    "README.md",
    "docs/by-hand.md",
    "docs/operating.md",
    "docs/tutorial.md",
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs" / "how-to").glob("*.md"))),
]
"""Pages whose blocks marked `sh` run as they stand (tests/scenario/test_pasted.py, test_installation.py)."""

_COMMAND = re.compile(r"(?:^|(?<=\s))gateway (?=[a-z-])")
_SHELL = ("sh", "bash", "shell", "console", "text", "")
_CODE_SPAN = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_ENDS_OF_A_COMMAND = ("|", ">", ">>", "2>", "&&", "||", ";", "&", "<", "do", "then")


@dataclass(frozen=True)
class Shown:
    """A command that a page or a help text shows."""

    where: str
    words: tuple[str, ...]
    """After `gateway`."""
    in_block: bool
    pasted: bool = False

    @property
    def is_name(self) -> bool:
        """Whether it is a command's, or a group's, name alone: a mention in a sentence, nothing to run as it stands."""
        if self.in_block or any(word.startswith("-") for word in self.words):
            return False
        return bool(problem(list(self.words))) and any(path[: len(self.words)] == self.words for path in COMMANDS)


def pages() -> list[Path]:
    """Documents that people read in the order of their paths: the site's, README and the certificates' README."""
    chosen = [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), ROOT / "certs" / "README.md"]
    return sorted(path for path in chosen if "adr" not in path.parts)


@cache
def shown_commands() -> tuple[Shown, ...]:
    """All of pages, and of help and errors' ways out, which the site has too (reference/commands, reference/errors)."""
    of_pages = [shown for page in pages() for shown in commands_of_page(page)]
    of_help = [
        Shown(f"gateway {' '.join(path)} --help", tuple(words_of(line)), in_block=True)
        for path, command in COMMANDS.items()
        for line in command_lines(cleandoc(command.callback.__doc__ or ""))
    ]
    of_errors = [
        Shown(f"way out of {error.reason}", words, in_block=False)
        for error in inventory.error_classes()
        for words in _in_sentences(error.way_out)
    ]
    return (*of_pages, *of_help, *of_errors)


def commands_of_page(page: Path) -> Iterator[Shown]:
    """In blocks for a shell, in code of sentences, and in code of tables."""
    name = str(page.relative_to(ROOT))
    text = page.read_text(encoding="utf-8")
    for language, block in _blocks(text):
        for line in command_lines(block):
            yield Shown(name, tuple(words_of(line)), in_block=True, pasted=language == "sh" and name in PASTED)
    for paragraph in re.split(r"\n\s*\n", _without_blocks(text)):
        for passage in paragraph.splitlines() if paragraph.lstrip().startswith("|") else [paragraph]:
            for cell in re.split(r"(?<!\\)\|", passage):
                yield from (Shown(name, words, in_block=False) for words in _in_sentences(cell))


def _in_sentences(text: str) -> Iterator[tuple[str, ...]]:
    """Code that begins with `gateway`, and code after it that begins with a command of the same group."""
    group: tuple[str, ...] = ()
    for code in _CODE_SPAN.findall(text):
        line = " ".join(code.replace("\\|", "|").split())
        if line.startswith("gateway ") and line != "gateway …":
            words = tuple(words_of(line.removeprefix("gateway ")))
            group = next(
                (path[: len(words) - 1 if words in COMMANDS else 1] for path in COMMANDS if path[0] == words[0]), ()
            )
            yield words
        elif group and line[:1].islower():
            words = (*group, *words_of(line))
            if any(words[: len(path)] == path for path in COMMANDS if len(path) > len(group)):
                yield words


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Code that people type, with its language: fenced as shell or as nothing, or indented by four."""
    yield from (
        (language, block)
        for language, block in re.findall(r"^```([^\n]*)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
        if language.strip() in _SHELL
    )
    without_fenced = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    yield "", "\n".join(line for line in without_fenced.splitlines() if line.startswith("    "))


def _without_blocks(text: str) -> str:
    text = re.sub(r"^ *```.*?^ *```$", "\n", text, flags=re.MULTILINE | re.DOTALL)
    return "\n".join(line for line in text.splitlines() if not line.startswith("    "))


def code_of(page: Path) -> str:
    """Code of a page that people type."""
    return "\n".join(block for _, block in _blocks(page.read_text(encoding="utf-8")))


def command_lines(text: str) -> Iterator[str]:
    """Commands in lines of shell: continued with a backslash or, as in help, by a deeper indented line."""
    lines = text.splitlines()
    while lines:
        line = lines.pop(0)
        indent = len(line) - len(line.lstrip())
        while line.endswith("\\") and lines:
            line = line[:-1] + lines.pop(0)
        while lines and re.match(rf" {{{indent + 2},}}(--|-)", lines[0]):
            line += " " + lines.pop(0).strip()
        found = _COMMAND.search(line)
        if found and (found.start() == len(line) - len(line.lstrip()) or line[: found.start()].rstrip().endswith("$")):
            yield line[found.end() :]


def words_of(line: str) -> list[str]:
    """Words of a command, up to a pipe or the like."""
    try:
        words = shlex.split(re.sub(r"\$\(\(.*?\)\)", "1", line), comments=True)
    except ValueError as error:
        raise AssertionError(f"{line}: {error}") from None
    for at, word in enumerate(words):
        if word in _ENDS_OF_A_COMMAND:
            return words[:at]
        if word.endswith(";"):
            return [*words[:at], word[:-1]]
    return words


def command_of(words: Collection[str]) -> tuple[str, ...]:
    """Which command these words call; empty when none."""
    given = tuple(words)
    return next((path for path in COMMANDS if given[: len(path)] == path), ())


def problem(words: list[str], environment: Collection[str] = ()) -> str:
    """What is wrong with a command line; empty when it is one. Names of files need not exist.

    Args:
        words: after `gateway`.
        environment: names of variables that are set.
    """
    command: Any = inventory.root_command()
    path: list[str] = []
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            return f"there is no command {' '.join([*path, *words[:1]])!r}"
        path.append(words[0])
        command = command.commands[words.pop(0)]
    found, given, positional = _given(command, path, words)
    if found:
        return found
    missing = [
        each.opts[0]
        for each in _options(command).values()
        if each.required and not given & set(each.opts) and each.envvar not in environment
    ]
    if missing:
        return f"{' '.join(path)} needs {', '.join(sorted(set(missing)))}"
    arguments = [each for each in command.params if not each.opts[0].startswith("-")]
    least = sum(each.required for each in arguments)
    most = 1000 if any(each.nargs == -1 for each in arguments) else len(arguments)
    if least <= positional <= most:
        return ""
    return f"{' '.join(path)} takes {least} to {most} arguments, not {positional}"


def _given(command: Any, path: list[str], words: list[str]) -> tuple[str, set[str], int]:
    """What is wrong with its options, which are given, and the number of arguments."""
    options, given, positional = _options(command), set[str](), 0
    while words:
        word = words.pop(0)
        if not word.startswith("-") or word == "-":
            positional += 1
            continue
        name, equals, _ = word.partition("=")
        if name not in options:
            return f"{' '.join(path)} has no option {name}", given, positional
        given.add(name)
        if not equals and not options[name].is_flag:
            if not words:
                return f"{name} needs a value", given, positional
            words.pop(0)
    return "", given, positional


def _options(command: Any) -> dict[str, Any]:
    return {name: each for each in command.params for name in each.opts if name.startswith("-")}
