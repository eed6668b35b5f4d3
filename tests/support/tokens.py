"""Hardware tokens in software, by Debian's SoftHSM: tests that need it are left out where it isn't."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

MODULE = Path("/usr/lib/softhsm/libsofthsm2.so")
UTIL = shutil.which("softhsm2-util")
PIN = "483915"

IS_INSTALLED = UTIL is not None and MODULE.exists()
needs_softhsm = pytest.mark.skipif(not IS_INSTALLED, reason="needs SoftHSM")


def require_softhsm() -> None:
    """The test is skipped where SoftHSM isn't, which the end of the run tells."""
    if not IS_INSTALLED:
        pytest.skip("needs SoftHSM")


@dataclass
class SoftToken:
    """One initialised token in a folder of its own; its PIN is PIN."""

    folder: Path
    label: str

    def __post_init__(self) -> None:
        self.store.mkdir(parents=True)
        self.configuration.write_text(
            f"directories.tokendir = {self.store}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self._util("--init-token", "--free", "--label", self.label, "--so-pin", "87654321", "--pin", PIN)

    @property
    def configuration(self) -> Path:
        """The file that SOFTHSM2_CONF names."""
        return self.folder / "softhsm2.conf"

    @property
    def store(self) -> Path:
        """The folder that holds the token."""
        return self.folder / "store"

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find it."""
        return {"SOFTHSM2_CONF": str(self.configuration)}

    def uri(self, label: str) -> str:
        """A key's URI."""
        return f"pkcs11:token={quote(self.label)};object={label}"

    def take(self, key: Path, label: str) -> None:
        """Imports a key file, PKCS#8 PEM."""
        number = key.name.encode().hex()
        self._util("--import", str(key), "--token", self.label, "--label", label, "--id", number, "--pin", PIN)

    def unplug(self) -> None:
        """Takes the token away from everybody that uses it."""
        self.store.rename(self.folder / "away")

    def plug_in(self) -> None:
        """Brings it back."""
        (self.folder / "away").rename(self.store)

    def _util(self, *arguments: str) -> None:
        assert UTIL is not None
        subprocess.run([UTIL, *arguments], env=os.environ | self.environment, check=True, capture_output=True)
