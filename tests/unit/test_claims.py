"""What the first pages promise, held against what is there."""

from __future__ import annotations

import re
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from gateway import __version__
from gateway.cli.main import app
from gateway.cli.trial.samples import write_samples
from gateway.contract.status import to_status
from gateway.errors import OverloadedError
from scripts import site_pages
from tests.unit.cli.test_tables import COMMANDS, WRONG, run

pytestmark = pytest.mark.drift

ROOT = Path(__file__).parents[2]
NUMBERS = ("no", "one", "two", "three", "four", "five", "six")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def lines_with(pattern: str, *paths: str) -> list[str]:
    """Lines of the repository, but for this file and what the changelog says of the past."""
    found = subprocess.run(
        ["git", "grep", "-nIiE", pattern, "--", *paths, ":!tests/unit/test_claims.py", ":!CHANGELOG.md"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert not found.stderr, found.stderr
    return found.stdout.splitlines()


def test_a_version_is_said_alike_everywhere() -> None:
    chart = yaml.safe_load(text("deploy/chart/customs-gateway/Chart.yaml"))
    newest = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", text("CHANGELOG.md"), flags=re.MULTILINE)[0]
    said = {tomllib.loads(text("pyproject.toml"))["project"]["version"], chart["version"], chart["appVersion"], newest}
    assert said == {__version__}
    assert f"| {__version__.rpartition('.')[0]} | yes |" in text("SECURITY.md")


def test_the_first_page_says_what_is_not_there() -> None:
    """Before its second heading, where a reader of two minutes still is."""
    first = text("README.md").partition("\n## ")[0]
    for missing in (
        "Erasure of list entries, hits and answers",
        "ML-DSA keys in hardware",
        "Encryption at rest",
        "independent audit",
    ):
        assert re.search(rf"^\* \*\*(An )?{missing}\.\*\*", first, flags=re.MULTILINE), missing


def test_the_tutorial_counts_the_trials_sample_files(tmp_path: Path) -> None:
    write_samples(tmp_path, datetime.now(UTC))
    count = len(list(tmp_path.iterdir()))
    assert f"{NUMBERS[count]} sample files" in text("docs/tutorial.md")


def test_nobody_is_told_to_install_a_name_that_is_not_ours() -> None:
    """From an index that would be anybody's package; the wheel is named by its file."""
    assert lines_with(r"pip install [^.]*customs-gateway|customs-gateway\[") == []


def test_the_example_in_go_names_the_package_of_each_tool() -> None:
    """Debian's packages of these tools have the tools' names."""
    tools = re.search(r'def go\(.*?need\("go", (.*?)\)', text("examples/check.py"), flags=re.DOTALL)
    assert tools is not None
    packages = re.findall(r"[\w.-]+", text("examples/README.md").partition("On Debian 13")[2])
    assert set(re.findall(r'"([\w-]+)"', tools[1])) <= set(packages)


def test_what_the_two_commands_need_is_said_once() -> None:
    """Git, make and Python were not enough on a fresh machine."""
    needed = text("README.md").partition("## Two commands")[2].partition("```")[0]
    for what in ("Linux", "git", "make", "Bash", "Python 3.11 or later", "`venv`", "`python3-venv`", "index of Python"):
        assert what in needed, what
    least = tomllib.loads(text("pyproject.toml"))["project"]["requires-python"]
    assert f"Python {least.removeprefix('>=')} or later" in needed
    assert "[README](../README.md#two-commands)" in text("docs/tutorial.md")


def test_nothing_is_proved_for_ever() -> None:
    """Keys and algorithms end."""
    assert "with proof of origin and receipt" in CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    assert lines_with("(provable|proved|proof|proves) for ?ever") == []


def test_numbers_of_tests_are_nowhere_in_prose() -> None:
    """They are of one day."""
    assert lines_with(r"[0-9],[0-9]{3} tests|tests that pass", "*.md") == []


def test_a_way_out_is_in_the_reference_and_not_on_the_wire() -> None:
    assert "the way out for each reason is in the [reference](../reference/errors.md), not on the wire" in " ".join(
        text("docs/how-to/other-languages.md").split()
    )
    sent = to_status(OverloadedError("the day is used up", way_out="Ask tomorrow.")).SerializeToString()
    assert b"the day is used up" in sent
    assert b"Ask tomorrow." not in sent
    assert OverloadedError.way_out.encode() not in sent
    assert f"| {OverloadedError.way_out} |" in "\n".join(site_pages.errors())


@pytest.mark.parametrize(
    ("kind", "page", "said"),
    [
        ("watchlists", "docs/integrating.md", "the exit code is 3 (1 where none was taken)"),
        ("shipments", "docs/operating.md", "means that some records were refused (1: all of them)"),
    ],
)
def test_exit_code_3_is_of_a_part_and_1_of_everything(kind: str, page: str, said: str, tmp_path: Path) -> None:
    """The pages said 3 of both."""
    assert said in " ".join(text(page).split())
    header, good = COMMANDS[kind][0].splitlines()
    bad = WRONG[kind].format(7)
    assert run(kind, "\n".join([header, good, bad]).encode(), tmp_path).exit_code == 3
    assert run(kind, "\n".join([header, bad]).encode(), tmp_path).exit_code == 1


def test_an_encrypted_tls_key_is_documented_as_it_works() -> None:
    """`tests/unit/tls` reads such keys; the page said that there can't be one."""
    page = " ".join(text("docs/operating.md").split())
    assert "TLS key may have one too, in the file that `tls.passphrase_file` names" in page
