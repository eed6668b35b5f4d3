"""Checks a node before start or while running; only creates a missing database file."""

from __future__ import annotations

import asyncio
import functools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from sqlalchemy import text

from gateway.contract.ids import GatewayIdentity
from gateway.db.database import Database
from gateway.errors import ConfigurationError, DirectoryError, GatewayError, UnavailableError
from gateway.node.defaults import LinkMode
from gateway.node.directory_store import KeptVersions, pinned_anchors
from gateway.node.expiry import CERTIFICATE_WARNING
from gateway.node.host.capacity import needed_descriptors, secure_descriptors
from gateway.node.host.file_modes import shared_paths
from gateway.node.settings import LinkSettings, Settings
from gateway.node.signing_keys import passphrase_of
from gateway.rpc.listener.health_probe import require_serving
from gateway.rpc.listener.tls_probe import probe_tls_versions
from gateway.tls.certificates import authenticate, inspect_ca
from gateway.tls.credentials import TlsFiles, TlsMaterial, load_material
from gateway.trust.pki.keys import load_signing_key
from gateway.trust.rules.directory import Directory, Validity, receipts_key_name
from gateway.trust.service.directory_versions import CLOCK_TOLERANCE, TrustedDirectory, accept

FREE_SPACE_WARNING_BYTES = 1 << 30
"""Bytes of free disk space below which to warn: a million alerts."""

MAX_FILE_BYTES = 4 << 20
"""Largest file read here, in bytes."""


class Result(StrEnum):
    """Result of a check."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the self-check; `way_out`: what to do, empty for nothing."""

    check: str
    result: Result
    detail: str
    way_out: str = ""


