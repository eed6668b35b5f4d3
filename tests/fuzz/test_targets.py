"""Every target keeps its property on its corpus and on some examples, the same in every run."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError
from tests.fuzz.all_targets import TARGETS
from tests.fuzz.corpus import corpus_of
from tests.fuzz.mutate import mutated
from tests.fuzz.target import Target

EXAMPLES = 60
"""Examples for each target in `make test`; `make fuzz` has no such bound."""

by_target = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@by_target
def test_the_corpus_keeps_the_property(target: Target) -> None:
    """What was found once stays found: crashing inputs become part of the corpus."""
    seeds = list(target.seeds())
    assert seeds, "a target without a seed finds nothing but noise"
    for data in (b"", *seeds, *(path.read_bytes() for path in corpus_of(target.name))):
        target(data)


@by_target
def test_a_seed_is_accepted(target: Target) -> None:
    """Otherwise the target tries refusals alone."""
    accepted = 0
    for data in target.seeds():
        with suppress(GatewayError):
            target.holds(data)
            accepted += 1
    assert accepted > 0


@by_target
def test_changed_seeds_keep_the_property(target: Target) -> None:
    seeds, rng = list(target.seeds()), random.Random(target.name)
    for _ in range(EXAMPLES):
        target(mutated(rng.choice(seeds), rng)[: target.max_bytes])


@by_target
def test_any_bytes_keep_the_property(target: Target) -> None:
    @seed(0)
    @settings(max_examples=EXAMPLES // 2, database=None, suppress_health_check=list(HealthCheck))
    @given(st.binary(max_size=min(target.max_bytes, 200)) | st.text(max_size=60).map(lambda text: text.encode()))
    def holds(data: bytes) -> None:
        target(data)

    holds()


def test_every_corpus_has_its_target_and_is_small() -> None:
    folders = {path.name for path in (Path(__file__).parent / "corpus").iterdir()}
    assert folders <= set(TARGETS), "a corpus without a target isn't tried"
    for name in folders:
        for path in corpus_of(name):
            assert path.stat().st_size <= TARGETS[name].max_bytes, path
