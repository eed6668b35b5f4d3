"""Commands start at once: what isn't needed for a start isn't imported."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

import pytest

from gateway.cli.groups import Noun
from gateway.cli.main import COMMANDS

CALLED_FOR = [
    *("asyncio", "grpc", "protovalidate", "sqlalchemy", "alembic", "structlog", "pydantic_settings", "jinja2"),
    "gateway.client",
]
"""What a command imports when it is run, not when it is loaded: each takes as long as a command's whole start."""

PRINTED_WITH = ["rich"]
CALLED_WITH = ["google.protobuf", "cryptography"]


def targets(commands: Mapping[str, str | Noun]) -> Iterator[str]:
    for entry in commands.values():
        if isinstance(entry, Noun):
            yield from targets(entry.commands)
        else:
            yield entry


def completion(words: str) -> dict[str, str]:
    return {"_GATEWAY_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}


def run(code: str, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def imported(names: Sequence[str], before: str, **given: Mapping[str, str] | Sequence[str]) -> tuple[str, list[str]]:
    """What is printed by some code, and which of the modules it imports."""
    code = f"import sys, atexit\natexit.register(lambda: print([n for n in {names!r} if n in sys.modules]))\n{before}"
    *printed, found = run(code, **given).splitlines()  # type: ignore[arg-type]
    return "\n".join(printed), eval(found)  # noqa: S307  # a list that this test has printed


MAIN = "from gateway.cli.main import main; main()"


def test_the_version_imports_no_more_than_typer() -> None:
    printed, found = imported([*CALLED_FOR, *PRINTED_WITH, *CALLED_WITH, "pydantic"], MAIN, arguments=["--version"])
    assert printed.startswith("gateway ")
    assert found == []


@pytest.mark.parametrize(("words", "completed"), [("gateway al", "alert"), ("gateway history hold re", "release")])
def test_completing_a_command_imports_none(words: str, completed: str) -> None:
    printed, found = imported([*CALLED_FOR, *PRINTED_WITH, *CALLED_WITH], MAIN, environment=completion(words))
    assert completed in printed.split()
    assert found == []


def test_completing_an_option_prints_nothing_with_rich() -> None:
    printed, found = imported([*CALLED_FOR, *PRINTED_WITH], MAIN, environment=completion("gateway alert list --fil"))
    assert "--filter" in printed
    assert found == []


def test_loading_every_command_imports_nothing_that_only_a_call_needs() -> None:
    modules = sorted({target.partition(":")[0] for target in targets(COMMANDS)})
    _, found = imported(CALLED_FOR, "import " + ", ".join(modules))
    assert len(modules) > 10
    assert found == []


def processor_s(code: str, **given: Mapping[str, str] | Sequence[str]) -> float:
    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        run(code, **given)  # type: ignore[arg-type]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(3))


def test_starts_take_a_small_multiple_of_what_typer_takes() -> None:
    """A ratio, so that neither a slow nor a busy machine matters; 1.5, 3 and 5 when it was written."""
    base = processor_s("import typer")
    assert processor_s(MAIN, arguments=["--version"]) < 4 * base
    assert processor_s(MAIN, environment=completion("gateway al")) < 7 * base
    assert processor_s(MAIN, arguments=["alert", "list", "--help"]) < 12 * base
