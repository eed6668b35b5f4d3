"""Warns before what a node needs ends: directory, agreements, signing keys, certificates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType

from gateway.feed.service.alarms import CERTIFICATE, DIRECTORY, Alarms
from gateway.telemetry.metrics import Metrics
from gateway.tls.certificates import inspect_ca
from gateway.tls.credentials import TlsMaterial
from gateway.trust.rules.directory import Agreement, Directory, KeyAlgorithm, KeyRecord, of_algorithm
from gateway.trust.service.directory_versions import validity_warnings

CERTIFICATE_WARNING = timedelta(days=14)
"""Warning time before a certificate expires; a new one needs nobody else."""

AGREED_WARNING = timedelta(days=30)
"""Warning time for what only a version of the directory can renew, which several authorities sign."""


_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Ending:
    """Something that ends soon or has ended; `code` and `subject` are the alarm's."""

    code: str
    subject: str
    message: str


@dataclass(frozen=True, slots=True)
class OwnKeys:
    """Public keys that the node signs with, the next ones included."""

    log: frozenset[bytes]
    receipts: frozenset[bytes]


def endings(
    directory: Directory,
    *,
    node: str,
    material: TlsMaterial | None,
    keys: OwnKeys | None,
    callers: Mapping[str, datetime] = MappingProxyType({}),
    now: datetime,
) -> Iterator[Ending]:
    """All that ends soon or has ended. What isn't known (None) is left out.

    Args:
        callers: when the certificates of partners and own systems end, by principal id.
    """
    for subject, warning in validity_warnings(directory, now).items():
        yield Ending(DIRECTORY, subject, warning)
    if former := directory.why_no_member(node):
        yield Ending(DIRECTORY, "member", f"{former}: this node goes on for reading alone")
    yield from _agreements(directory, node, now)
    if keys is not None and node in directory.nodes:
        own = directory.nodes[node]
        yield from _key("log", keys.log, own.log_keys, now)
        yield from _key("receipts", keys.receipts, own.cosign_keys, now)
        for use, records in (("second log", own.log_keys), ("second receipts", own.cosign_keys)):
            seconds = of_algorithm(records, KeyAlgorithm.ML_DSA_44)
            yield from _key(use, frozenset(record.public_key for record in seconds), seconds, now)
    if material is not None and (end := material.certificate.not_after) - now < CERTIFICATE_WARNING:
        yield Ending(CERTIFICATE, "own", f"this gateway's certificate {_ends(end, now)}")
    for caller, end in sorted(callers.items()):
        if abs(end - now) < CERTIFICATE_WARNING:  # without a new one for so long, the caller is gone
            yield Ending(CERTIFICATE, caller, f"the certificate of {caller} {_ends(end, now)}")
    for name in sorted(directory.nodes):
        yield from _cas(directory, name, now)


def ends(
    directory: Directory, *, node: str, material: TlsMaterial, keys: OwnKeys, callers: Mapping[str, datetime]
) -> dict[tuple[str, str], datetime]:
    """When what a node needs ends, by kind and subject: the directory, own keys, certificates and CAs."""
    found = {("directory", "own"): directory.expires_at, ("certificate", node): material.certificate.not_after}
    found |= {("certificate", caller): end for caller, end in callers.items()}
    if node in directory.nodes:
        own = directory.nodes[node]
        for use, own_keys, records in (("log", keys.log, own.log_keys), ("receipts", keys.receipts, own.cosign_keys)):
            all_ends = [_key_end(record) for record in records if record.public_key in own_keys]
            found |= {("key", use): max(all_ends)} if all_ends else {}
    for name in directory.nodes:
        if pems := directory.tls_ca_pems(name):
            found["ca", name] = max(map(_ca_end, pems))
    return found


class ExpiryMonitor:
    """Raises an alarm for each ending, and clears it when it no longer holds."""

    def __init__(
        self,
        *,
        node: str,
        directory: Callable[[], Directory],
        material: Callable[[], TlsMaterial],
        keys: Callable[[], OwnKeys],
        callers: Callable[[], Mapping[str, datetime]],
        alarms: Alarms,
        metrics: Metrics,
    ) -> None:
        self._metrics = metrics
        self._node = node
        self._directory = directory
        self._material = material
        self._keys = keys
        self._callers = callers
        self._alarms = alarms
        self._raised: set[tuple[str, str]] = set()

    def check(self, now: datetime) -> None:
        """Compares everything with the time, on the event loop."""
        messages = {
            (ending.code, ending.subject): ending.message
            for ending in endings(
                self._directory(),
                node=self._node,
                material=self._material(),
                keys=self._keys(),
                callers=self._callers(),
                now=now,
            )
        }
        for (code, subject), message in messages.items():
            self._alarms.set(code, subject, message)
        for code, subject in self._raised - messages.keys():
            self._alarms.clear(code, subject)
        self._raised = set(messages)
        self._show(now)

    def _show(self, now: datetime) -> None:
        directory = self._directory()
        all_ends = ends(
            directory, node=self._node, material=self._material(), keys=self._keys(), callers=self._callers()
        )
        self._metrics.days_left.replace({about: (end - now) / _DAY for about, end in all_ends.items()})
        self._metrics.directory_version.set(directory.version)


def _agreements(directory: Directory, node: str, now: datetime) -> Iterator[Ending]:
    """Own agreements that end before the directory, and that no other one follows."""
    for agreement in directory.agreements:
        end = agreement.valid_until
        if node not in (agreement.sender, agreement.recipient) or not agreement.in_force(now):
            continue
        if end - now < AGREED_WARNING and end < directory.expires_at and not _followed(directory, agreement):
            message = (
                f"agreement {agreement.id} ends at {end:%Y-%m-%d %H:%M} UTC, before the directory: nothing may be sent "
                f"under it from {agreement.sender} to {agreement.recipient} afterwards"
            )
            yield Ending(DIRECTORY, f"agreement {agreement.id}", message)


def _followed(directory: Directory, agreement: Agreement) -> bool:
    return any(
        (other.sender, other.recipient) == (agreement.sender, agreement.recipient)
        and other.in_force(agreement.valid_until)
        and other.message_types >= agreement.message_types
        and other.purposes >= agreement.purposes
        for other in directory.agreements
    )


def _key(use: str, keys: frozenset[bytes], records: tuple[KeyRecord, ...], now: datetime) -> Iterator[Ending]:
    """The last of some keys, if it ends soon."""
    end = max((_key_end(record) for record in records if record.public_key in keys), default=None)
    if end is not None and end - now < AGREED_WARNING:
        yield Ending(DIRECTORY, f"{use} key", f"this node's {use} key counts until {end:%Y-%m-%d %H:%M} UTC")


def _key_end(record: KeyRecord) -> datetime:
    return min(record.not_after, record.revoked_at or record.not_after)


def _cas(directory: Directory, name: str, now: datetime) -> Iterator[Ending]:
    """A node whose last CA certificate ends soon."""
    last = max(map(_ca_end, directory.tls_ca_pems(name)), default=None)
    if last is not None and last - now < AGREED_WARNING:
        yield Ending(CERTIFICATE, f"CA {name}", f"the CA certificate of {name} in the directory {_ends(last, now)}")


@lru_cache(maxsize=1024)
def _ca_end(pem: str) -> datetime:
    return inspect_ca(pem).not_after


def _ends(end: datetime, now: datetime) -> str:
    at = f"{end:%Y-%m-%d %H:%M}"
    return f"ends at {at} UTC" if end > now else f"has ended at {at} UTC"
