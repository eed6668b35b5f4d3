"""Fuzzes every target for some minutes, one after the other: `make fuzz MINUTES=10`, `python -m tests.fuzz.run --help`.

Each target is a process of its own at the lowest priority, with its corpus and seeds. Inputs that reach new code are
shortened while they still do (libFuzzer's -reduce_inputs) and added to the corpus in the repository. An input that
breaks a property is kept in tests/fuzz/findings; once its cause is mended, move it to the target's corpus, so that
`make test` tries it again.

Without atheris (other systems than Linux on x86-64) Hypothesis makes the inputs, unguided.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import corpus
from tests.fuzz.instrumented import GUIDED, fuzz
from tests.fuzz.target import TARGETS, Target

FINDINGS = Path(__file__).parent / "findings"
SLOWEST_S = 30
"""An input that takes longer is a finding: no parser may hang."""

MOST_MB = 2_048
"""A process that takes more memory is a finding."""

GRACE_S = 60
"""Seconds beyond the time of fuzzing after which a process hangs."""

MOST_KEPT = 64
"""New inputs of one run that are kept for a target, the smallest first."""


@dataclass(frozen=True)
class Outcome:
    """What a run did for one target; `edges` and `features` are 0 without atheris."""

    target: str
    seconds: float
    runs: int
    edges: int
    features: int
    added: int
    findings: tuple[Path, ...]


def guided(target: Target, seconds: float) -> Outcome:
    """Runs atheris, then keeps what reached new code."""
    findings = FINDINGS / target.name
    findings.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    with tempfile.TemporaryDirectory(prefix=f"fuzz-{target.name}-") as folder:
        fresh, start, output = (Path(folder, name) for name in ("fresh", "start", "output"))
        fresh.mkdir()
        start.mkdir()
        for number, data in enumerate(known(target)):
            (start / str(number)).write_bytes(data)
            with suppress(Exception):  # what is wrong is found again; what is loaded on first use is loaded here
                target(data)
        began = time.monotonic()
        places = [str(fresh), str(start), f"-artifact_prefix={findings}/"]
        limits = [f"-max_len={target.max_bytes}", f"-timeout={SLOWEST_S}", f"-rss_limit_mb={MOST_MB}"]
        forked(target, [*places, *limits, f"-max_total_time={int(seconds)}"], output, seconds + GRACE_S)
        took = time.monotonic() - began
        inputs = sorted((path.read_bytes() for path in fresh.iterdir()), key=lambda data: (len(data), data))
        said = output.read_text(encoding="utf-8", errors="replace")
    added = corpus.add(target.name, inputs[:MOST_KEPT])
    new = tuple(sorted(set(findings.iterdir()) - before))
    if new:
        print(said[-4_000:], file=sys.stderr)
    return Outcome(target.name, took, *figures(said), added, new)


def forked(target: Target, arguments: Sequence[str], output: Path, seconds: float) -> None:
    """Lets a child fuzz, which has the instrumented modules already; a child that hangs is ended."""
    child = os.fork()
    if child == 0:
        with output.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        os.nice(19)
        try:
            fuzz(target, arguments)
        finally:
            os._exit(0)  # never back into the parent's code, whose folder it would remove
    deadline = time.monotonic() + seconds
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return
        time.sleep(0.2)


def figures(output: str) -> tuple[int, int, int]:
    """Executions, edges and features from libFuzzer's output."""
    runs, edges, features = (
        max(map(int, re.findall(pattern, output, re.MULTILINE)), default=0)
        for pattern in (r"^#(\d+)\s", r"cov: (\d+)", r"ft: (\d+)")
    )
    return runs, edges, features


def unguided(target: Target, seconds: float) -> Outcome:
    """Lets Hypothesis change seeds and corpus until the time is over."""
    from hypothesis import HealthCheck, given, seed, settings
    from hypothesis import strategies as st

    from tests.fuzz.mutate import mutated

    began, runs, batch = time.monotonic(), 0, 0
    inputs = known(target)
    changed = st.builds(mutated, st.sampled_from(inputs), st.randoms(use_true_random=False))
    while time.monotonic() - began < seconds:
        batch += 1
        last = b""

        @seed(batch)
        @settings(max_examples=500, database=None, deadline=None, suppress_health_check=list(HealthCheck))
        @given(changed | st.binary(max_size=min(target.max_bytes, 400)))
        def holds(data: bytes) -> None:
            nonlocal runs, last
            runs, last = runs + 1, data[: target.max_bytes]
            target(last)

        try:
            holds()
        except Exception as error:  # whatever it is, it is the finding
            path = FINDINGS / target.name / f"crash-{batch}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(last)
            print(f"{target.name}: {error!r}", file=sys.stderr)
            return Outcome(target.name, time.monotonic() - began, runs, 0, 0, 0, (path,))
    return Outcome(target.name, time.monotonic() - began, runs, 0, 0, 0, ())


def known(target: Target) -> list[bytes]:
    """Seeds and corpus."""
    return [*target.seeds(), *(path.read_bytes() for path in corpus.corpus_of(target.name))]


HEADER = f"{'target':<20}{'minutes':>9}{'runs':>12}{'edges':>8}{'features':>10}{'added':>7}{'findings':>10}"


def line(outcome: Outcome) -> str:
    return (
        f"{outcome.target:<20}{outcome.seconds / 60:>9.1f}{outcome.runs:>12,}{outcome.edges:>8,}{outcome.features:>10,}"
        f"{outcome.added:>7}{len(outcome.findings):>10}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz the parsers of foreign bytes.")
    parser.add_argument("--minutes", type=float, default=1, help="for each target")
    parser.add_argument("targets", nargs="*", help="default: all")
    options = parser.parse_args()
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no targets: {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    chosen = [TARGETS[name] for name in options.targets or TARGETS]
    run = guided if GUIDED else unguided
    print(f"{len(chosen)} targets, {options.minutes:g} minutes each\n{HEADER}", flush=True)
    outcomes = []
    for target in chosen:
        outcomes.append(run(target, options.minutes * 60))
        print(line(outcomes[-1]), flush=True)
    findings = [path for outcome in outcomes for path in outcome.findings]
    print(f"{sum(outcome.runs for outcome in outcomes):,} runs, {len(findings)} findings")
    for path in findings:
        print(f"  {path}: python -m tests.fuzz.reproduce {path.parent.name} {path}")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
