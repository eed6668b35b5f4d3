"""The peer nomenklatura with its matcher logic-v2, in an environment of its own.

    python -m bench.peer [--dir PATH] [--json FILE]

Makes the environment (needs a package index within reach, and stays in `--dir` for the next time), has the peer judge
the same pairs of names as `bench.names`, and times its comparisons beside this project's over the same pairs, in turn.
Where the environment can't be made, says so and gives no figure.

The part behind `PEER` runs in that environment.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from bench.peer_environment import PeerProcess, environment, run_from_command_line
from bench.results import Figures, show, write
from gateway.screening.compare import compare
from gateway.screening.prepared_name import prepare
from gateway.screening.result import MatchClass
from tests.support.names import TRADE_NAMES, Pair, balanced_accuracy, development_pairs, own_pairs

REQUIREMENT = "nomenklatura==4.17.4"
THRESHOLD = 0.7
"""Score from which logic-v2 counts as a match unless its users say otherwise."""
ROUNDS = 5

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


def judge(peer: PeerProcess, pairs: Sequence[Pair]) -> tuple[list[float], float]:
    """Scores of pairs, and the processor time of the comparisons, the reading of the names included."""
    scores, seconds = peer.ask([(pair.kind, pair.a, pair.b) for pair in pairs])
    return scores, seconds


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


def speed(peer: PeerProcess, pairs: Sequence[Pair]) -> Figures:
    """Comparisons a second, each name read anew, in turn."""
    figures = Figures()
    for _ in range(ROUNDS):
        began = time.process_time()
        for pair in pairs:
            _found(pair)
        figures.note("names: comparisons", "/s", len(pairs) / (time.process_time() - began))
        figures.note("names: comparisons of nomenklatura", "/s", len(pairs) / judge(peer, pairs)[1])
    return figures


def run(folder: Path, json_file: Path | None) -> None:
    peer = PeerProcess(environment(folder, [REQUIREMENT]), PEER)
    print(f"{REQUIREMENT}, logic-v2, beside this project; balanced accuracy")
    sets: dict[str, list[Pair]] = {"shared": development_pairs(), "own": own_pairs()}
    for name, pairs in sets.items():
        for kind in ("org", "person"):
            of_kind = [p for p in pairs if p.kind == kind and not {p.a, p.b} & TRADE_NAMES]
            accuracy(f"{name}, {kind}", of_kind, judge(peer, of_kind)[0])
    figures = speed(peer, [p for pairs in sets.values() for p in pairs if p.kind in ("org", "person")])
    peer.end()
    show(figures, "Comparisons a second of processor time, both names read anew")
    write(json_file, figures, command="python -m bench.peer")


if __name__ == "__main__":
    run_from_command_line("Accuracy and speed of nomenklatura's logic-v2, beside this project.", run)
