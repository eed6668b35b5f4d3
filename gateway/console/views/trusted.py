"""What a node trusts, in words: certificates and keys by their use, and what a signed directory says."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.node_service_pb2 import CertificateStatus, DirectorySigner

GATEWAY: Final = "gateway"
SYSTEM: Final = "system"
CA: Final = "ca"
"""Uses of certificates, as the contract has them."""

_SIGNATURE: Final = "— "
"""Begins each line of a signature in a signed note (C2SP signed-note)."""

_CERTIFICATES: Final[Mapping[str, str]] = {
    GATEWAY: N_("Gateway, to partners"),
    SYSTEM: N_("System of this authority"),
    CA: N_("CA, which issues certificates"),
}

_KEYS: Final[Mapping[str, str]] = {
    "log": N_("Signs what is sent"),
    "receipts": N_("Signs receipts"),
}


def certificate_use(use: str) -> str:
    """What a certificate is for; the contract's word where it isn't known here."""
    return _(_CERTIFICATES[use]) if use in _CERTIFICATES else use


def key_use(use: str) -> str:
    """What a signing key is for; the contract's word where it isn't known here."""
    return _(_KEYS[use]) if use in _KEYS else use


def system_name(certificate: CertificateStatus) -> str:
    """The name of a system, from its principal."""
    return certificate.subject.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class AgreementEnd:
    """An agreement in force, from whom to whom, and when it ends."""

    name: str
    sender: str
    recipient: str
    end: datetime


@dataclass(frozen=True, slots=True)
class SignedDirectory:
    """What a signed note of the directory says: its document, and the names of its signers."""

    document: dict[str, object]
    signers: tuple[str, ...]

    @classmethod
    def of(cls, note: bytes) -> SignedDirectory:
        """Reads a note that the gateway has verified; what can't be read is left out."""
        text, _separator, signatures = note.decode("utf-8", "replace").rpartition("\n\n")
        names = [
            line[len(_SIGNATURE) :].split(" ")[0] for line in signatures.splitlines() if line.startswith(_SIGNATURE)
        ]
        try:
            document = json.loads(text)
        except ValueError:
            document = {}
        return cls(document if isinstance(document, dict) else {}, tuple(names))

    @property
    def threshold(self) -> str:
        """How many must sign; empty where the document doesn't say."""
        return str(self.document.get("threshold", ""))

    @property
    def agreements(self) -> Sequence[AgreementEnd]:
        """Its agreements; what can't be read is left out."""
        listed = self.document.get("agreements", ())
        found = [_agreement(one) for one in (listed if isinstance(listed, list) else ())]
        return [one for one in found if one is not None]


@dataclass(frozen=True, slots=True)
class SignatureCount:
    """Authorities whose signatures a version needs, those that have signed and those that haven't."""

    title: str
    needed: int
    signed: Sequence[str]
    missing: Sequence[str]

    @property
    def is_enough(self) -> bool:
        return len(self.signed) >= self.needed


def signature_counts(
    signers: Iterable[DirectorySigner], threshold_in_force: int, threshold: int
) -> Sequence[SignatureCount]:
    """By the version in force, and by the new one where that asks for others."""
    rows = list(signers)
    before = _count(_("By the version in force"), threshold_in_force, [row for row in rows if row.counts_in_force])
    after = _count(_("By this version itself"), threshold, [row for row in rows if row.counts_itself])
    same = all(row.counts_in_force and row.counts_itself for row in rows) and threshold == threshold_in_force
    return [before] if same else [before, after]


def _count(title: str, needed: int, rows: Sequence[DirectorySigner]) -> SignatureCount:
    signed, missing = ([row.authority for row in rows if row.signed is given] for given in (True, False))
    return SignatureCount(title, needed, signed, missing)


def _agreement(document: object) -> AgreementEnd | None:
    if not isinstance(document, dict):
        return None
    name, sender, recipient, until = (
        str(document.get(key, "")) for key in ("id", "sender", "recipient", "valid_until")
    )
    try:
        return AgreementEnd(name, sender, recipient, datetime.fromisoformat(until).astimezone(UTC))
    except (ValueError, OverflowError):
        return None
