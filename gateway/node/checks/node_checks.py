"""All checks of a node, in order; they change nothing."""

from __future__ import annotations

import asyncio
import functools
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import text

from gateway.contract.ids import Channel, FeedOrigin, GatewayIdentity
from gateway.db.database import Database
from gateway.db.url import parse_url
from gateway.errors import ConfigurationError, DirectoryError, StoreUnavailableError
from gateway.node.capabilities.time_stamps import time_stamp_authority
from gateway.node.checks.clock import compare
from gateway.node.checks.findings import Finding, NotCheckedError, Result, guarded
from gateway.node.checks.partner_refusals import PartnerRefusals, endpoint_of, refusals_of
from gateway.node.checks.ports import OwnGateway, check_port, dialled
from gateway.node.defaults import LinkMode
from gateway.node.directory_store import KeptVersions, pinned_anchors
from gateway.node.expiry import AGREED_WARNING, CERTIFICATE_WARNING, OwnKeys, endings
from gateway.node.host.capacity import needed_descriptors, secure_descriptors
from gateway.node.host.file_modes import path_problems
from gateway.node.marks import has_run
from gateway.node.observation.durability import durability_of
from gateway.node.settings import LinkSettings, Settings
from gateway.node.signing_keys import SigningKeys
from gateway.node.signing_tokens import SigningTokens
from gateway.rpc.listener.partner_probe import ClockReading, probe_partner
from gateway.rpc.listener.tls_probe import probe_tls_versions
from gateway.tls.certificates import authenticate, inspect_ca
from gateway.tls.credentials import TlsFiles, TlsMaterial, load_material
from gateway.trust.pki.tokens import TokenState
from gateway.trust.rules.directory import Directory, Validity
from gateway.trust.service.directory_versions import CLOCK_TOLERANCE, TrustedDirectory, accept, validity_warnings
from gateway.trust.service.partner_anchors import usable_cas

FREE_SPACE_WARNING_BYTES = 1 << 30
"""Bytes of free disk space below which to warn: a million alerts."""

MORE_ON_DURABILITY = "See docs/runbook/lost-database.md, a cluster that loses nothing."

MAX_FILE_BYTES = 4 << 20
"""Largest file read here, in bytes."""


