"""Says what to do about an alarm, by its code; docs/runbook/alarms.md says more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

_WAIT_THEN_RECOVER: Final = N_("Wait until the link is up. If the alarm stays, recover the feed.")

ADVICE: Final[Mapping[str, str]] = {
    "FEED_QUARANTINED": N_("Download the evidence of the feed, ask the partner, then resolve the quarantine."),
    "QUARANTINED_AT_PARTNER": N_("Ask the partner for its evidence and compare it with this feed's checkpoints."),
    "RECEIPT_DENIED": N_("Keep the folder that is named, and ask the partner whether it was restored."),
    "FEED_BEHIND": _WAIT_THEN_RECOVER,
    "FEED_FORKED": N_("Two histories were signed. Follow the runbook “forked history” with the partner."),
    "FEED_WAITING": N_("If the database was restored, recover the feed that is named; else ask the partner."),
    "FEED_DAMAGED": N_("Stop the gateway and follow the runbook “damaged database”."),
    "FEED_DEFECT": N_("Report the defect. After an upgrade that fixes it, run gateway rebuild."),
    "LIST_EXPIRES": N_("Amend the entries that are to stay."),
    "ANSWER_WRONG": N_("Ask the partner; nothing of its answer counts."),
    "AUDIT_LOG": N_("Run gateway verify, and keep the database as it is if nobody restored it."),
    "PARTNER_QUOTA": N_("Ask the partner what it sends; raise the setting that is named if it is right."),
    "EXPIRY_WAITS": N_("Set this machine's clock right."),
    "CLOCK_SKEW": N_("Check this machine's clock, then let the partner check its own."),
    "PARTNER_UNREACHABLE": N_("Look at the network and ask the partner; what waits goes out by itself."),
    "BACKLOG": N_("See the link's last error; without one the line or the partner is too slow."),
    "UNRECEIPTED_ALERT": N_("See the link's last error; use the telephone for what is urgent."),
    "DISK": N_("Make room on the disk of data_dir."),
    "WORKER": N_("The log says why the process ended; look for a lack of memory."),
    "DIRECTORY_VERSIONS": N_(
        "Put the newest version in force where it isn't; the message says whether its revocations count there already."
    ),
    "DIRECTORY_OFFERED": N_("See gateway directory offered, then gateway directory take."),
    "DIRECTORY_REFUSED": N_("Ask the partner and the other authorities which version they have; nothing was taken."),
    "DIRECTORY_SPLIT": N_("Call all authorities, and compare both versions; nothing is taken meanwhile."),
    "REVOKED_BY_OWNER": N_("Ask that authority; then draft and sign a version of the directory that says it."),
    "REVOCATION_REFUSED": N_("Ask the authority that is said to have signed it; nothing was taken."),
    "DIRECTORY": N_("Have the next version signed, and put it in force."),
    "CERTIFICATE_EXPIRES": N_("Issue a new certificate and put it in place; no restart is needed."),
    "CAPACITY": N_("Find out who opens so many connections, or raise the limit."),
    "DATABASE": N_("Bring the database back; the gateway goes on by itself."),
    "DATABASE_ASYNCHRONOUS": N_("Set the cluster as the runbook “lost database” says."),
    "MARKS": N_("Bring the disk of that file back. If it is mark_copy's, you can take that out of the settings."),
    "SCREENING": N_("The log names the entries that can't be screened; amend own ones."),
    "SETTINGS": N_("Correct the file of the settings and reload, or restart when it suits."),
    "NOTIFICATIONS_WAIT": N_("Bring the mail server or webhook back; it goes on by itself."),
    "OUTBOX_WAITS": N_("Bring the other side of the outbox back; nothing is lost."),
    "FILE_WRONG": N_("Ask the partner to verify its database, then ask for the file again."),
    "FILE_SCANNER": N_("Bring the virus scanner back; files wait for it meanwhile."),
    "BREAK_GLASS": N_("Ask the person for the reason, and look at the audit log."),
}
"""In English, to be translated when it is shown."""


def advice_on(code: str) -> str:
    """What to do; a pointer to the runbook for a code of a newer gateway."""
    return _(ADVICE.get(code, N_("The runbook has a section on this alarm.")))
