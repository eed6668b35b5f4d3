"""The interleaved run: floors and product in turn, round by round, so that a machine that changes speed changes
both."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import product
from bench.floors import Echo, running_echo
from bench.nodes import PUBLISHER, Pair, running_pair
from bench.results import Figures, Tell


@dataclass(frozen=True)
class Sizes:
    """How much each measurement does: messages, calls or alerts, and seconds for the latency."""

    echo_1: int = 2_000
    echo_64: int = 10_000
    stream: int = 20_000
    frames: int = 300_000
    publish_1: int = 300
    publish_64: int = 5_000
    bulk: int = 30_000
    latency_s: float = 10.0


QUICK = Sizes(
    echo_1=500, echo_64=3_000, stream=5_000, frames=50_000, publish_1=60, publish_64=1_000, bulk=5_000, latency_s=3.0
)


_FLOORS = ("echo-1", "echo-64", "stream", "frames")
_PRODUCT = ("publish-1", "publish-64", "bulk", "latency")
MEASUREMENTS = (*_FLOORS, *_PRODUCT)

USUAL = f"{product.LATENCY_RATES[0]:g}/s"
"""The load at which the budget of a lone alert is set."""

BESIDE = {"publish-1": ("echo-1",), "publish-64": ("echo-64",), "bulk": ("stream", "frames")}
"""Which floors a measurement stands beside."""

RATIOS = {
    "publish-1 / echo-1": ("publish-1", "echo-1"),
    "publish-64 / echo-64": ("publish-64", "echo-64"),
    "bulk / stream": ("bulk", "stream"),
    "bulk / frames": ("bulk", "frames"),
}
"""Figures divided within each round: product by floor."""


def chosen(only: Sequence[str]) -> list[str]:
    """The measurements asked for and their floors, in the order of a round; all when none is named."""
    if not only:
        return list(MEASUREMENTS)
    wanted = set(only).union(*(BESIDE.get(name, ()) for name in only))
    return [name for name in MEASUREMENTS if name in wanted]


async def run(folder: Path, names: Sequence[str], *, rounds: int, sizes: Sizes, tell: Tell) -> Figures:
    """Takes the measurements in turn.

    Args:
        folder: where the nodes live; on the disk that is meant.
        names: from `chosen`.
        rounds: how often; the first one isn't special, since one small warm-up goes before.
        sizes: how much each does.
        tell: told of progress.
    """
    figures = Figures()
    async with running_pair(folder) as pair, running_echo(pair.cn.folder, PUBLISHER) as echo:
        tell("warming up")
        await _round(names, pair, echo, QUICK, Figures(), lambda _: None)
        for number in range(1, rounds + 1):
            await _round(names, pair, echo, sizes, figures, lambda name, n=number: tell(f"round {n}/{rounds}: {name}"))  # type: ignore[misc]
    for ratio, (over, under) in RATIOS.items():
        if over in figures and under in figures:
            figures[ratio] = figures[over].over(figures[under])
    return figures


async def _round(names: Sequence[str], pair: Pair, echo: Echo, sizes: Sizes, figures: Figures, tell: Tell) -> None:
    rates: dict[str, Callable[[], Awaitable[float]]] = {
        "echo-1": lambda: echo.unary(sizes.echo_1, 1),
        "echo-64": lambda: echo.unary(sizes.echo_64, 64),
        "stream": lambda: echo.stream(sizes.stream),
        "frames": lambda: echo.frames(sizes.frames),
        "publish-1": lambda: product.publish(pair, sizes.publish_1, 1),
        "publish-64": lambda: product.publish(pair, sizes.publish_64, 64),
    }
    for name in names:
        tell(name)
        if name in _FLOORS:
            await pair.settled()  # nothing of the product's work runs beside a floor
        if name in rates:
            figures.note(name, "/s", await rates[name]())
        elif name == "bulk":
            _note_bulk(figures, await product.bulk(pair, sizes.bulk))
        else:
            for rate in product.LATENCY_RATES:
                _note_latencies(figures, f"{rate:g}/s", await product.latency(pair, sizes.latency_s, rate=rate))


def _note_latencies(figures: Figures, rate: str, taken: product.Latencies) -> None:
    figures.note(f"latency p50 at {rate}", "ms", taken.p50_ms)
    figures.note(f"latency p99 at {rate}", "ms", taken.p99_ms)
    figures.note(f"latency max at {rate}", "ms", taken.max_ms)
    lone = "lone alert" if rate == USUAL else f"lone alert at {rate}"
    figures.note(f"{lone}: processor of cn", "ms", taken.cn_us / 1000)
    figures.note(f"{lone}: processor of hk", "ms", taken.hk_us / 1000)
    figures.note(f"{lone}: processor of both nodes", "ms", (taken.cn_us + taken.hk_us) / 1000)


def _note_bulk(figures: Figures, bulk: product.Bulk) -> None:
    figures.note("bulk", "/s", bulk.receipted)
    figures.note("bulk until acknowledged", "/s", bulk.acknowledged)
    figures.note("bulk until projected", "/s", bulk.projected)
    figures.note("bulk: processor at the client", "µs each", bulk.client_us)
    figures.note("bulk: processor at cn", "µs each", bulk.cn_us)
    figures.note("bulk: processor at hk", "µs each", bulk.hk_us)
