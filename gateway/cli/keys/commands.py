"""`gateway keys list|unlock|generate`: where signing keys are, and the hardware tokens that hold some of them."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.files import write_output
from gateway.cli.keys.tokens import ModuleOption, PinFile, TokenOption, read_pin, unlocked_token
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.pki.commands import FederationOption
from gateway.cli.values import as_dict
from gateway.contract.enum_words import word_of
from gateway.errors import OptionError
from gateway.tlog.note import Verifier
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.trust.rules.directory import directory_key_name
from gateway.v1.node_service_pb2 import TokenState


@reports_errors
@connected
def list_(target: Target, *, as_json: JsonOption = False) -> None:
    """List the node's signing keys: the file or token of each, and the token's state. Role: operator, auditor.

    \b
    Example:
      gateway keys list --system ops

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    keys = target.run(lambda client: client.node.signing_keys())
    Output(as_json).table(
        _("Signing keys"),
        [N_("Use"), N_("Place"), N_("State"), N_("Problem")],
        [(key.use, key.place, word_of(TokenState, key.state) if key.token else None, key.problem) for key in keys],
        data=[as_dict(key) for key in keys],
    )


@reports_errors
@connected
def unlock(
    target: Target,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help=_("The token's label."), show_default=False)],
    *,
    pin_file: PinFile = None,
    as_json: JsonOption = False,
) -> None:
    """Give a locked hardware token its PIN; you are asked for it, and it is tried once. Role: operator.

    The PIN stays in the memory of the token's signer process. When that ends, the token is locked again.

    \b
    Example:
      gateway keys unlock cn-hsm --system ops

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or a wrong PIN.
    """
    pin = read_pin(token, pin_file)
    answer = target.run(lambda client: client.node.unlock_token(token, pin))
    Output(as_json).facts(_("Unlocked"), {N_("Token"): token, N_("State"): word_of(TokenState, answer.state)})


@reports_errors
def generate(
    *,
    token: TokenOption,
    module: ModuleOption = None,
    pin_file: PinFile = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help=_("File for the public key, e.g. pki/keys/log.pub, as `directory card` reads it.")),
    ] = None,
    authority: Annotated[
        str, typer.Option(help=_("For a directory key: the authority's name; prints the verifier key too."))
    ] = "",
    federation: FederationOption = "",
    as_json: JsonOption = False,
) -> None:
    """Make an Ed25519 key in a hardware token, where it stays. A key of the same label is never overwritten.

    \b
    Example:
      gateway keys generate --token "pkcs11:token=cn-hsm;object=log" --module /usr/lib/softhsm/libsofthsm2.so \\
        --out pki/keys/log.pub

    \b
    Exit codes: 0 done, 2 wrong input, a wrong PIN, or no such token.
    """
    if out is not None and out.exists():
        raise OptionError(_("{file} exists already; name another one", file=out))
    with unlocked_token(token, module, pin_file) as (opened, label):
        public_key = opened.generate(label).public_key().public_bytes_raw()
    if out is not None:
        write_output(out, base64.b64encode(public_key) + b"\n")
    facts = {N_("Key"): token, N_("Public key"): base64.b64encode(public_key).decode()}
    if authority:
        facts[N_("Vkey")] = Verifier(directory_key_name(federation, authority), public_key).to_vkey()
    Output(as_json).facts(_("Key made"), facts)
