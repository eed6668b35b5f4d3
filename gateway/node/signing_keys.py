"""Loads the node's signing keys."""

from __future__ import annotations

import os
from datetime import datetime

from gateway.errors import ConfigurationError
from gateway.node.host.environment import PASSPHRASE_VARIABLE
from gateway.node.settings import Settings
from gateway.tls.secret_files import read_passphrase
from gateway.trust.pki.keys import Ed25519Signer, load_signing_key
from gateway.trust.rules.directory import Directory, receipts_key_name


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
