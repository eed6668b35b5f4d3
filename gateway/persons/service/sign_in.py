"""Reads and verifies what a sign-in brings; blocks, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.db.database import Database
from gateway.errors import GatewayError, SignInRefusedError
from gateway.persons.codec import id_tokens, passkeys
from gateway.persons.codec.id_tokens import ProvidedIdentity
from gateway.persons.codec.passkeys import RelyingParty
from gateway.persons.rules.accounts import PasskeyRow
from gateway.persons.rules.policy import PersonPolicy
from gateway.persons.service.passwords import Passwords
from gateway.persons.service.provider_keys import ProviderKeys
from gateway.persons.tables import accounts, sessions
from gateway.persons.tables.sessions import ChallengeKind, ChallengeRow


@dataclass(frozen=True, slots=True)
class VerifiedPasskey:
    """An answer that verifies; it is used up in the transaction of its effect."""

    challenge: ChallengeRow
    passkey: PasskeyRow
    sign_count: int


class SignInChecks:
    """Checks of one node; thread-safe."""

    def __init__(
        self, policy: PersonPolicy, *, database: Database, passwords: Passwords, clock: Callable[[], int]
    ) -> None:
        self._policy = policy
        self._database = database
        self._passwords = passwords
        self._clock = clock
        self._party = RelyingParty(policy.domain, policy.origins)
        self._keys = ProviderKeys(policy.oidc) if policy.oidc is not None else None

    def password(self, name: str, password: str) -> list[PasskeyRow]:
        """The passkeys of a person whose password this is.

        An unknown or disabled person, and one without a password, costs the same time.

        Raises:
            SignInRefusedError: its message is for the audit log.
        """
        with self._database.read() as conn:
            account = accounts.find(conn, name)
            known = accounts.passkeys(conn, name) if account is not None else []
        stored = account.password_hash if account is not None and not account.disabled else ""
        if not self._passwords.matches(stored, password):
            raise SignInRefusedError(f"password: {_why(account is not None, bool(stored))}")
        return known

    def passkey(self, challenge_id: str, response: str, *, system: str) -> VerifiedPasskey:
        """An answer to a question of a sign-in.

        Raises:
            SignInRefusedError: its message is for the audit log.
        """
        try:
            return self._passkey(challenge_id, response, system)
        except SignInRefusedError:
            raise
        except GatewayError as error:
            raise SignInRefusedError(f"passkey: {error.message}") from error

    def _passkey(self, challenge_id: str, response: str, system: str) -> VerifiedPasskey:
        named = passkeys.claimed_passkey(response)
        with self._database.read() as conn:
            asked = sessions.find_challenge(conn, challenge_id)
            known = accounts.find_passkey(conn, named.credential_id)
            account = accounts.find(conn, known.person) if known is not None else None
        if asked is None or asked.kind not in (ChallengeKind.SIGN_IN, ChallengeKind.SECOND_FACTOR):
            raise SignInRefusedError("passkey: there is no such question")
        if asked.expires_at <= self._clock() or asked.system != system:
            raise SignInRefusedError("passkey: the question is too old, or was asked at another console")
        if known is None or account is None or account.disabled:
            raise SignInRefusedError("passkey: nobody who may sign in has this passkey")
        if asked.person and asked.person != known.person:
            raise SignInRefusedError(f"passkey: is of {known.person}, not of {asked.person}")
        if named.user_handle and named.user_handle != account.user_handle:
            raise SignInRefusedError("passkey: names another person")
        sign_count = passkeys.verify_authentication(
            self._party, asked.challenge, response, public_key=known.public_key, sign_count=known.sign_count
        )
        return VerifiedPasskey(asked, known, sign_count)

    def id_token(self, token: str, nonce: str) -> ProvidedIdentity:
        """Whom the provider has signed in.

        Raises:
            SignInRefusedError: its message is for the audit log.
            UnavailableError: the provider doesn't give its keys.
        """
        if self._policy.oidc is None or self._keys is None:
            raise SignInRefusedError("id token: the settings name no identity provider")
        keys = self._keys.for_key(id_tokens.key_id(token))
        now_s = self._clock() // 1000
        return id_tokens.verify_id_token(token, keys, policy=self._policy.oidc, nonce=nonce, now_s=now_s)


def _why(known: bool, has_password: bool) -> str:
    if not known:
        return "there is no such person"
    return "is wrong" if has_password else "the person is disabled or has no password"
