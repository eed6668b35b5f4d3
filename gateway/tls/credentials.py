"""Loads and validates TLS credentials from files, and reloads them when they change."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.errors import CredentialsError, GatewayError
from gateway.tls.certificates import Identity, PeerCertificate, inspect_ca, inspect_certificate
from gateway.tls.private_keys import load_tls_key_pem

MAX_PEM_BYTES = 262_144
"""Longest certificate or trust anchor file in bytes: some 200 CAs, far above any federation."""

Clock = Callable[[], datetime]
"""Current time with time zone."""

TrustAnchors = Callable[[], bytes]
"""Returns the present trusted CA certificates in PEM; called for each handshake, from any thread."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """Paths of a TLS certificate and its private key, and the key's passphrase if encrypted."""

    certificate: Path
    key: Path
    passphrase: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """Validated credentials: the certificate's contents, and the bytes for gRPC."""

    certificate: PeerCertificate
    certificate_pem: bytes
    key_pem: bytes
    trust_anchors_pem: bytes


def load_material(files: TlsFiles, *, identity: Identity, trust_anchors_pem: bytes, now: datetime) -> TlsMaterial:
    """Reads and validates TLS credentials of a node or system.

    1. The certificate has the federation's form and names `identity`.
    2. It is valid at `now`.
    3. The key can be read and belongs to the certificate.
    4. The trust anchors are one or more CA certificates.

    Raises ConfigurationError with the file.
    """
    certificate_pem = _read(files.certificate)
    certificate = _own_certificate(files.certificate, certificate_pem, identity)  # 1
    if not certificate.not_before <= now <= certificate.not_after:  # 2
        raise CredentialsError(
            f"{files.certificate}: valid from {certificate.not_before:%Y-%m-%d %H:%M:%SZ} to "
            f"{certificate.not_after:%Y-%m-%d %H:%M:%SZ}, and now is {now:%Y-%m-%d %H:%M:%SZ}"
        )
    key_pem = load_tls_key_pem(files.key, files.passphrase)  # 3
    _require_pair(files, certificate_pem, key_pem)
    split_trust_anchors(trust_anchors_pem)  # 4
    return TlsMaterial(certificate, certificate_pem, key_pem, trust_anchors_pem)


def split_trust_anchors(pem: bytes) -> tuple[bytes, ...]:
    """The CA certificates of a PEM file; raises ConfigurationError for none, or one not of the federation's form."""
    if len(pem) > MAX_PEM_BYTES:
        raise CredentialsError(f"trust anchors: more than {MAX_PEM_BYTES} bytes")
    end = b"-----END CERTIFICATE-----"
    parts = [part.strip() + b"\n" + end + b"\n" for part in pem.split(end)[:-1]]
    if not parts:
        raise CredentialsError("trust anchors: no CA certificate")
    for part in parts:
        inspect_ca(part)
    return tuple(parts)


class TlsSource:
    """TLS credentials from files, reloaded when they change.

    `current` may be called from any thread; gRPC calls it for each handshake. It compares trust anchors, and the files'
    times and sizes. An invalid change is logged once as an error and the previous credentials stay in force: a
    half-written file must not cut a node off.
    """

    def __init__(self, files: TlsFiles, *, identity: Identity, trust_anchors: TrustAnchors, clock: Clock) -> None:
        """Loads for the first time; raises ConfigurationError if not valid."""
        self._files = files
        self._identity = identity
        self._trust_anchors = trust_anchors
        self._clock = clock
        self._lock = threading.Lock()
        self._state = self._read_state()
        self._material = self._load(self._state)
        self._generation = 1
        self._reported = ""

    @property
    def files(self) -> TlsFiles:
        """Where certificate and key are."""
        return self._files

    @property
    def generation(self) -> int:
        """Number of the credentials in force; when it rises, a link opens a new channel."""
        self.current()
        return self._generation

    def current(self) -> TlsMaterial:
        """The credentials in force, reloaded if changed and valid."""
        with self._lock:
            try:
                self._take_change()
            except GatewayError as error:
                self._report(error)
            return self._material

    def _report(self, error: GatewayError) -> None:
        if error.message == self._reported:
            return
        self._reported = error.message
        _log.error(
            "TLS credentials changed and are not valid; the previous ones stay in force",
            extra={
                "certificate": str(self._files.certificate),
                "key": str(self._files.key),
                "error": error.message,
            },
        )

    def _take_change(self) -> None:
        now = self._read_state()
        if now == self._state:
            return
        self._state = now  # before validation, so that a broken file is reported once and not at every handshake
        self._material = self._load(now)
        self._generation += 1
        self._reported = ""
        _log.info(
            "TLS credentials taken over",
            extra={
                "certificate": self._material.certificate.fingerprint_sha256,
                "not_after": self._material.certificate.not_after.isoformat(),
            },
        )

    def _load(self, state: _FileState) -> TlsMaterial:
        return load_material(
            self._files, identity=self._identity, trust_anchors_pem=state.trust_anchors, now=self._clock()
        )

    def _read_state(self) -> _FileState:
        return _FileState(_stamp(self._files.certificate), _stamp(self._files.key), self._trust_anchors())


@dataclass(frozen=True, slots=True)
class _FileState:
    certificate: tuple[int, int, int]
    key: tuple[int, int, int]
    trust_anchors: bytes


def _stamp(path: Path) -> tuple[int, int, int]:
    # The inode as well: a rename within one clock tick of the file system may keep time and size.
    try:
        status = path.stat()
    except OSError as error:
        raise CredentialsError(f"{path}: {error.strerror}") from error
    return status.st_mtime_ns, status.st_size, status.st_ino


def anchors_from_file(path: Path) -> TrustAnchors:
    """Trust anchors read from a file for each handshake."""
    return lambda: _read(path)


def _own_certificate(path: Path, pem: bytes, identity: Identity) -> PeerCertificate:
    try:
        certificate = inspect_certificate(pem)
    except GatewayError as error:
        raise CredentialsError(f"{path}: {error.message}") from error
    if certificate.identity != identity:
        raise CredentialsError(f"{path}: is the certificate of {certificate.identity}, not of {identity}")
    return certificate


def _require_pair(files: TlsFiles, certificate_pem: bytes, key_pem: bytes) -> None:
    key = load_pem_private_key(key_pem, None)
    if x509.load_pem_x509_certificate(certificate_pem).public_key() != key.public_key():
        raise CredentialsError(f"{files.key}: doesn't belong to the certificate {files.certificate}")


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_PEM_BYTES + 1)
    except OSError as error:
        raise CredentialsError(f"{path}: {error.strerror}") from error
    if len(content) > MAX_PEM_BYTES:
        raise CredentialsError(f"{path}: longer than {MAX_PEM_BYTES} bytes")
    return content
