"""`python -m bench.attacks.attacker NAME SIZE SECONDS <target.json`: the attacker's process.

Prints a line when it begins, and at its end what it did, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
from collections import Counter

from bench.attacks.attack import Attack, Tally, Target
from bench.attacks.registry import ATTACKS

BEGUN = "begun"


async def attack(attack: Attack, target: Target, size: int, seconds: float) -> Tally:
    """Attacks for some seconds; returns what was done. What the attack holds open stays so until the process ends."""
    tally: Tally = Counter()
    running = asyncio.ensure_future(attack.run(target, size, tally))
    await asyncio.wait({running}, timeout=seconds)
    if running.done():
        running.result()  # an attack goes on until it is cancelled, so this raises
    return tally


def main() -> None:
    name, size, seconds = sys.argv[1:]
    target = Target.from_json(sys.stdin.read())
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    async def run() -> None:
        print(BEGUN, flush=True)
        print(json.dumps(await attack(ATTACKS[name], target, int(size), float(seconds))), flush=True)
        os._exit(0)  # thousands of connections take long to close in order

    asyncio.run(run())


if __name__ == "__main__":
    main()
