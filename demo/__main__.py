"""`python -m demo`: three gateways, a case, an outage, a crash, evidence, and one honest summary."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from demo import LOADED_S
from demo.facts import Facts
from demo.keep import tell_how_to_talk, tell_where_to_look
from demo.ledger import FeedCopy, read_feeds
from demo.pairs import pair, pair_of
from demo.play import Play, StuckError
from demo.scenes import SCENES
from demo.screen import WIDTH, Screen
from demo.stage import NODES, Stage, set_stage
from demo.summary import judge, medians
from gateway.cli.trial.federation import AUTHORITIES
from gateway.errors import ConfigurationError, GatewayError

EXIT_OK, EXIT_NOT_AS_EXPECTED, EXIT_WRONG_INPUT, EXIT_INTERRUPTED = 0, 1, 2, 130
_FOLDER = Path("demo-run")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="python -m demo", description="Three customs gateways on this machine with a scripted case; no Internet."
    )
    parser.add_argument("--dir", type=Path, default=_FOLDER, help="folder for keys, data, logs (default: ./demo-run)")
    parser.add_argument(
        "--keep", action="store_true", help="leave the gateways running at the end, with a console each, until Ctrl-C"
    )
    arguments = parser.parse_args()
    try:
        code = asyncio.run(_run(arguments.dir.resolve(), keep=arguments.keep))
    except ConfigurationError as error:
        sys.stderr.write(f"Error: {error.message}\n")
        code = EXIT_WRONG_INPUT
    except GatewayError as error:
        sys.stderr.write(f"Error: {error.message}\n")
        code = EXIT_NOT_AS_EXPECTED
    except (KeyboardInterrupt, asyncio.CancelledError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is done: an impatient one mustn't change the exit code
        sys.stderr.write("Interrupted; the gateways are stopped.\n")
        code = EXIT_INTERRUPTED
    raise SystemExit(code)


async def _run(root: Path, *, keep: bool) -> int:
    task = asyncio.current_task()
    assert task is not None  # noqa: S101  # this is one
    _on_signal(lambda: _interrupt(task))
    facts = Facts()
    with Screen(_console(), {node: names["en"].split(" customs")[0] for node, names in AUTHORITIES.items()}) as screen:
        async with set_stage(root) as stage:
            await _play(Play(stage, screen, facts))
            if keep:
                code = _judge(screen, facts)
                await _keep(stage, screen, facts)
        facts.exit_codes = [code for gateway in stage.gateways.values() for code in gateway.exit_codes]
        if keep:
            return code if not any(facts.exit_codes) else EXIT_NOT_AS_EXPECTED
        return _judge(screen, facts)


def _on_signal(call: Callable[[], object]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, call)


def _interrupt(task: asyncio.Task[object]) -> None:
    """Ends the run in order, once: an impatient second Ctrl-C must not leave gateways behind."""
    _on_signal(lambda: None)
    task.cancel()


def _console() -> Console:
    console = Console(highlight=False)
    console.width = min(console.width, WIDTH) if console.is_terminal else WIDTH
    return console


async def _play(play: Play) -> None:
    """Plays all scenes; what goes wrong is a fact like any other."""
    try:
        await _start(play)
        following = asyncio.create_task(play.follow()) if play.screen.is_live else None
        try:
            for scene in SCENES:
                await scene(play)
            await _settle(play)
        finally:
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
    except* (StuckError, GatewayError, OSError) as group:
        play.facts.problems += [getattr(error, "message", str(error)) for error in _leaves(group)]
    await asyncio.to_thread(_look, play)


async def _start(play: Play) -> None:
    stage, screen = play.stage, play.screen
    screen.heading("0  Three gateways: mainland, Hong Kong, Macao")
    screen.say(
        f"Keys, certificates, and a directory signed by all three: {1000 * stage.made_s:,.0f} ms, in {stage.root}"
    )
    for eyes in stage.eyes.values():
        eyes.on_sight = screen.sight
    await stage.start()
    for node in NODES:
        gateway = stage.gateways[node]
        screen.say(
            f"  {node}: process {gateway.pid} serves after {stage.started_s[node]:.1f} s; partners at port "
            f"{gateway.place.peer_port}, own systems at {gateway.place.local_port}"
        )


async def _settle(play: Play) -> None:
    """Waits until nothing is left to do: everything projected and receipted, and nothing new at the second look."""
    last: list[int] = []

    async def settled() -> bool | None:
        statuses = [await play.stage.system(node, "ops").node.status() for node in NODES]
        links = [link for node in NODES for link in await play.stage.system(node, "ops").node.links()]
        done = all(s.position == s.projected_position for s in statuses) and not any(link.backlog for link in links)
        now = [link.size for link in links]
        was, last[:] = list(last), now
        return True if done and now == was else None

    await play.wait("a receipt for every entry", settled, poll_s=0.05)


def _look(play: Play) -> None:
    """Notes what was shown and what lies in the databases."""
    facts, stage = play.facts, play.stage
    for node, eyes in stage.eyes.items():
        facts.shown_twice += sum(count - 1 for count in eyes.times_seen.values())
        for publisher in NODES:
            shown = eyes.published(pair(publisher, node))
            if publisher != node and shown:
                facts.shown[pair(publisher, node)] = shown
    held: dict[str, dict[str, FeedCopy]] = {}
    for node in NODES:
        with suppress(OSError, sqlite3.Error):  # a gateway that never served has no feeds
            held[node] = read_feeds(stage.gateways[node].database)
    for origin in sorted({origin for feeds in held.values() for origin in feeds}):
        publisher, recipient = pair_of(origin).split("/")
        facts.copies[origin] = (held.get(publisher, {}).get(origin), held.get(recipient, {}).get(origin))


def _judge(screen: Screen, facts: Facts) -> int:
    checks = judge(facts)
    screen.summary(checks, medians(facts), time.perf_counter() - LOADED_S)
    return EXIT_OK if all(check.holds for check in checks) else EXIT_NOT_AS_EXPECTED


async def _keep(stage: Stage, screen: Screen, facts: Facts) -> None:
    first = next(iter(facts.published.get(pair("cn", "hk"), ())), "ID")
    from demo.consoles import lines, running_consoles  # noqa: PLC0415  # imports slowly, and only here is it needed

    async with running_consoles(stage) as consoles:
        tell_where_to_look(screen, lines(consoles))
        tell_how_to_talk(stage, screen, f"cn/{first}")
        interrupted = asyncio.Event()
        _on_signal(interrupted.set)
        await interrupted.wait()


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    return [
        leaf
        for each in group.exceptions
        for leaf in (_leaves(each) if isinstance(each, BaseExceptionGroup) else [each])
    ]


if __name__ == "__main__":
    main()
