"""Publishing with signing keys in files beside keys in a hardware token (SoftHSM), round by round in turn.

python -m bench.tokens [--rounds N] [--alerts N]
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from bench import product
from bench.nodes import Pair, running_pair
from tests.support.tokens import MODULE, PIN, SoftToken

IN_FLIGHT = (1, 64)


async def measure(folder: Path, *, rounds: int, alerts: int) -> dict[int, list[tuple[float, float]]]:
    """Alerts per second with keys in files and in a token, of each round, by how many are in flight."""
    token = SoftToken(folder / "token", "bench")
    os.environ.update(token.environment)
    rates: dict[int, list[tuple[float, float]]] = {count: [] for count in IN_FLIGHT}
    async with running_pair(folder / "files") as files, running_pair(folder / "tokens") as tokens:
        await _move_keys(tokens, token, folder)
        for pair in (files, tokens):
            await product.publish(pair, alerts // 4, 64)  # warms up
        for _ in range(rounds):
            for in_flight in IN_FLIGHT:
                count = alerts if in_flight > 1 else alerts // 10
                by_file = await product.publish(files, count, in_flight)
                rates[in_flight].append((by_file, await product.publish(tokens, count, in_flight)))
    return rates


async def _move_keys(pair: Pair, token: SoftToken, folder: Path) -> None:
    """Both keys of cn go into the token."""
    await pair.cn.stop()
    pin = folder / "pin"
    pin.write_text(PIN)
    pin.chmod(0o600)
    text = pair.cn.settings.read_text("utf-8")
    for use, file in (("log", pair.cn.folder.log_key), ("receipts", pair.cn.folder.receipts_key)):
        token.take(file, use)
        text = text.replace(f'{use} = "{file.relative_to(pair.cn.settings.parent)}"', f'{use} = "{token.uri(use)}"')
        file.unlink()
    section = f'[tokens.{token.label}]\nmodule = "{MODULE}"\npin_file = "{pin}"\n'
    pair.cn.settings.write_text(f"{text}\n{section}", "utf-8")
    await pair.cn.start()


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 5, alerts: Annotated[int, typer.Option(min=100)] = 3_000
) -> None:
    """Prints the medians and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        rates = asyncio.run(measure(Path(folder), rounds=rounds, alerts=alerts))
    for in_flight, pairs in rates.items():
        by_file, by_token = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(token / file for file, token in pairs)
        print(f"{in_flight} in flight: files {by_file:,.0f}/s, token {by_token:,.0f}/s, ratio {ratio:.2f}")


if __name__ == "__main__":
    typer.run(main)
