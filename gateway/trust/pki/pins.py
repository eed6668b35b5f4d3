"""Finds a token's PIN where nobody types it, and remembers those that the token refused, over restarts.

A token locks itself after a few wrong PINs, and a gateway that is started again and again would use them up.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from hashlib import scrypt
from pathlib import Path
from typing import Final
from urllib.parse import quote

from gateway.files import replace_file
from gateway.tls.secret_files import read_passphrase

CREDENTIALS_VARIABLE: Final = "CREDENTIALS_DIRECTORY"
"""Environment variable with the folder of a service's credentials (systemd.exec)."""

REFUSED_FOLDER: Final = "refused-pins"
"""Folder in the data folder: for each token a file with salted hashes of the PINs that it refused."""

_SALT_BYTES: Final = 16
_HASH_BYTES: Final = _SALT_BYTES + 64
_HASH_COST: Final = 2**14


class PinSource:
    """The PIN of one token: from a file, or from NAME.pin among the service's credentials.

    Attributes:
        refused: file with what the token refused; the right PIN removes it.
    """

    def __init__(self, token: str, file: Path | None, *, data_dir: Path, environment: Mapping[str, str]) -> None:
        name = quote(token, safe="")
        credentials = environment.get(CREDENTIALS_VARIABLE)
        self._file = file
        if file is None and credentials is not None and (Path(credentials) / f"{name}.pin").exists():
            self._file = Path(credentials) / f"{name}.pin"
        self.refused = data_dir / REFUSED_FOLDER / name

    def read(self) -> str | None:
        """The PIN; None where it has to be typed; raises ConfigurationError: unreadable, or open to others."""
        pin = read_passphrase(file=self._file, environment={})
        return None if pin is None else pin.decode("utf-8", "replace")

    def was_refused(self, pin: str) -> bool:
        """Whether the token refused this PIN, in this process or an earlier one."""
        kept = self._kept()
        hashes = (kept[start : start + _HASH_BYTES] for start in range(0, len(kept), _HASH_BYTES))
        return any(hmac.compare_digest(one, _hashed(pin, one[:_SALT_BYTES])) for one in hashes)

    def note_refused(self, pin: str) -> None:
        """Remembers that the token refused a PIN."""
        if not self.was_refused(pin):
            self.refused.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(self.refused, self._kept() + _hashed(pin, os.urandom(_SALT_BYTES)))

    def note_taken(self) -> None:
        """Forgets refused PINs: the token has taken one since, and counts from the beginning again."""
        self.refused.unlink(missing_ok=True)

    def _kept(self) -> bytes:
        return self.refused.read_bytes() if self.refused.exists() else b""


def _hashed(pin: str, salt: bytes) -> bytes:
    return salt + scrypt(pin.encode(), salt=salt, n=_HASH_COST, r=8, p=1)
