"""Loads the node's signing keys."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.node.host.environment import PASSPHRASE_VARIABLE
from gateway.node.settings import Settings
from gateway.tls.secret_files import read_passphrase
from gateway.trust.pki.keys import Ed25519Signer, SecondCounts, load_second_key, load_signing_key
from gateway.trust.rules.directory import Directory, receipts_key_name


def load_log_key(settings: Settings) -> Ed25519Signer:
    """The log key, named as the node, with its second one; raises ConfigurationError."""
    name = f"{settings.federation}/{settings.node}"
    return _load(settings, settings.keys.log, settings.keys.log_second, name)


def load_receipts_key(settings: Settings) -> Ed25519Signer:
    """The receipts key with its second one; raises ConfigurationError."""
    name = receipts_key_name(settings.federation, settings.node)
    return _load(settings, settings.keys.receipts, settings.keys.receipts_second, name)


def load_listed_keys(settings: Settings, directory: Directory, now: datetime) -> tuple[Ed25519Signer, Ed25519Signer]:
    """The log key and the receipts key.

    Raises:
        ConfigurationError: unreadable, or not valid now by the directory, or it names second keys that aren't here.
    """
    keys = load_log_key(settings), load_receipts_key(settings)
    require_listed(settings, directory, now, *keys)
    return keys


def require_listed(
    settings: Settings, directory: Directory, now: datetime, log_key: Ed25519Signer, receipts_key: Ed25519Signer
) -> None:
    """Requires that partners accept what these keys sign; raises ConfigurationError, which names the setting."""
    node = settings.node
    own, version = directory.node(node), directory.version
    second = directory.second_keys(node, now)
    for what, key, records, listed in (
        ("keys.log", log_key, own.log_keys, directory.log_keys(node, now)),
        ("keys.receipts", receipts_key, own.cosign_keys, directory.cosign_keys(node, now)),
    ):
        if key.public_key not in listed:
            raise ConfigurationError(
                f"{what}: directory version {version} doesn't list this key for {node} as valid now"
            )
        needed = second & {record.public_key for record in records}
        if needed and (key.second is None or key.second.public_key not in needed):
            setting = f"{what}_second"
            raise ConfigurationError(
                f"{setting}: directory version {version} has an ML-DSA-44 key of {node}, without which partners refuse "
                "what it signs; name its file"
            )


def second_counts(directory: Callable[[], Directory], node: str, now: Callable[[], datetime]) -> SecondCounts:
    """Whether a second key of the node counts by the directory in force: signed before, it would stand there unread."""
    return lambda key: key in directory().second_keys(node, now())


def _load(settings: Settings, path: Path, second: Path | None, name: str) -> Ed25519Signer:
    passphrase = passphrase_of(settings)
    key = load_signing_key(path, name=name, passphrase=passphrase)
    return key if second is None else key.beside(load_second_key(second, name=name, passphrase=passphrase))


def passphrase_of(settings: Settings) -> bytes | None:
    """From the settings' file or the environment."""
    variable = PASSPHRASE_VARIABLE if PASSPHRASE_VARIABLE in os.environ else None
    return read_passphrase(file=settings.keys.passphrase_file, variable=variable, environment=os.environ)
