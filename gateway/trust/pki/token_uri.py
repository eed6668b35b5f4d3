"""Names keys in hardware tokens by PKCS#11 URIs (RFC 7512)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

from gateway.errors import MalformedError

SCHEME: Final = "pkcs11:"

MAX_LABEL_BYTES: Final = 32
"""Bytes of a token's label (PKCS#11, CK_TOKEN_INFO); keys' labels are bounded alike."""

_SPACE: Final = re.compile(r"\s")


@dataclass(frozen=True, slots=True)
class TokenKeyUri:
    """A key in a token: labels of the token and of the key's objects."""

    token: str
    label: str

    @classmethod
    def parse(cls, text: str) -> TokenKeyUri:
        """Reads `pkcs11:token=LABEL;object=LABEL`.

        Raises:
            MalformedError: another form. A PIN in a URI is refused as everything else is: it would stand in settings.
        """
        pairs = [part.partition("=") for part in text.removeprefix(SCHEME).split(";")]
        attributes = {name: unquote(value) for name, _, value in pairs}
        if (
            not text.startswith(SCHEME)
            or len(pairs) != len(attributes)
            or attributes.keys() != {"token", "object"}
            or _SPACE.search(text)
            or "?" in text
        ):
            raise MalformedError("a key in a token reads pkcs11:token=LABEL;object=LABEL, and nothing else")
        for value in attributes.values():
            if not 0 < len(value.encode()) <= MAX_LABEL_BYTES or not value.isprintable():
                raise MalformedError(f"labels of tokens and keys have 1 to {MAX_LABEL_BYTES} bytes of printable text")
        return cls(attributes["token"], attributes["object"])

    def __str__(self) -> str:
        return f"{SCHEME}token={quote(self.token)};object={quote(self.label)}"
