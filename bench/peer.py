"""The peer nomenklatura with its matcher logic-v2, in an environment of its own: `python -m bench.peer [--dir PATH]`.

Makes the environment (needs a package index within reach, and stays in `--dir` for the next time), has the peer judge
the same pairs of names as `bench.names`, and times its comparisons beside this project's over the same pairs, in turn.
Where the environment can't be made, says so and gives no figure.

The part behind `PEER` runs in that environment, where this project isn't installed; the two speak JSON lines.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
import venv
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from gateway.screening.compare import compare
from gateway.screening.prepared_name import prepare
from gateway.screening.result import MatchClass
from tests.support.names import TRADE_NAMES, Pair, balanced_accuracy, development_pairs, own_pairs

REQUIREMENT = "nomenklatura==4.17.4"
THRESHOLD = 0.7
"""Score from which logic-v2 counts as a match unless its users say otherwise."""
ROUNDS = 5
INSTALL_S = 900

PEER = """
import json, sys, time
from followthemoney import model
from nomenklatura.matching import get_algorithm
matcher = get_algorithm("logic-v2")
config = matcher.default_config()
count = 0
def entity(kind, name):
    global count
    count += 1  # scores are remembered by id
    made = model.make_entity({"person": "Person", "org": "Company"}.get(kind, "LegalEntity"))
    made.id = f"e{count}"
    made.add("name", name)
    return made
for line in sys.stdin:
    pairs = [(entity(kind, a), entity(kind, b)) for kind, a, b in json.loads(line)]
    began = time.process_time()
    scores = [matcher.compare(one, other, config).score for one, other in pairs]
    print(json.dumps([scores, time.process_time() - began]), flush=True)
"""


class Answer(NamedTuple):
    scores: list[float]
    seconds: float


class Peer:
    """A process in the peer's environment."""

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(
            [python, "-c", PEER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
        )

    def judge(self, pairs: Sequence[Pair]) -> Answer:
        """Scores of pairs, and the processor time of the comparisons, the reading of the names included."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([(pair.kind, pair.a, pair.b) for pair in pairs]) + "\n")
        self._process.stdin.flush()
        return Answer(*json.loads(self._process.stdout.readline()))

    def end(self) -> None:
        self._process.communicate()


def environment(folder: Path, requirements: Sequence[str] = (REQUIREMENT,)) -> Path | str:
    """The interpreter of a peer's environment, made where there is none; or why there is none."""
    python = folder / "bin" / "python"
    try:
        if not python.exists():
            venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements]
        done = subprocess.run(install, capture_output=True, text=True, timeout=INSTALL_S, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return python if done.returncode == 0 else (done.stderr.strip().splitlines() or ["pip failed"])[-1]


def outcomes(pairs: Sequence[Pair], scores: Sequence[float], threshold: float) -> list[tuple[bool, bool]]:
    return [(pair.same, score >= threshold) for pair, score in zip(pairs, scores, strict=True)]


def accuracy(title: str, pairs: Sequence[Pair], scores: Sequence[float]) -> None:
    own = [(p.same, _found(p)) for p in pairs]
    peer = balanced_accuracy(outcomes(pairs, scores, THRESHOLD))
    best, at = max((balanced_accuracy(outcomes(pairs, scores, t / 100)), t / 100) for t in range(1, 101))
    print(
        f"  {title:<34}{len(pairs):>4} pairs   here {balanced_accuracy(own):.3f}   peer {peer:.3f} at {THRESHOLD}"
        f"   at the threshold best for it ({at:.2f}) {best:.3f}"
    )


def _found(pair: Pair) -> bool:
    return compare(prepare(pair.a, pair.name_kind), prepare(pair.b, pair.name_kind)).match_class > MatchClass.NONE


def speed(peer: Peer, pairs: Sequence[Pair]) -> None:
    """Comparisons a second, each name read anew, in turn."""
    own, theirs = list[float](), list[float]()
    for _ in range(ROUNDS):
        began = time.process_time()
        for pair in pairs:
            _found(pair)
        own.append(len(pairs) / (time.process_time() - began))
        theirs.append(len(pairs) / peer.judge(pairs).seconds)
    print(
        f"  comparisons a second, both names read anew: here {median(own):,.0f} ({min(own):,.0f} – {max(own):,.0f}), "
        f"peer {median(theirs):,.0f} ({min(theirs):,.0f} – {max(theirs):,.0f})"
    )


def run(folder: Path) -> None:
    python = environment(folder)
    if isinstance(python, str):
        print(f"{REQUIREMENT} was not measured: its environment can't be made: {python}")
        return
    print(f"{REQUIREMENT}, logic-v2, beside this project; balanced accuracy")
    peer = Peer(python)
    sets: dict[str, list[Pair]] = {"shared": development_pairs(), "own": own_pairs()}
    for name, pairs in sets.items():
        for kind in ("org", "person"):
            of_kind = [p for p in pairs if p.kind == kind and not {p.a, p.b} & TRADE_NAMES]
            accuracy(f"{name}, {kind}", of_kind, peer.judge(of_kind).scores)
    speed(peer, [p for pairs in sets.values() for p in pairs if p.kind in ("org", "person")])
    peer.end()


def main() -> None:
    parser = argparse.ArgumentParser(description="Accuracy and speed of nomenklatura's logic-v2, beside this project.")
    parser.add_argument("--dir", type=Path, help="where the environment is or will be; otherwise a temporary one")
    options = parser.parse_args()
    if options.dir:
        run(options.dir)
        return
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder))


if __name__ == "__main__":
    main()
