"""What was measured in one run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from demo.ledger import FeedCopy

BUNDLE_STEPS = 11
"""Steps of `gateway evidence verify` (docs/protocol.md)."""


@dataclass(frozen=True, slots=True)
class Carried:
    """One message on its way, in milliseconds after it was handed to the sender's gateway.

    Attributes:
        sender, recipient: nodes.
        what: in words.
        stored_ms: the sender's gateway has acknowledged it: signed and durable.
        shown_ms: the partner's officers see it.
        receipt_ms: the partner's signed receipt is in the sender's database; None when it wasn't waited for.
        applied_ms: what the partner's gateway made of it is known to the sender; alerts alone.
    """

    sender: str
    recipient: str
    what: str
    stored_ms: float
    shown_ms: float
    receipt_ms: float | None = None
    applied_ms: float | None = None


@dataclass(frozen=True, slots=True)
class Declarations:
    """What became of a file of declarations.

    Attributes:
        file: which.
        published: alert ids in the order of their lines.
        wrong_lines: lines that can't be read.
        refused: lines whose alert the gateway refused.
        exit_code: of the command.
    """

    file: str
    published: tuple[str, ...] = ()
    wrong_lines: tuple[int, ...] = ()
    refused: int = 0
    exit_code: int = -1


@dataclass(frozen=True, slots=True)
class Outage:
    """A link that was cut.

    Attributes:
        attempted, published: alerts while it was cut.
        median_ms: of those publishes.
        backlog: entries without receipt just before it was healed.
        others_ms: an alert between the two other nodes meanwhile.
        recovery_ms: from healing until everything was receipted and shown.
    """

    attempted: int
    published: int
    median_ms: float
    backlog: int
    others_ms: float
    recovery_ms: float


@dataclass(frozen=True, slots=True)
class Crash:
    """A gateway that was killed while it published.

    Attributes:
        attempted: alerts in all.
        before: acknowledged before the kill.
        published: acknowledged in the end.
        restart_ms: from its start until it answered.
    """

    attempted: int
    before: int
    published: int
    restart_ms: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the verification of exported evidence said.

    Attributes:
        file: the bundle.
        passed: steps that passed.
        expected: what was forged → the step that has to find it.
        failed: what was forged → the step that failed; empty when none did.
    """

    file: str
    passed: int
    expected: dict[str, str]
    failed: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Watchlist:
    """A list that was imported at one node.

    Attributes:
        imported: entries of its file.
        before: of them listed at the partner before a second person approved.
        at_partner: after that.
        elsewhere: at a node to which they aren't released.
        sent_again: changes that the same file made when it was imported again.
        identical: whether both copies have the same size and root.
        took_ms: from the approval until the partner listed all.
    """

    imported: int
    before: int
    at_partner: int
    elsewhere: int
    sent_again: int
    identical: bool
    took_ms: float


@dataclass(frozen=True, slots=True)
class Matches:
    """What a gateway found on a partner's list by itself.

    Attributes:
        of_case: matches of the case's alert, which had come before the list.
        given, listed: the consignee of a later alert, and the name on the list that it was found by.
        told_before, told_after: hits that the list's owner knew before and after an officer confirmed.
        took_ms: from handing the alert over at its publisher until the recipient's officers could see the match.
    """

    of_case: int
    given: str
    listed: str
    told_before: int
    told_after: int
    took_ms: float


@dataclass(frozen=True, slots=True)
class Papers:
    """What the three customs recorded by themselves."""

    recorded: int


@dataclass(frozen=True, slots=True)
class Traced:
    """The case from end to end, and its innocent twin.

    Attributes:
        legs: nodes of the case's records, in order.
        partner_answers: answers of partners.
        statements: those that end with a signed statement.
        rules: ids of the rules that found something.
        inspected: records that show what an inspection found.
        drafted: whether an alert was drafted.
        twin_legs: records of the twin.
        twin_rules: rules that found something on it.
        took_ms: from the question until the case was put together.
    """

    legs: tuple[str, ...]
    partner_answers: int
    statements: int
    rules: tuple[str, ...]
    inspected: int
    drafted: bool
    twin_legs: int
    twin_rules: tuple[str, ...]
    took_ms: float


@dataclass(slots=True)
class Facts:
    """Everything that was measured.

    Attributes:
        published: per pair of nodes the ids of alerts whose publisher was told that they are durable.
        shown: per feed the ids of alerts that the recipient's officers were shown, in order.
        shown_twice: changes that officers were shown more than once.
        steps: later steps (acknowledged, question, …) that were taken, by kind.
        copies: feed → its copy at the publisher and at the recipient.
        unreceipted: per feed entries without a receipt at the end.
        closed: alerts of the case that are closed, as seen by both of their sides.
        refused_onward: whether hk was refused to pass on what it must not.
        exit_codes: of gateways that were stopped in order.
        problems: why a scene couldn't be played to its end.
    """

    published: dict[str, list[str]] = field(default_factory=dict)
    shown: dict[str, list[str]] = field(default_factory=dict)
    shown_twice: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    carried: list[Carried] = field(default_factory=list)
    declarations: Declarations | None = None
    outage: Outage | None = None
    crash: Crash | None = None
    evidence: Evidence | None = None
    watchlist: Watchlist | None = None
    matches: Matches | None = None
    papers: Papers | None = None
    traced: Traced | None = None
    closed: int = 0
    refused_onward: bool = False
    copies: dict[str, tuple[FeedCopy | None, FeedCopy | None]] = field(default_factory=dict)
    exit_codes: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def note_published(self, pair: str, alert_id: str) -> None:
        """A publisher was told that its alert is durable."""
        self.published.setdefault(pair, []).append(alert_id)
