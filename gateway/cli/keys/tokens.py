"""Opens a hardware token at a command: which key, by which library, and its PIN, which is never an argument."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.cli.files import naming, read_input
from gateway.cli.output import Output
from gateway.errors import MalformedError, OptionError
from gateway.tlog.encoding import decode_base64
from gateway.tlog.note import Verifier
from gateway.tls.secret_files import read_passphrase
from gateway.translation.messages import gettext as _
from gateway.trust.pki.keys import Ed25519Signer, load_signing_key
from gateway.trust.pki.pins import CREDENTIALS_VARIABLE
from gateway.trust.pki.token_uri import TokenKeyUri
from gateway.trust.pki.tokens import SigningToken

TokenOption = Annotated[
    str, typer.Option("--token", help=_("Key in a hardware token: pkcs11:token=LABEL;object=LABEL."))
]
DirectoryKey = Annotated[
    Path | None, typer.Option(help=_("The authority's directory.pem."), exists=True, dir_okay=False)
]
ModuleOption = Annotated[
    Path | None, typer.Option("--module", help=_("The token's PKCS#11 library, e.g. of its vendor."), dir_okay=False)
]
PinFile = Annotated[
    Path | None, typer.Option("--pin-file", help=_("File (mode 0600) with the token's PIN; without it you are asked."))
]


def read_pin(label: str, file: Path | None) -> str:
    """The PIN from a file, from the service's credentials, or from the person at the terminal.

    Raises:
        ConfigurationError: the file can't be read, or others can read it.
        OptionError: nobody is there to be asked.
    """
    folder = os.environ.get(CREDENTIALS_VARIABLE)
    if file is None and folder is not None and (Path(folder) / f"{label}.pin").exists():
        file = Path(folder) / f"{label}.pin"
    pin = read_passphrase(file=file, environment={})
    if pin is not None:
        return pin.decode("utf-8", "replace")
    return Output(as_json=False).secret(_("PIN of token {token}", token=label))


@contextmanager
def unlocked_token(uri: str, module: Path | None, pin_file: Path | None) -> Iterator[tuple[SigningToken, str]]:
    """The token of a URI, unlocked, and the key's label.

    Raises:
        OptionError: the URI isn't one, or no library was named.
        CredentialsError: the token isn't there, or refused the PIN.
    """
    try:
        place = TokenKeyUri.parse(uri)
    except MalformedError as error:
        raise OptionError(_("--token: {message}", message=error.message)) from None
    if module is None:
        raise OptionError(_("--token needs --module, the token's PKCS#11 library"))
    token = SigningToken(place.token, module)
    try:
        token.look()  # before the PIN is asked for: a library or a token that isn't there needs none
        token.unlock(read_pin(place.token, pin_file))
        yield token, place.label
    finally:
        token.close()


@contextmanager
def directory_signer(
    key: Path | None, passphrase: bytes | None, token: str, module: Path | None, pin_file: Path | None, *, name: str
) -> Iterator[Ed25519Signer]:
    """Signs with a directory key, in a file or a token, under its name.

    Raises:
        OptionError: not one of the two was named.
        ConfigurationError: the key isn't there, or its passphrase or PIN is wrong.
    """
    if (key is None) == (not token):
        raise OptionError(_("name the directory key: its file, or --token"))
    if key is not None:
        yield load_signing_key(key, name=name, passphrase=passphrase)
        return
    with unlocked_token(token, module, pin_file) as (opened, label):
        yield Ed25519Signer(name, opened.key(label))


PUBLIC_KEY_ENDING: Final = ".pub"
"""Ending of a file with the public key of a key in a token, base64, where a file of keys has .pem."""


@dataclass(frozen=True, slots=True)
class PublicKeyFile:
    """The public key, 32 bytes, of a key in a token."""

    public_key: bytes

    @classmethod
    def beside(cls, key: Path) -> PublicKeyFile | None:
        """The file that stands for a key file; None without it; raises MalformedError: another content."""
        path = key.with_suffix(PUBLIC_KEY_ENDING)
        if key.exists() or not path.exists():
            return None
        with naming(path, way_out=_("Give what `gateway keys generate --out` has written.")):
            public_key = decode_base64(read_input(path).strip(), _("public key"))
            Verifier("public", public_key)  # refuses another length
        return cls(public_key)
