"""What all commands on licences share: our register, the agreements, and the present state."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from itertools import permutations

from gateway.contract.ids import Channel, FeedOrigin
from gateway.errors import InvalidRequestError, NotFoundError, Violation
from gateway.feed.service.writing.transaction import Clock, Transaction
from gateway.licences.codec import events as wire
from gateway.licences.codec.events import LicenceKey
from gateway.licences.rules.balances import require_room
from gateway.licences.service.facts import KnownLicence, read_licence
from gateway.licences.tables import acts
from gateway.persons.commands.registers import DecisionRegister, RegisterForm
from gateway.trust.rules.directory import Directory, FieldClass
from gateway.trust.service.agreements import Agreements
from gateway.v1 import licence_pb2

NEEDED_CLASSES = frozenset({FieldClass.PERSONAL, FieldClass.COMMERCIAL})
"""Classes without which a partner couldn't compute the same balance: who gets how much."""

FORM = RegisterForm(wire.DECISION_TYPE, licence_pb2.LicenceDecision, licence_pb2.LicenceProposal, wire.parse_decision)


class LicenceSharing:
    """Who may have licences of whom. Thread-safe."""

    def __init__(self, *, node: str, directory: Callable[[], Directory]) -> None:
        self.node = node
        self.agreements = Agreements(directory)
        self.recorded = Agreements(directory, recorded=True)
        self._directory = directory

    def partners(self) -> frozenset[str]:
        """All nodes but ours."""
        return frozenset(self._directory().nodes) - {self.node}

    def feed_to(self, partner: str) -> FeedOrigin:
        """Our feed of licences to a partner."""
        return self._directory().feed(self.node, partner, Channel.LICENCES)

    def shares(self, sender: str, recipient: str, purpose: str, at_ms: int) -> bool:
        """Whether one node may send another licences and uses whole, for a purpose."""
        classes = self.agreements.field_classes(
            sender=sender, recipient=recipient, purpose=purpose, at_ms=at_ms, message_type=wire.EVENT_TYPE
        )
        return classes is not None and classes >= NEEDED_CLASSES


class LicenceRegister(DecisionRegister):
    """Names, clock and policy for all commands. Thread-safe."""

    def __init__(
        self,
        *,
        federation: str,
        node: str,
        directory: Callable[[], Directory],
        clock: Clock,
        four_eyes: bool = True,
        persons: bool = False,
    ) -> None:
        """`persons` sign in at this node."""
        origin = FeedOrigin(federation, node, node, Channel.LICENCE_REGISTER)
        super().__init__(origin, FORM, acts.proposals, clock=clock, four_eyes=four_eyes, persons=persons)
        self.sharing = LicenceSharing(node=node, directory=directory)
        self._directory = directory

    def require_possible(self, content: licence_pb2.LicenceContent, now_ms: int) -> None:
        """Raises InvalidRequestError with all objections beyond the contract's."""
        problems = [
            *day_violations({"content.valid_from": content.valid_from, "content.valid_until": content.valid_until}),
            *self._party_violations(content, now_ms),
        ]
        if content.valid_until < content.valid_from:
            problems.append(Violation("content.valid_until", "valid_until.order", "must not lie before valid_from"))
        if problems:
            raise InvalidRequestError(problems)

    def _party_violations(self, content: licence_pb2.LicenceContent, now_ms: int) -> Iterator[Violation]:
        """Everybody whom a licence concerns must get everybody's uses, or their balances would differ."""
        known = self.sharing.partners()
        for at, party in enumerate(content.parties):
            if party not in known:
                why = self._directory().why_no_member(party) or f"{party!r} isn't a partner"
                text = f"{why}; partners are: {', '.join(sorted(known))}"
                yield Violation(f"content.parties[{at}]", "parties.known", text)
        for sender, recipient in permutations(sorted({self.node, *content.parties} & (known | {self.node})), 2):
            if not self.sharing.shares(sender, recipient, content.purpose, now_ms):
                text = (
                    f"no agreement lets {sender} send {recipient} licences with personal and commercial information "
                    f"for the purpose {content.purpose!r}; without it, it may ask whether a licence covers goods"
                )
                yield Violation("content.parties", "parties.agreement", text)


def day_violations(days: dict[str, str]) -> Iterator[Violation]:
    """Violations of days, by field, that no calendar has."""
    for field, day in days.items():
        try:
            date.fromisoformat(day)
        except ValueError:
            yield Violation(field, "day.calendar", f"{day} is no day of the calendar")


def require_licence(tx: Transaction, reference: licence_pb2.LicenceReference) -> KnownLicence:
    """A licence that is known here and on which this node may report more.

    Raises:
        NotFoundError, InvalidRequestError.
    """
    key = LicenceKey(reference.issuer, reference.number)
    known = read_licence(tx.conn, key)
    if known is None:
        raise NotFoundError(f"there is no licence {key.issuer}/{key.number} here")
    require_room(acts.count_by(tx.conn, key, tx.own_node))
    return known
