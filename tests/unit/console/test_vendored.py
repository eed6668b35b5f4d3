"""Files of others that the console serves are those of the packages that third_party/README.md names."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
VENDOR = ROOT / "gateway/console/static/vendor"


@pytest.mark.drift
def test_vendored_files_have_their_digests() -> None:
    listed = dict(reversed(line.split("  ", 1)) for line in (VENDOR / "SHA256SUMS").read_text("utf-8").splitlines())
    files = [path for path in VENDOR.rglob("*") if path.is_file() and path.name != "SHA256SUMS"]
    digests = {path.relative_to(VENDOR).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    assert digests == listed


@pytest.mark.drift
def test_every_vendored_package_has_its_licence_and_a_row() -> None:
    readme = (ROOT / "third_party/README.md").read_text("utf-8")
    packages = [folder for folder in VENDOR.iterdir() if folder.is_dir()]

    assert packages
    for folder in packages:
        assert (folder / "LICENSE").is_file()
        assert f"`../gateway/console/static/vendor/{folder.name}/`" in readme
