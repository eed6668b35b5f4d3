"""Says in the reader's language why the gateway refuses what a form asks; what isn't known stays as it came."""

from __future__ import annotations

from typing import Final

from gateway.translation.filled_sentences import SentencePatterns
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked

REFUSALS: Final = marked(
    # protovalidate's, of single fields
    "value is required",
    "must be at least {number} characters",
    "must be at most {number} characters",
    "must be at most {number} bytes",
    "must contain at least {number} item(s)",
    "must contain no more than {number} item(s)",
    "must be greater than or equal to {number}",
    "must be less than or equal to {number}",
    # alerts
    "must lie in the future",
    "{recipient} isn't a partner; partners are: {known}",
    "the agreement with this partner doesn't allow {value}",
    "the alert's current revision is {revision}; {naming}",
    "there is no alert {publisher}/{alert_id} here",
    "{problem}; allowed to the {side} now: {steps}",
    "the question asks for consent to onward transfer: say granted or refused",
    "the question doesn't ask for consent to onward transfer",
    "the alert is an own one: its handling says whether recipients may pass it on",
    # files
    "a file may have at most {number} bytes",
    "files of the type {media_type} aren't taken; these are: {taken}",
    "it doesn't begin as a file of the type {media_type} does",
    "file {digest} isn't uploaded yet",
    "file {digest} isn't scanned for viruses yet",
    "file {digest} is in quarantine: the virus scanner found something in it",
    "file {digest} was erased: {reason}",
    "file {digest} belongs to an alert that a legal hold keeps: {named}",
    # cases
    "there is no active person {assignee} at this authority",
    "a person has at most {number} views; delete one first",
    "the view is somebody else's; save it under another id",
    "the note is {author}'s; a supervisor may erase it too",
    # lists
    "must lie in the future and after valid_from",
    "give entries, withdrawals or both",
    "each id at most once",
    "say why it is rejected",
    "say why vanished entries are withdrawn",
    "entry {id} of {list} is at revision {listed}, not {given}",
    "entry: there is no entry {publisher}/{list}/{id} here",
    "four eyes: persons sign in at this node, so a person approves and no system",
    "four eyes: whoever proposes a change doesn't approve it; ask somebody else",
    "the proposal isn't complete: its import is under way or was cut off",
    "the proposal was {state} before",
    "there is no proposal {proposal_id}",
    "only {publisher}, whose entry it is, says what a hit turned out to be",
    # persons
    "contains the name",
    "repeats a few characters",
    "has {number} characters; at least {least} are needed",
    "{name} is somebody's already; names are never given again",
    "its roles come from the identity provider; change them there",
    "nobody changes, disables or resets the own account; another operator does it",
    "sessions of others are for the roles: operator, supervisor",
    "at most {number} minutes are allowed here",
    "the person has these roles already",
    "a person has at most {number} passkeys; remove one first",
    "this passkey is registered already",
    "this question was answered before; begin again",
    "the enrolment link was used, replaced or has expired",
    "this needs the person's approval by passkey",
    "the approval was given to another request",
    "the approval was used before, or came too late",
    "the approval's question isn't open: it was used before, or is too old",
    # notifications
    "say whom the rule reaches",
    "own rules reach their owner: leave it out",
    "there is no such role",
    "the caller's roles don't read one of these kinds",
    "not one of the settings: {known}",
    # each method
    "this method needs one of the roles: {roles}",
    "this method needs a person who has signed in",
)
"""What officers and operators meet at their forms."""

_KNOWN: Final = SentencePatterns(REFUSALS)


def refused(sentence: str) -> str:
    """The reason in the reader's language."""
    found = _KNOWN.find(sentence)
    return _(found[0], **found[1]) if found is not None else sentence
