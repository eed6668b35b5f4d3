"""Questions to authenticators and their answers (WebAuthn level 3), by the library `webauthn`.

User verification (a PIN or a finger) is always required: a passkey alone is a sign-in.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import base64url_to_bytes
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from gateway.errors import MalformedError, SignatureInvalidError

MAX_RESPONSE_CHARS = 16_384
"""Longest answer of an authenticator."""

MAX_CREDENTIAL_ID_BYTES = 1_023
"""WebAuthn allows no more."""

_WRONG = (WebAuthnException, ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)
_VERIFIED = UserVerificationRequirement.REQUIRED


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who asks: the domain, and the origins of the pages that may."""

    domain: str
    origins: Sequence[str]


@dataclass(frozen=True, slots=True)
class RegisteredPasskey:
    """A verified registration; `public_key` is COSE."""

    credential_id: bytes
    public_key: bytes
    sign_count: int
    backed_up: bool


@dataclass(frozen=True, slots=True)
class ClaimedPasskey:
    """Which passkey an unverified answer names, and the user handle in it, if any."""

    credential_id: bytes
    user_handle: bytes


def registration_question(
    party: RelyingParty,
    challenge: bytes,
    *,
    name: str,
    display_name: str,
    user_handle: bytes,
    existing: Iterable[bytes],
    timeout_ms: int,
) -> str:
    """PublicKeyCredentialCreationOptions in JSON."""
    options = generate_registration_options(
        rp_id=party.domain,
        rp_name=party.domain,
        user_name=name,
        user_display_name=display_name,
        user_id=user_handle,
        challenge=challenge,
        timeout=timeout_ms,
        exclude_credentials=[PublicKeyCredentialDescriptor(id=known) for known in existing],
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED, user_verification=_VERIFIED
        ),
    )
    return options_to_json(options)


def authentication_question(party: RelyingParty, challenge: bytes, *, allowed: Iterable[bytes], timeout_ms: int) -> str:
    """PublicKeyCredentialRequestOptions in JSON; without `allowed` the authenticator says whose it is."""
    options = generate_authentication_options(
        rp_id=party.domain,
        challenge=challenge,
        timeout=timeout_ms,
        allow_credentials=[PublicKeyCredentialDescriptor(id=known) for known in allowed],
        user_verification=_VERIFIED,
    )
    return options_to_json(options)


def claimed_passkey(response: str) -> ClaimedPasskey:
    """Reads which passkey an answer names; nothing of it is verified. Raises MalformedError."""
    document = _document(response)
    try:
        credential_id = base64url_to_bytes(document["id"])
        handle = document["response"].get("userHandle")
        user_handle = base64url_to_bytes(handle) if isinstance(handle, str) else b""
    except _WRONG as error:
        raise MalformedError("the authenticator's answer isn't a PublicKeyCredential") from error
    if not 0 < len(credential_id) <= MAX_CREDENTIAL_ID_BYTES:
        raise MalformedError("the authenticator's answer has no usable credential id")
    return ClaimedPasskey(credential_id, user_handle)


def verify_registration(party: RelyingParty, challenge: bytes, response: str) -> RegisteredPasskey:
    """Verifies a new passkey.

    Raises:
        MalformedError: not a PublicKeyCredential.
        SignatureInvalidError: it answers another question, or without user verification.
    """
    document = _document(response)
    try:
        verified = verify_registration_response(
            credential=document,
            expected_challenge=challenge,
            expected_rp_id=party.domain,
            expected_origin=list(party.origins),
            require_user_verification=True,
        )
    except _WRONG as error:
        raise SignatureInvalidError(f"passkey: {error}", step="registration") from error
    if not 0 < len(verified.credential_id) <= MAX_CREDENTIAL_ID_BYTES:
        raise MalformedError("the passkey's id is too long")
    return RegisteredPasskey(
        verified.credential_id, verified.credential_public_key, verified.sign_count, verified.credential_backed_up
    )


def verify_authentication(
    party: RelyingParty, challenge: bytes, response: str, *, public_key: bytes, sign_count: int
) -> int:
    """Verifies an answer by a known passkey; returns its new counter, 0 where it has none.

    Raises:
        MalformedError: not a PublicKeyCredential.
        SignatureInvalidError: another key, question, page or domain; no user verification; a counter that went back,
            as a copied passkey's does.
    """
    document = _document(response)
    try:
        verified = verify_authentication_response(
            credential=document,
            expected_challenge=challenge,
            expected_rp_id=party.domain,
            expected_origin=list(party.origins),
            credential_public_key=public_key,
            credential_current_sign_count=sign_count,
            require_user_verification=True,
        )
    except _WRONG as error:
        raise SignatureInvalidError(f"passkey: {error}", step="authentication") from error
    return verified.new_sign_count


def _document(response: str) -> dict[str, Any]:
    if len(response) > MAX_RESPONSE_CHARS:
        raise MalformedError("the authenticator's answer is too long")
    try:
        document = json.loads(response)
    except (ValueError, RecursionError) as error:
        raise MalformedError("the authenticator's answer isn't JSON") from error
    if not isinstance(document, dict):
        raise MalformedError("the authenticator's answer isn't a JSON object")
    return document
