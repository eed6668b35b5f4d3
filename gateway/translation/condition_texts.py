"""Says in the reader's language what alarms and links tell of a gateway; what isn't known stays as it came.

A partner may have written any of it, so what is looked for in a text is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from gateway.plurals import counted
from gateway.translation.filled_sentences import SentencePatterns
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked, ngettext
from gateway.translation.refusals import refused

BY_LIBRARIES: Final = marked(
    "failed to connect to all addresses; last error: {reason}",
    "Failed to connect to remote host: {reason}",
    "Connection refused",
    "Connection reset by peer",
    "Connection timed out",
    "Socket closed",
    "Deadline Exceeded",
    "Name or service not known",
    "No such file or directory",
    "No space left on device",
    "Permission denied",
    "Read-only file system",
    "Input/output error",
)
"""By gRPC and the operating system."""

ALARMS: Final = marked(
    "the clock of {partner} is {number} s ahead of this one's; check both",
    "the clock of {partner} is {number} s behind this one's; check both",
    "{partner} hasn't been reached for {minutes} min",
    "{partner} hasn't been reached for {minutes} min: {reason}",
    "{feed}: {number} entries have no receipt, and they become more",
    "the oldest alert for {partner} without a receipt is {minutes} min old",
    "{feed}: entry {number} isn't applied: {reason}",
    "this gateway has a defect ({defect}; its log has the details)",
    "{feed}: entries wait, {number} from {position} on: they come after {awaited}. If this node was restored: "
    "gateway recover {other}",
    "{feed}: {reason}; nothing is added to it",
    "{feed} is suspended here: {stated}",
    "the {process} process has ended by itself {times} in the last {minutes} min, {manner}; {state}",
    "{partner} has had {used} of {most} {what} stored today (UTC), {used_mib} of {most_mib} MiB; what is beyond "
    "{beyond}; a higher setting in [quotas] makes room",
    "{used} of {most} {what} are in use",
    "{reason}; version {version} stays in force",
    "version {version} of the directory can't be kept in the data folder, and a restart may not know it: {reason}",
    "{partner} has version {version} of the directory, this node {newer}: what version {number} revokes still counts "
    "at {other} until it has put that in force",
    "{partner} says that it has version {version} of the directory, this node {older}: what version {number} revokes "
    "still counts here until it is put in force",
    "{partner} has another version {version} of the directory than this node, SHA-256 {digest} there and {other} here: "
    "compare both with all authorities",
    "{partner} has version {version} of the directory, this node {newer}: what version {number} revokes is refused at "
    "{other} already, the rest waits until it has put that in force",
    "{partner} has version {version} of the directory, this node {older}: what version {number} revokes is refused "
    "here already, the rest waits until it is put in force",
    "version {version} of the directory is offered by {partner}, and what it revokes is refused already: gateway "
    "directory take puts it in force",
    "the offered version of the directory isn't taken: {reason}",
    "a version of the directory that {partner} offers is refused: {reason}",
    "version {version} of the directory here has SHA-256 {digest}, as {partner} offers it {other}: one of them is "
    "forged; compare both with all authorities",
    "version {version} of the directory as {first} offers it has SHA-256 {digest}, as {partner} offers it {other}: one "
    "of them is forged; compare both with all authorities",
    "{authority} has revoked certificates ({certificates}) and signing keys ({keys}) by itself, the last at {time} "
    "UTC; draft a version of the directory that says so; its reason: {words}",
    "a revocation that {partner} passes on is refused: {reason}",
    "a revocation in {folder} is refused: {reason}",
    "directory version {version} was issued at {time}, after now: check this clock",
    "directory version {version} expired on {date}, and its {number} days of grace are over: partners are refused "
    "until the next version is in force",
    "directory version {version} expired on {date}; the exchange stops on {stop}: have the authorities sign a new "
    "version now",
    "directory version {version} expires on {date}; the exchange stops on {stop}: have the authorities sign a new "
    "version",
    "agreement {agreement} ends at {time} UTC, before the directory: nothing may be sent under it from {sender} to "
    "{recipient} afterwards",
    "this node's {purpose} key counts until {time} UTC",
    "this gateway's certificate {ending}",
    "the certificate of {holder} {ending}",
    "the CA certificate of {node} in the directory {ending}",
    "own alerts are past their validity; no partner has told its time yet",
    "this clock is {number} s ahead of all partners'; own alerts that are over by it alone stay open; set it right",
    "the settings weren't reloaded, the old ones stay: {reason}",
    "changed in the file and in force after a restart only: {names}",
    "the writer has not answered for {number} s",
    "the database has not answered for {number} s",
    "the data folder {folder} can't be read: {reason}",
    "the data folder {folder} can't be written",
    "{number} MiB of disk are free for {folder}: publishing stops",
    "{number} MiB of disk are free for {folder}, less than {least} MiB",
    "{reason}: a backup was restored, or the database was changed; run `gateway verify`",
    "event {number} of the audit log, covered by a signed head, is missing",
    "the audit log up to event {number} isn't the one under the head that was signed over it",
    "signed heads of the audit log are missing: there are {heads}, and one has number {number}",
    "{file} holds no head signed by this node: {reason}",
    "{file}: marks can't be written: {reason}",
    "{file}: releases can't be written: {reason}",
    "nothing is screened against {entries} of lists; the log names them and says why",
    "entries of {list} whose validity ends within {days} days: {number}, the first at {time} UTC; see "
    "`gateway watchlist list --list {name} --expiring`",
    "entries of a list end soon; a system that may see it finds them with `gateway watchlist list --expiring`",
    "the answer of {partner} to query {query} isn't right: {reason}; nothing of it counts, and what came is kept",
    "{person} has taken {roles} for {minutes} min (break-glass {grant}): {stated}",
    "{way}: {target} takes nothing: {reason}",
    "receipts wait for a time stamp for {minutes} min: {target} stamps nothing: {reason}",
    "the directory's policy of witnesses can't be read, so nobody is asked: {reason}",
    "feeds wait for the witness {node} for {minutes} min: {reason}",
    "the publisher shows two histories of {feed}, or no proof that they are one; both are kept",
    "it wants a PIN",
    "its signer process has ended",
    "it wasn't looked for yet",
    "it refused the PIN that it has here, which isn't tried again",
    "it refused the PIN ({reason})",
    "one more wrong PIN would lock it",
    "it has no Ed25519 key {label}",
    "its key {label} isn't the one that was there at the start",
    "its library doesn't answer within {number} s",
    "its library says {reason}",
    "token {token} is locked: {reason}",
    "token {token} is lost: {reason}",
    "{target} takes no changes: {reason}",
    "HTTP {status}, a redirect, which isn't followed",
    "no address is known",
    "file {digest} isn't kept: {reason}",
    "{partner} doesn't send the file that it signed: {reason}",
    "it has {number} bytes, and the step that names it says {stated}",
    "it has {number} bytes, and {stated} of it came before",
    "a piece of {number} bytes came with {stated}",
    "the virus scanner says nothing of file {digest}: {reason}",
    "{program} hasn't ended in {number} s",
    "{program} ended with {number}: {stated}",
    "a crash of its machine loses acknowledged commits: set fsync = on",
    "a crash loses acknowledged commits: set synchronous_commit = on",
    "{number} standby servers, none of which confirms commits: {reason}",
    "a failover loses acknowledged commits: set synchronous_standby_names, and synchronous_commit = on",
)
"""What an operator is told of."""

REASONS: Final = marked(
    # of a feed that stands still
    "this database was restored or its folder is new, and the recipient has not yet said what it holds",
    "this node has signed {entries}, and the database has {number}: the others were lost",
    "the database has other entries than those that this node signed up to {number}",
    "{partner} has receipted {entries}, and the database has {number}",
    "the database has other entries than those that {partner} has receipted",
    "another replica went on at {number}, and this one had sent more",
    "{partner} has receipted {entries} of {feed}, this database has {number}, and {other} gives no more back",
    "this node has signed {entries} of {feed} and may have sent them; this database has {number}, and {partner} gives "
    "no more back",
    "recovered; {waiting} for entries of {partner} or of other own feeds that this node had seen: they come with the "
    "link, own ones by `gateway recover`",
    "{partner} holds {entries} of {feed}, this database {number}",
    "{partner} holds other entries of {feed} at size {number}",
    "{partner} holds {entries} of this node's, and this database {number} others: they are the same up to {common}",
    "another root than the one held is signed for size {number}",
    "entries sent again differ from those received before",
    "the checkpoint is for {entries}; with this batch it's {number}",
    "the root of {entries} isn't the one signed",
    "its newest checkpoint isn't one: {reason}",
    "its size is {number}, its newest checkpoint is of {entries} of {feed}",
    "its edge of {entries} doesn't lead to the root in its newest checkpoint",
    "it goes on in epoch {epoch}",
    "it goes on in epoch {epoch}; before: {reason}",
    "{feed} is in quarantine at its recipient: {reason}",
    "{reason}: it was restored from an older backup, or hides what it has received; ask its operator; {state}",
    "{partner} has signed at {time} that it holds {entries} of {feed}, and at {later} that it holds {number}",
    "{feed} is closed: {reason}",
    "{feed} is suspended here",
    "{feed} is suspended by its {side}'s operator",
    "feed {feed}: {reason}",
    # of a link that isn't up
    "unexpected failure; see the log",
    "not compared with its recipient yet",
    "the gateway of {partner} doesn't know this feed yet; its alerts are in {feed}",
    "the gateway at {endpoint} answers but doesn't serve",
    "the directory gives no endpoint of {partner}, and the settings have none",
    "the partner has ended the stream",
    "the connection ended while something was sent",
    "unauthenticated",
    "internal error; the gateway's log has the details",
    "{partner} didn't answer the opening with its position",
    "{partner} sent something else than a receipt",
    "{partner} doesn't publish {feed} to {node}",
    "{partner} is no party to {feed}",
    "{feed} isn't of the present epoch: the directory here says {epoch}",
    "the directory names no log key of {partner} that is valid now",
    "the directory names no receipts key of {partner} that is valid now",
    "{feed} has {entries} here; the batch begins at {number}",
    "a receipt speaks of {feed} at {number}, which wasn't sent",
    "a receipt for {entries} came, but no batch that ends there was sent",
    "the position of {partner} isn't on the checkpoint that was sent",
    "the claim of {partner} on {feed} isn't right: {reason}",
    "it is of another size or root than the position",
    "the position of {partner} in {feed} claims {entries} that this node hasn't, but shows this node's checkpoint of "
    "another size or root",
    "the position of {partner} in {feed} claims {entries} that this node hasn't, and shows no checkpoint of them with "
    "this node's signature",
    "no more {what} of {partner} are stored today (UTC); the bound is {number} with {most_mib} MiB",
    "{partner} can't be reached: {reason}",
    "{partner} answered {code}: {reason}",
    # of the database, its standby and the directory
    "the database can't be used: {reason}",
    "the database is damaged: {reason}",
    "the database is a standby, which can't be written",
    "{file} is gone; put it back, or restore a backup and restart",
    "{file} isn't the file that was opened; restart the node",
    "{file} may not be written",
    "{file} was removed or replaced while it was open; stop the node, which saves what it has, and start it again; "
    "let no other program open the database before",
    "not compared yet",
    "history.standby_url names no standby",
    "the standby is further behind than is known yet",
    "the standby is {number} s behind",
    "directory file {file}: {reason}",
    "directory refused at step {step}: {reason}",
    "version {version} is older than version {newer} in force",
    "there are two different versions {version}; one of them is forged",
    "version {version} expired on {date} and its {number} days of grace are over",
    "signed by {signer} with a key that no version names",
    "it is for {federation}, expected is {expected}",
    "it is signed, but not a directory: {reason}",
    "revocation refused at step {step}: {reason}",
    "signed by {signer} with another key than directory version {version} names",
    "signed by {signer}, which directory version {version} doesn't name",
    "it is signed, but not a revocation: {reason}",
    "{signer} has signed it, and it says that it is by {authority}",
    "certificate {digest} of {owner} isn't {authority}'s",
    "certificate {digest} isn't under {authority}'s own CA: {reason}",
    "the CA {subject} ({digest}) isn't {authority}'s",
    "no log or receipts key of {authority} is {key}",
    "{number} revocations by {authority} alone count already",
    "the directory says all of it already; remove the file",
    "{file} can't be read: {reason}",
)
"""Why a feed stands still, and a link isn't up."""

