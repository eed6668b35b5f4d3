"""`python -m bench.attacks.attacker NAME SIZE SECONDS <target.json`: the attacker's process.

Prints a line when it begins, and at its end what it did, as JSON.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
from collections import Counter

from bench.attacks.attack import Attack, Tally, Target
from bench.attacks.registry import ATTACKS

BEGUN = "begun"


async def attack(attack: Attack, target: Target, size: int, seconds: float) -> Tally:
    """Attacks for some seconds; returns what was done."""
    tally: Tally = Counter()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await attack.run(target, size, tally)
    return tally


def main() -> None:
    name, size, seconds = sys.argv[1:]
    target = Target.from_json(sys.stdin.read())
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(BEGUN, flush=True)
    tally = asyncio.run(attack(ATTACKS[name], target, int(size), float(seconds)))
    print(json.dumps(tally), flush=True)


if __name__ == "__main__":
    main()
