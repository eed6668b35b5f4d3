"""Sections of the settings about signing keys and the hardware tokens that hold some of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from gateway.errors import MalformedError
from gateway.node.sections.observed_settings import Section
from gateway.trust.pki.token_uri import SCHEME, TokenKeyUri


def _place(given: object) -> object:
    if not isinstance(given, str) or not given.startswith(SCHEME):
        return given
    try:
        return TokenKeyUri.parse(given)
    except MalformedError as error:
        raise ValueError(error.message) from None


KeyPlace = Annotated[Path | TokenKeyUri, BeforeValidator(_place)]
"""Where an Ed25519 key is: a file, or a token."""


class KeySettings(Section):
    """Signing keys, apart from TLS keys."""

    log: KeyPlace = Field(
        description="Ed25519 key that signs our feeds: PKCS#8 PEM, mode 0600, or pkcs11:token=LABEL;object=LABEL."
    )
    receipts: KeyPlace = Field(description="Ed25519 key that cosigns what is received: a file or in a token, as `log`.")
    log_next: KeyPlace | None = Field(
        default=None, description="Key that takes the place of `log` from the time that the directory says."
    )
    receipts_next: KeyPlace | None = Field(
        default=None, description="Key that takes the place of `receipts` from the time that the directory says."
    )
    log_second: Path | None = Field(
        default=None, description="ML-DSA-44 key that signs our feeds too, once the directory names it."
    )
    receipts_second: Path | None = Field(
        default=None, description="ML-DSA-44 key that cosigns what is received too, once the directory names it."
    )
    witness: KeyPlace | None = Field(
        default=None, description="Ed25519 key that cosigns partners' feeds; without it this node is no witness."
    )
    witness_second: Path | None = Field(
        default=None, description="ML-DSA-44 key that cosigns them too, under the same name."
    )
    passphrase_file: Path | None = Field(default=None, description="File with the keys' passphrase, if they have one.")

    @property
    def places(self) -> dict[str, Path | TokenKeyUri]:
        """Where each key is, by its setting."""
        return {name: place for name in _KEYS if (place := getattr(self, name)) is not None}

    @property
    def files(self) -> list[Path]:
        """Those that are files."""
        return [place for place in self.places.values() if isinstance(place, Path)]


_KEYS = ("log", "receipts", "log_next", "receipts_next", "log_second", "receipts_second", "witness", "witness_second")


class TokenSettings(Section):
    """A hardware token (PKCS#11), by its label."""

    module: Path = Field(description="Its vendor's PKCS#11 library, e.g. /usr/lib/softhsm/libsofthsm2.so.")
    pin_file: Path | None = Field(
        default=None,
        description="File with its PIN, mode 0600; without it LABEL.pin among the service's credentials, or a person.",
    )
