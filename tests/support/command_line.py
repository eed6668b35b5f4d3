"""`gateway` in this process with the settings of one node of a federation: commands as people type them."""

from __future__ import annotations

import json
import time
from typing import Any

from typer.testing import CliRunner, Result

from gateway.cli.main import app
from tests.support.federation import Federation

PATIENCE_S = 120.0
"""Seconds that a test waits for what a command must come to show."""


class Cli:
    """`gateway` with the settings of one node."""

    def __init__(self, nodes: Federation, node: str) -> None:
        self._environment = {"GATEWAY_CONFIG": str(nodes[node].config), "GATEWAY_SYSTEM": ""}

    def run(
        self, system: str, *arguments: object, code: int | None = 0, text: str | None = None, width: int = 240
    ) -> Result:
        words = [str(each) for each in arguments] + (["--system", system] if system else [])
        result = CliRunner(env={**self._environment, "COLUMNS": str(width)}).invoke(app, words, input=text)
        assert code is None or result.exit_code == code, (
            f"gateway {' '.join(words)}: {result.exit_code}\n{result.output}"
        )
        return result

    def json(self, system: str, *arguments: object, **options: Any) -> Any:
        text = self.run(system, *arguments, "--json", **options).stdout
        return json.loads(text)

    def eventually(self, system: str, *arguments: object, until: Any, **options: Any) -> Any:
        deadline = time.monotonic() + PATIENCE_S
        while not until(found := self.json(system, *arguments, **options)):
            assert time.monotonic() < deadline, f"gateway {arguments} still says {found}"
            time.sleep(0.1)
        return found
