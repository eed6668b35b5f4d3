"""Decides about versions of the directory that partners offer, as a state machine without I/O.

A version that is offered and verified, but not in force, restricts the one in force by what it revokes. So does what an
authority revokes by itself, until a version in force says it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import TypeAlias

from gateway.errors import DirectoryError, MalformedError
from gateway.tlog.note import parse_note
from gateway.trust.rules.directory import Validity
from gateway.trust.service.directory_versions import TrustedDirectory, accept, follow
from gateway.trust.service.owner_revocations import (
    Outstanding,
    TrustedRevocation,
    all_outstanding,
    verify_revocation,
)

MAX_OFFERS = 32
"""Most offered versions: at 1 MiB each as much as a partner may make this node keep; more come once these are taken."""

MAX_REVOCATIONS = 64
"""Most revocations of one authority that count beside the version in force: at 64 KiB each, 4 MiB that a stolen
directory key may make this node keep."""

_Way: TypeAlias = tuple[TrustedDirectory, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """A verified version that isn't in force.

    Attributes:
        partner: who offered it first.
        way: offered versions between the one in force and this one, the oldest first.
    """

    version: TrustedDirectory
    partner: str
    way: tuple[TrustedDirectory, ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """Two different verified versions of one number.

    Attributes:
        first: who has or offered it; empty for this node.
        first_digest, second_digest: SHA-256 of their texts.
    """

    version: int
    first: str
    first_digest: bytes
    second: str
    second_digest: bytes

    @property
    def sentence(self) -> str:
        """What an operator is told."""
        first, second = self.first_digest.hex(), self.second_digest.hex()
        if not self.first:
            return (
                f"version {self.version} of the directory here has SHA-256 {first}, as {self.second} offers it "
                f"{second}: one of them is forged; compare both with all authorities"
            )
        return (
            f"version {self.version} of the directory as {self.first} offers it has SHA-256 {first}, as {self.second} "
            f"offers it {second}: one of them is forged; compare both with all authorities"
        )


@dataclass(frozen=True, slots=True)
class DirectoryState:
    """The version in force with what restricts it. Immutable: each change is another state.

    Attributes:
        history: accepted versions, the oldest first; the last one is in force.
        offers: by number.
        revocations: by their owners, in order of digest; also those that have no effect any more, as evidence.
        outstanding: those of them that have one.
        trusted: the version in force, without what offers and owners revoke. Evidence is held to its note, from which
            owners can take nothing back.
    """

    history: tuple[TrustedDirectory, ...]
    offers: tuple[Offer, ...]
    revocations: tuple[TrustedRevocation, ...]
    outstanding: tuple[Outstanding, ...]
    trusted: TrustedDirectory

    @classmethod
    def of(
        cls,
        history: Sequence[TrustedDirectory],
        offers: Sequence[Offer] = (),
        revocations: Sequence[TrustedRevocation] = (),
    ) -> DirectoryState:
        """The state of these versions and revocations."""
        ordered = tuple(sorted(offers, key=lambda offer: (offer.version.version, offer.version.digest)))
        by_owners = tuple(sorted(revocations, key=lambda revocation: revocation.digest))
        outstanding = all_outstanding(by_owners, [version.directory for version in history])
        trusted = history[-1].restricted([offer.version for offer in ordered]).without(outstanding)
        return cls(tuple(history), ordered, by_owners, outstanding, trusted)

    @property
    def in_force(self) -> TrustedDirectory:
        """The version in force as it was signed."""
        return self.history[-1]

    @property
    def later(self) -> tuple[Offer, ...]:
        """Offers of later versions than the one in force; the others only show a split."""
        return tuple(offer for offer in self.offers if offer.version.version > self.in_force.version)

    def known(self, digest: bytes) -> TrustedDirectory | None:
        """The accepted or offered version with the text of this SHA-256."""
        versions = (*self.history, *(offer.version for offer in self.offers))
        return next((version for version in versions if version.digest == digest), None)

    def offered(self, note: bytes, partner: str) -> tuple[DirectoryState, TrustedDirectory]:
        """Verifies a version that a partner offers by steps 1 to 5 of `accept`; the state with it, and the version.

        The version before it is an offered one or the one in force. Another version of the number in force is verified
        by the one before that: two such versions are a split. A known text is verified already, whoever signs it again.

        Args:
            note: untrusted bytes.

        Raises:
            DirectoryError: a step fails, or too many versions are offered already.
        """
        if (same := self.known(unverified_digest(note))) is not None:
            return self, same
        version, way = self._verified(note)
        if len(self.offers) >= MAX_OFFERS:
            raise DirectoryError(
                f"{MAX_OFFERS} offered versions of the directory wait already",
                way_out="Put the newest one in force: gateway directory take.",
            )
        return self.with_offers((*self.offers, Offer(version, partner, way))), version

    def with_offers(self, offers: Sequence[Offer]) -> DirectoryState:
        """The state with these offers in place of its own."""
        return DirectoryState.of(self.history, offers, self.revocations)

    def revocation(self, digest: bytes) -> TrustedRevocation | None:
        """The revocation with the text of this SHA-256."""
        return next((revocation for revocation in self.revocations if revocation.digest == digest), None)

    def revoking(self, note: bytes) -> tuple[DirectoryState, TrustedRevocation]:
        """Verifies what an authority revokes by itself, by the version in force; the state with it.

        The state is the same where this has no effect beside the versions that were in force: it isn't kept.

        Args:
            note: untrusted bytes.

        Raises:
            DirectoryError: a step of `verify_revocation` fails, or the authority has too many.
        """
        if (same := self.revocation(unverified_digest(note))) is not None:
            return self, same
        revocation = verify_revocation(note, self.in_force.directory)
        made = DirectoryState.of(self.history, self.offers, (*self.revocations, revocation))
        if len(made.outstanding) == len(self.outstanding):
            return self, revocation
        if sum(one.revocation.authority == revocation.authority for one in made.outstanding) > MAX_REVOCATIONS:
            raise DirectoryError(
                f"{MAX_REVOCATIONS} revocations by {revocation.authority} alone count already",
                way_out="Put a version of the directory in force that says what they revoke.",
            )
        return made, revocation

    def reopening(self, note: bytes) -> DirectoryState:
        """The state with a revocation that this node kept: verified by the newest version that it follows from.

        Raises:
            DirectoryError: no version that is or was in force verifies it.
        """
        if self.revocation(unverified_digest(note)) is not None:
            return self
        refusals = []
        for version in reversed(self.history):
            try:
                revocation = verify_revocation(note, version.directory)
            except DirectoryError as error:
                refusals.append(error)
                continue
            return DirectoryState.of(self.history, self.offers, (*self.revocations, revocation))
        raise refusals[0]

    def accepting(self, note: bytes, now: datetime) -> DirectoryState:
        """The state in which a version is in force, verified by `accept` from the one in force or on the offered way.

        Offers that follow on it stay, and so do those that show a split.

        Raises:
            DirectoryError: a step fails.
        """
        accepted, way = self._along(lambda previous: accept(note, now=now, previous=previous))
        same = accepted.digest == self.in_force.digest
        return self._after((*self.history[:-1], accepted) if same else (*self.history, *way, accepted))

    def newest(self, now: datetime) -> Offer | None:
        """The offer to be put in force: the newest that hasn't outlived its grace.

        Raises:
            DirectoryError: there are two versions of one number; people have to decide.
        """
        if later := [split for split in self.splits() if split.version >= self.in_force.version]:
            raise DirectoryError(
                f"there are two different versions {later[0].version} of the directory, and one of them is forged",
                way_out="Compare both with all authorities, then put the right one at directory.file yourself.",
            )
        lasting = (offer for offer in reversed(self.later) if offer.version.validity(now) is not Validity.EXPIRED)
        return next(lasting, None)

    def splits(self) -> list[Split]:
        """Every second text of one number, by number."""
        return list(self._splits())

    def _splits(self) -> Iterator[Split]:
        first = {version.version: ("", version.digest) for version in self.history}
        for offer in self.offers:
            holder, digest = first.setdefault(offer.version.version, (offer.partner, offer.version.digest))
            if digest != offer.version.digest:
                yield Split(offer.version.version, holder, digest, offer.partner, offer.version.digest)

    def _along(self, verify: Callable[[TrustedDirectory], TrustedDirectory]) -> tuple[TrustedDirectory, _Way]:
        """What verifies with the version in force before it, or else with an offered one, and the way to that.

        Raises:
            DirectoryError: none; the refusal at the latest step.
        """
        refusals: list[DirectoryError] = []
        for way in self._ways():
            try:
                version = verify((self.in_force, *way)[-1])
            except DirectoryError as error:
                refusals.append(error)
                continue
            if not way or version.version > way[-1].version:
                return version, way
        raise max(refusals, key=lambda refusal: refusal.metadata.get("step", ""))

    def _ways(self) -> list[_Way]:
        """What may stand before another version: the newest offer first, unless one of two may be forged."""
        ways = [(*offer.way, offer.version) for offer in reversed(self.later)]
        return [(), *ways] if self.splits() else [*ways, ()]

    def _verified(self, note: bytes) -> tuple[TrustedDirectory, _Way]:
        try:
            return self._along(lambda previous: follow(note, previous=previous))
        except DirectoryError:
            for before in self.history[-2:-1]:
                with suppress(DirectoryError):
                    other = follow(note, previous=before)
                    if other.version == self.in_force.version:
                        return other, ()
            raise

    def _after(self, history: _Way) -> DirectoryState:
        texts = {version.version: version.digest for version in history}
        split = [
            replace(offer, way=())
            for offer in self.offers
            if texts.get(offer.version.version, offer.version.digest) != offer.version.digest
        ]
        state = DirectoryState.of(history, split, self.revocations)
        for offer in self.later:
            if offer.version.version > history[-1].version:
                try:
                    state, _ = state.offered(offer.version.note, offer.partner)
                except DirectoryError:  # it follows on a version that wasn't taken
                    continue
        return state


def unverified_digest(note: bytes) -> bytes:
    """SHA-256 of a note's text; empty where it is no note. It says which text, not that anybody signed it."""
    try:
        return sha256(parse_note(note).unverified_text).digest()
    except MalformedError:
        return b""
