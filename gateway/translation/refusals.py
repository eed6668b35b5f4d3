"""Says in the reader's language why the gateway refuses what a form asks; what isn't known stays as it came."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from gateway.translation.filled_sentences import SentencePatterns
from gateway.translation.messages import N_, listed, marked
from gateway.translation.messages import gettext as _

REFUSALS: Final = marked(
    # protovalidate's, of single fields; _MACHINE_WORDS has more
    "must be at least {number} characters",
    "must be at most {number} characters",
    "must be at most {number} bytes",
    "must contain at least {number} item(s)",
    "must contain no more than {number} item(s)",
    "must be greater than or equal to {number}",
    "must be less than or equal to {number}",
    "must be greater than or equal to {least} and less than or equal to {most}",
    # of several fields, and of all forms
    "give at least one of: {names}",
    "isn't a time between the years 1 and 9999",
    "isn't less than a day",
    "the message has {number} bytes; at most {most} are allowed",
    "request_id {request_id} was used before for another request",
    "not a token that this list gave; start again without one",
    "the filter changed; start again without a token",
    "not a token that a search gave; start again without one",
    "{value} isn't one of {known}",
    # alerts
    "must lie in the future",
    "must lie in the future, at most 366 days ahead",
    "{element} is no chemical element",
    "{claimed} kg are more than the {known} kg of the alert's goods: weigh again and confirm",
    "{reporter} has reported no finding on this alert in entry {index} of {origin}",
    "finding {number} was withdrawn: report a new one",
    "finding {number} was corrected since: correct or withdraw its correction, entry {index}",
    "finding {number} was corrected {most} times: withdraw it and report a new one",
    "must not lie in the future",
    "must not lie more than a day before the alert was published",
    "a new alert has revision 1, not {revision}",
    "the alert's current revision is {revision}; an answer {naming}",
    "{node} isn't a third authority's node; these are: {known}",
    "no agreement lets {sender} send {message_type} to {recipient} for the purpose {purpose}",
    "{publisher} doesn't allow alert {alert_id} to be passed on to {recipient}; ask it for consent with a question on "
    "that alert",
    "it allows more than {publisher} does for alert {alert_id}, which this one derives from; prohibit onward transfer, "
    "or list only nodes that it lists",
    "no agreement lets what {source} answered be passed on to {recipient}; leave it out, or agree on it in the "
    "directory",
    "it allows more than the agreement on what {source} answered; prohibit onward transfer, or list only nodes that "
    "the agreement lists",
    "it allows more than the agreement on files of {speaker}; prohibit onward transfer, or list only nodes that the "
    "agreement lists",
    "the content of alert {publisher}/{alert_id} was erased",
    "{person} has acknowledged it already",
    "{person} may not acknowledge alerts any more",
    "no acknowledgement of it waits; it may have left",
    "the acknowledgement is {person}'s; a supervisor may undo it too",
    "the evidence of {subject} has {number} bytes, too many for one message; export it where the gateway runs, with "
    "`gateway evidence export --from-database`",
    "what is stored of alert {alert_id} doesn't verify: {detail}",
    "name one of: {known}",
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
    "no bytes of file {digest} are here",
    "no file with the digest {digest} is known here",
    "no partner names file {digest} in alert {publisher}/{alert_id}",
    "nothing that {partner} got from this node in that alert names such a file",
    "the file is from {names}, without leave to pass it on to {recipient}",
    "the file is from {names}, without leave to name it to {recipient}; leave it out, or have the agreement with "
    "{others} allow it in the directory",
    "the file is from {names}, without leave to name it to {recipient}; leave it out, or ask {publisher} for consent "
    "with a question on alert {alert_id}",
    "the agreement doesn't let {sender} send {recipient} what tells of {classes}",
    "a file that is {state} can't be {step}",
    "{stored} bytes of files are kept, and {number} more exceed the {most} allowed",
    "the bytes have the digest {digest}, not {expected}: they are discarded",
    "the bytes of file {digest} are gone",
    "this upload is being written by another call",
    "this gateway keeps no evidence files",
    "nothing came for {number} s",
    # cases
    "another note has this id",
    "there is no note {note_id} on alert {publisher}/{alert_id}",
    "there is no view {view_id}",
    "the view is somebody else's",
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
    "list: {list} isn't open to this system's roles; see visible_to",
    "at most {number} changes at once; import more",
    "a publisher has at most {number} lists, with those whose entries have all ended",
    "an amendment keeps alert {publisher}/{alert_id}, from which the entry derives",
    "{id} already occurs on line {line}",
    "{id} already occurs earlier in the source",
    "the line is not JSON: {problem}; a line is an object like {example}",
    "has {number} bytes; at most {most} are allowed",
    "there is no entry {id} in our list {list}",
    "there is no entry {publisher}/{list}/{id} here",
    "there is no hit {reporter}/{hit_id} here",
    "there is no match {match_id} here",
    "the match is {status}: it can't be {decision}ed now",
    "not every alert of before could be compared with the entry",
    "proposal {proposal_id} was rejected while its import was under way",
    "a large change of the lists is taking effect",
    "the screening index is being loaded",
    "no agreement has hits on list entries of {owner} reported by {reporter} for the purpose {purpose} (hit_reports), "
    "{instead}",
    # history, traces, links and figures
    "place, time and procedure alone would find everything: give a reference, container, seal, registration, vessel, "
    "journey, party, commodity code, substance or record id as well",
    "{name} may be any of more than {number} recorded names: give more of the name, or an identifier",
    "{nodes}: no partner of {node}; these are {known}",
    "what was recorded just now isn't indexed yet; ask again",
    "the history process hasn't answered in time",
    "there is no record {record_id} here",
    "record {record_id} is recorded and not indexed yet; ask again in some seconds",
    "{message}; there is no agreement between them",
    "there is no hold {hold_id}",
    "the hold was released by {person} before",
    "there is no answer {query_id} of {node} here",
    "{query_id} was asked for another purpose or case; ask {node} again",
    "isn't a node of an earlier answer",
    "names nothing that could be compared: give a name of four letters or two characters, or a number",
    "must be a date, e.g. 2026-03-31",
    "must not lie before 1970",
    "the first day lies after the last",
    "a period has at most {number} months",
    "say why these fields are published",
    "disclose: a supervisor decides which INVESTIGATIVE fields are published",
    "the alert isn't closed yet; a sheet is made of a closed case",
    # operations
    "must be after starts_at",
    "must be at most 7 days after starts_at",
    "must be within 90 days",
    "must be in the future",
    "no maintenance of this node is announced that hasn't ended",
    "{origin} isn't in quarantine",
    "there is no evidence of a quarantine of {origin} on this machine",
    "only own feeds are recovered; this one is {publisher}'s",
    "there is no feed {origin} at this node; `gateway link list` shows them",
    "the directory names no own log key that is valid now",
    "what came back doesn't lead to the root that this node signed",
    "feed {origin}: {reason}",
    "{partner} can't be reached: {reason}",
    "{partner} answered {code}: {reason}",
    # load
    "too much is waiting for this caller",
    "too many requests are waiting for the database",
    "too many or too large calls of this caller are waiting, while others are served",
    "more than {number} calls a second",
    "{used} {what} of this caller are used today (UTC); {most} are its limit",
    "{running} {what} are open, and that is the limit for one caller",
    "the gateway is stopping",
    "this gateway stops",
    "{method} isn't served here",
    # persons
    "contains the name",
    "{role} isn't a role of persons ({known})",
    "there is no person {name}",
    "there is no session {session_id}",
    "the person has no such passkey",
    "the settings name no domain for passkeys",
    "the approval's question was asked in another session",
    "the approval's passkey isn't one of this person",
    "the approval doesn't verify: {reason}",
    "pseudonym: {pseudonym} isn't one of this node's",
    "the identity provider {issuer} doesn't give its keys: {reason}",
    "repeats a few characters",
    "is easy to guess: common words, names, dates or rows of keys",
    "has {number} characters; at least {least} are needed",
    "{name} is somebody's already; names are never given again",
    "its roles come from the identity provider; change them there",
    "nobody changes, disables or resets their own account; another operator does it",
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
    "a test message to a webhook takes the role operator",
    "no address of the caller is known, or no mail server is set",
    "a test message went there a moment ago; try again in a moment",
    # each method
    "this method needs one of the roles: {roles}",
    "this method needs a person who has signed in",
)
"""What officers and operators meet at their forms."""

PARTS: Final = marked(
    "{step} must name the one that was read",
    "{step} makes revision {revision}",
    "{step} names revision {revision}",
    "names revision {revision}",
    "must name the one that was read",
    "the {side} can't {step} an alert that is {status}",
    "the {side} can't {step} an alert that doesn't exist",
    "the alert's valid-until time hasn't passed, so it can't expire",
    "question {question_id} has been asked already",
    "question {question_id} has been answered already",
    "the {side} has asked {number} questions, which is all",
    "the {side} hasn't asked a question {question_id}",
    "nor for any other",
    "only by {agreements}",
)
"""What refusals have at `{problem}`, `{naming}` and `{instead}`."""

WORDS: Final = frozenset(
    marked(
        "publisher",
        "recipient",
        "nothing",
        "publish",
        "amend",
        "withdraw",
        "expire",
        "acknowledge",
        "flag",
        "ask",
        "answer",
        "report finding",
        "correct finding",
        "withdraw finding",
        "close",
        "published",
        "acknowledged",
        "flagged",
        "withdrawn",
        "expired",
        "closed",
    )
)
"""Sides, steps and states in these."""

_WITH_DEFAULT: Final = SentencePatterns(
    marked("{refusal} (what the file doesn't say can be given as a default: {name})")
)
_KNOWN: Final = SentencePatterns(REFUSALS)
_PARTS: Final = SentencePatterns(PARTS)
_PATH: Final = re.compile(r"[a-z][a-z0-9_]*(\[[0-9]{1,6}\]|\.[a-z][a-z0-9_]*)*", re.ASCII)
"""The field that a refusal begins with, as the contract names it."""


_MACHINE_WORDS: Final = (
    (
        r"value is required|value is empty, which is not a valid .*|must not be in list \[0\]"
        r"|must be at least 1 (characters|bytes)|exactly one field is required in oneof",
        N_("isn't given"),
    ),
    (
        r"does not match regex pattern .*|must be a valid .*|value is not a valid .*|must be \d+ (characters|bytes)"
        r"|must be greater than \d+( and .*)?|must be greater than or equal to \d+ and less than \d+",
        N_("isn't in the form that it needs"),
    ),
    (
        r"(value )?must be one of the defined enum values|must (not )?be in list \[.*\]",
        N_("isn't one of the values that there are"),
    ),
    (r"repeated value must contain unique items", N_("has the same value twice")),
)
"""Rules of the contract that speak of machines, in words, by the validator's messages."""

