"""Opens a hardware token at a command: which key, by which library, and its PIN, which is never an argument."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import Output
from gateway.errors import MalformedError, OptionError
from gateway.tls.secret_files import read_passphrase
from gateway.translation.messages import gettext as _
from gateway.trust.pki.keys import Ed25519Signer
from gateway.trust.pki.pins import CREDENTIALS_VARIABLE
from gateway.trust.pki.token_uri import TokenKeyUri
from gateway.trust.pki.tokens import SigningToken

TokenOption = Annotated[
    str, typer.Option("--token", help=_("Key in a hardware token: pkcs11:token=LABEL;object=LABEL."))
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
def token_signer(uri: str, module: Path | None, pin_file: Path | None, *, name: str) -> Iterator[Ed25519Signer]:
    """Signs with a token's key under a name; raises as `unlocked_token` does, ConfigurationError without the key."""
    with unlocked_token(uri, module, pin_file) as (token, label):
        yield Ed25519Signer(name, token.key(label))
