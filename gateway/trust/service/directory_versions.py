"""Decides whether to trust a directory version, as a state machine without I/O.

Only `accept`, `follow`, `reopen_all` and `unsafe_reopen` make a `TrustedDirectory`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from gateway.contract.ids import FeedOrigin
from gateway.errors import ConfigurationError, DirectoryError, MalformedError, SignatureInvalidError
from gateway.tlog.note import SignatureType, Verifier, open_note, parse_note
from gateway.trust.codec.directory import decode_directory, verifier_of
from gateway.trust.rules.directory import (
    Directory,
    KeyAlgorithm,
    KeyRecord,
    Validity,
    of_algorithm,
    receipts_key_name,
)
from gateway.trust.rules.revocations import Revocations
from gateway.trust.service.owner_revocations import Outstanding

CLOCK_TOLERANCE = timedelta(minutes=5)
"""Later issue times get a warning: a clock is wrong."""

EXPIRY_WARNING = timedelta(days=30)
"""A version that expires sooner gets a warning: signatures from several places take time."""

NO_REVOCATIONS = sha256().digest()
"""`TrustedDirectory.owners_digest` where no revocation by its owner counts."""

_TOKEN = object()


@dataclass(frozen=True, slots=True)
class RootOfTrust:
    """Pinned directory keys that verify the first version; `threshold` of them must have signed."""

    federation: str
    verifiers: tuple[Verifier, ...]
    threshold: int

    @classmethod
    def from_vkeys(cls, vkeys: Iterable[str], *, federation: str, threshold: int) -> RootOfTrust:
        """Reads keys printed by `gateway pki directory-key`.

        Raises:
            ConfigurationError: not an Ed25519 verifier key, a repeated one, or an impossible threshold.
        """
        verifiers = tuple(_pinned(vkey) for vkey in vkeys)
        keys = {verifier.public_key for verifier in verifiers}
        if len(keys) != len(verifiers):
            raise ConfigurationError("directory anchors: the same key stands twice")
        if not 1 <= threshold <= len(verifiers):
            raise ConfigurationError(
                f"directory threshold: {threshold} isn't between 1 and the number of anchors, {len(verifiers)}"
            )
        return cls(federation, verifiers, threshold)


class TrustedDirectory:
    """A directory that passed `accept`.

    Attributes:
        directory: its content, without what later versions and owners revoke where it is `restricted`.
        known_version: the newest version whose revocations count in it; its own number unless it is restricted.
        owners_digest: SHA-256 over the digests of the revocations by their owners that count in it, in order: equal at
            nodes where the same ones do.
        signed_by: key names of the signing authorities, in the note's order.
        warnings: sentences for operators, to be logged and shown.
    """

    __slots__ = ("directory", "known_version", "note", "owners_digest", "signed_by", "text", "warnings")

    def __init__(
        self,
        token: object,
        *,
        directory: Directory,
        note: bytes,
        text: bytes,
        signed_by: tuple[str, ...],
        warnings: tuple[str, ...],
    ) -> None:
        if token is not _TOKEN:
            raise TypeError("a TrustedDirectory comes from accept() alone")
        self.directory = directory
        self.known_version = directory.version
        self.owners_digest = NO_REVOCATIONS
        self.note = note
        self.text = text
        self.signed_by = signed_by
        self.warnings = warnings

    def __repr__(self) -> str:
        return f"TrustedDirectory(federation={self.federation!r}, version={self.version})"

    @property
    def federation(self) -> str:
        return self.directory.federation

    @property
    def version(self) -> int:
        return self.directory.version

    @property
    def digest(self) -> bytes:
        """SHA-256 of its text, without signatures."""
        return sha256(self.text).digest()

    def restricted(self, later: Sequence[TrustedDirectory]) -> TrustedDirectory:
        """This version, in which what other verified versions revoke doesn't count either; nothing is gained."""
        if not later:
            return self
        made = self._restricted(Revocations.of(version.directory for version in later))
        made.known_version = max(self.version, *(version.version for version in later))
        return made

    def without(self, by_owners: Sequence[Outstanding]) -> TrustedDirectory:
        """This version, in which what authorities revoked by themselves doesn't count either; nothing is gained."""
        if not by_owners:
            return self
        made = self._restricted(Revocations().joined(*(one.items.revocations for one in by_owners)))
        made.known_version = self.known_version
        made.owners_digest = sha256(b"".join(one.revocation.digest for one in by_owners)).digest()
        return made

    def _restricted(self, revoked: Revocations) -> TrustedDirectory:
        return TrustedDirectory(
            _TOKEN,
            directory=revoked.restrict(self.directory),
            note=self.note,
            text=self.text,
            signed_by=self.signed_by,
            warnings=self.warnings,
        )

    def validity(self, at: datetime) -> Validity:
        return self.directory.validity(at)

    def log_verifiers(self, origin: FeedOrigin, at: datetime, *, alone: bool = False) -> tuple[Verifier, ...]:
        """Keys whose checkpoints of this feed count, with the second keys that they need; none if unknown.

        Args:
            alone: without second keys: a node that takes a version late has signed without them for a while.
        """
        if origin.federation != self.federation or origin.publisher not in self.directory.signers():
            return ()
        records = () if alone else self.directory.signer(origin.publisher).log_keys
        second, _since = _second_keys(origin.line, records, at)
        keys = self.directory.log_keys(origin.publisher, at)
        return tuple(Verifier(origin.line, key, second=second) for key in keys)

    def every_log_verifier(self, origin: FeedOrigin) -> tuple[Verifier, ...]:
        """All log keys of the feed's publisher, also past, future and revoked ones, without second keys.

        They show what a node once signed; they don't authenticate new data.
        """
        records = of_algorithm(self.directory.signer(origin.publisher).log_keys)
        return tuple(verifier_of(origin.line, record) for record in records)

    def cosign_verifiers(self, node: str, at: datetime, *, alone: bool = False) -> tuple[Verifier, ...]:
        """Keys whose receipts count, with the second keys that they need; as `log_verifiers`."""
        if node not in self.directory.signers():
            return ()
        name = receipts_key_name(self.federation, node)
        second, since = _second_keys(name, () if alone else self.directory.signer(node).cosign_keys, at)
        keys = self.directory.cosign_keys(node, at)
        return tuple(Verifier(name, key, SignatureType.COSIGNATURE, second, since) for key in keys)

    def every_cosign_verifier(self, node: str) -> tuple[Verifier, ...]:
        """All receipts keys of a node, also past, future and revoked ones; as `every_log_verifier`."""
        name = receipts_key_name(self.federation, node)
        records = of_algorithm(self.directory.signer(node).cosign_keys)
        return tuple(verifier_of(name, record, SignatureType.COSIGNATURE) for record in records)

    def every_second_verifier(self, origin: FeedOrigin) -> tuple[Verifier, ...]:
        """All second keys of a feed's two nodes; as `every_log_verifier`."""
        of_publisher = self.directory.signer(origin.publisher).log_keys
        of_recipient = self.directory.signer(origin.recipient).cosign_keys
        receipts = receipts_key_name(self.federation, origin.recipient)
        return tuple(
            verifier_of(name, record)
            for name, records in ((origin.line, of_publisher), (receipts, of_recipient))
            for record in of_algorithm(records, KeyAlgorithm.ML_DSA_44)
        )

    def directory_verifiers(self) -> tuple[Verifier, ...]:
        return tuple(Verifier.from_vkey(authority.directory_key) for authority in self.directory.authorities.values())


