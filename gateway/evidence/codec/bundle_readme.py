"""Renders the README.txt of a bundle: what it proves of each step, and how to verify it.

Evidence is verified years later by rendering it again and comparing bytes, so nothing changes under a format's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from gateway.contract.findings import FindingLedger, FindingPlace, FindingStep
from gateway.contract.json_document import format_time, format_time_ms
from gateway.contract.messages import to_ms
from gateway.evidence.codec.bundle_entries import ClaimedEntry, StepProof, step_proofs
from gateway.tlog.note import SignatureType, parse_note
from gateway.trust.codec.directory import verifier_of
from gateway.trust.rules.directory import Directory, receipts_key_name

FORMAT = "customs-gateway-evidence/v2"
FORMAT_WITH_TIME_STAMP = "customs-gateway-evidence/v3"
"""As FORMAT, with the files of a time stamp: earlier software refuses these."""

FORMAT_WITH_WITNESSES = "customs-gateway-evidence/v4"
"""As FORMAT, with cosignatures of witnesses, and with a time stamp or without."""

FORMAT_WITHOUT_STEPS = "customs-gateway-evidence/v1"
"""Of earlier software: it says of each entry whether there is a receipt, and not what was made of it."""


def readme(
    directory: Directory,
    alert: ClaimedEntry,
    events: Sequence[tuple[str, ClaimedEntry]],
    *,
    form: str,
    is_stamped: bool,
) -> str:
    """The README of the newest formats."""
    text = _README + (_TIME_STAMP if is_stamped else "") + (_WITNESSES if form == FORMAT_WITH_WITNESSES else "")
    steps = step_proofs(alert, [claimed for _, claimed in events])
    ends = _ends_of_findings(events)
    return text.format(
        **_facts(directory, alert),
        format=form,
        steps="\n".join(_step_lines(step) + ends.get(step.folder, "") for step in steps),
        received=_list(step.name for step in steps if step.received_at),
        unreceived=_list(step.name for step in steps if not step.received_at),
        processed=_list(f"{step.name} ({step.outcome})" for step in steps if step.outcome),
    )


def readme_without_steps(directory: Directory, alert: ClaimedEntry, events: Sequence[tuple[str, ClaimedEntry]]) -> str:
    """The README of FORMAT_WITHOUT_STEPS."""
    origin = alert.origin
    return _README_WITHOUT_STEPS.format(
        **_facts(directory, alert),
        format=FORMAT_WITHOUT_STEPS,
        receipt=_receipt_line(alert),
        proves=(_PROVES_BOTH if alert.received_at else _PROVES_ORIGIN).format(
            publisher=origin.publisher, recipient=origin.recipient
        ),
        events="".join(_event_line(folder, claimed) for folder, claimed in events) or "  None.\n",
    )


def _facts(directory: Directory, alert: ClaimedEntry) -> dict[str, object]:
    origin = alert.origin
    return {
        "id": alert.event.published.id,
        "publisher": origin.publisher,
        "recipient": origin.recipient,
        "federation": directory.federation,
        "version": directory.version,
        "origin": origin.line,
        "number": alert.index,
        "recorded": format_time_ms(alert.recorded_at),
        "leaf": alert.leaf.hex(),
        "log_key": _vkeys(directory, alert, receipt=False),
        "receipts_key": _vkeys(directory, alert, receipt=True) if alert.received_at else "(no receipt, no key)",
    }


def _step_lines(step: StepProof) -> str:
    received = f"{format_time(step.received_at)} by the clock of {step.to}" if step.received_at else _NO_RECEIPT
    return (
        f"  {step.name}\n"
        f"    said by {step.by}: {format_time_ms(step.recorded_at)} by the clock of {step.by}\n"
        f"    received by {step.to}: {received}\n"
        f"    processed by {step.to}: {_processed(step)}\n"
    )


def _ends_of_findings(events: Sequence[tuple[str, ClaimedEntry]]) -> dict[str, str]:
    """A line for each entry with a finding that the bundle's later entries correct or withdraw, by folder."""
    places = {folder: FindingPlace(claimed.origin.line, claimed.index) for folder, claimed in events}
    ledger = FindingLedger(
        FindingStep(places[folder], claimed.event, to_ms(claimed.event.occurred_at)) for folder, claimed in events
    )
    ends = {folder: ledger.end_of(place) for folder, place in places.items()}
    return {folder: f"    {end} later: it doesn't hold any more\n" for folder, end in ends.items() if end}


_NO_RECEIPT = "NO RECEIPT: nothing here shows that it was received"


def _processed(step: StepProof) -> str:
    if not step.outcome:
        return "nothing here shows what was made of it"
    reason = f" ({step.reason})" if step.reason else ""
    return f"{step.outcome}{reason}{_at(step.decided_at)}, said in {step.said_in}"


def _at(time: datetime | None) -> str:
    return f" at {format_time(time)}" if time else ""


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _receipt_line(claimed: ClaimedEntry) -> str:
    recipient = claimed.origin.recipient
    if claimed.received_at is None:
        return f"NO RECEIPT: this bundle doesn't show that {recipient} has received the alert"
    return f"{format_time(claimed.received_at)} by the clock of {recipient}"


def _event_line(folder: str, claimed: ClaimedEntry) -> str:
    received = format_time(claimed.received_at) if claimed.received_at else "no receipt"
    return (
        f"  {folder.removeprefix('events/')}: said by {claimed.origin.publisher} at "
        f"{format_time_ms(claimed.recorded_at)}, received by {claimed.origin.recipient}: {received}\n"
    )


