"""What alarms and links tell is said in the reader's language, whichever part of the gateway began the sentence."""

from __future__ import annotations

import re

import pytest

from gateway.feed.service import alarms
from gateway.translation import messages
from gateway.translation.alarm_texts import ALARM_TEXTS, alarm_title
from gateway.translation.condition_texts import MOST_COLONS, condition_text
from gateway.translation.notification_texts import sentence_of
from gateway.v1.notification_service_pb2 import Notification, NotificationKind
from tests.support.shouting import ShoutingNumbers

SHOUTED = re.compile(r"[a-z]{4,}")


@pytest.fixture
def shouting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers too."""
    monkeypatch.setattr(messages, "_catalogue", lambda _: ShoutingNumbers())


FEED = "GBA/CN/HK/ALERTS"

ALARMS = {
    "CLOCK_SKEW": ["the clock of HK is 12 s ahead of this one's; check both"],
    "DIRECTORY": [
        "directory version 7 expires on 2026-04-01; the exchange stops on 2026-05-01: have the authorities sign a new "
        "version",
        "directory version 7 expired on 2026-04-01, and its 30 days of grace are over: partners are refused until the "
        "next version is in force",
        "directory file /D: directory refused at step 5: version 6 is older than version 7 in force; version 7 stays "
        "in force",
        "this node's log key counts until 2026-04-01 10:00 UTC",
    ],
    "FEED_QUARANTINED": [f"{FEED}: the root of 12 entries isn't the one signed"],
    "DIRECTORY_VERSIONS": [
        "HK has version 3 of the directory, this node 4: what version 4 revokes still counts at HK until it has put "
        "that in force",
        "HK says that it has version 5 of the directory, this node 4: what version 5 revokes still counts here until "
        "it is put in force",
        "HK has another version 4 of the directory than this node, SHA-256 1A there and 2B here: compare both with all "
        "authorities",
        "HK has version 3 of the directory, this node 4: what version 4 revokes is refused at HK already, the rest "
        "waits until it has put that in force",
        "HK has version 5 of the directory, this node 4: what version 5 revokes is refused here already, the rest "
        "waits until it is put in force",
    ],
    "DIRECTORY_OFFERED": [
        "version 5 of the directory is offered by HK, and what it revokes is refused already: gateway directory take "
        "puts it in force",
        "the offered version of the directory isn't taken: directory file /D: No such file or directory",
    ],
    "DIRECTORY_REFUSED": [
        "a version of the directory that HK offers is refused: directory refused at step 5: version 6 is older than "
        "version 7 in force",
    ],
    "DIRECTORY_SPLIT": [
        "version 5 of the directory here has SHA-256 1A, as HK offers it 2B: one of them is forged; compare both with "
        "all authorities",
        "version 5 of the directory as CN offers it has SHA-256 1A, as HK offers it 2B: one of them is forged; compare "
        "both with all authorities",
    ],
    "REVOKED_BY_OWNER": [
        "MO has revoked certificates (2) and signing keys (0) by itself, the last at 2026-04-01 10:00 UTC; draft a "
        "version of the directory that says so; its reason: LAPTOP STOLEN",
    ],
    "REVOCATION_REFUSED": [
        "a revocation that HK passes on is refused: revocation refused at step 2: signed by MO with another key than "
        "directory version 3 names",
        "a revocation in /D is refused: M.NOTE: revocation refused at step 4: certificate 1A of MO isn't HK's",
        "a revocation in /D is refused: M.NOTE can't be read: Permission denied",
        "a revocation in /D is refused: M.NOTE: 64 revocations by MO alone count already",
    ],
    "QUARANTINED_AT_PARTNER": [
        f"{FEED} is in quarantine at its recipient: the root of 12 entries isn't the one signed"
    ],
    "RECEIPT_DENIED": [
        f"HK has signed at 2026-04-01 10:00:00 UTC that it holds 3 entries of {FEED}, and at 2026-04-01 10:10:00 UTC "
        "that it holds 1: it was restored from an older backup, or hides what it has received; ask its operator; "
        f"{evidence}"
        for evidence in (
            "the evidence is in /D",
            "the evidence of 20 such receipts is in /D",
            "the evidence can't be kept in /D: No space left on device",
        )
    ],
    "FEED_BEHIND": [
        f"{FEED}: HK holds 1 entry of {FEED}, this database 0",
        f"{FEED}: HK has receipted 3 entries, and the database has 1",
        f"{FEED}: another replica went on at 5, and this one had sent more",
        f"{FEED}: HK has receipted 3 entries of {FEED}, this database has 1, and HK gives no more back",
        f"{FEED}: this node has signed 3 entries of {FEED} and may have sent them; this database has 1, and HK gives "
        "no more back",
    ],
    "FEED_FORKED": [
        f"{FEED}: HK holds 9 entries of this node's, and this database 8 others: they are the same up to 7"
    ],
    "FEED_WAITING": [
        f"{FEED}: entries wait, 3 from 12 on: they come after 7 entries of {FEED}, of which 2 are applied here and 1 "
        f"entry of {FEED}, of which 0 are applied here. If this node was restored: gateway recover {FEED}"
    ],
    "FEED_DEFECT": [f"{FEED}: entry 4 isn't applied: this gateway has a defect (KEY; its log has the details)"],
    "LINK_SUSPENDED": [f"{FEED} is suspended here: AN INQUIRY"],
    "FEED_DAMAGED": [
        f"{FEED}: its edge of 3 entries doesn't lead to the root in its newest checkpoint; nothing is added to it"
    ],
    "CERTIFICATE_EXPIRES": [
        "this gateway's certificate ends at 2026-04-01 10:00 UTC",
        "the certificate of HK has ended at 2026-04-01 10:00 UTC",
    ],
    "ANSWER_WRONG": [
        "the answer of HK to query Q-1 isn't right: the root of 2 entries isn't the one signed; nothing of it counts, "
        "and what came is kept"
    ],
    "LIST_EXPIRES": [
        "entries of GA whose validity ends within 14 days: 3, the first at 2026-04-01 10:00 UTC; see `gateway "
        "watchlist list --list GA --expiring`",
        "entries of a list end soon; a system that may see it finds them with `gateway watchlist list --expiring`",
    ],
    "PARTNER_QUOTA": [
        "HK has had 9,000 of 10,000 questions about shipments stored today (UTC), 3 of 100 MiB; what is beyond waits "
        "until tomorrow; a higher setting in [quotas] makes room"
    ],
    "AUDIT_LOG": [
        "event 12 of the audit log, covered by a signed head, is missing: a backup was restored, or the database was "
        "changed; run `gateway verify`"
    ],
    "CAPACITY": ["900 of 1,000 open files and connections are in use"],
    "DATABASE": ["the database can't be used: /D is gone; put it back, or restore a backup and restart"],
    "DISK": ["12 MiB of disk are free for /D: publishing stops"],
    "PARTNER_UNREACHABLE": [
        "HK hasn't been reached for 1,012 min: UNAVAILABLE: failed to connect to all addresses; last error: UNKNOWN: "
        "IPV4:127.0.0.1:9: Failed to connect to remote host: Connection refused",
        "HK hasn't been reached for 12 min",
    ],
    "BACKLOG": [f"{FEED}: 12,000 entries have no receipt, and they become more"],
    "UNRECEIPTED_ALERT": ["the oldest alert for HK without a receipt is 40 min old"],
    "WORKER": [
        "the HISTORY process has ended by itself 3 times in the last 10 min, last by signal 9; it runs again",
        "the HISTORY process has ended by itself once in the last 10 min, last killed because it didn't answer; it "
        "doesn't run",
    ],
    "DATABASE_ASYNCHRONOUS": [
        "2 standby servers, none of which confirms commits: 7: a failover loses acknowledged commits: set "
        "synchronous_standby_names, and synchronous_commit = on"
    ],
    "MARKS": ["/D: marks can't be written: No space left on device"],
    "SCREENING": ["nothing is screened against 1 entry of lists; the log names them and says why"],
    "SETTINGS": ["changed in the file and in force after a restart only: A, B"],
    "EXPIRY_WAITS": ["own alerts are past their validity; no partner has told its time yet"],
    "BREAK_GLASS": ["CN/ANA has taken OFFICER for 30 min (break-glass B-1): NIGHT"],
    "NOTIFICATIONS_WAIT": ["WEBHOOK/A: B:443 takes nothing: HTTP 302, a redirect, which isn't followed"],
    "SIGNING_TOKEN": [
        "token CN HSM is locked: it wants a PIN",
        "token CN HSM is locked: it refused the PIN that it has here, which isn't tried again",
        "token CN HSM is locked: it refused the PIN (PININCORRECT)",
        "token CN HSM is locked: one more wrong PIN would lock it",
        "token CN HSM is lost: its signer process has ended",
        "token CN HSM is lost: it has no Ed25519 key LOG-1",
        "token CN HSM is lost: its key LOG-1 isn't the one that was there at the start",
        "token CN HSM is lost: its library doesn't answer within 5 s",
        "token CN HSM is lost: its library says DEVICEERROR",
        "token CN HSM is lost: it wasn't looked for yet",
    ],
    "TIME_STAMPS": ["receipts wait for a time stamp for 190 min: B:80 stamps nothing: HTTP 503"],
    "WITNESS": [
        "feeds wait for the witness MO for 190 min: MO can't be reached: TIMED OUT",
        "the directory's policy of witnesses can't be read, so nobody is asked: LINE 1",
    ],
    "WITNESS_CONFLICT": [
        "the publisher shows two histories of F/CN/HK/ALERTS, or no proof that they are one; both are kept"
    ],
    "OUTBOX_WAITS": ["B:4222 takes no changes: NATS: Connection refused"],
    "FILE_WRONG": [
        "file 00FF isn't kept: HK doesn't send the file that it signed: it has 3 bytes, and the step that names it "
        "says 4"
    ],
    "FILE_SCANNER": ["the virus scanner says nothing of file 00FF: /CLAM hasn't ended in 30 s"],
}
"""By code of an alarm what it may say, with values in capitals."""


def test_each_alarm_that_there_is_has_an_example() -> None:
    codes = {value for name, value in vars(alarms).items() if name.isupper() and isinstance(value, str)} - {"FEED"}
    assert codes <= ALARMS.keys()
    assert ALARM_TEXTS.keys() == ALARMS.keys()


def test_each_alarm_has_a_title_of_its_own_in_words(shouting: None) -> None:
    titles = {code: alarm_title(code) for code in ALARMS}
    assert all(title == title.upper() and "_" not in title and title != code for code, title in titles.items())
    assert len(set(titles.values())) == len(titles)
    assert alarm_title("OF_A_NEWER_GATEWAY") == "OF_A_NEWER_GATEWAY"


@pytest.mark.parametrize("code", ALARMS)
def test_an_alarm_is_said_whole(code: str, shouting: None) -> None:
    for sentence in ALARMS[code]:
        assert SHOUTED.findall(condition_text(sentence)) == [], condition_text(sentence)
        assert condition_text(sentence) == sentence.upper()


@pytest.mark.parametrize(
    "error",
    [
        f"LINK_SUSPENDED: {FEED} is suspended by its recipient's operator",
        f"LINK_SUSPENDED: {FEED} is closed: it goes on in epoch 2; before: entries sent again differ from those "
        "received before",
        f"QUARANTINED: {FEED} is in quarantine at its recipient: another root than the one held is signed for size 8",
        f"the gateway of HK doesn't know this feed yet; its alerts are in {FEED}",
        f"MALFORMED: the claim of HK on {FEED} isn't right: it is of another size or root than the position",
        "PERMISSION_DENIED: this method needs one of the roles: OFFICER",
        "UNAVAILABLE: the partner has ended the stream",
        "unexpected failure; see the log",
    ],
)
def test_the_last_error_of_a_link_is_said_whole(error: str, shouting: None) -> None:
    assert condition_text(error) == error.upper()


def test_what_nobody_here_says_stays(shouting: None) -> None:
    assert condition_text("MALFORMED: something else") == "MALFORMED: something else"
    assert condition_text(f"{FEED} is closed: as we agreed") == f"{FEED} IS CLOSED: as we agreed"
    assert condition_text("HK has taken all for 30 min (break-glass B-1): it goes on in epoch 2").endswith(
        "it goes on in epoch 2"
    ), "a person has stated that"
    assert condition_text("") == ""


def test_a_partners_text_is_looked_into_a_bounded_number_of_times(shouting: None) -> None:
    assert condition_text("a: " * (MOST_COLONS + 1) + "Connection refused").endswith("Connection refused")
    nested = "feed x: " * 200 + "Connection refused"
    assert condition_text(nested).startswith("FEED x: FEED x: ")
    assert condition_text(nested).endswith("feed x: Connection refused")


def test_a_notification_of_an_alarm_says_it_too(shouting: None) -> None:
    notification = Notification(
        kind=NotificationKind.NOTIFICATION_KIND_ALARM,
        alarm_code="DISK",
        alarm_message="12 MiB of disk are free for /D: publishing stops",
    )
    assert (
        sentence_of(notification)
        == "ALARM: THE DISK IS NEARLY FULL (DISK): 12 MIB OF DISK ARE FREE FOR /D: PUBLISHING STOPS"
    )
