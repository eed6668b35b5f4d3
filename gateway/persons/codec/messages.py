"""Persons, sessions and challenges as messages of the contract."""

from __future__ import annotations

import base64

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.contract.messages import to_timestamp
from gateway.persons.rules.accounts import AccountSource, PasskeyRow, PersonAccount
from gateway.persons.rules.sessions import GrantRow, LiveSession, SessionRow, SignInWay, known_device
from gateway.v1 import person_pb2 as pb

_SOURCES = {
    AccountSource.LOCAL: pb.PERSON_SOURCE_LOCAL,
    AccountSource.PROVIDER: pb.PERSON_SOURCE_IDENTITY_PROVIDER,
}
_WAYS = {
    SignInWay.PASSWORD: pb.SIGN_IN_METHOD_PASSWORD,
    SignInWay.PASSWORD_AND_PASSKEY: pb.SIGN_IN_METHOD_PASSWORD_AND_PASSKEY,
    SignInWay.PASSKEY: pb.SIGN_IN_METHOD_PASSKEY,
    SignInWay.ID_TOKEN: pb.SIGN_IN_METHOD_ID_TOKEN,
    SignInWay.ENROLMENT: pb.SIGN_IN_METHOD_ENROLMENT,
}


def written_id(credential_id: bytes) -> str:
    """A credential id as text: base64url without padding."""
    return base64.urlsafe_b64encode(credential_id).rstrip(b"=").decode()


def preferences_of(account: PersonAccount) -> pb.Preferences:
    """What a person has chosen."""
    return pb.Preferences(language=account.language, zone=account.zone, theme=account.theme)


def person_of(
    account: PersonAccount, *, passkeys: int = 0, locked_until: int = 0, enrolment_open: bool = False
) -> pb.Person:
    """A person as the contract has it."""
    return pb.Person(
        name=account.name,
        display_name=account.display_name,
        roles=sorted(role.value for role in account.roles),
        source=_SOURCES[account.source],
        disabled=account.disabled,
        added_at=to_timestamp(account.added_at),
        has_password=bool(account.password_hash),
        passkeys=passkeys,
        signed_in_at=_time_or_none(account.signed_in_at),
        locked_until=_time_or_none(locked_until),
        enrolment_open=enrolment_open,
        email=account.email,
        preferences=preferences_of(account),
    )


def passkey_of(passkey: PasskeyRow) -> pb.Passkey:
    """A passkey as the contract has it."""
    return pb.Passkey(
        credential_id=written_id(passkey.credential_id),
        label=passkey.label,
        registered_at=to_timestamp(passkey.registered_at),
        used_at=_time_or_none(passkey.used_at),
        backed_up=passkey.backed_up,
    )


def grant_of(grant: GrantRow) -> pb.BreakGlassGrant:
    """A break-glass as the contract has it."""
    return pb.BreakGlassGrant(
        grant_id=grant.grant_id,
        person=grant.person,
        roles=sorted(role.value for role in grant.roles),
        reason=grant.reason,
        granted_at=to_timestamp(grant.granted_at),
        expires_at=to_timestamp(grant.expires_at),
    )


def session_of(session: SessionRow, *, current: str = "") -> pb.PersonSession:
    """A session as the contract has it."""
    return pb.PersonSession(
        session_id=session.session_id,
        person=session.person,
        system=session.system,
        device=session.device,
        started_at=to_timestamp(session.started_at),
        used_at=to_timestamp(session.used_at),
        ends_at=to_timestamp(session.ends_at),
        method=_WAYS[session.way],
        current=session.session_id == current,
    )


def signed_in(
    live: LiveSession, *, token: str, assertion: str, assertion_ends: int, now_ms: int, idle_ms: int, must_enrol: bool
) -> pb.SignedIn:
    """The answer to a sign-in or a renewal."""
    session, grant = live.session, live.grant_at(now_ms)
    return pb.SignedIn(
        session_token=token,
        assertion=assertion,
        assertion_expires_at=to_timestamp(assertion_ends),
        idle_ends_at=to_timestamp(min(session.used_at + idle_ms, session.ends_at)),
        session_ends_at=to_timestamp(session.ends_at),
        person=live.account.name,
        display_name=live.account.display_name,
        roles=sorted(role.value for role in live.roles_at(now_ms)),
        preferences=preferences_of(live.account),
        must_enrol_passkey=must_enrol,
        passkeys=live.passkeys,
        break_glass=None if grant is None else grant_of(grant),
        session_id=session.session_id,
        known_device=known_device(session.token_digest),
    )


def _time_or_none(ms: int) -> Timestamp | None:
    return to_timestamp(ms) if ms else None