def _vkeys(directory: Directory, claimed: ClaimedEntry, *, receipt: bool) -> str:
    """The directory's keys for the log's or the recipient's signature lines, a line each; verified elsewhere."""
    origin = claimed.origin
    publisher, recipient = directory.signers().get(origin.publisher), directory.signers().get(origin.recipient)
    signed = [
        signature.key_id
        for signature in parse_note(claimed.proof.checkpoint_note).signatures
        if (signature.name != origin.line) == receipt
    ]
    if publisher is None or recipient is None or not signed:
        return _UNNAMED
    if receipt:
        name = receipts_key_name(origin.federation, origin.recipient)
        keys = [verifier_of(name, record, SignatureType.COSIGNATURE) for record in recipient.cosign_keys]
    else:
        keys = [verifier_of(origin.line, record) for record in publisher.log_keys]
    found = [next((key.to_vkey() for key in keys if key.key_id == key_id), _UNNAMED) for key_id in signed]
    return _AND.join(found)


_AND = "\n       and           "
_UNNAMED = "(none that this directory names)"

_PROVES_BOTH = """\
  1. {publisher} published exactly this alert: its signature covers it and can't be disowned.
  2. {recipient} had it at the latest at the time given above: it has signed for it.
  3. Neither side has changed it since: one changed bit and nothing here verifies."""

_PROVES_ORIGIN = """\
  1. {publisher} published exactly this alert: its signature covers it and can't be disowned.
  2. It does NOT prove that {recipient} received it: there was no receipt when this was exported. Export it again later.
  3. It hasn't been changed since: one changed bit and nothing here verifies."""

_LIMITS = """\
WHAT IT DOESN'T PROVE
  That what the alert says is true; that a clock was right; that nothing more was said later than is included here.

"""

_VERIFYING = """\
HOW TO VERIFY IT
  gateway evidence verify THIS --directory directory.note

  THIS is the folder or .zip file. It needs no network. Take the directory from an authority that you trust, or name
  the authorities' directory keys with --anchor: the directory in here is only the claim of whoever gave you this.

HOW TO VERIFY IT BY HAND, WITH OTHER TOOLS
  1. The payload is what the header commits to. This prints 32 bytes that stand in header.binpb (field 3):
       cat salt.bin payload.binpb | sha256sum
  2. The leaf hash is that of the header. This prints {leaf}:
       (printf '\\000'; cat header.binpb) | sha256sum
  3. alert.tlog-proof (c2sp.org/tlog-proof@v1) holds the inclusion proof, the checkpoint signed by {publisher} and, when
     it was received, the cosignature of {recipient}. Any tool for this format verifies it, from that leaf hash and
     these keys (c2sp.org/signed-note, c2sp.org/tlog-cosignature):
       log key       {log_key}
       receipts key  {receipts_key}
  4. Those keys stand in directory.note, a signed note in JSON, with the times in which they count.
  5. header.binpb and payload.binpb are protobuf messages EntryHeader and AlertEvent of package gateway.v1;
     alert.json says in JSON what payload.binpb says. manifest.json lists all files with their SHA-256.
"""
"""Of every version of the text."""

_TIME_STAMP = """\

TIME STAMP OF A THIRD PARTY
  alert.tsr (RFC 3161) is on the checkpoint in alert.consistency, signed by {publisher} and {recipient}, which is that
  of alert.tlog-proof or has grown from it. So the alert, and a receipt for it, existed before the time in the stamp, by
  the word of the authority that signed it. Take that authority's certificate from a source that you trust:
    gateway evidence verify THIS --directory directory.note --tsa-certificate TSA.pem
  With OpenSSL, apart from the proof that the log has only grown (RFC 9162, section 2.1.4.2):
    sed '1,/^$/d' alert.consistency > checkpoint
    openssl ts -verify -in alert.tsr -data checkpoint -CAfile TSA.pem
"""

_WITNESSES = """\

WITNESSES
  alert.witnessed (c2sp.org/tlog-witness, add-checkpoint) has a checkpoint that is that of alert.tlog-proof or has grown
  from it, signed by {publisher} and {recipient}, and cosigned by witnesses: each has seen that the feed has only grown,
  so {publisher} can't have shown another history to somebody else without them. The directory's witness_policy
  (c2sp.org/tlog-policy) has their keys, and says how many are needed.
"""

_README_WITHOUT_STEPS = (
    """\
EVIDENCE OF AN ALERT BETWEEN CUSTOMS AUTHORITIES
{format}

  Alert       {id}
  From        {publisher}
  To          {recipient}
  Federation  {federation}, directory version {version}
  Feed        {origin}, entry number {number}
  Published   {recorded} by the clock of {publisher}
  Received    {receipt}

WHAT IT PROVES
{proves}

"""
    + _LIMITS
    + """\
WHAT WAS SAID LATER ABOUT THE ALERT
{events}
"""
    + _VERIFYING
)

_README = (
    """\
EVIDENCE OF AN ALERT BETWEEN CUSTOMS AUTHORITIES
{format}

  Alert       {id}
  From        {publisher}
  To          {recipient}
  Federation  {federation}, directory version {version}
  Feed        {origin}, entry number {number}
  Published   {recorded} by the clock of {publisher}

WHAT IT SHOWS OF EACH STEP
{steps}
WHAT IT PROVES
  1. Each step was said by the node named there: its signature covers it and can't be disowned.
  2. These were received, at the latest at the time given; the node named there has signed for it:
     {received}
  3. These are NOT proved to be received; export them again when there are receipts:
     {unreceived}
  4. These were processed, as the node named there has signed; applied means that its officers could see it:
     {processed}
  5. Nothing here has been changed since: one changed bit and nothing here verifies.

"""
    + _LIMITS
    + _VERIFYING
)