PARTS: Final = marked(
    "once",
    "{number} times",
    "last killed because it didn't answer",
    "last by signal {number}",
    "last with exit code {number}",
    "it runs again",
    "it doesn't run",
    "the evidence is in {folder}",
    "the evidence of {number} such receipts is in {folder}",
    "the evidence can't be kept in {folder}: {reason}",
    "entries of its feed of alerts",
    "entries of its feed of lists",
    "questions about shipments",
    "records in its answers",
    "matches that it makes here",
    "isn't kept",
    "waits until tomorrow",
    "open files and connections",
    "connections to the peer port",
    "connections to the local port",
    "ends at {time} UTC",
    "has ended at {time} UTC",
    "publisher",
    "recipient",
    "log",
    "receipts",
)
"""What stands in these at the places of `_PART_NAMES`."""

_TEXTS: Final = (*BY_LIBRARIES, *ALARMS, *REASONS)
_AROUND: Final = SentencePatterns(text for text in _TEXTS if text.startswith("{reason}"))
_BEGUN: Final = SentencePatterns(text for text in _TEXTS if not text.startswith("{"))
_OF_A_NAME: Final = SentencePatterns(text for text in _TEXTS if re.match(r"\{(?!reason\})", text))
_PARTS: Final = SentencePatterns(PARTS)
_AWAITED: Final = SentencePatterns(marked("{entries} of {feed}, of which {number} are applied here"))
_PART_NAMES: Final = frozenset({"times", "manner", "state", "what", "beyond", "ending", "side", "purpose"})
_NUMBER: Final = re.compile(r"[0-9]{1,15}(?= )", re.ASCII)
_AND: Final = " and "

