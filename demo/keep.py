"""What to type while the gateways are left running. Owns these words; every command in them is tried by a test."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from demo.screen import Screen
from demo.stage import Stage


def tell_how_to_talk(stage: Stage, screen: Screen) -> None:
    """Prints commands to copy into another terminal."""
    screen.heading("Left running: in another terminal (Ctrl-C here stops all three)")
    for line in commands(stage):
        screen.console.print(line, soft_wrap=True, markup=False)


def commands(stage: Stage) -> list[str]:
    """Lines for a shell: variables that say which gateway and who speaks, and what can be asked then."""
    hk = stage.gateways["hk"]
    program = Path(sys.executable).with_name("gateway")
    return [
        f"export PATH={shlex.quote(str(program.parent))}:$PATH",
        f"export GATEWAY_CONFIG={shlex.quote(str(hk.config))}",
        "gateway alert list --system officers --limit 10",
        "gateway alert watch --system officers --once",
        "gateway link list --system ops",
        "gateway doctor --system ops",
        "gateway status --system ops",
        "gateway audit list --system auditors --limit 10",
    ]
