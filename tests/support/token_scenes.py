"""Scenes of shown commands for keys in hardware tokens: each finds a token of its own, in software."""

from __future__ import annotations

from pathlib import Path

from gateway.trust.pki.token_uri import TokenKeyUri
from tests.support.command_kit import CommandKit
from tests.support.shown_call import Call
from tests.support.tokens import MODULE, PIN, SoftToken, require_softhsm

_SHORT = "A reason"
"""What stands where a sentence abbreviates a value by `…`."""


def plugged_in(call: Call, cwd: Path, label: str) -> tuple[SoftToken, str]:
    """A token as the command names it, or else with a key of this label; and the label of the key that it names."""
    require_softhsm()
    if call.value("--token") == _SHORT:
        call.set("--token", f"pkcs11:token=soft;object={label}")
    if call.value("--module") == _SHORT:
        call.set("--module", str(MODULE))
    place = TokenKeyUri.parse(call.value("--token"))
    token = SoftToken(cwd / "token", place.token)
    call.environment |= token.environment
    call.input = f"{PIN}\n"
    return token, place.label


def generating(_: CommandKit, call: Call, cwd: Path) -> None:
    """A token without a key, and no file of an earlier one."""
    plugged_in(call, cwd, "log")
    (cwd / call.value("--out")).parent.mkdir(parents=True, exist_ok=True)
    (cwd / call.value("--out")).unlink(missing_ok=True)


def signing_with_a_token(kit: CommandKit, call: Call, cwd: Path) -> None:
    """The authority's key is in the token. Whoever signs types its PIN, and confirms what is shown."""
    call.options = [(name, value) for name, value in call.options if name != "--key"]
    token, label = plugged_in(call, cwd, "directory")
    token.take(kit.nodes.folder.directory_key(call.value("--authority")), label)
    call.input += "y\n"