class NodeChecks:
    """All checks; later ones use earlier results."""

    def __init__(self, settings: Settings, *, config: Path, now: datetime) -> None:
        """`config`: file of the settings."""
        self._settings = settings
        self._config = config
        self._now = now
        self._material: TlsMaterial | None = None
        self._trusted: TrustedDirectory | None = None

    def run(self) -> Iterator[Finding]:
        """Yields findings. A check that can't be done has failed."""
        checks: tuple[tuple[str, Callable[[str], Iterator[Finding]]], ...] = (
            ("TLS certificate", self._certificate),
            ("Own CA", self._own_ca),
            ("Directory", self._directory),
            ("Certificate in directory", self._certificate_in_directory),
            ("Signing keys", self._signing_keys),
            ("Clock", self._clock),
            ("Database", self._database),
            ("File permissions", self._file_modes),
            ("Disk space", self._disk),
            ("Open files", self._descriptors),
            ("Peer port", lambda name: self._own_port(name, self._settings.peer_bind)),
            ("Local port", lambda name: self._own_port(name, self._settings.local_bind)),
            ("Partners", self._partners),
        )
        for name, check in checks:
            yield from _guarded(name, check)

    def _certificate(self, name: str) -> Iterator[Finding]:
        tls = self._settings.tls
        self._material = load_material(
            TlsFiles(certificate=tls.certificate, key=tls.key, passphrase=tls.passphrase()),
            identity=GatewayIdentity(self._settings.federation, self._settings.node),
            trust_anchors_pem=_read(tls.ca),
            now=self._now,
        )
        yield _expiry(name, self._material.certificate.not_after, self._now, str(tls.certificate))

    def _own_ca(self, name: str) -> Iterator[Finding]:
        ca = inspect_ca(_read(self._settings.tls.ca))
        if ca.not_after <= self._now:
            raise ConfigurationError(f"{self._settings.tls.ca}: ended on {ca.not_after:%Y-%m-%d}")
        yield _expiry(name, ca.not_after, self._now, str(self._settings.tls.ca))

    def _directory(self, name: str) -> Iterator[Finding]:
        settings = self._settings.directory
        anchors = pinned_anchors(self._settings)
        previous = KeptVersions(self._settings.data_dir).newest(anchors)
        trusted = accept(_read(settings.file), now=self._now, previous=previous, anchors=anchors)
        trusted.directory.node(self._settings.node)
        self._trusted = trusted
        detail = f"version {trusted.version}, signed by {', '.join(trusted.signed_by)}"
        for warning in trusted.warnings:
            yield Finding(name, Result.WARN, warning, DirectoryError.way_out)
        if trusted.validity(self._now) is Validity.CURRENT:
            yield Finding(name, Result.OK, f"{detail}, until {trusted.directory.expires_at:%Y-%m-%d}")

    def _certificate_in_directory(self, name: str) -> Iterator[Finding]:
        directory, material = self._needed()
        authenticate(
            material.certificate_pem,
            trust_domain=directory.federation,
            ca_pems=directory.tls_ca_pems(self._settings.node),
            revoked_fingerprints=directory.revoked_certificates,
            now=self._now,
        )
        yield Finding(name, Result.OK, "partners will accept it")

    def _signing_keys(self, name: str) -> Iterator[Finding]:
        directory, _ = self._needed()
        keys, federation, node = self._settings.keys, self._settings.federation, self._settings.node
        passphrase = passphrase_of(self._settings)
        log_key = load_signing_key(keys.log, name=f"{federation}/{node}/log", passphrase=passphrase)
        receipts = load_signing_key(keys.receipts, name=receipts_key_name(federation, node), passphrase=passphrase)
        for path, key, listed in (
            (keys.log, log_key, directory.log_keys(node, self._now)),
            (keys.receipts, receipts, directory.cosign_keys(node, self._now)),
        ):
            if key.public_key not in listed:
                raise ConfigurationError(
                    f"{path}: directory version {directory.version} doesn't list this key for {node} as valid now"
                )
        yield Finding(name, Result.OK, "both are listed in the directory and valid now")

    def _clock(self, name: str) -> Iterator[Finding]:
        seen = [("the directory was issued", self._needed()[0].issued_at)]
        database = self._settings.data_dir / "gateway.sqlite3"
        if database.exists():
            seen.append(("the database was written", datetime.fromtimestamp(database.stat().st_mtime, UTC)))
        for what, when in seen:
            if when > self._now + CLOCK_TOLERANCE:
                raise ConfigurationError(f"{what} at {when:%Y-%m-%d %H:%M} UTC, which is later than this clock says")
        yield Finding(
            name, Result.OK, f"{self._now:%Y-%m-%d %H:%M:%S} UTC; compare it with a trusted clock now and then"
        )

    def _database(self, name: str) -> Iterator[Finding]:
        database = Database(self._settings.effective_database_url)
        try:
            with database.write() as connection:
                connection.execute(text("SELECT 1"))
        finally:
            database.close()
        yield Finding(name, Result.OK, f"{database.dialect}, can be written")

    def _file_modes(self, name: str) -> Iterator[Finding]:
        shared = list(shared_paths(self._settings, self._config))
        for path in shared:
            result, what = (Result.FAIL, "change") if path.writable else (Result.WARN, "read")
            yield Finding(name, result, f"group or others may {what} {path}", f"Run `chmod go-rwx {path.path}`.")
        if not shared:
            yield Finding(name, Result.OK, "settings, data folder and database are this user's alone")

    def _disk(self, name: str) -> Iterator[Finding]:
        folder = self._settings.data_dir
        free = shutil.disk_usage(folder if folder.exists() else folder.parent).free
        detail = f"{free / (1 << 30):.1f} GiB free at {folder}"
        if free < FREE_SPACE_WARNING_BYTES:
            yield Finding(name, Result.WARN, detail, "Free some: publishing stops when it is full.")
        else:
            yield Finding(name, Result.OK, detail)

    def _descriptors(self, name: str) -> Iterator[Finding]:
        secure_descriptors(self._settings.connections)
        needed = needed_descriptors(self._settings.connections)
        yield Finding(name, Result.OK, f"{needed:,} files and connections are needed and may be opened from here")

    def _own_port(self, name: str, bind: str) -> Iterator[Finding]:
        host, port = _dialled(bind)
        try:
            versions = probe_tls_versions(host, port)
        except UnavailableError:
            way_out = "Nothing to do before `gateway serve`; if it should run, see its log."
            yield Finding(name, Result.WARN, f"nobody listens on {bind}", way_out)
            return
        if not versions.floor_holds:
            raise ConfigurationError(f"{bind} accepts {_spoken(versions.tls12, versions.tls13)}; only TLS 1.3 may be")
        yield Finding(name, Result.OK, f"{bind} speaks TLS 1.3 alone")

    def _partners(self, name: str) -> Iterator[Finding]:
        directory, _ = self._needed()
        own = self._settings.node
        partners = sorted(directory.partners(own, self._now))
        if not partners:
            yield Finding(name, Result.WARN, "no agreement is in force with anybody", "See `gateway directory show`.")
        for partner in partners:
            yield from _guarded(f"Partner {partner}", functools.partial(self._partner, partner))

    def _partner(self, partner: str, name: str) -> Iterator[Finding]:
        directory, material = self._needed()
        how = self._settings.links.get(partner, LinkSettings())
        if how.mode is LinkMode.PULL and not how.fetch:
            yield Finding(name, Result.OK, "fetches from here; this node doesn't connect to it")
            return
        node = directory.node(partner)
        endpoint = how.endpoint or next(iter(node.endpoints), "")
        if not endpoint:
            raise DirectoryError(f"the directory gives no endpoint of {partner}, and the settings have none")
        versions = probe_tls_versions(*_dialled(endpoint))
        ca_pem = "".join(node.tls_ca_pems).encode()
        asyncio.run(require_serving(endpoint, material, ca_pem=ca_pem, server_name=node.tls_server_name))
        if versions.tls12:
            yield Finding(
                name,
                Result.WARN,
                f"{endpoint} serves, and accepts TLS 1.2 too",
                f"Links to it use TLS 1.3 all the same; tell {partner} of the old gateway or proxy.",
            )
        else:
            yield Finding(name, Result.OK, f"{endpoint} serves, speaks TLS 1.3 alone, and accepts this certificate")

    def _needed(self) -> tuple[Directory, TlsMaterial]:
        if self._trusted is None or self._material is None:
            raise _NotCheckedError("can't be checked before certificate and directory are right")
        return self._trusted.directory, self._material


class _NotCheckedError(ConfigurationError):
    """An earlier check lacks required results."""

    reason = "NOT_CHECKED"
    way_out = "See the failed checks above."


def _guarded(name: str, check: Callable[[str], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check(name)
    except GatewayError as error:
        yield Finding(name, Result.FAIL, error.message, error.way_out)
    except OSError as error:
        way_out = "Check the path, that it exists, and that this user may read or write there."
        yield Finding(name, Result.FAIL, f"{error.filename or ''}: {error.strerror or error}".lstrip(": "), way_out)


def _expiry(name: str, ends: datetime, now: datetime, path: str) -> Finding:
    left: timedelta = ends - now
    detail = f"{path} is valid until {ends:%Y-%m-%d}, {left.days} more days"
    if left < CERTIFICATE_WARNING:
        return Finding(name, Result.WARN, detail, "Have a new one signed: `gateway pki issue`; no restart is needed.")
    return Finding(name, Result.OK, detail)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES)


def _dialled(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}.get(host, host), int(port)  # noqa: S104  no bind


def _spoken(tls12: bool, tls13: bool) -> str:
    return " and ".join(name for name, spoken in (("TLS 1.2", tls12), ("TLS 1.3", tls13)) if spoken) or "no TLS"