class NodeChecks:
    """All checks; later ones use earlier results."""

    def __init__(self, settings: Settings, *, config: Path, now: datetime) -> None:
        """`config`: file of the settings."""
        self._settings = settings
        self._config = config
        self._now = now
        self._started_s = time.monotonic()
        self._readings: dict[str, ClockReading] = {}
        self._material: TlsMaterial | None = None
        self._trusted: TrustedDirectory | None = None
        self._keys: OwnKeys | None = None

    def run(self) -> Iterator[Finding]:
        """Yields findings. A check that can't be done says so."""
        checks: tuple[tuple[str, Callable[[str], Iterator[Finding]]], ...] = (
            ("TLS certificate", self._certificate),
            ("Own CA", self._own_ca),
            ("Directory", self._directory),
            ("Certificate in directory", self._certificate_in_directory),
            ("Signing keys", self._signing_keys),
            ("Expiry", self._expiry),
            ("Database", self._database),
            ("File permissions", self._file_modes),
            ("Disk space", self._disk),
            ("Open files", self._descriptors),
            ("Peer port", lambda name: self._port(name, self._settings.peer_bind)),
            ("Local port", lambda name: self._port(name, self._settings.local_bind)),
            ("Partners", self._partners),
            ("Clock", self._clock),
            *([("Time stamps", self._time_stamps)] if self._settings.time_stamps.url else []),
        )
        for name, check in checks:
            yield from guarded(name, check)

    def run_refusals(self, partner: str) -> Iterator[Finding]:
        """Yields findings on what a partner's gateway refuses; of the checks before, only those that fail."""
        for name, check in (("TLS certificate", self._certificate), ("Directory", self._directory)):
            yield from (found for found in guarded(name, check) if found.result in (Result.FAIL, Result.UNKNOWN))
        yield from guarded(f"Partner {partner}", lambda _: _in_turn(self._refusals_of(partner).run()))

    def _refusals_of(self, partner: str) -> PartnerRefusals:
        directory, material = self._needed()
        return refusals_of(self._settings, directory, partner, material=material, clock=self._present)

    def _certificate(self, name: str) -> Iterator[Finding]:
        tls = self._settings.tls
        self._material = load_material(
            TlsFiles(certificate=tls.certificate, key=tls.key, passphrase=tls.passphrase()),
            identity=GatewayIdentity(self._settings.federation, self._settings.node),
            trust_anchors_pem=_read(tls.ca),
            now=self._now,
        )
        yield _lasting(name, self._material.certificate.not_after, self._now, str(tls.certificate))

    def _own_ca(self, name: str) -> Iterator[Finding]:
        ca = inspect_ca(_read(self._settings.tls.ca))
        if ca.not_after <= self._now:
            raise ConfigurationError(f"{self._settings.tls.ca}: ended on {ca.not_after:%Y-%m-%d}")
        yield _lasting(name, ca.not_after, self._now, str(self._settings.tls.ca))

    def _directory(self, name: str) -> Iterator[Finding]:
        file = self._settings.directory.file
        anchors = pinned_anchors(self._settings)
        kept = KeptVersions(self._settings.data_dir)
        history = kept.history(anchors)
        state = kept.restricted(history) if history else None
        if state is not None and not file.exists():
            trusted = state.trusted
            gone = f"{file} is gone; version {trusted.version}, accepted before, is in force"
            yield Finding(name, Result.WARN, gone, "Put the directory's file back.")
        elif state is not None:
            trusted = state.accepting(_read(file), self._now).trusted
        else:
            trusted = accept(_read(file), now=self._now, anchors=anchors)
        trusted.directory.signer(self._settings.node)
        self._trusted = trusted
        if former := trusted.directory.why_no_member(self._settings.node):
            yield Finding(name, Result.WARN, former, "This node goes on for reading alone.")
        if trusted.validity(self._now) is Validity.EXPIRED:
            raise DirectoryError(validity_warnings(trusted.directory, self._now)["validity"])
        detail = f"version {trusted.version}, signed by {', '.join(trusted.signed_by)}"
        if trusted.validity(self._now) is Validity.CURRENT and file.exists():
            yield Finding(name, Result.OK, f"{detail}, until {trusted.directory.expires_at:%Y-%m-%d}")

    def _certificate_in_directory(self, name: str) -> Iterator[Finding]:
        directory, material = self._needed()
        authenticate(
            material.certificate_pem,
            trust_domain=directory.federation,
            ca_pems=directory.own_ca_pems(self._settings.node),
            revoked_fingerprints=directory.revoked_certificates,
            now=self._now,
        )
        yield Finding(name, Result.OK, "partners will accept it")

    def _signing_keys(self, name: str) -> Iterator[Finding]:
        directory, _ = self._needed()
        with SigningTokens(self._settings) as tokens:
            keys = SigningKeys(self._settings, tokens=tokens, directory=lambda: directory, now=lambda: self._now)
            self._keys = keys.public()
            for label, status in tokens.statuses().items():
                if status.state is not TokenState.READY:
                    yield Finding(
                        name,
                        Result.WARN,
                        status.sentence(label),
                        f'Run `gateway keys unlock "{label}"` once the node runs.',
                    )
        yield Finding(name, Result.OK, "both are listed in the directory and valid now")

    def _expiry(self, name: str) -> Iterator[Finding]:
        directory, _ = self._needed()
        ends = list(endings(directory, node=self._settings.node, material=None, keys=self._keys, now=self._now))
        for ending in ends:
            yield Finding(name, Result.WARN, ending.message, "Have the next version of the directory signed.")
        if not ends:
            days = AGREED_WARNING.days
            yield Finding(name, Result.OK, f"directory, agreements, keys and CAs last {days} days and more")

    def _clock(self, name: str) -> Iterator[Finding]:
        seen = [("the directory was issued", self._trusted.directory.issued_at)] if self._trusted is not None else []
        database = self._embedded()
        if database is not None and database.exists():
            seen.append(("the database was written", datetime.fromtimestamp(database.stat().st_mtime, UTC)))
        for what, when in seen:
            if when > self._now + CLOCK_TOLERANCE:
                raise ConfigurationError(f"{what} at {when:%Y-%m-%d %H:%M} UTC, which is later than this clock says")
        yield compare(name, self._readings)

    def _database(self, name: str) -> Iterator[Finding]:
        embedded = self._embedded()
        if embedded is not None and not embedded.exists():
            if has_run(self._settings):
                raise StoreUnavailableError(
                    f"{embedded} is gone, though this node has run before",
                    way_out="Put it back, or restore the newest backup: docs/runbook/back-up-and-restore.md.",
                )
            folder = _nearest(embedded.parent)
            if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
                raise ConfigurationError(f"{folder}: this user may not make the database there")
            yield Finding(name, Result.OK, f"the first start makes {embedded}")
            return
        database = Database(self._settings.effective_database_url)
        try:
            with database.write() as connection:
                connection.execute(text("SELECT 1"))
            durability = durability_of(database)
        finally:
            database.close()
        if durability is not None and durability.risk:
            yield Finding(name, Result.WARN, f"{durability.detail}: {durability.risk}", MORE_ON_DURABILITY)
            return
        kind = database.dialect if durability is None else f"{database.dialect}: {durability.detail}"
        yield Finding(name, Result.OK, f"{kind}, can be written")

    def _embedded(self) -> Path | None:
        """File of the embedded database; None for PostgreSQL."""
        url = parse_url(self._settings.effective_database_url)
        return Path(url.database or "") if url.get_backend_name() == "sqlite" else None

    def _file_modes(self, name: str) -> Iterator[Finding]:
        problems = list(path_problems(self._settings, self._config))
        for problem in problems:
            yield Finding(name, Result.FAIL if problem.severe else Result.WARN, problem.what, problem.way_out)
        if not problems:
            yield Finding(name, Result.OK, "secrets and data are this user's alone; nobody else may change the rest")

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

    def _port(self, name: str, bind: str) -> Iterator[Finding]:
        identity = GatewayIdentity(self._settings.federation, self._settings.node)
        own = OwnGateway(identity, ca_pem=lambda: _read(self._settings.tls.ca), now=self._now)
        yield check_port(name, bind, own)

    def _partners(self, name: str) -> Iterator[Finding]:
        directory, _ = self._needed()
        own = self._settings.node
        partners = sorted(directory.partners(own, self._now))
        if not partners:
            yield Finding(name, Result.WARN, "no agreement is in force with anybody", "See `gateway directory show`.")
        for partner in partners:
            yield from guarded(f"Partner {partner}", functools.partial(self._partner, partner))

    def _partner(self, partner: str, name: str) -> Iterator[Finding]:
        directory, material = self._needed()
        how = self._settings.links.get(partner, LinkSettings())
        if how.mode is LinkMode.PULL and not how.fetch:
            way_out = f"Run `gateway doctor` at {partner}: connections between the two start there."
            yield Finding(name, Result.UNKNOWN, "it fetches from here; this node doesn't connect to it", way_out)
            return
        node = directory.node(partner)
        endpoint = endpoint_of(self._settings, directory, partner)
        versions = probe_tls_versions(*dialled(endpoint))
        probe = probe_partner(
            endpoint,
            material,
            ca_pem="".join(usable_cas(directory, partner)).encode(),
            server_name=node.tls_server_name,
            feed=FeedOrigin(self._settings.federation, self._settings.node, partner, Channel.ALERTS).line,
            clock=self._present,
        )
        reading = asyncio.run(probe)
        if reading is not None:
            self._readings[partner] = reading
        if versions.tls12:
            yield Finding(
                name,
                Result.WARN,
                f"{endpoint} serves, and accepts TLS 1.2 too",
                f"Links to it use TLS 1.3 all the same; tell {partner} of the old gateway or proxy.",
            )
        else:
            yield Finding(name, Result.OK, f"{endpoint} serves, speaks TLS 1.3 alone, and accepts this certificate")

    def _time_stamps(self, name: str) -> Iterator[Finding]:
        authority = time_stamp_authority(
            self._settings.time_stamps, clock=lambda: int(self._present().timestamp() * 1000)
        )
        authority.stamp(os.urandom(32))
        yield Finding(name, Result.OK, f"{authority.host} stamps, with a certificate of the settings")

    def _present(self) -> datetime:
        """The time now, by the clock that was given."""
        return self._now + timedelta(seconds=time.monotonic() - self._started_s)

    def _needed(self) -> tuple[Directory, TlsMaterial]:
        if self._trusted is None or self._material is None:
            raise NotCheckedError("can't be checked before certificate and directory are right")
        return self._trusted.directory, self._material


def _in_turn(findings: AsyncIterator[Finding]) -> Iterator[Finding]:
    """Findings of a coroutine, each as it comes."""

    async def following() -> Finding | None:
        return await anext(findings, None)

    with asyncio.Runner() as runner:
        while (finding := runner.run(following())) is not None:
            yield finding


def _lasting(name: str, ends: datetime, now: datetime, path: str) -> Finding:
    left: timedelta = ends - now
    detail = f"{path} is valid until {ends:%Y-%m-%d}, {left.days} more days"
    if left < CERTIFICATE_WARNING:
        return Finding(name, Result.WARN, detail, "Have a new one signed: `gateway pki issue`; no restart is needed.")
    return Finding(name, Result.OK, detail)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_FILE_BYTES)


def _nearest(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return folder if folder.exists() or folder == folder.parent else _nearest(folder.parent)
