"""Decides whether to trust what an authority revokes by itself, and what of it counts.

Only `verify_revocation` makes a `TrustedRevocation`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from gateway.errors import (
    ConfigurationError,
    DirectoryError,
    MalformedError,
    SignatureInvalidError,
    TooLargeError,
    UnauthenticatedError,
)
from gateway.plurals import counted
from gateway.tlog.note import Verifier, open_note, parse_note
from gateway.tls.certificates import inspect_ca, inspect_certificate, issued
from gateway.trust.codec.owner_revocation import MAX_REVOCATION_BYTES, decode_revocation
from gateway.trust.rules.directory import Directory, FederationNode
from gateway.trust.rules.owner_revocations import OwnCertificate, OwnerRevocation, RevokedItems, outstanding
from gateway.trust.rules.revocations import Revocations

_TOKEN = object()


class TrustedRevocation:
    """A revocation that passed `verify_revocation`.

    Attributes:
        content: what the authority says.
        certificates: those that it names.
        digest: SHA-256 of its text, without the signature.
    """

    __slots__ = ("certificates", "content", "digest", "note")

    def __init__(
        self,
        token: object,
        *,
        content: OwnerRevocation,
        certificates: tuple[OwnCertificate, ...],
        note: bytes,
        digest: bytes,
    ) -> None:
        if token is not _TOKEN:
            raise TypeError("a TrustedRevocation comes from verify_revocation() alone")
        self.content = content
        self.certificates = certificates
        self.note = note
        self.digest = digest

    def __repr__(self) -> str:
        return f"TrustedRevocation(authority={self.authority!r}, digest={self.digest.hex()[:16]!r})"

    @property
    def authority(self) -> str:
        return self.content.authority


@dataclass(frozen=True, slots=True)
class Outstanding:
    """A revocation that counts beside the version in force, with what of it does."""

    revocation: TrustedRevocation
    items: RevokedItems


def verify_revocation(note: bytes, directory: Directory) -> TrustedRevocation:
    """Verifies that an authority revokes what is its own, in this order:

    1. Form: the size is capped, then the bytes are parsed as a signed note with one signature.
    2. Signature: the directory key that this version of the directory names for an authority has signed these bytes.
       Only now is the text read as a revocation.
    3. Content: it is for this federation, and by the authority that signed it.
    4. Owner: each certificate is a CA of that authority's nodes or signed by one, for that node; each key is named by
       the directory as one of these nodes'. One that isn't refuses the whole.

    Args:
        note: untrusted bytes.
        directory: the version in force.

    Raises:
        DirectoryError: a step fails; `metadata["step"]` names it.
    """
    signer, name = _signer(note, directory)  # 1
    try:
        text = open_note(note, [signer]).text  # 2
    except (SignatureInvalidError, ConfigurationError) as error:
        raise _refused("2 signature", error.message) from error
    try:
        content = decode_revocation(text)  # 3
    except MalformedError as error:
        raise _refused("3 content", f"it is signed, but not a revocation: {error.message}") from error
    if content.federation != directory.federation:
        raise _refused("3 content", f"it is for {content.federation}, expected is {directory.federation}")
    if content.authority != name:
        raise _refused("3 content", f"{name} has signed it, and it says that it is by {content.authority}")
    certificates = _own_certificates(content, directory)  # 4
    return TrustedRevocation(
        _TOKEN, content=content, certificates=certificates, note=note, digest=sha256(text).digest()
    )


def all_outstanding(revocations: Sequence[TrustedRevocation], history: Sequence[Directory]) -> tuple[Outstanding, ...]:
    """Revocations that have an effect, with what of each does.

    Args:
        history: versions that are or were in force here, the oldest first.
    """
    if not revocations:
        return ()
    in_force, said = history[-1], Revocations.of(history)
    cas = frozenset(inspect_ca(pem).fingerprint_sha256 for node in in_force.nodes.values() for pem in node.tls_ca_pems)
    found = (
        Outstanding(one, outstanding(one.certificates, one.content.keys, in_force=in_force, said=said, cas=cas))
        for one in revocations
    )
    return tuple(one for one in found if one.items)


def own_certificate(pem: str, authority: str, directory: Directory) -> OwnCertificate:
    """Reads a certificate that an authority may revoke: a CA of its nodes, or one that such a CA signed.

    Raises:
        DirectoryError: it is another's, or no certificate.
    """
    nodes = nodes_of(authority, directory)
    try:
        stated = inspect_certificate(pem.encode())
    except UnauthenticatedError:
        return _own_ca(pem, authority, nodes)
    node = stated.identity.node
    if node not in nodes:
        raise _refused("4 owner", f"certificate {stated.fingerprint_sha256} of {stated.identity} isn't {authority}'s")
    try:
        known = issued(pem.encode(), trust_domain=directory.federation, ca_pems=nodes[node].tls_ca_pems)
    except UnauthenticatedError as error:
        raise _refused(
            "4 owner", f"certificate {stated.fingerprint_sha256} isn't under {authority}'s own CA: {error.message}"
        ) from error
    return OwnCertificate(stated.fingerprint_sha256, known.issuer_fingerprint, str(stated.identity), stated.not_after)


def nodes_of(authority: str, directory: Directory) -> dict[str, FederationNode]:
    """The authority's nodes, by name."""
    return {name: node for name, node in directory.nodes.items() if node.authority == authority}


