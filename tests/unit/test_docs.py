"""The documentation says what the code says: tables, numbers, links and first commands. Commands are test_cli's."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from gateway.alerts.rules.life import TRANSITIONS
from gateway.console.settings import ConsoleSettings
from gateway.contract import limits
from gateway.evidence.service.report import STEPS
from gateway.feed.service import alarms
from gateway.feed.tables.feeds import FeedState
from gateway.node.settings import Settings
from gateway.trust.rules.permissions import Role
from scripts import inventory, site_pages

pytestmark = pytest.mark.drift

ROOT = Path(__file__).parents[2]
DOCS = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    if not name.startswith("third_party/protos")
)


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def section(name: str, heading: str) -> str:
    """What stands under a heading, up to the next one of the same rank."""
    _, _, rest = text_of(name).partition(f"\n{heading}\n")
    assert rest, f"{name} has no heading {heading!r}"
    rank = heading.partition(" ")[0]
    return re.split(rf"^{rank} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> list[list[str]]:
    """Rows of all tables, without heads."""
    found: list[list[str]] = []
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        found += [[cell.strip() for cell in line.strip("| \n").split(" | ")] for line in table.splitlines()[2:]]
    return found


@pytest.mark.parametrize("model", [Settings, ConsoleSettings])
def test_every_setting_says_what_it_does(model: type[BaseModel]) -> None:
    """The reference has it in a table, with type and default (scripts/site_pages.py)."""
    assert [name for name, field in inventory.settings(model) if not field.description] == []


def test_roles_are_all_named() -> None:
    named = re.findall(
        r"`([a-z]+)`", section("docs/operating.md", "## Settings").partition("Roles: ")[2].split(". ")[0]
    )
    assert set(named) == set(Role)


def test_every_limit_is_in_the_table_with_its_number() -> None:
    documented = {row[0].strip("`"): int(row[1]) for row in rows(section("docs/protocol.md", "## 11. Limits"))}
    assert documented == {name: value for name, value in vars(limits).items() if name.isupper()}


def test_every_reason_code_is_in_the_table_by_its_status() -> None:
    documented = {
        reason: status.strip("`")
        for status, reasons in rows(section("docs/protocol.md", "## 12. Errors"))
        for reason in re.findall(r"`([A-Z_]+)`", reasons)
    }
    assert documented == {each.reason: each.kind.name for each in inventory.error_classes()}


def test_reasons_from_elsewhere_are_mentioned() -> None:
    declared = set()
    for file in (ROOT / "gateway").rglob("*.py"):
        declared |= set(re.findall(r'^    reason = "([A-Z_]+)"$', file.read_text("utf-8"), flags=re.MULTILINE))
    mentioned = set(re.findall(r"`([A-Z_]+)`", section("docs/protocol.md", "## 12. Errors")))
    assert declared <= mentioned


def test_the_life_of_an_alert_is_the_table_of_the_code() -> None:
    text = section("docs/protocol.md", "## 10. Life of an alert")
    statuses = ["–", "published", "acknowledged", "flagged"]
    assert f"| side | action | {' | '.join(statuses)} |" in text
    documented = {
        (status, action, side): new
        for side, action, *cells in rows(text)
        for status, new in zip(statuses, cells, strict=False)
        if new
    }
    assert documented == {
        (status.value if status else "–", action.value, side.value): new.value
        for (status, action, side), new in TRANSITIONS.items()
    }


def test_the_steps_of_evidence_have_the_codes_numbers_and_names() -> None:
    documented = re.findall(r"^(\d+)\. ([a-z ]+): ", section("docs/protocol.md", "## 16. Evidence"), flags=re.MULTILINE)
    assert {int(number): name for number, name in documented} == STEPS


def test_every_alarm_is_described() -> None:
    of_feeds = {f"{alarms.FEED}_{state.name}" for state in (FeedState.QUARANTINED, FeedState.BEHIND, FeedState.FORKED)}
    codes = {value for name, value in vars(alarms).items() if name.isupper() and isinstance(value, str)}
    known = of_feeds | codes - {alarms.FEED}
    assert set(re.findall(r"^### ([A-Z_]+)$", text_of("docs/runbook/alarms.md"), flags=re.MULTILINE)) == known


def test_the_two_commands_come_first_and_exist() -> None:
    first = re.search(r"```\n(.*?)```", text_of("README.md"), flags=re.DOTALL)
    assert first is not None
    assert first[1].split("\n") == ["make demo", "make test", ""]
    for command in ("demo", "test"):
        assert re.search(rf"^{command}: ", text_of("Makefile"), flags=re.MULTILINE)


def test_every_package_has_its_line_in_the_readme() -> None:
    packages = {
        f"gateway/{path.parent.name}/"
        for path in (ROOT / "gateway").glob("*/__init__.py")
        if any(path.parent.glob("[a-z]*.*"))
    }
    generated_or_empty = {"gateway/v1/", "gateway/console/"}
    assert packages - generated_or_empty <= set(re.findall(r"`([\w/]+/)`", text_of("README.md")))


def headings(text: str) -> set[str]:
    """Anchors of a page, as they are made from headings where such pages are shown."""
    without_code = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", without_code, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if file.is_relative_to(ROOT / "docs/reference") and f"reference/{file.name}\n" in text_of("mkdocs.yml"):
            continue  # made for the site, whose strict build follows it
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in headings(file.read_text("utf-8")), f"{page.name}: {target}"


def test_every_threat_has_tests_that_exist() -> None:
    """They are in the reference, beside the threat."""
    tests = tomllib.loads(text_of("tests/threats.toml"))
    rows_of_page = [line.split(" | ")[0].strip("| ") for line in site_pages.threats() if re.match(r"\| \d", line)]
    assert rows_of_page == list(tests)
    sources = "".join(path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    named = {name for names in tests.values() for name in names}
    assert {name for name in named if re.fullmatch(r"test_\w+", name) and f"def {name}(" not in sources} == set()
    mentioned = text_of("docs/threat-model.md") + text_of("docs/architecture.md")
    files = {name for name in named if "/" in name} | set(re.findall(r"`((?:tests|gateway)/[\w/.]+)`", mentioned))
    assert {name for name in files if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("record", sorted((ROOT / "docs/adr").glob("*.md")), ids=lambda path: path.stem)
def test_a_decision_says_why(record: Path) -> None:
    text = record.read_text("utf-8")
    assert text.startswith(f"# {int(record.stem[:4])}. ")
    assert re.findall(r"^## (.*)$", text, flags=re.MULTILINE) == ["Context", "Decision", "Measured", "Rejected"]


def test_the_map_of_packages_is_made_from_their_first_sentences() -> None:
    subprocess.run([sys.executable, ROOT / "scripts/package-tree", "--check"], check=True)


def test_the_table_of_metrics_is_made_from_the_registry() -> None:
    subprocess.run([sys.executable, ROOT / "scripts/metrics.py", "--check"], cwd=ROOT, check=True)


def functions_in(file: Path) -> set[str]:
    """Qualified names of a module's functions and methods."""
    tree = ast.parse(file.read_text("utf-8"))
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    for owner in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        names |= {
            f"{owner.name}.{node.name}"
            for node in owner.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
    return names


def test_the_way_of_an_alert_goes_through_functions_that_exist_and_few_files() -> None:
    way = rows(section("docs/architecture.md", "## The way of an alert"))
    for _, _, file, functions in way:
        known = functions_in(ROOT / "gateway" / file.strip("`"))
        named = re.findall(r"`([\w.]+)`", functions)
        assert named
        assert set(named) <= known, f"{file}: {set(named) - known}"
    down = [(node, file) for step, node, file, _ in way if step != "9"]
    assert len(down) == len(set(down))
    assert len({file for _, file in down}) <= 25
