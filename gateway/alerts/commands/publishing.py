"""Publishes own systems' alerts into feeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from gateway.alerts import codec as wire
from gateway.alerts.codec import sources_in
from gateway.alerts.commands.evidence_sources import NamedEvidence, OwnFiles, no_own_files
from gateway.alerts.commands.onward_transfer import AnswerReleases, no_releases, releases_of, require_answers_may_go
from gateway.contract.ids import UUID7_RANDOM_BYTES, Channel, FeedOrigin, uuid7, uuid_bytes
from gateway.contract.messages import to_ms, to_timestamp
from gateway.contract.validation import violations
from gateway.errors import (
    AgreementForbidsError,
    GatewayError,
    InvalidRequestError,
    Violation,
)
from gateway.feed.codec import CausalDependency, EncodedEntry
from gateway.feed.service.writing.commands import digest_of, new_entry, random_bytes
from gateway.feed.service.writing.transaction import Clock
from gateway.persons.service.pseudonyms import Pseudonyms, ShownPseudonym
from gateway.trust.rules.directory import Directory, FederationNode
from gateway.trust.rules.disclosure import undisclosable
from gateway.trust.service.agreements import Agreements
from gateway.v1 import alert_pb2, alert_service_pb2

MAX_VALIDITY_MS = 366 * 24 * 3600 * 1000
"""Longest validity of an alert in milliseconds; after a year a new review and alert are due."""

MAX_RECIPIENTS = 16
"""Most recipients of an alert, as in the contract: of a request with more, no more are looked at."""

VALID_UNTIL_RANGE = Violation(
    "content.valid_until", "valid_until.range", "must lie in the future, at most 366 days ahead"
)


@dataclass(frozen=True, slots=True)
class PreparedAlert:
    """An alert after all checks that need no database.

    Attributes:
        request_id: 16 bytes.
        digest: SHA-256 of the request, to distinguish a repetition from a reused id.
        entries: one per recipient, in the feed of its priority; none when refused.
        derived_from: alerts whose onward-transfer rule must be checked, as (publisher, id).
        handling: of the text.
        releases: to whom partners' answers may be passed on for its purpose.
        evidence: digests that it names; None without any.
        refusal: why it may not be published now; a repeated request still gets its first answer.
        traces: trace contexts to travel beside the entries, by recipient.
        trace: the context of the call, for this node's spans.
        pseudonyms: under which recipients see the person that acts.
    """

    request_id: bytes
    digest: bytes
    alert_id: str
    entries: tuple[tuple[FeedOrigin, EncodedEntry], ...]
    notices: tuple[alert_pb2.DataQualityNotice, ...]
    derived_from: tuple[tuple[str, str], ...]
    handling: alert_pb2.Handling
    releases: AnswerReleases
    evidence: NamedEvidence | None = None
    refusal: GatewayError | None = None
    traces: Mapping[str, str] = field(default_factory=dict)
    trace: str = ""
    pseudonyms: tuple[ShownPseudonym, ...] = ()


class Publisher:
    """Prepares alerts for publication. Thread-safe."""

    def __init__(
        self,
        *,
        federation: str,
        node: str,
        directory: Callable[[], Directory],
        clock: Clock,
        pseudonyms: Pseudonyms | None = None,
        own_files: OwnFiles = no_own_files,
    ) -> None:
        self._own_files = own_files
        self._pseudonyms = pseudonyms or Pseudonyms(node, directory)
        self._federation = federation
        self._node = node
        self._directory = directory
        self._agreements = Agreements(directory)
        self._clock = clock
        self._origins: dict[tuple[str, Channel, int], FeedOrigin] = {}  # of partners in the directory: a handful

    def prepare(self, request: alert_service_pb2.PublishAlertRequest, actor: str, *, trace: str = "") -> PreparedAlert:
        """Steps 2 and 3 for a new alert; `trace` goes to those recipients whose agreement allows it.

        Raises:
            InvalidRequestError: every violation of the contract. Violations of today's rules alone are a `refusal`,
                since the request may have been accepted before.
        """
        now = self._clock()
        content = request.content
        late = self._time_violations(content, now)
        broken = violations(request)
        refusal = self.refusal_of(request.recipients[:MAX_RECIPIENTS], content, late, now)
        if broken:
            raise InvalidRequestError([*broken, *_objections(refusal, broken)])
        alert_id = self.new_id()
        notices = tuple(wire.quality_notices(content))
        actors = {name: self.shown_actor(actor, name, content.purpose, now) for name in request.recipients}
        return PreparedAlert(
            request_id=uuid_bytes(request.request_id),
            digest=digest_of(request),
            alert_id=alert_id,
            entries=tuple(
                (
                    self.origin(recipient, channel_of(content.priority)),
                    self._new_alert(
                        alert_id=alert_id,
                        recipient=recipient,
                        content=content,
                        notices=notices,
                        actor=actors[recipient].actor,
                        now=now,
                    ),
                )
                for recipient in (request.recipients if refusal is None else ())
            ),
            notices=notices,
            derived_from=sources_in(content),
            handling=content.handling,
            releases=self.releases(content.purpose, now) if content.derived_from else no_releases,
            evidence=self.named_evidence(content.evidence, content.purpose, handling=content.handling),
            refusal=refusal,
            traces=self._agreements.traced(trace, self._node, request.recipients, content.purpose, now),
            trace=trace,
            pseudonyms=tuple(shown for shown in actors.values() if shown.person),
        )

    def shown_actor(self, actor: str, recipient: str, purpose: str, now: int) -> ShownPseudonym:
        """Who acts, as a recipient sees it: a person's pseudonym where the agreement says so."""
        return self._pseudonyms.shown(actor, recipient=recipient, purpose=purpose, at_ms=now)

    def content_violations(self, content: alert_pb2.AlertContent, now: int) -> list[Violation]:
        """What is wrong with a content, whoever gets it."""
        return [*violations(content, "content."), *self._time_violations(content, now)]

    def refusal_of(
        self, recipients: Sequence[str], content: alert_pb2.AlertContent, late: Sequence[Violation], now: int
    ) -> GatewayError | None:
        """All objections to sending a content now, for all recipients at once."""
        broken, forbidden = list(late), list[AgreementForbidsError]()
        for recipient in recipients:
            try:
                self._require_agreement(recipient, content, now)
            except InvalidRequestError as error:
                broken += (
                    violation
                    if violation.field == "recipients"
                    else replace(violation, message=f"{recipient}: {violation.message}")
                    for violation in error.violations
                )
            except AgreementForbidsError as error:
                forbidden.append(error)
        if broken:
            broken += (Violation("recipients", "agreement", error.message) for error in forbidden)
            return InvalidRequestError(broken)
        if forbidden:
            return AgreementForbidsError("; ".join(e.message for e in forbidden), metadata=forbidden[0].metadata)
        if content.derived_from_answers:
            releases = self.releases(content.purpose, now)
            try:
                require_answers_may_go([content], recipients, releases, own=self._node, handling=content.handling)
            except GatewayError as error:
                return error
        return None

    @property
    def nodes(self) -> Mapping[str, FederationNode]:
        """Nodes of the directory, by name."""
        return self._directory().nodes

    def releases(self, purpose: str, now: int) -> AnswerReleases:
        """To whom partners let this node pass on what they answered for a purpose."""
        return releases_of(self._directory(), self._node, purpose, datetime.fromtimestamp(now / 1000, UTC))

    def named_evidence(
        self,
        evidence: Sequence[alert_pb2.EvidenceDigest],
        purpose: str,
        *,
        field: str = "content.evidence",
        handling: alert_pb2.Handling | None = None,
    ) -> NamedEvidence | None:
        """What a step names in a field, to be checked against partners' rules; None where it names nothing."""
        if not evidence:
            return None
        digests = tuple(one.sha256.hex() for one in evidence)
        return NamedEvidence(digests, purpose, field, handling, self._directory, self._own_files)

    def origin(self, recipient: str, channel: Channel = Channel.ALERTS) -> FeedOrigin:
        """An own feed of alerts."""
        epoch = self._directory().feed_epoch(self._node, recipient)
        known = self._origins.get((recipient, channel, epoch))
        if known is None:
            known = FeedOrigin(self._federation, self._node, recipient, channel, epoch)
            self._origins[recipient, channel, epoch] = known
        return known

    def apply_agreement(self, event: alert_pb2.AlertEvent, recipient: str, purpose: str, now: int) -> None:
        """Step 2 for a step on an existing alert; raises as `Agreements.require` does.

        A mandatory text whose class isn't allowed is replaced by `NOT_TOLD`. `ENDS` need no agreement.
        """
        allowed = self._agreements.field_classes(
            sender=self._node, recipient=recipient, purpose=purpose, at_ms=now, message_type=wire.EVENT_TYPE
        )
        kind: Any = event.WhichOneof("event")
        bare = event
        if kind in wire.MANDATORY_TEXTS and undisclosable(event, allowed or ()):
            bare = wire.without_text(event)
            setattr(getattr(event, kind), wire.MANDATORY_TEXTS[kind], wire.NOT_TOLD)
        if kind in wire.ENDS and allowed is None:
            return
        self._agreements.require(
            bare,
            sender=self._node,
            recipient=recipient,
            purpose=purpose,
            at_ms=now,
            message_type=wire.EVENT_TYPE,
        )

    def new_id(self) -> str:
        return uuid7(self._clock(), random_bytes(UUID7_RANDOM_BYTES))

    def entry(
        self,
        event: alert_pb2.AlertEvent,
        now: int,
        *,
        follows: int = 0,
        after: Sequence[CausalDependency] = (),
    ) -> EncodedEntry:
        """Encodes an event with a fresh salt; `follows` and `after` as in the contract's EntryHeader."""
        return new_entry(wire.EVENT_TYPE, event, now_ms=now, follows=follows, after=after)

    def _new_alert(
        self,
        *,
        alert_id: str,
        recipient: str,
        content: alert_pb2.AlertContent,
        notices: Sequence[alert_pb2.DataQualityNotice],
        actor: str,
        now: int,
    ) -> EncodedEntry:
        at = to_timestamp(now)
        event = alert_pb2.AlertEvent(occurred_at=at, actor=actor)
        alert = event.published
        alert.id, alert.revision, alert.publisher, alert.recipient = alert_id, 1, self._node, recipient
        alert.published_at.CopyFrom(at)
        alert.content.CopyFrom(content)
        if notices:
            alert.notices.extend(notices)
        return self.entry(event, now)

    def _require_agreement(self, recipient: str, content: alert_pb2.AlertContent, now: int) -> None:
        directory = self._directory()
        if recipient == self._node or recipient not in directory.nodes:
            known = ", ".join(sorted(set(directory.nodes) - {self._node}))
            why = directory.why_no_member(recipient) or f"{recipient!r} isn't a partner"
            raise InvalidRequestError([Violation("recipients", "recipient.known", f"{why}; partners are: {known}")])
        self._agreements.require(
            content,
            sender=self._node,
            recipient=recipient,
            purpose=content.purpose,
            at_ms=now,
            message_type=wire.EVENT_TYPE,
            prefix="content.",
        )

    def _time_violations(self, content: alert_pb2.AlertContent, now: int) -> list[Violation]:
        late = []
        valid_until = to_ms(content.valid_until)
        if content.HasField("valid_until") and not now < valid_until <= now + MAX_VALIDITY_MS:
            late.append(VALID_UNTIL_RANGE)
        if content.HasField("reply_by") and to_ms(content.reply_by) <= now:
            late.append(Violation("content.reply_by", "reply_by.future", "must lie in the future"))
        return late


def _objections(refusal: GatewayError | None, broken: Sequence[Violation]) -> list[Violation]:
    """A refusal beside broken rules of the contract, so that both are corrected at once; a field is named once."""
    if refusal is None:
        return []
    if not isinstance(refusal, InvalidRequestError):
        return [Violation("recipients", "agreement", refusal.message)]
    named = {each.field for each in broken}
    return [each for each in refusal.violations if each.field == "recipients" or each.field not in named]


def channel_of(priority: alert_pb2.Priority.ValueType) -> Channel:
    """The channel of a new alert."""
    return Channel.ALERTS_A if priority == alert_pb2.PRIORITY_A else Channel.ALERTS