def _signer(note: bytes, directory: Directory) -> tuple[Verifier, str]:
    """Step 1, and the directory key that is to verify the note, with its authority."""
    try:
        if len(note) > MAX_REVOCATION_BYTES:
            raise TooLargeError(f"a revocation of {len(note)} bytes; at most {MAX_REVOCATION_BYTES} are read")
        signatures = parse_note(note).signatures
    except (MalformedError, TooLargeError) as error:
        raise _refused("1 form", error.message) from error
    if len(signatures) != 1:
        raise _refused("1 form", f"{counted(len(signatures), 'signature')}; its authority alone signs it, once")
    claimed = signatures[0]
    for name, authority in directory.authorities.items():
        verifier = Verifier.from_vkey(authority.directory_key)
        if verifier.name == claimed.name:
            if verifier.key_id != claimed.key_id:
                raise _refused(
                    "2 signature",
                    f"signed by {claimed.name} with another key than directory version {directory.version} names",
                )
            return verifier, name
    raise _refused("2 signature", f"signed by {claimed.name}, which directory version {directory.version} doesn't name")


def _own_certificates(content: OwnerRevocation, directory: Directory) -> tuple[OwnCertificate, ...]:
    """Step 4."""
    own = {
        record.public_key
        for node in nodes_of(content.authority, directory).values()
        for record in (*node.log_keys, *node.cosign_keys)
    }
    for key in content.keys:
        if key not in own:
            raise _refused("4 owner", f"no log or receipts key of {content.authority} is {key.hex()}")
    return tuple(own_certificate(pem, content.authority, directory) for pem in content.certificates)


def _own_ca(pem: str, authority: str, nodes: dict[str, FederationNode]) -> OwnCertificate:
    try:
        ca = inspect_ca(pem)
    except ConfigurationError as error:
        raise _refused("4 owner", f"it names a certificate that can't be read: {error.message}") from error
    for name, node in nodes.items():
        if any(inspect_ca(own).fingerprint_sha256 == ca.fingerprint_sha256 for own in node.tls_ca_pems):
            return OwnCertificate(ca.fingerprint_sha256, ca.fingerprint_sha256, name, ca.not_after)
    raise _refused("4 owner", f"the CA {ca.subject} ({ca.fingerprint_sha256}) isn't {authority}'s")


def _refused(step: str, why: str) -> DirectoryError:
    return DirectoryError(f"revocation refused at step {step}: {why}", metadata={"step": step})
