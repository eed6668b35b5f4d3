"""Attack and control in turn: the same attack by the same process against the node and against another one."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median

from bench.attacks.attack import Attack, Target
from bench.attacks.attacker import BEGUN
from bench.attacks.federation import ATTACKED, CONTROL, PARTNER, AttackedFederation, Memory
from bench.attacks.others import CALLERS, Fare, Others

LEAD_S = 2.0
"""Seconds that an attack runs before the others are measured."""

LEAST_RATE, MOST_P99 = 0.9, 3.0
"""Goal: others keep this share of the control's rate, and their p99 stays within so many times the control's."""

_START_S = 60.0


@dataclass
class Outcome:
    """What one attack did over all rounds."""

    attack: Attack
    attacked: list[dict[str, Fare]] = field(default_factory=list)
    control: list[dict[str, Fare]] = field(default_factory=list)
    tallies: list[dict[str, int]] = field(default_factory=list)
    before_mb: float = 0.0
    peak_mb: float = 0.0
    descriptors: int = 0
    alive: bool = True

    def rate_shares(self, kind: str) -> list[float]:
        """Rate under attack by the rate in the control, of each round."""
        return [a[kind].rate / max(c[kind].rate, 1e-9) for a, c in zip(self.attacked, self.control, strict=True)]

    def p99_ratios(self, kind: str) -> list[float]:
        """p99 under attack by p99 in the control, of each round."""
        return [a[kind].p99_ms / c[kind].p99_ms for a, c in zip(self.attacked, self.control, strict=True)]

    def worst_rate(self) -> str:
        """The kind of caller that lost most of its rate."""
        return min(CALLERS, key=lambda kind: median(self.rate_shares(kind)))

    def worst_p99(self) -> str:
        """The kind of caller whose p99 grew most."""
        return max(CALLERS, key=lambda kind: median(self.p99_ratios(kind)))

    @property
    def growth_mb(self) -> float:
        return self.peak_mb - self.before_mb

    @property
    def failures(self) -> list[str]:
        """What of the goal wasn't met."""
        failures = []
        if not self.alive:
            failures.append("ended")
        if median(self.rate_shares(self.worst_rate())) < LEAST_RATE:
            failures.append("rate")
        if median(self.p99_ratios(self.worst_p99())) > MOST_P99:
            failures.append("p99")
        if self.growth_mb > self.attack.memory_mb:
            failures.append("memory")
        return failures


async def measure(
    federation: AttackedFederation,
    attack: Attack,
    *,
    rounds: int,
    seconds: float,
    size: int,
    tell: Callable[[str], None],
) -> Outcome:
    """Runs one attack and its control in turn, the order changing from round to round.

    Args:
        seconds: how long the others are measured in each run.
        size: of the attack, in its unit.
        tell: told of progress.
    """
    outcome = Outcome(attack)
    node = federation.nodes[ATTACKED]
    others = Others(
        node,
        peer_port=federation.peer_ports[ATTACKED],
        partner=federation.nodes[CONTROL].folder,
        recipient=PARTNER,
    )
    try:
        if attack.stock is not None:
            tell(f"{attack.name}: filling the nodes")
            await federation.stock(attack.stock)
        await others.open()
        await others.fare(min(seconds, 2.0))  # a warm-up
        async with Memory(node.pid) as memory:
            for number in range(rounds):
                for name in (ATTACKED, CONTROL) if number % 2 == 0 else (CONTROL, ATTACKED):
                    tell(f"{attack.name}, round {number + 1}/{rounds}: {'attack' if name == ATTACKED else 'control'}")
                    async with attacking(attack, federation.target(name), size, LEAD_S + seconds) as tally:
                        await asyncio.sleep(LEAD_S)
                        fares = await others.fare(seconds)
                    (outcome.attacked if name == ATTACKED else outcome.control).append(fares)
                    if name == ATTACKED:
                        outcome.tallies.append(tally)
                    await asyncio.sleep(1.0)  # what the node still does for the attacker
        outcome.before_mb, outcome.peak_mb, outcome.descriptors = memory.before, memory.peak, memory.descriptors
        outcome.alive = node.process is not None and node.process.poll() is None
    finally:
        await others.close()
    return outcome


@asynccontextmanager
async def attacking(attack: Attack, target: Target, size: int, seconds: float) -> AsyncIterator[dict[str, int]]:
    """The attack in a process of its own; what it did is in the dictionary after the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.attacks.attacker", attack.name, str(size), str(seconds),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(target.to_json().encode())
    process.stdin.close()
    tally: dict[str, int] = {}
    try:
        line = await asyncio.wait_for(process.stdout.readline(), _START_S)
        assert line.strip() == BEGUN.encode(), f"the attacker didn't begin: {line!r}"
        yield tally
        rest, _ = await asyncio.wait_for(process.communicate(), seconds + _START_S)
        tally.update(json.loads(rest))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def spread(values: Sequence[float]) -> str:
    """Median, and in brackets least and most."""
    return f"{median(values):.2f} × ({min(values):.2f}–{max(values):.2f})"
