"""What all commands on risk profiles share: our register, the agreements, and the present state."""

from __future__ import annotations

from collections.abc import Callable

from google.protobuf.message import Message

from gateway.contract.ids import UUID7_RANDOM_BYTES, Channel, FeedOrigin, uuid7
from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError, NotFoundError, UnavailableError, Violation
from gateway.feed.service.writing.commands import new_entry, random_bytes
from gateway.feed.service.writing.transaction import Clock, EntryPosition, Transaction
from gateway.risk_profiles.codec import events as wire
from gateway.risk_profiles.codec.events import ProfileKey
from gateway.risk_profiles.service.profiles import MAX_ACTS, MAX_PROFILES
from gateway.risk_profiles.service.state import KnownProfile, read_profile
from gateway.risk_profiles.tables import acts
from gateway.trust.rules.directory import Directory
from gateway.trust.service.agreements import Agreements
from gateway.v1 import risk_profile_pb2 as pb

_PENDING_STEPS = 8
_PENDING_AT_ONCE = 1_000
_RETRY_AFTER_S = 1.0


class ProfileSharing:
    """Who may have risk profiles of whom. Thread-safe."""

    def __init__(self, *, node: str, directory: Callable[[], Directory]) -> None:
        self.node = node
        self._agreements = Agreements(directory)
        self._directory = directory

    def feed_to(self, partner: str) -> FeedOrigin:
        """Our feed of risk profiles to a partner."""
        return self._directory().feed(self.node, partner, Channel.RISK_PROFILES)

    def partners(self) -> frozenset[str]:
        """All nodes but ours."""
        return frozenset(self._directory().nodes) - {self.node}

    def require(self, event: pb.RiskProfileEvent, sender: str, recipient: str, purpose: str, at_ms: int) -> None:
        """Raises AgreementForbidsError, or InvalidRequestError for classes of information that aren't allowed."""
        self._agreements.require(
            event, sender=sender, recipient=recipient, purpose=purpose, at_ms=at_ms, message_type=wire.EVENT_TYPE
        )


class ProfileRegister:
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
        self.node = node
        self.origin = FeedOrigin(federation, node, node, Channel.PROFILE_REGISTER)
        self.four_eyes = four_eyes
        self.persons = persons
        self.least_count = least_count
        self.sharing = ProfileSharing(node=node, directory=directory)
        self._clock = clock

    def new_id(self) -> str:
        """A new UUIDv7."""
        return uuid7(self._clock(), random_bytes(UUID7_RANDOM_BYTES))

    def append(self, tx: Transaction, actor: str, **decision: Message) -> EntryPosition:
        """Appends a decision to our register, e.g. `append(tx, actor, rejected=decision)`."""
        ((name, body),) = decision.items()
        made = pb.RiskProfileDecision(decided_at=to_timestamp(tx.now_ms), actor=actor)
        getattr(made, name).CopyFrom(body)
        return tx.append(self.origin, new_entry(wire.DECISION_TYPE, made, now_ms=tx.now_ms))


def catch_up(tx: Transaction) -> None:
    """Projects what waits before a request is checked; raises UnavailableError while much does."""
    tx.seal()
    for _ in range(_PENDING_STEPS):
        if not tx.is_behind:
            return
        tx.project(_PENDING_AT_ONCE)
    raise UnavailableError("projections are being built", retry_after_s=_RETRY_AFTER_S)


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
