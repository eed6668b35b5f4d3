"""Says in words what each alarm is about, and what to do; docs/runbook/alarms.md says more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _


@dataclass(frozen=True, slots=True)
class AlarmText:
    """An alarm's title, and what to do about it; both in English, to be translated when they are shown."""

    title: str
    advice: str


ALARM_TEXTS: Final[Mapping[str, AlarmText]] = {
    "FEED_QUARANTINED": AlarmText(
        N_("A partner's feed is in quarantine"),
        N_("Download the evidence of the feed, ask the partner, then resolve the quarantine."),
    ),
    "QUARANTINED_AT_PARTNER": AlarmText(
        N_("A partner has put our feed in quarantine"),
        N_("Ask the partner for its evidence and compare it with this feed's checkpoints."),
    ),
    "RECEIPT_DENIED": AlarmText(
        N_("A partner denies a receipt that it has signed"),
        N_("Keep the folder that is named, and ask the partner whether it was restored."),
    ),
    "FEED_BEHIND": AlarmText(
        N_("Our feed lacks entries"),
        N_("Wait until the link is up. If the alarm stays, recover the feed."),
    ),
    "FEED_FORKED": AlarmText(
        N_("Our feed has two histories"),
        N_("Two histories were signed. Follow the runbook “forked history” with the partner."),
    ),
    "FEED_WAITING": AlarmText(
        N_("A partner's entries wait for ours"),
        N_("If the database was restored, recover the feed that is named; else ask the partner."),
    ),
    "FEED_DAMAGED": AlarmText(
        N_("A feed is damaged"),
        N_("Stop the gateway and follow the runbook “damaged database”."),
    ),
    "FEED_DEFECT": AlarmText(
        N_("An entry couldn't be applied"),
        N_("Report the defect. After an upgrade that fixes it, run gateway rebuild."),
    ),
    "LINK_SUSPENDED": AlarmText(
        N_("A link is suspended here"),
        N_("Resume the link once the reason is gone; what waits goes out by itself."),
    ),
    "LIST_EXPIRES": AlarmText(N_("Entries of a list end soon"), N_("Amend the entries that are to stay.")),
    "ANSWER_WRONG": AlarmText(
        N_("A partner's answer doesn't verify"),
        N_("Ask the partner; nothing of its answer counts."),
    ),
    "AUDIT_LOG": AlarmText(
        N_("The audit log isn't the one that was signed"),
        N_("Run gateway verify, and keep the database as it is if nobody restored it."),
    ),
    "PARTNER_QUOTA": AlarmText(
        N_("A partner has nearly used its quota"),
        N_("Ask the partner what it sends; raise the setting that is named if it is right."),
    ),
    "EXPIRY_WAITS": AlarmText(N_("The expiry of own alerts waits"), N_("Set this machine's clock right.")),
    "CLOCK_SKEW": AlarmText(
        N_("Two clocks differ"),
        N_("Check this machine's clock, then let the partner check its own."),
    ),
    "PARTNER_UNREACHABLE": AlarmText(
        N_("A partner isn't reached"),
        N_("Look at the network and ask the partner; what waits goes out by itself."),
    ),
    "BACKLOG": AlarmText(
        N_("Entries without a receipt pile up"),
        N_("See the link's last error; without one the line or the partner is too slow."),
    ),
    "UNRECEIPTED_ALERT": AlarmText(
        N_("An alert has no receipt yet"),
        N_("See the link's last error; use the telephone for what is urgent."),
    ),
    "DISK": AlarmText(N_("The disk is nearly full"), N_("Make room on the disk of data_dir.")),
    "WORKER": AlarmText(
        N_("A process has ended by itself"),
        N_("The log says why the process ended; look for a lack of memory."),
    ),
    "DIRECTORY_VERSIONS": AlarmText(
        N_("A partner has another version of the directory"),
        N_(
            "Put the newest version in force where it isn't; "
            "the message says whether its revocations count there already."
        ),
    ),
    "DIRECTORY_OFFERED": AlarmText(
        N_("A later version of the directory is offered"),
        N_("See gateway directory offered, then gateway directory take."),
    ),
    "DIRECTORY_REFUSED": AlarmText(
        N_("An offered version of the directory is refused"),
        N_("Ask the partner and the other authorities which version they have; nothing was taken."),
    ),
    "DIRECTORY_SPLIT": AlarmText(
        N_("There are two versions of the directory with one number"),
        N_("Call all authorities, and compare both versions; nothing is taken meanwhile."),
    ),
    "REVOKED_BY_OWNER": AlarmText(
        N_("An authority has revoked keys by itself"),
        N_("Ask that authority; then draft and sign a version of the directory that says it."),
    ),
    "REVOCATION_REFUSED": AlarmText(
        N_("A revocation is refused"),
        N_("Ask the authority that is said to have signed it; nothing was taken."),
    ),
    "DIRECTORY": AlarmText(
        N_("The directory, an agreement or a key ends soon"),
        N_("Have the next version signed, and put it in force."),
    ),
    "CERTIFICATE_EXPIRES": AlarmText(
        N_("A certificate ends soon"),
        N_("Issue a new certificate and put it in place; no restart is needed."),
    ),
    "CAPACITY": AlarmText(
        N_("Connections or files run short"),
        N_("Find out who opens so many connections, or raise the limit."),
    ),
    "DATABASE": AlarmText(
        N_("The database doesn't answer"),
        N_("Bring the database back; the gateway goes on by itself."),
    ),
    "DATABASE_ASYNCHRONOUS": AlarmText(
        N_("The database may lose what it has acknowledged"),
        N_("Set the cluster as the runbook “lost database” says."),
    ),
    "MARKS": AlarmText(
        N_("The marks can't be written"),
        N_("Bring the disk of that file back. If it is mark_copy's, you can take that out of the settings."),
    ),
    "SCREENING": AlarmText(
        N_("Some entries aren't screened"),
        N_("The log names the entries that can't be screened; amend own ones."),
    ),
    "SETTINGS": AlarmText(
        N_("The settings aren't in force as they are written"),
        N_("Correct the file of the settings and reload, or restart when it suits."),
    ),
    "NOTIFICATIONS_WAIT": AlarmText(
        N_("Mails or webhooks aren't taken"),
        N_("Bring the mail server or webhook back; it goes on by itself."),
    ),
    "OUTBOX_WAITS": AlarmText(
        N_("The outbox isn't taken"),
        N_("Bring the other side of the outbox back; nothing is lost."),
    ),
    "TIME_STAMPS": AlarmText(
        N_("Receipts aren't stamped by the third party"),
        N_("Ask the time-stamping authority, or correct the settings; gateway doctor tries it. It goes on by itself."),
    ),
    "WITNESS": AlarmText(
        N_("A witness doesn't cosign our feeds"),
        N_("Ask the witness, or change the directory's policy. It goes on by itself."),
    ),
    "WITNESS_CONFLICT": AlarmText(
        N_("A publisher shows a witness two histories of a feed"),
        N_("Tell the feed's recipient, and keep the database: it has both checkpoints with the publisher's signature."),
    ),
    "SIGNING_TOKEN": AlarmText(
        N_("A hardware token doesn't sign"),
        N_("Unlock it with gateway keys unlock, or bring it back; publishing then goes on by itself."),
    ),
    "FILE_WRONG": AlarmText(
        N_("A partner's file isn't the one that it signed"),
        N_("Ask the partner to verify its database, then ask for the file again."),
    ),
    "FILE_SCANNER": AlarmText(
        N_("The virus scanner doesn't answer"),
        N_("Bring the virus scanner back; files wait for it meanwhile."),
    ),
    "BREAK_GLASS": AlarmText(
        N_("Somebody acts beyond a role"),
        N_("Ask the person for the reason, and look at the audit log."),
    ),
}
"""By code."""


def alarm_title(code: str) -> str:
    """What an alarm is about; the code itself where a newer gateway gives one that isn't known here."""
    return _(ALARM_TEXTS[code].title) if code in ALARM_TEXTS else code


def advice_on(code: str) -> str:
    """What to do; a pointer to the runbook for a code of a newer gateway."""
    return _(ALARM_TEXTS[code].advice) if code in ALARM_TEXTS else _("The runbook has a section on this alarm.")
