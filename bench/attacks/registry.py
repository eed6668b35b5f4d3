"""The attacks, by name."""

from __future__ import annotations

from bench.attacks import batches, calls, connections, frames
from bench.attacks.attack import Attack

ATTACKS: dict[str, Attack] = {
    attack.name: attack for module in (connections, frames, calls, batches) for attack in module.ATTACKS
}
