"""Gives a trial's nodes a console each: the local system, the settings of both, and what the console has pages for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel

from gateway.files import OWNER_ONLY, replace_file

CONSOLE_SYSTEM = "console"
"""Name of the local system as which a console connects."""

CONSOLE_FILE = "console.toml"

CONSOLE_ROLES = ("console",)

ZONES: Mapping[str, str] = MappingProxyType({"cn": "Asia/Shanghai", "hk": "Asia/Hong_Kong", "mo": "Asia/Macau"})

CONSOLE_PORT_STEP = 1_000
"""A console's port is so far above its node's port for own systems: 8444 beside 7444."""


@dataclass(frozen=True, slots=True)
class ConsolePlace:
    """Where a console listens (host:port), and where a browser on this machine finds it."""

    bind: str
    origin: str

    @property
    def domain(self) -> str:
        """The host of the origin, for which passkeys are made."""
        return self.origin.partition("://")[2].partition(":")[0]


def consoles_on_one_host(ports: Mapping[str, int], bind: str = "") -> dict[str, ConsolePlace]:
    """A place for each node's console; `ports`: node to port, `bind`: address that they listen on, else 127.0.0.1."""
    return {
        node: ConsolePlace(f"{bind or '127.0.0.1'}:{port}", f"http://localhost:{port}") for node, port in ports.items()
    }


def capability_tables(console: ConsolePlace) -> str:
    """Tables of a gateway.toml that turn on persons, and everything else that a console has pages for."""
    from gateway.node.settings import Settings  # noqa: PLC0415  # imports slowly

    lines = []
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel) and "enabled" in kind.model_fields:
            lines += ["", f"[{name}]", "enabled = true"]
            if name == "persons":
                lines += [f"domain = {json.dumps(console.domain)}", f"origins = [{json.dumps(console.origin)}]"]
                lines += ["require_passkey = false"]
    return "\n".join(lines) + "\n"


def write_console(folder: Path, console: ConsolePlace, *, gateway: str, zone: str) -> None:
    """Writes console.toml beside a gateway.toml; `gateway`: host:port of the node's local port."""
    lines = [
        "# Settings of the console; paths are relative to this file.",
        f"bind = {json.dumps(console.bind)} # for browsers, or a proxy before it",
        f"origin = {json.dumps(console.origin)} # its address in the browser",
        f"zone = {json.dumps(zone)} # for persons who chose none",
        "",
        "[gateway]",
        f"address = {json.dumps(gateway)}",
        'ca = "pki/ca.pem"',
        f'certificate = "pki/systems/{CONSOLE_SYSTEM}.pem" # with the role console',
        f'key = "pki/systems/{CONSOLE_SYSTEM}.key"',
    ]
    replace_file(folder / CONSOLE_FILE, ("\n".join(lines) + "\n").encode(), mode=OWNER_ONLY)
