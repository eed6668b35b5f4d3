"""Says in the reader's language what `gateway doctor` found; what isn't known stays as it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.translation.condition_texts import condition_text
from gateway.translation.filled_sentences import SentencePatterns
from gateway.translation.messages import N_, listed, marked
from gateway.translation.messages import gettext as _

CHECKS: Final = marked(
    "TLS certificate",
    "Own CA",
    "Directory",
    "Certificate in directory",
    "Signing keys",
    "Expiry",
    "Database",
    "File permissions",
    "Disk space",
    "Open files",
    "Peer port",
    "Local port",
    "Partners",
    "Partner {name}",
    "Clock",
    "Time stamps",
    "Serves this node",
    "Old TLS",
    "No certificate",
    "Wrong CA",
    "Wrong role",
    "Wrong publisher",
    "Wrong signer",
    "Replay",
)
"""What is checked."""

FINDINGS: Final = marked(
    # files, keys and the directory
    "{file} is valid until {date}, {days} more days",
    "{file}: ended on {date}",
    "{file} is gone; version {version}, accepted before, is in force",
    "version {version}, signed by {signers}, until {date}",
    "partners will accept it",
    "both are listed in the directory and valid now",
    "{file}: directory version {version} doesn't list this key for {node} as valid now",
    "{file}: directory version {version} has an ML-DSA-44 key of {node}, without which partners refuse what it signs; "
    "name its file",
    "directory, agreements, keys and CAs last {days} days and more",
    "{target} stamps, with a certificate of the settings",
    "can't be checked before certificate and directory are right",
    "secrets and data are this user's alone; nobody else may change the rest",
    "this user may not read and write {file}",
    "group or others may change {file}",
    "group or others may read {file}",
    "group or others may enter {file}",
    "{file} belongs to {owner}, who may change it",
    # database, disk and ports
    "the first start makes {file}",
    "{file} is gone, though this node has run before",
    "{folder}: this user may not make the database there",
    "sqlite, can be written",
    "sqlite: {detail}, can be written",
    "postgresql, can be written",
    "postgresql: {detail}, can be written",
    "{size} GiB free at {folder}",
    "{number} files and connections are needed and may be opened from here",
    "{address}: the system chooses a free port at the start",
    "nobody listens on {address}, and the port is free",
    "another program holds {address}; it speaks no TLS",
    "another program, with a certificate that isn't of a gateway, holds {address}",
    "somebody with a certificate of {holder}, which isn't this node's, holds {address}",
    "this node's gateway serves on {address} and speaks TLS 1.3 alone",
    "{address} accepts {versions}; only TLS 1.3 may be",
    "{address} can't be listened on: {detail}",
    # partners and the clock
    "no agreement is in force with anybody",
    "it fetches from here; this node doesn't connect to it",
    "{address} serves, and accepts TLS 1.2 too",
    "{address} serves, speaks TLS 1.3 alone, and accepts this certificate",
    "no partner's clock could be read to compare with",
    "agrees with partners' clocks: {readings}",
    "partners' clocks differ from this one: {readings}",
    "partners' clocks differ from this one: {readings}; more than {minutes} minutes stop queries",
    "the directory was issued at {time} UTC, which is later than this clock says",
    "the database was written at {time} UTC, which is later than this clock says",
    # what a partner's gateway refuses
    "{address} accepts this node's certificate",
    "{address} doesn't serve this node ({detail}): a refusal would prove nothing",
    "refused: {detail}",
    "not refused: {detail}",
    "TLS 1.2 is accepted",
    "it serves",
    "its alerts were listed",
    "it was answered",
    "the stream ended",
    "a stream of {feed} was opened",
    "the partner holds nothing that could be sent again",
    "a batch that ends at {end} got a receipt for {size}",
    "nothing was stored, the receipt for {end} was given again",
)
"""What there was."""

WAYS_OUT: Final = marked(
    "See the failed checks above.",
    "Check the path, that it exists, and that this user may read or write there.",
    "Compare both clocks with NTP; `chronyc tracking` or `timedatectl` shows the state of this one.",
    "Bring a partner's gateway up, or compare the clock with NTP.",
    "Nothing to do before `gateway serve`; if it should run, see its log.",
    "Stop that program, or choose another port in the settings.",
    "Have a new one signed: `gateway pki issue`; no restart is needed.",
    "Have the next version of the directory signed.",
    "Put the directory's file back.",
    "See docs/runbook/lost-database.md, a cluster that loses nothing.",
    "Free some: publishing stops when it is full.",
    "See `gateway directory show`.",
    "Run `gateway doctor` at {partner}: connections between the two start there.",
    "Links to it use TLS 1.3 all the same; tell {partner} of the old gateway or proxy.",
    "Run `gateway doctor` without --partner first.",
    "Tell the partner's operators at once: their gateway takes what it must refuse.",
    "Try again; if it stays, look at the link in `gateway status`.",
    "Run `chmod {mode}`.",
    "Run `chown` on {file}.",
    'Run `gateway keys unlock "{token}"` once the node runs.',
)
"""What to do."""

REFUSALS: Final = {
    "UNAVAILABLE": N_("the connection was ended without a word"),
    "UNAUTHENTICATED": N_("the caller isn't known"),
    "PERMISSION_DENIED": N_("it isn't allowed"),
    "METHOD_UNKNOWN": N_("there is no such call for partners"),
    "SIGNATURE_INVALID": N_("the signature is wrong"),
}
"""What reason codes say with which a partner's gateway refuses."""

_READINGS: Final = SentencePatterns(
    marked("{partner} {number} s ahead (±{doubt} s)", "{partner} {number} s behind (±{doubt} s)")
)
_ALL: Final = SentencePatterns((*CHECKS, *FINDINGS, *WAYS_OUT))


def check_text(text: str) -> str:
    """The text in the reader's language: a check's name, or what it found."""
    found = _ALL.find(text)
    return condition_text(text) if found is None else _filled(*found)


def way_out_text(text: str) -> str:
    """What to do, in the reader's language: of a check, or of an error in it."""
    found = _ALL.find(text)
    return _(text) if found is None else _filled(*found)


def _filled(message: str, values: Mapping[str, str]) -> str:
    return _(message, **{name: _value(name, value) for name, value in values.items()})


def _value(name: str, text: str) -> str:
    if name == "detail":
        return _(REFUSALS[text]) if text in REFUSALS else check_text(text)
    return _readings(text) if name == "readings" else text


def _readings(text: str) -> str:
    each = [(reading, _READINGS.find(reading)) for reading in text.split(", ")]
    return listed(reading if found is None else _(found[0], **found[1]) for reading, found in each)