_RULES: Final = tuple((re.compile(pattern, re.DOTALL), words) for pattern, words in _MACHINE_WORDS)

_FIELDS_NAMED: Final = "give at least one of: {names}"
"""The refusal whose value are names of fields."""


def refused(sentence: str, *, path_words: Callable[[str], str] | None = None) -> str:
    """The reason in the reader's language.

    Args:
        path_words: words a field's path for people; without it the path stays as the contract has it, for who writes
            JSON or options of a command.
    """
    for machine, words in _RULES:
        if machine.fullmatch(sentence):
            return _(words)
    found = _WITH_DEFAULT.find(sentence) or _KNOWN.find(sentence)
    if found is not None:
        return _filled(*found, path_words)
    path, colon, rest = sentence.partition(": ")
    if not colon or not _PATH.fullmatch(path) or (path_words is None and not _is_known(rest)):
        return sentence
    return f"{path_words(path) if path_words else path}: {refused(rest, path_words=path_words)}"


def _is_known(sentence: str) -> bool:
    return _KNOWN.find(sentence) is not None or any(machine.fullmatch(sentence) for machine, _words in _RULES)


def _filled(message: str, values: Mapping[str, str], path_words: Callable[[str], str] | None = None) -> str:
    if message == _FIELDS_NAMED and path_words is not None:
        return _(message, names=listed(map(path_words, values["names"].split(", "))))
    return _(message, **{name: _value(name, text) for name, text in values.items()})


def _value(name: str, text: str) -> str:
    if name == "refusal":
        return refused(text)
    if name in ("problem", "naming", "instead"):
        part = _PARTS.find(text)
        return text if part is None else _filled(*part)
    if name == "steps":
        return listed(_(word) if word in WORDS else word for word in text.split(", "))
    return _(text) if name in ("side", "step", "status") and text in WORDS else text
