"""Evidence of the case's first alert: exported to one file, verified with nothing but the directory, and forged."""

from __future__ import annotations

import asyncio
from pathlib import Path

from demo import case
from demo.facts import Evidence
from demo.play import Play
from demo.scenes.handover import case_alert
from gateway.services.evidence_check import examine
from gateway.services.evidence_report import Examination, Status
from gateway.wire.bundle import PAYLOAD, Bundle, EvidenceEntry, EvidenceParts, decode_zip, encode_zip, parts_of
from gateway.wire.bundle_text import render
from gateway.wire.entries import make_entry, parse_header

_ONE_BIT = bytes([case.CONTAINER.encode()[-1] ^ 1])
"""The container number's last digit with its lowest bit flipped: still a digit, so that the alert still reads well."""


async def proved(play: Play) -> None:
    """Exports, verifies, and lets three forgers try."""
    play.screen.heading("5  Evidence of the first alert, verified offline")
    files = await play.stage.system("hk", "officers").evidence.export(case_alert(play))
    path = play.stage.root / "evidence.zip"
    path.write_bytes(encode_zip(Bundle.of((file.name, file.content) for file in files)))
    directory = play.stage.federation.directory.read_bytes()
    await asyncio.to_thread(_verify, play, path, directory)
    await play.screen.beat(1)


def _verify(play: Play, path: Path, directory: bytes) -> None:
    data = path.read_bytes()
    bundle = decode_zip(data)
    whole = examine(bundle, directory_note=directory)
    for step in whole.steps:
        detail = f"  {step.detail}" if step.detail else ""
        play.screen.say(f"  {step.number:>2} {step.name:<10} {step.status}{detail}"[:100])
    passed = sum(step.status is Status.PASSED for step in whole.steps)
    events = len(whole.evidence.events) if whole.evidence else 0
    found = Evidence(path.name, len(data), events, passed)
    play.facts.evidence = found
    play.screen.say(
        f"  {path} ({len(data):,} bytes, {events} later steps) proves who said it, to whom, and that it arrived."
    )
    play.screen.say(
        f"Now one bit is flipped: container {case.CONTAINER} becomes {(case.CONTAINER[:-1] + _ONE_BIT.decode())}"
    )
    for what, expected, forged in _forgeries(bundle):
        failed = _failed(examine(forged, directory_note=directory))
        found.expected[what], found.forgeries[what] = expected, failed
        play.screen.say(f"  {what:<50} fails: {failed or 'NOTHING'}")


def _forgeries(bundle: Bundle) -> list[tuple[str, str, Bundle]]:
    """What a forger does, the step that finds it, and the result: each forger repairs what found the one before."""
    parts = parts_of(bundle)
    entry = parts.alert
    payload = _flipped(entry.payload)
    bit = Bundle({**bundle.files, PAYLOAD: payload})
    texts = _with(parts, EvidenceEntry(entry.header, entry.salt, payload, entry.proof))
    recorded_at = parse_header(entry.header).recorded_at_unix_ms
    made = make_entry(parse_header(entry.header).type, payload, salt=entry.salt, recorded_at_ms=recorded_at)
    header = _with(parts, EvidenceEntry(made.header, entry.salt, payload, entry.proof))
    return [
        ("a bit of the alert is flipped", "1 bundle", bit),
        ("… and all texts and digests are made to fit", "4 payload", texts),
        ("… and the header with its digest as well", "7 inclusion", header),
    ]


def _with(parts: EvidenceParts, alert: EvidenceEntry) -> Bundle:
    return render(EvidenceParts(parts.directory_note, alert, parts.events))


def _flipped(payload: bytes) -> bytes:
    number = case.CONTAINER.encode()
    return payload.replace(number, number[:-1] + _ONE_BIT)


def _failed(examination: Examination) -> str:
    last = examination.steps[-1]
    return f"{last.number} {last.name}" if examination.evidence is None else ""
