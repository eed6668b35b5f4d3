"""What the page says: each sentence by the name that its script has for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gateway.contract.enum_words import words
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.translation.step_titles import OUTCOMES, VERIFICATION_STEPS, step_title
from gateway.v1.alert_pb2 import AlertEvent
from gateway.v1.feed_pb2 import DispositionOutcome

_VERDICTS: Final[Mapping[str, str]] = {
    "waiting": N_("Nothing is checked yet: choose an evidence bundle."),
    "checking": N_("Checking…"),
    "verified": N_("Verified"),
    "verified_all": N_("Every step holds, by keys that you chose."),
    "verified_except": N_("Verified, except:"),
    "not_verified_title": N_("Not verified"),
    "not_verified": N_(
        "Step {number} fails: {step}. What comes after it wasn't looked at, and the bundle proves nothing."
    ),
    "unable_title": N_("This browser can't check it"),
    "unable": N_(
        "It lacks Ed25519 in SubtleCrypto, so nothing was checked. Open this file in Chrome or Edge 137, Firefox 129, "
        "Safari 17, or a later version."
    ),
    "whose_page": N_(
        "The keys are as good as whoever gave you this page. Compare them below, or choose a directory or keys of "
        "your own."
    ),
    "whose_bundle": N_(
        "The keys are those of the bundle: as good as whoever gave it to you. Compare them below, or choose a "
        "directory or keys of your own."
    ),
    "no_receipt": N_("There is no receipt: it isn't proved that {node} received the alert."),
    "unreceived": N_("Not proved to be received: {names}"),
    "witnessed": N_("Cosignatures of witnesses are there and weren't checked: this page can't."),
    "stamped": N_("A third party's time stamp is there and wasn't checked: this page can't."),
    "second": N_("Second signatures (ML-DSA-44) are there and weren't checked: browsers can't."),
}

_STEPS: Final[Mapping[str, str]] = {
    "passed": N_("It holds"),
    "failed": N_("It fails"),
    "absent": N_("Not there"),
    "left_out": N_("Not done"),
    "shown_instead": N_("The readable files aren't used. This page shows below what the signed bytes say."),
    "files": N_("Files: {number}"),
    "self_signed": N_("The directory is undamaged: the keys that it names itself have signed it."),
    "source_chosen": N_("Keys: of the directory that you chose."),
    "source_page": N_("Keys: of the directory in this page."),
    "source_bundle": N_("Keys: of the bundle's own directory."),
    "source_anchors": N_("The keys that you entered have signed it."),
    "directory": N_("{federation}, version {version}, signed by {names}"),
    "own_version": N_("The bundle was made with version {version}."),
    "value": "{value}",
    "checkpoint": N_("{feed}, entries: {size}"),
    "place": N_("Entry {index}"),
    "received": N_("{node} had it at the latest at {time}"),
    "alert": N_("{id}, from {publisher} to {recipient}"),
    "later": N_("Later entries: {number}"),
}
"""Results of steps, and the facts of those that hold."""

_REFUSALS: Final[Mapping[str, str]] = {
    "in_entry": "{folder}",
    "unreadable": N_("This can't be read: {detail}"),
    "form": N_("{what} isn't in its defined form ({detail})."),
    "too_large": N_("{what} is larger than anything that is read here."),
    "zip": N_("This isn't the .zip file of a bundle as it was written. If it was packed again, choose the original."),
    "missing": N_("These files are missing: {names}"),
    "unknown": N_("These files don't belong in a bundle: {names}"),
    "changed": N_("These files aren't the ones that the manifest lists: {names}"),
    "signature": N_("The signature of {name} isn't by this key over this text."),
    "threshold": N_("Signed by {number} of the known keys; {needed} are needed."),
    "stranger": N_("Signed by {name}, with a key that nobody named."),
    "federation": N_("It is of {found}, not of {expected}."),
    "two_versions": N_("There are two different versions {version} of the directory; one of them is forged."),
    "vkey": N_("{text} isn't an authority's directory key."),
    "vkey_federations": N_("The keys that you entered are of different federations."),
    "vkey_twice": N_("The same key was entered twice."),
    "vkey_threshold": N_("The number of keys that must have signed is from 1 to the number of keys."),
    "entry": N_("The entry is a {type} in format {format}, which this page can't judge."),
    "payload": N_("Salt and payload aren't those that the header commits to."),
    "leaf": N_("The manifest names another leaf hash than the header has."),
    "no_log_key": N_("The directory names no log key of {node} that counts at that time."),
    "no_receipts_key": N_("The directory names no receipts key of {node} that counts at that time."),
    "signers": N_("The checkpoint must be signed by its log and, as a receipt, by its recipient alone."),
    "second_missing": N_("{name} has signed without the second key, ML-DSA-44, that the directory requires."),
    "other_feed": N_("The checkpoint is of {feed}, not of the feed of the alert in the manifest."),
    "extra": N_("The proof has extra data, which nothing authenticates."),
    "inclusion": N_("The proof doesn't lead from this entry to the root that was signed."),
    "wrong_feed": N_("It names nodes between which {feed} doesn't lead."),
    "not_published": N_("The entry is of the kind {kind}; evidence begins with the entry that publishes the alert."),
    "other_alert": N_("The payload is another alert than the manifest names."),
    "twice": N_("Entry {index} of {feed} is there twice."),
    "not_about": N_("Entry {index} of {feed} isn't about this alert."),
}
"""Why a step fails; `in_entry` goes before, for a later one."""

_RESULTS: Final[Mapping[str, str]] = {
    "step": N_("Step"),
    "said_by": N_("Said by"),
    "received_by": N_("Received by"),
    "made_of_it": N_("What was made of it"),
    "said": N_("{node}, {time} by its clock"),
    "received_cell": N_("{node}, at the latest {time} by its clock"),
    "unreceived_cell": N_("No receipt: not proved to be received by {node}"),
    "nothing_made": N_("Nothing here shows it."),
    "finding_corrected": N_("Corrected later: it doesn't hold any more."),
    "finding_withdrawn": N_("Withdrawn later: it doesn't hold any more."),
    "federation_name": N_("Federation"),
    "version": N_("Version of the directory"),
    "digest": N_("SHA-256 of the directory's text"),
    "directory_keys": N_("Directory keys of the authorities"),
    "log_key": N_("Log key that signed the alert"),
    "receipts_key": N_("Receipts key that signed for the alert"),
    "entry_place": N_("Entry {index} of {feed}"),
    "unknown_fields": N_("Fields that this page doesn't know: {number}"),
}

PAGE_WORDS: Final[Mapping[str, str]] = {**_VERDICTS, **_STEPS, **_REFUSALS, **_RESULTS}


def page_words() -> dict[str, Any]:
    """All of it in the current language, with titles of steps and words for what was made of them."""
    event = AlertEvent.DESCRIPTOR.oneofs_by_name["event"]
    return {
        **{name: _(message) for name, message in PAGE_WORDS.items()},
        "steps": {name: [_(title), _(meaning)] for name, (title, meaning) in VERIFICATION_STEPS.items()},
        "kinds": {field.name: step_title(field.name) for field in event.fields} | {"disposition": _(_MADE)},
        "outcomes": {str(number): _(OUTCOMES[word]) for word, number in words(DispositionOutcome).items()},
    }


_MADE: Final = _RESULTS["made_of_it"]
