"""What to type while the gateways are left running."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from demo.screen import Screen
from demo.stage import Stage


def tell_where_to_look(screen: Screen, lines: list[str]) -> None:
    """Prints where the consoles are and how one signs in."""
    screen.heading("Three consoles with the case in them")
    for line in lines:
        screen.say(line)


def tell_how_to_talk(stage: Stage, screen: Screen, alert: str) -> None:
    """Prints commands to copy into another terminal; `alert` is one that hk has, PUBLISHER/ID."""
    screen.heading("Left running until Ctrl-C; talk to hk's gateway from another terminal")
    for line in commands(stage, alert):
        screen.console.print(line, soft_wrap=True, markup=False)


def commands(stage: Stage, alert: str) -> list[str]:
    """Lines for a shell: variables that say which gateway and who speaks, and what can be asked then."""
    hk = stage.gateways["hk"]
    evidence, directory = stage.root / "my-evidence.zip", stage.federation.directory
    return [
        f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH",
        f"export GATEWAY_CONFIG={shlex.quote(str(hk.config))}",
        "gateway alert list --system officers --limit 10",
        "gateway watchlist list --system officers",
        "gateway link list --system ops",
        "gateway doctor",
        "gateway status --system ops",
        f"gateway alert show {alert} --system officers",
        f"gateway evidence export {alert} --system officers --out {shlex.quote(str(evidence))}",
        f"gateway evidence verify {shlex.quote(str(evidence))} --directory {shlex.quote(str(directory))}",
    ]
