"""Loads the node's signing keys."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.feed.service.witnessing import witness_key_name
from gateway.node.expiry import OwnKeys
from gateway.node.host.environment import PASSPHRASE_VARIABLE
from gateway.node.settings import Settings
from gateway.node.signing_tokens import SigningTokens
from gateway.tls.secret_files import read_passphrase
from gateway.trust.pki.keys import CountedSigner, Ed25519Signer, SecondCounts, load_second_key, load_signing_key
from gateway.trust.pki.token_uri import TokenKeyUri
from gateway.trust.rules.directory import Directory, FederationNode, KeyRecord, receipts_key_name


class SigningKeys:
    """The node's signing keys, each with its second one: those in use, and the next ones.

    The newest of a use that counts by the directory in force signs. Thread-safe.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        tokens: SigningTokens,
        directory: Callable[[], Directory],
        now: Callable[[], datetime],
    ) -> None:
        """Loads the files, and finds the keys of tokens.

        Raises:
            ConfigurationError: unreadable; or partners would refuse what they sign, by the directory in force.
        """
        self._tokens = tokens
        self._directory = directory
        self._now = now
        self._node = settings.node
        self.take(settings)

    def take(self, settings: Settings) -> None:
        """Loads the files anew, and signs with them from now on; raises as the constructor: then the old ones stay."""
        log, receipts = _log_keys(settings, self._tokens), _receipts_keys(settings, self._tokens)
        directory, now = self._directory(), self._now()
        own = directory.signer(self._node)
        require_listed(
            settings, directory, now, _newest(log, own.log_keys, now), _newest(receipts, own.cosign_keys, now)
        )
        self._log, self._receipts = log, receipts

    def log(self) -> Ed25519Signer:
        """The log key to sign with now, named as the node."""
        return self._current(self._log, lambda own: own.log_keys)

    def receipts(self) -> Ed25519Signer:
        """The receipts key to sign with now."""
        return self._current(self._receipts, lambda own: own.cosign_keys)

    def counted_receipts(self, count: Callable[[], None], second_counts: SecondCounts) -> CountedSigner:
        """The same, with `count` called for each signature."""
        return CountedSigner(self.receipts(), count, second_counts)

    def public(self) -> OwnKeys:
        """The public keys, for warnings before their time ends."""
        return OwnKeys(_public(self._log), _public(self._receipts))

    def _current(
        self, keys: Sequence[Ed25519Signer], records: Callable[[FederationNode], Sequence[KeyRecord]]
    ) -> Ed25519Signer:
        if len(keys) == 1:
            return keys[0]  # nearly always
        own = self._directory().nodes.get(self._node)
        return keys[0] if own is None else _newest(keys, records(own), self._now())


def load_witness_key(settings: Settings, tokens: SigningTokens) -> Ed25519Signer | None:
    """The key that cosigns partners' feeds; None where this node is no witness. Raises ConfigurationError."""
    name = witness_key_name(settings.federation, settings.node)
    return next(iter(_load(settings, tokens, name, (settings.keys.witness,), settings.keys.witness_second)), None)


def load_log_key(settings: Settings, tokens: SigningTokens, directory: Directory, now: datetime) -> Ed25519Signer:
    """The log key to sign with at a time, named as the node, with its second one; raises ConfigurationError."""
    return _newest(_log_keys(settings, tokens), directory.signer(settings.node).log_keys, now)


def require_listed(
    settings: Settings, directory: Directory, now: datetime, log_key: Ed25519Signer, receipts_key: Ed25519Signer
) -> None:
    """Requires that partners accept what these keys sign; raises ConfigurationError, which names the setting."""
    node = settings.node
    if node not in directory.nodes and directory.why_no_member(node):
        return  # it goes on for reading: nobody is sent what it signs
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


def _newest(keys: Sequence[Ed25519Signer], records: Sequence[KeyRecord], now: datetime) -> Ed25519Signer:
    """The key whose time began last; without one that counts, the one in use, which partners refuse."""
    begins = {record.public_key: record.not_before for record in records if record.usable(now)}
    counting = [key for key in keys if key.public_key in begins]
    return max(counting, key=lambda key: begins[key.public_key], default=keys[0])


def _public(keys: Sequence[Ed25519Signer]) -> frozenset[bytes]:
    return frozenset(key.public_key for key in keys)


def _log_keys(settings: Settings, tokens: SigningTokens) -> tuple[Ed25519Signer, ...]:
    keys, name = settings.keys, f"{settings.federation}/{settings.node}"
    return _load(settings, tokens, name, (keys.log, keys.log_next), keys.log_second)


def _receipts_keys(settings: Settings, tokens: SigningTokens) -> tuple[Ed25519Signer, ...]:
    keys, name = settings.keys, receipts_key_name(settings.federation, settings.node)
    return _load(settings, tokens, name, (keys.receipts, keys.receipts_next), keys.receipts_second)


def _load(
    settings: Settings,
    tokens: SigningTokens,
    name: str,
    places: Sequence[Path | TokenKeyUri | None],
    second: Path | None,
) -> tuple[Ed25519Signer, ...]:
    passphrase = passphrase_of(settings)
    beside = None if second is None else load_second_key(second, name=name, passphrase=passphrase)
    return tuple(
        (
            Ed25519Signer(name, tokens.key(place), beside)
            if isinstance(place, TokenKeyUri)
            else load_signing_key(place, name=name, passphrase=passphrase).beside(beside)
        )
        for place in places
        if place is not None
    )


def passphrase_of(settings: Settings) -> bytes | None:
    """From the settings' file or the environment."""
    variable = PASSPHRASE_VARIABLE if PASSPHRASE_VARIABLE in os.environ else None
    return read_passphrase(file=settings.keys.passphrase_file, variable=variable, environment=os.environ)