def _second_keys(name: str, records: Iterable[KeyRecord], at: datetime) -> tuple[tuple[Verifier, ...], int]:
    """Second keys that count at a time, of which one is needed, and since when (POSIX seconds)."""
    usable = [record for record in of_algorithm(records, KeyAlgorithm.ML_DSA_44) if record.usable(at)]
    second = tuple(verifier_of(name, record) for record in usable)
    return second, int(min((record.not_before.timestamp() for record in usable), default=0))


def accept(
    note: bytes, *, now: datetime, previous: TrustedDirectory | None = None, anchors: RootOfTrust | None = None
) -> TrustedDirectory:
    """Verifies a version, in this order (after The Update Framework 1.0, section 5.3):

    1. Form: the size is capped, then the bytes are parsed as a signed note.
    2. Succession: the previous version's threshold of its authorities' keys has signed these bytes; for the first
       version, the pinned anchors' threshold. Only now is the text read as a directory.
    3. Own threshold: the version's own threshold of its own authorities' keys has signed it, and nobody unknown to both
       versions.
    4. Federation: the previous one's, or the anchors'.
    5. Version: greater than the previous one; equal only for the same text.
    6. Validity: not beyond the grace period. Within it the version is accepted with a warning. The version in force
       stays in force beyond it, with a warning too, since a restart must not stop more than the end of the exchange.

    The very bytes of the version in force were verified already; only step 6 is left.

    Args:
        note: untrusted bytes.
        previous: the version in force; it may have expired.
        anchors: for the first version.

    Raises:
        DirectoryError: a step fails; `metadata["step"]` names it.
    """
    if previous is not None and note == previous.note:
        directory, text, signed_by = previous.directory, previous.text, previous.signed_by
    else:
        directory, text, signed_by = _verified(note, previous, anchors)  # 1 to 5
    in_force = previous is not None and text == previous.text
    warnings = _check_validity(directory, now, in_force=in_force)  # 6
    return TrustedDirectory(_TOKEN, directory=directory, note=note, text=text, signed_by=signed_by, warnings=warnings)


