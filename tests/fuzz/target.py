"""The registry of fuzz targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.errors import GatewayError

MAX_BYTES = 4_096
"""Longest input unless a target says otherwise."""

Property = Callable[[bytes], object]
Seeds = Callable[[], Iterable[bytes]]


@dataclass(frozen=True)
class Target:
    """A property of a parser. It may raise a GatewayError: the input is refused. Anything else is a finding."""

    name: str
    holds: Property
    seeds: Seeds
    max_bytes: int

    def __call__(self, data: bytes) -> None:
        try:
            self.holds(data)
        except GatewayError:
            return


TARGETS: dict[str, Target] = {}
"""By name; filled by the modules that `tests.fuzz.all_targets` imports."""


def target(seeds: Seeds, *, max_bytes: int = MAX_BYTES) -> Callable[[Property], Property]:
    """Registers a function under its name."""

    def register(holds: Property) -> Property:
        name = holds.__name__
        assert name not in TARGETS, f"two targets are named {name}"
        TARGETS[name] = Target(name, holds, seeds, max_bytes)
        return holds

    return register


def text_of(data: bytes) -> str:
    """Input as text; what isn't UTF-8 becomes U+FFFD, so that lengths differ."""
    return data.decode("utf-8", "replace")