MOST_COLONS: Final = 8
"""Colons of a text after which something known is looked for."""
MOST_NESTED: Final = 6
"""Reasons in reasons that are looked into."""


def condition_text(text: str) -> str:
    """The text in the reader's language; codes, names and what people stated stay."""
    return _condition(text, MOST_NESTED)


def _condition(text: str, depth: int) -> str:
    whole = _whole(text, depth)
    if whole is not None:
        return whole
    at = 0
    for _colon in range(MOST_COLONS):
        at = text.find(": ", at)
        if at < 0:
            break
        rest = _whole(text[at + 2 :], depth)
        if rest is not None:  # `CODE: reason`, `feed: reason`
            return f"{text[:at]}: {rest}"
        at += 2
    return text


def _whole(text: str, depth: int) -> str | None:
    """The text if it is a known one; None for others."""
    found = _outermost(text) if depth else None
    if found is None:
        said = refused(text)
        return None if said == text else said
    message, values = found
    return _filled(message, values, depth - 1)


def _outermost(text: str) -> tuple[str, Mapping[str, str]] | None:
    """The message that is around all others in the text: a name at its beginning is one word."""
    found = _AROUND.find(text) or _BEGUN.find(text)
    if found is not None:
        return found
    return next((each for each in _OF_A_NAME.fitting(text) if " " not in next(iter(each[1].values()))), None)


def _filled(message: str, values: Mapping[str, str], depth: int) -> str:
    return _(message, **{name: _value(name, value, depth) for name, value in values.items()})


def _value(name: str, text: str, depth: int) -> str:
    if name == "reason":
        return _condition(text, depth)
    if name in _PART_NAMES:
        part = _PARTS.find(text)
        return text if part is None else _filled(*part, depth)
    if name in ("entries", "waiting"):
        return _counted(text)
    return _awaited(text, depth) if name == "awaited" else text


def _counted(text: str) -> str:
    found = _NUMBER.match(text)
    number = int(found[0]) if found else 0
    if text == counted(number, "entry"):
        return ngettext("{number} entry", "{number} entries", number)
    if text == counted(number, "own entry waits", "own entries wait"):
        return ngettext("{number} own entry waits", "{number} own entries wait", number)
    return text


def _awaited(text: str, depth: int) -> str:
    parts = [_AWAITED.find(part) for part in text.split(_AND)]
    known = [_filled(*part, depth) for part in parts if part is not None]
    return _(" and ").join(known) if len(known) == len(parts) else text