def follow(note: bytes, *, previous: TrustedDirectory) -> TrustedDirectory:
    """Verifies a version that isn't put in force, and may only lead to a later one: steps 1 to 5 of `accept`.

    It may have expired: `accept` decides about that when it is put in force.

    Raises:
        DirectoryError: a step fails, or it isn't later than the previous one.
    """
    directory, text, signed_by = _verified(note, previous, None)
    if directory.version == previous.version:
        raise _refused("5 version", f"version {previous.version} doesn't follow on itself")
    return TrustedDirectory(_TOKEN, directory=directory, note=note, text=text, signed_by=signed_by, warnings=())


def reopen(notes: Sequence[bytes], *, anchors: RootOfTrust) -> TrustedDirectory:
    """The newest of the versions that a node accepted and kept, as the `previous` of the next: see `reopen_all`."""
    return reopen_all(notes, anchors=anchors)[-1]


def reopen_all(notes: Sequence[bytes], *, anchors: RootOfTrust) -> tuple[TrustedDirectory, ...]:
    """Verifies the versions that a node accepted and kept; returns those that count, the oldest first.

    The bytes come from a folder that others may have written to. So the oldest version that the pinned anchors'
    threshold has signed is verified by them, and every later one by the version before it: steps 1 to 5. Versions
    before it, kept under earlier anchors, don't count. Kept versions may have expired: check `validity` before relying
    on the result.

    Args:
        notes: untrusted bytes, the oldest version first.
        anchors: the pinned keys.

    Raises:
        DirectoryError: none of the versions is signed by the anchors, or a later one doesn't follow on the one before.
    """
    trusted: list[TrustedDirectory] = []
    refusal: DirectoryError | None = None
    for note in notes:
        previous = trusted[-1] if trusted else None
        try:
            directory, text, signed_by = _verified(note, previous, anchors)
        except DirectoryError as error:
            if previous is not None:
                raise
            refusal = error
            continue
        if previous is not None and directory.version == previous.version:
            raise _refused("5 version", f"version {previous.version} was kept twice")
        trusted.append(
            TrustedDirectory(_TOKEN, directory=directory, note=note, text=text, signed_by=signed_by, warnings=())
        )
    if not trusted:
        raise refusal or _refused("2 succession", "no version was kept")
    return tuple(trusted)


def _verified(
    note: bytes, previous: TrustedDirectory | None, anchors: RootOfTrust | None
) -> tuple[Directory, bytes, tuple[str, ...]]:
    """Steps 1 to 5 of `accept`; returns the directory, its text and who signed it."""
    verifiers, threshold, federation = _succession(previous, anchors)
    _parsed_note(note)  # 1
    text = _signed_text(note, verifiers, threshold, "2 succession")  # 2
    directory = _decoded(text)
    own = [Verifier.from_vkey(authority.directory_key) for authority in directory.authorities.values()]
    _signed_text(note, own, directory.threshold, "3 own threshold")  # 3
    signed_by = _only_known(note, [*own, *verifiers])
    if directory.federation != federation:  # 4
        raise _refused("4 federation", f"it is for {directory.federation}, expected is {federation}")
    _check_version(directory, text, previous)  # 5
    return directory, text, signed_by


def unsafe_reopen(note: bytes) -> TrustedDirectory:
    """Opens a version that somebody vouches for, e.g. the user who named its file.

    Unsafe: only its own keys verify it; steps 2 and 4 to 6 are skipped. What a node kept is opened by `reopen`. Check
    `validity` before relying on it.

    Raises:
        DirectoryError: the bytes are damaged (steps 1 and 3).
    """
    text = _parsed_note(note)
    directory = _decoded(text)
    own = [Verifier.from_vkey(authority.directory_key) for authority in directory.authorities.values()]
    _signed_text(note, own, directory.threshold, "3 own threshold")
    signed_by = tuple(signature.name for signature in parse_note(note).signatures)
    return TrustedDirectory(_TOKEN, directory=directory, note=note, text=text, signed_by=signed_by, warnings=())


