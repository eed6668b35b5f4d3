"""What the first pages promise, held against what is there."""

from __future__ import annotations

import re
import subprocess
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from gateway import __version__
from gateway.cli.trial.samples import write_samples

pytestmark = pytest.mark.drift

ROOT = Path(__file__).parents[2]
NUMBERS = ("no", "one", "two", "three", "four", "five", "six")


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_a_version_is_said_alike_everywhere() -> None:
    chart = yaml.safe_load(text("deploy/chart/customs-gateway/Chart.yaml"))
    newest = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d$", text("CHANGELOG.md"), flags=re.MULTILINE)[0]
    said = {tomllib.loads(text("pyproject.toml"))["project"]["version"], chart["version"], chart["appVersion"], newest}
    assert said == {__version__}
    assert f"| {__version__.rpartition('.')[0]} | yes |" in text("SECURITY.md")


def test_the_first_page_says_what_is_not_there() -> None:
    """Before its second heading, where a reader of two minutes still is."""
    first = text("README.md").partition("\n## ")[0]
    for missing in ("Erasure of alerts", "HSM", "Third-party time", "Encryption at rest", "independent audit"):
        assert re.search(rf"^\* \*\*(An )?{missing}\.\*\*", first, flags=re.MULTILINE), missing


def test_the_tutorial_counts_the_trials_sample_files(tmp_path: Path) -> None:
    write_samples(tmp_path, datetime.now(UTC))
    count = len(list(tmp_path.iterdir()))
    assert f"{NUMBERS[count]} sample files" in text("docs/tutorial.md")


def test_nobody_is_told_to_install_a_name_that_is_not_ours() -> None:
    """From an index that would be anybody's package; the wheel is named by its file."""
    found = subprocess.run(
        ["git", "grep", "-nE", r"pip install [^.]*customs-gateway|customs-gateway\["],
        cwd=ROOT, capture_output=True, text=True, check=False,
    ).stdout.splitlines()  # fmt: skip
    told = [line for line in found if not line.startswith(("tests/unit/test_claims.py", "CHANGELOG.md"))]
    assert told == []


def test_the_example_in_go_names_the_package_of_each_tool() -> None:
    """Debian's packages of these tools have the tools' names."""
    tools = re.search(r'def go\(.*?need\("go", (.*?)\)', text("examples/check.py"), flags=re.DOTALL)
    assert tools is not None
    packages = re.findall(r"[\w.-]+", text("examples/README.md").partition("On Debian 13")[2])
    assert set(re.findall(r'"([\w-]+)"', tools[1])) <= set(packages)


def test_an_encrypted_tls_key_is_documented_as_it_works() -> None:
    """`tests/unit/tls` reads such keys; the page said that there can't be one."""
    page = " ".join(text("docs/operating.md").split())
    assert "TLS key may have one too, in the file that `tls.passphrase_file` names" in page
