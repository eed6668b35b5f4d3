"""What all commands on risk profiles share: our register, the agreements, and the present state."""

from __future__ import annotations

from collections.abc import Callable

from gateway.contract.ids import Channel, FeedOrigin
from gateway.errors import InvalidRequestError, NotFoundError, Violation
from gateway.feed.service.writing.transaction import Clock, Transaction
from gateway.persons.commands.registers import DecisionRegister, RegisterForm
from gateway.risk_profiles.codec import events as wire
from gateway.risk_profiles.codec.events import ProfileKey
from gateway.risk_profiles.service.profiles import MAX_ACTS, MAX_PROFILES
from gateway.risk_profiles.service.state import KnownProfile, read_profile
from gateway.risk_profiles.tables import acts
from gateway.trust.rules.directory import Directory
from gateway.trust.service.agreements import Agreements
from gateway.v1 import risk_profile_pb2 as pb

FORM = RegisterForm(wire.DECISION_TYPE, pb.RiskProfileDecision, pb.RiskProfileProposal, wire.parse_decision)


class ProfileSharing:
    """Who may have risk profiles of whom. Thread-safe."""

    def __init__(self, *, node: str, directory: Callable[[], Directory]) -> None:
        self.node = node
        self._agreements = Agreements(directory)
        self._recorded = Agreements(directory, recorded=True)
        self._directory = directory

    def feed_to(self, partner: str) -> FeedOrigin:
        """Our feed of risk profiles to a partner."""
        return self._directory().feed(self.node, partner, Channel.RISK_PROFILES)

    def partners(self) -> frozenset[str]:
        """All nodes but ours."""
        return frozenset(self._directory().nodes) - {self.node}

    def require(
        self,
        event: pb.RiskProfileEvent,
        sender: str,
        recipient: str,
        purpose: str,
        at_ms: int,
        *,
        recorded: bool = False,
    ) -> None:
        """Raises AgreementForbidsError, or InvalidRequestError for classes of information that aren't allowed.

        `recorded`: as `Agreements` has it.
        """
        (self._recorded if recorded else self._agreements).require(
            event, sender=sender, recipient=recipient, purpose=purpose, at_ms=at_ms, message_type=wire.EVENT_TYPE
        )


class ProfileRegister(DecisionRegister):
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
        least_count: int = 10,
    ) -> None:
        """
        Args:
            persons: persons sign in at this node.
            least_count: numbers below it are withheld in reports.
        """
        origin = FeedOrigin(federation, node, node, Channel.PROFILE_REGISTER)
        super().__init__(origin, FORM, acts.proposals, clock=clock, four_eyes=four_eyes, persons=persons)
        self.least_count = least_count
        self.sharing = ProfileSharing(node=node, directory=directory)


def require_known(tx: Transaction, key: ProfileKey) -> KnownProfile:
    """A profile that is known here; raises NotFoundError."""
    known = read_profile(tx.conn, key)
    if known is None:
        raise NotFoundError(f"there is no risk profile {key.offerer}/{key.profile_id} here")
    return known


def require_room(tx: Transaction, key: ProfileKey, reporter: str) -> None:
    """Raises InvalidRequestError where a node has done too much with a profile, or offered too many."""
    if acts.count_by(tx.conn, key, reporter) >= MAX_ACTS:
        text = f"one node acts at most {MAX_ACTS} times on a profile"
        raise InvalidRequestError([Violation("profile", "profile.most", text)])
    if acts.count_profiles(tx.conn, key.offerer) >= MAX_PROFILES and read_profile(tx.conn, key) is None:
        text = f"one node offers at most {MAX_PROFILES} profiles"
        raise InvalidRequestError([Violation("profile", "profile.most", text)])
