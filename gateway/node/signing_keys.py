"""Loads the node's signing keys."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime

from gateway.contract.ids import FeedOrigin
from gateway.errors import ConfigurationError
from gateway.node.host.environment import PASSPHRASE_VARIABLE
from gateway.node.settings import Settings
from gateway.tlog.note import Signer
from gateway.tls.secret_files import read_passphrase
from gateway.trust.pki.keys import Ed25519Signer, load_signing_key
from gateway.trust.rules.directory import Directory, receipts_key_name


class CountedSigner:
    """A signer that counts its signatures; implements Signer."""

    def __init__(self, signer: Signer, count: Callable[[], None]) -> None:
        self._signer = signer
        self._count = count

    @property
    def name(self) -> str:
        return self._signer.name

    @property
    def public_key(self) -> bytes:
        return self._signer.public_key

    def sign(self, message: bytes) -> bytes:
        """As the signer does."""
        self._count()
        return self._signer.sign(message)


class LogKey:
    """The log key under each feed's name; implements LogSigners. `count` is called for each signature."""

    def __init__(self, key: Ed25519Signer, count: Callable[[], None] = lambda: None) -> None:
        self._key = key
        self._count = count
        self._by_feed: dict[FeedOrigin, Signer] = {}

    def for_feed(self, origin: FeedOrigin) -> Signer:
        """The key named as the feed's log."""
        signer = self._by_feed.get(origin)
        if signer is None:
            signer = self._by_feed[origin] = self.named(origin.line)
        return signer

    def named(self, name: str) -> Signer:
        """The key under another name."""
        return CountedSigner(self._key.named(name), self._count)


def load_log_key(settings: Settings) -> Ed25519Signer:
    """The log key, named as the node; raises ConfigurationError."""
    name = f"{settings.federation}/{settings.node}"
    return load_signing_key(settings.keys.log, name=name, passphrase=passphrase_of(settings))


def load_listed_keys(settings: Settings, directory: Directory, now: datetime) -> tuple[Ed25519Signer, Ed25519Signer]:
    """The log key and the receipts key.

    Raises:
        ConfigurationError: unreadable, or not valid now by the directory.
    """
    node = settings.node
    log_key = load_log_key(settings)
    receipts_key = load_signing_key(
        settings.keys.receipts,
        name=receipts_key_name(settings.federation, node),
        passphrase=passphrase_of(settings),
    )
    directory.node(node)
    for what, key, listed in (
        ("keys.log", log_key, directory.log_keys(node, now)),
        ("keys.receipts", receipts_key, directory.cosign_keys(node, now)),
    ):
        if key.public_key not in listed:
            raise ConfigurationError(
                f"{what}: directory version {directory.version} doesn't list this key for {node} as valid now"
            )
    return log_key, receipts_key


def passphrase_of(settings: Settings) -> bytes | None:
    """From the settings' file or the environment."""
    variable = PASSPHRASE_VARIABLE if PASSPHRASE_VARIABLE in os.environ else None
    return read_passphrase(file=settings.keys.passphrase_file, variable=variable, environment=os.environ)