def _succession(
    previous: TrustedDirectory | None, anchors: RootOfTrust | None
) -> tuple[tuple[Verifier, ...], int, str]:
    """Keys, threshold and federation that a version is verified by."""
    if previous is not None:
        return previous.directory_verifiers(), previous.directory.threshold, previous.federation
    if anchors is None:
        raise _refused("2 succession", "there is no previous version, and no anchors are pinned in the settings")
    return anchors.verifiers, anchors.threshold, anchors.federation


def _parsed_note(note: bytes) -> bytes:
    try:
        return parse_note(note).unverified_text
    except MalformedError as error:
        raise _refused("1 form", error.message) from error


def _signed_text(note: bytes, verifiers: Iterable[Verifier], threshold: int, step: str) -> bytes:
    try:
        return open_note(note, verifiers, threshold).text
    except (SignatureInvalidError, ConfigurationError) as error:
        raise _refused(step, error.message) from error


def _decoded(text: bytes) -> Directory:
    try:
        return decode_directory(text)
    except MalformedError as error:
        raise _refused("2 succession", f"it is signed, but not a directory: {error.message}") from error


def _only_known(note: bytes, verifiers: Iterable[Verifier]) -> tuple[str, ...]:
    """Names of the signers. Unknown signatures are refused, so that every bit of a note is checked."""
    known = {(verifier.name, verifier.key_id) for verifier in verifiers}
    signatures = parse_note(note).signatures
    for signature in signatures:
        if (signature.name, signature.key_id) not in known:
            raise _refused("3 own threshold", f"signed by {signature.name} with a key that no version names")
    return tuple(signature.name for signature in signatures)


def _check_version(directory: Directory, text: bytes, previous: TrustedDirectory | None) -> None:
    if previous is None or directory.version > previous.version:
        return
    if directory.version < previous.version:
        raise _refused("5 version", f"version {directory.version} is older than version {previous.version} in force")
    if text != previous.text:
        raise _refused("5 version", f"there are two different versions {directory.version}; one of them is forged")


def _check_validity(directory: Directory, now: datetime, *, in_force: bool) -> tuple[str, ...]:
    if directory.validity(now) is Validity.EXPIRED and not in_force:
        raise _refused(
            "6 validity",
            f"version {directory.version} expired on {directory.expires_at:%Y-%m-%d} "
            f"and its {directory.grace_days} days of grace are over",
        )
    return tuple(validity_warnings(directory, now).values())


def validity_warnings(directory: Directory, now: datetime) -> dict[str, str]:
    """Sentences on a version that has expired or will soon (`validity`), or that is from the future (`issued`)."""
    warnings = {}
    if validity := _validity_warning(directory, now):
        warnings["validity"] = validity
    if directory.issued_at > now + CLOCK_TOLERANCE:
        warnings["issued"] = (
            f"directory version {directory.version} was issued at {directory.issued_at:%Y-%m-%dT%H:%M:%SZ}, after now: "
            "check this clock"
        )
    return warnings


def _validity_warning(directory: Directory, now: datetime) -> str:
    version, expiry = directory.version, f"{directory.expires_at:%Y-%m-%d}"
    stop = f"{directory.grace_ends_at:%Y-%m-%d}"
    match directory.validity(now):
        case Validity.EXPIRED:
            return (
                f"directory version {version} expired on {expiry}, and its {directory.grace_days} days of grace are "
                "over: partners are refused until the next version is in force"
            )
        case Validity.GRACE:
            return (
                f"directory version {version} expired on {expiry}; the exchange stops on {stop}: have the authorities "
                "sign a new version now"
            )
        case Validity.CURRENT if directory.expires_at - now < EXPIRY_WARNING:
            return (
                f"directory version {version} expires on {expiry}; the exchange stops on {stop}: have the authorities "
                "sign a new version"
            )
        case Validity.CURRENT:
            return ""


def _pinned(vkey: str) -> Verifier:
    try:
        verifier = Verifier.from_vkey(vkey)
    except MalformedError as error:
        raise ConfigurationError(f"directory anchor {vkey[:80]!r}: {error.message}") from None
    if verifier.algorithm is not SignatureType.ED25519:
        raise ConfigurationError(f"directory anchor of {verifier.name} isn't a key of type 0x01, Ed25519")
    return verifier


def _refused(step: str, why: str) -> DirectoryError:
    return DirectoryError(f"directory refused at step {step}: {why}", metadata={"step": step})
