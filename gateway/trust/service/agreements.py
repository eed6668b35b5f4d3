"""Applies agreements to messages, at the publisher (step 2 of the way of an alert) and the recipient."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from google.protobuf.message import Message

from gateway.errors import AgreementForbidsError, InvalidRequestError
from gateway.trust.rules.directory import Agreement, Directory, FieldClass, MessageType
from gateway.trust.rules.disclosure import undisclosable

EVERY_CLASS = frozenset(FieldClass)

_REMEMBERED = 1000
"""Most cached results: some per pair of nodes and purpose."""

_NAMED = 5
"""Most agreements, and purposes of each, in a refusal: long errors are cut off."""

_Question = tuple[str, str, str, str, int]
_Answers = dict[_Question, frozenset[FieldClass] | None]


class Agreements:
    """Applies the directory in force. Thread-safe: at worst one result is computed twice."""

    def __init__(self, directory: Callable[[], Directory], *, recorded: bool = False) -> None:
        """`recorded`: for entries of feeds, also by what was agreed with former members when they were sent."""
        self._newest = directory
        self._recorded = recorded
        self._widened: tuple[Directory, Directory] | None = None  # a version, and the same with what was agreed then
        # One tuple, so that results never mix with another directory version.
        self._remembered: tuple[Directory | None, _Answers] = (None, {})

    def require(
        self,
        message: Message,
        *,
        sender: str,
        recipient: str,
        purpose: str,
        at_ms: int,
        message_type: str,
        prefix: str = "",
    ) -> None:
        """Admits a message to be sent, or received; `prefix` begins paths of fields.

        Raises:
            AgreementForbidsError: no agreement for this type, direction and purpose; names those for other purposes.
            InvalidRequestError: all fields whose class isn't allowed.
        """
        allowed = self._allowed((sender, recipient, purpose, message_type, at_ms // 1000))
        if allowed is None:
            raise AgreementForbidsError(
                f"no agreement lets {sender} send {message_type} to {recipient} for the purpose {purpose!r}"
                + self._instead(sender, recipient, message_type, at_ms // 1000),
                metadata={"sender": sender, "recipient": recipient, "purpose": purpose},
            )
        forbidden = undisclosable(message, allowed, prefix)
        if forbidden:
            raise InvalidRequestError(forbidden)

    def _directory(self) -> Directory:
        directory, widened = self._newest(), self._widened
        if not self._recorded or not directory.former_members:
            return directory
        if widened is None or widened[0] is not directory:
            self._widened = widened = (directory, directory.with_ended_agreements())
        return widened[1]

    def traced(self, trace: str, sender: str, recipients: Iterable[str], purpose: str, at_ms: int) -> Mapping[str, str]:
        """A trace context for each recipient of an alert whose agreement allows it; nothing for an empty one."""
        if not trace:
            return {}
        directory, at = self._directory(), datetime.fromtimestamp(at_ms // 1000, UTC)
        allowed = (name for name in recipients if directory.may_trace(sender, name, at, purpose=purpose))
        return dict.fromkeys(allowed, trace)

    def require_hit_report(
        self, hit: Message, *, owner: str, reporter: str, purpose: str, at_ms: int, prefix: str = ""
    ) -> None:
        """Admits a report of a hit on an entry of `owner`, to be sent or received.

        Raises:
            AgreementForbidsError: the owner's agreement doesn't have hits reported for this purpose, or as `require`.
            InvalidRequestError: as `require`.
        """
        at = datetime.fromtimestamp(at_ms // 1000, UTC)
        if not self._directory().takes_hit_reports(owner, reporter, at, purpose=purpose):
            others = self._directory().agreements_on(owner, reporter, at, message_type=MessageType.LIST_EVENT)
            reported = [agreement for agreement in others if agreement.hit_reports]
            instead = f"only by {named_with_purposes(reported)}" if reported else "nor for any other"
            raise AgreementForbidsError(
                f"no agreement has hits on list entries of {owner} reported by {reporter} for the purpose "
                f"{purpose!r} (hit_reports), {instead}",
                metadata={"sender": reporter, "recipient": owner, "purpose": purpose},
            )
        self.require(
            hit,
            sender=reporter,
            recipient=owner,
            purpose=purpose,
            at_ms=at_ms,
            message_type=MessageType.LIST_EVENT,
            prefix=prefix,
        )

    def field_classes(
        self, *, sender: str, recipient: str, purpose: str, at_ms: int, message_type: str
    ) -> frozenset[FieldClass] | None:
        """The classes that agreements allow; None: no agreement."""
        return self._allowed((sender, recipient, purpose, message_type, at_ms // 1000))

    def unrestricted(self, *, sender: str, recipient: str, purpose: str, at_ms: int, message_type: str) -> bool:
        return self._allowed((sender, recipient, purpose, message_type, at_ms // 1000)) == EVERY_CLASS

    def _instead(self, sender: str, recipient: str, message_type: str, second: int) -> str:
        directory = self._directory()
        if former := directory.why_no_member(recipient) or directory.why_no_member(sender):
            return f": {former}"
        at = datetime.fromtimestamp(second, UTC)
        others = directory.agreements_on(sender, recipient, at, message_type=message_type)
        return f" ({named_with_purposes(others)})" if others else ", nor for any other"

    def _allowed(self, question: _Question) -> frozenset[FieldClass] | None:
        directory = self._directory()
        basis, answers = self._remembered
        if directory is not basis or len(answers) > _REMEMBERED:
            answers = {}
            self._remembered = (directory, answers)
        if question not in answers:
            sender, recipient, purpose, message_type, second = question
            answers[question] = directory.allowed_field_classes(
                sender, recipient, datetime.fromtimestamp(second, UTC), message_type=message_type, purpose=purpose
            )
        return answers[question]


def named(agreements: Sequence[Agreement]) -> str:
    """Agreements with their clauses."""
    return _first([f"{agreement.id}: {agreement.clause}" for agreement in agreements], "; ")


def named_with_purposes(agreements: Sequence[Agreement]) -> str:
    """Agreements with purposes and clauses."""
    return _first(
        [
            f"{agreement.id} for {_first(sorted(agreement.purposes), ', ')}: {agreement.clause}"
            for agreement in agreements
        ],
        "; ",
    )


def _first(words: Sequence[str], separator: str) -> str:
    more = len(words) - _NAMED
    told = separator.join(words[:_NAMED]) or "nothing"
    return f"{told} and {more} more" if more > 0 else told
