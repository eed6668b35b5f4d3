"""Says in words why the gateway refused something, or how a step ended, by the reason codes of the audit log."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

ERRORS: Final[Mapping[str, str]] = {
    "INTERNAL": N_("a defect of the gateway"),
    "INVALID_REQUEST": N_("the request breaks a rule"),
    "MALFORMED": N_("not in the form that it must have"),
    "TOO_LARGE": N_("too large"),
    "DOCUMENT_INVALID": N_("the document breaks its form"),
    "VERIFICATION_FAILED": N_("it doesn't verify"),
    "SIGNATURE_INVALID": N_("a signature is missing or wrong"),
    "PROOF_INVALID": N_("a proof is wrong"),
    "TILE_MISSING": N_("stored hashes are missing"),
    "UNAUTHENTICATED": N_("the caller isn't known"),
    "SIGN_IN_REFUSED": N_("name, password or passkey is wrong, or locked"),
    "SESSION_ENDED": N_("the session has ended"),
    "APPROVAL_REQUIRED": N_("no approval by passkey"),
    "PERMISSION_DENIED": N_("not allowed for this role"),
    "AGREEMENT_FORBIDS": N_("not allowed by the agreement"),
    "NOT_FOUND": N_("not here, or not to be seen"),
    "ERASED": N_("already erased"),
    "FILES_OFF": N_("files aren't kept here"),
    "FILE_NOT_READY": N_("the file isn't ready"),
    "ALERT_HELD": N_("a legal hold keeps the alert"),
    "FILE_HELD": N_("a legal hold keeps the file"),
    "FILE_DAMAGED": N_("the file is damaged"),
    "FILE_REFUSED": N_("the file isn't taken"),
    "FILE_STORE_FULL": N_("no room for files"),
    "ILLEGAL_TRANSITION": N_("not possible in this state"),
    "REVISION_CONFLICT": N_("somebody else was first"),
    "REQUEST_ID_REUSED": N_("the request's id was used before"),
    "OVERLOADED": N_("too much at once"),
    "STORE_UNAVAILABLE": N_("the database doesn't answer"),
    "SIGNING_KEY_UNAVAILABLE": N_("a hardware token doesn't sign"),
    "STORE_DAMAGED": N_("the database is damaged"),
    "FEED_BEHIND_PARTNER": N_("our feed lacks entries"),
    "FEED_NOT_COMPARED": N_("our feed wasn't compared yet"),
    "FEED_FORKED": N_("our feed has two histories"),
    "EPOCH_NEEDED": N_("the feed must begin anew"),
    "FEED_DAMAGED": N_("the feed is damaged"),
    "QUARANTINED": N_("in quarantine"),
    "POSITION_UNKNOWN": N_("the position isn't known"),
    "CONFIGURATION": N_("the settings are wrong"),
    "CREDENTIALS": N_("a key or certificate is wrong"),
    "INPUT_FILE": N_("a file can't be read"),
    "USAGE": N_("an option is wrong"),
    "DIRECTORY_REJECTED": N_("the directory isn't accepted"),
    "DIRECTORY_CHANGED": N_("the directory has changed meanwhile"),
    "UNAVAILABLE": N_("not possible now"),
    "NODE_STOPPING": N_("the gateway was stopping"),
    "PARTNER_ERROR": N_("the partner has refused it"),
    "DEADLINE_EXCEEDED": N_("it took too long"),
    "METHOD_UNKNOWN": N_("there is no such method"),
    "OUT_OF_SEQUENCE": N_("out of its order"),
    "MISBEHAVIOUR": N_("the partner misbehaved"),
    "LINK_SUSPENDED": N_("the link is suspended"),
    "HEAD_MOVED": N_("the feed has grown meanwhile"),
    "UNKNOWN_TYPE": N_("of a type that isn't known here"),
    "INDEX_UNUSABLE": N_("the search index can't be used"),
    "POSTGRESQL_TOOL": N_("a program of PostgreSQL failed"),
    "BACKUP_INVALID": N_("the backup isn't whole"),
    "RESTORE_LOSES": N_("the restore would lose something"),
    "NOT_CHECKED": N_("it couldn't be checked"),
    "FILE": N_("a file can't be used"),
}
"""Errors of the gateway."""

STEPS: Final[Mapping[str, str]] = {
    "STREAM_OPENED": N_("begun"),
    "APPROVED": N_("approved"),
    "REJECTED": N_("rejected"),
    "CONFIRMED": N_("confirmed"),
    "DISMISSED": N_("dismissed"),
    "SEARCH": N_("begun"),
    "TRACE": N_("begun"),
    "LINKS_NOT_FOLLOWED": N_("links to others weren't followed"),
    "QUESTION_SENT": N_("question sent"),
    "QUESTION_ACCEPTED": N_("question accepted"),
    "ANSWERED": N_("answered"),
    "CANCELLED": N_("cancelled"),
    "ANSWER_COMPLETE": N_("answer complete"),
    "ANSWER_PARTIAL": N_("answer in part"),
    "ANSWER_TIMED_OUT": N_("no answer in time"),
    "ANSWER_UNREACHABLE": N_("not reached"),
    "ANSWER_FAILED": N_("the answer failed"),
    "FILE_SENT": N_("sent"),
    "FILE_READ": N_("read"),
    "ARRIVED": N_("arrived"),
    "CLEAN": N_("nothing found"),
    "BREAK_GLASS": N_("break-glass"),
    "BREAK_GLASS_ENDED": N_("break-glass ended"),
    "ASSERTION_KEY_ROTATED": N_("key replaced"),
    "ASSERTIONS_ENDED": N_("all sessions ended"),
    "LIST_EXPIRES": N_("warned"),
    "RESTORED": N_("from a backup"),
    "AUDIT_LOG_CHANGED": N_("the audit log isn't the one that was signed"),
}
"""How steps went on."""

_CODE: Final = re.compile(r"[A-Z][A-Z_]+")


def is_code(reason: str) -> bool:
    """Whether a reason is a code; else it is what somebody has stated."""
    return _CODE.fullmatch(reason) is not None


def reason_text(reason: str) -> str:
    """A reason code in words; a code of a newer gateway, and what somebody has stated, as it is."""
    known = ERRORS.get(reason) or STEPS.get(reason)
    return _(known) if known else reason
