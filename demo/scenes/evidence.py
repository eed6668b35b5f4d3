"""Evidence of the case's first alert: exported to one file, verified with nothing but the directory, and forged."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from demo import case
from demo.command import run_gateway
from demo.facts import Evidence
from demo.play import Play, StuckError
from demo.scenes.handover import case_alert
from gateway.evidence.codec.bundle import PAYLOAD, Bundle, EvidenceEntry, EvidenceParts, parts_of
from gateway.evidence.codec.bundle_text import render
from gateway.evidence.service.check import examine
from gateway.evidence.service.files import write_bundle
from gateway.evidence.service.report import StepStatus
from gateway.feed.codec import make_entry, parse_header

_ONE_BIT = bytes([case.CONTAINER.encode()[-1] ^ 1])
"""The container number's last digit with its lowest bit flipped: still a digit, so that the alert still reads well."""


BIT = "a bit of the alert is flipped"
TEXTS = "… and every digest and text made to fit"
HEADER = "… and the entry's header as well"
EXPECTED = {BIT: "1 bundle", TEXTS: "4 payload", HEADER: "7 inclusion"}
"""What a forger does → the step that finds it; each forger repairs what gave the one before away."""


async def proved(play: Play) -> None:
    """Exports, verifies, and lets three forgers try."""
    play.screen.heading("6  Evidence of the first alert, verified offline")
    files = await play.stage.system("hk", "officers").evidence.export(case_alert(play))
    bundle = Bundle.of((file.name, file.content) for file in files)
    desk = play.stage.root / "court"  # a folder with the evidence and the directory, and nothing else
    desk.mkdir()
    write_bundle(bundle, desk / "evidence.zip")
    write_bundle(_with_flipped_bit(bundle), desk / "forged")
    (desk / "directory.note").write_bytes(play.stage.federation.directory.read_bytes())
    play.screen.say("$ gateway evidence verify evidence.zip --directory directory.note", "dim")
    whole, forged = await asyncio.gather(_verify(desk, "evidence.zip"), _verify(desk, "forged"))
    _tell(play, desk / "evidence.zip", whole)
    found = Evidence("evidence.zip", sum(step["status"] == StepStatus.PASSED for step in whole), dict(EXPECTED))
    play.facts.evidence = found
    changed = case.CONTAINER[:-1] + _ONE_BIT.decode()
    play.screen.say(f"Forgers turn container {case.CONTAINER} into {changed}, which takes one bit:")
    directory = play.stage.federation.directory.read_bytes()
    found.failed[BIT] = _failed(forged)
    for what, bundle_made in _forgeries(bundle).items():
        last = examine(bundle_made, directory_note=directory).steps[-1]
        found.failed[what] = _failed([{"number": last.number, "name": last.name, "status": last.status}])
    for what, step in found.failed.items():
        play.screen.say(f"  {what:<42} {'NOT FOUND' if not step else f'found by step {step}'}")
    await play.screen.beat(1)


async def _verify(desk: Path, name: str) -> list[dict[str, Any]]:
    """The steps that the command reports; it gets no network address, no settings, no key."""
    code, report = await run_gateway("evidence", "verify", name, "--directory", "directory.note", folder=desk)
    steps: list[dict[str, Any]] = report["steps"]
    if (code == 0) is not report["verified"]:
        raise StuckError(f"gateway evidence verify: exit code {code}, but verified is {report['verified']}")
    return steps


def _tell(play: Play, path: Path, steps: list[dict[str, Any]]) -> None:
    for step in steps:
        play.screen.line(f"  {step['number']:>2} {step['name']:<10} {step['status']:<7} {step['detail']}")
    play.screen.say(f"  {path}: {path.stat().st_size:,} bytes that prove who said it, to whom, and that it arrived")


def _failed(steps: list[dict[str, Any]]) -> str:
    last = steps[-1]
    return f"{last['number']} {last['name']}" if last["status"] == StepStatus.FAILED else ""


def _with_flipped_bit(bundle: Bundle) -> Bundle:
    return Bundle({**bundle.files, PAYLOAD: _flipped(bundle.files[PAYLOAD])})


def _forgeries(bundle: Bundle) -> dict[str, Bundle]:
    """What forgers make who know the format."""
    parts = parts_of(bundle)
    entry, old = parts.alert, parse_header(parts.alert.header)
    payload = _flipped(entry.payload)
    made = make_entry(old.type, payload, salt=entry.salt, recorded_at_ms=old.recorded_at_unix_ms)
    return {
        TEXTS: _with(parts, EvidenceEntry(entry.header, entry.salt, payload, entry.proof)),
        HEADER: _with(parts, EvidenceEntry(made.header, entry.salt, payload, entry.proof)),
    }


def _with(parts: EvidenceParts, alert: EvidenceEntry) -> Bundle:
    return render(EvidenceParts(parts.directory_note, alert, parts.events))


def _flipped(payload: bytes) -> bytes:
    number = case.CONTAINER.encode()
    return payload.replace(number, number[:-1] + _ONE_BIT)
