"""Statements on accounts, their passkeys and enrolment links."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from gateway.db.statements import PreparedList
from gateway.persons.rules.accounts import AccountSource, PasskeyRow, PersonAccount
from gateway.persons.tables.schema import person_enrolments, person_passkeys, persons
from gateway.trust.rules.permissions import Role

_DISPLAY_NAMES = PreparedList(
    select(persons.c.name, persons.c.display_name).where(persons.c.name.in_(bindparam("values", expanding=True)))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentRow:
    """An open enrolment link; `expires_at` in milliseconds since 1970."""

    person: str
    token_digest: bytes
    expires_at: int


def written(roles: Iterable[Role]) -> str:
    """Roles as a column has them."""
    return ",".join(sorted(role.value for role in roles))


def read_roles(text: str) -> frozenset[Role]:
    """Roles of a column."""
    return frozenset(Role(name) for name in text.split(",") if name)


def find(conn: Connection, name: str) -> PersonAccount | None:
    """The person with this name."""
    row = conn.execute(select(persons).where(persons.c.name == name)).mappings().one_or_none()
    return None if row is None else account_of(row)


def find_by_subject(conn: Connection, subject: str) -> PersonAccount | None:
    """The person that the identity provider names."""
    statement = select(persons).where(persons.c.subject == subject, persons.c.source == AccountSource.PROVIDER.value)
    row = conn.execute(statement).mappings().first()
    return None if row is None else account_of(row)


def page(conn: Connection, *, after: str, limit: int) -> list[PersonAccount]:
    """Persons by name."""
    statement = select(persons).where(persons.c.name > after).order_by(persons.c.name).limit(limit)
    return [account_of(row) for row in conn.execute(statement).mappings()]


def active_persons(conn: Connection) -> list[PersonAccount]:
    """All that aren't disabled, by name."""
    statement = select(persons).where(persons.c.disabled.is_(False)).order_by(persons.c.name)
    return [account_of(row) for row in conn.execute(statement).mappings()]


def display_names(conn: Connection, names: Iterable[str]) -> dict[str, str]:
    """What colleagues call these persons, by name; without unknown ones."""
    return {row[0]: row[1] for row in _DISPLAY_NAMES(conn, set(names))}


def add(conn: Connection, account: PersonAccount) -> None:
    """Inserts a person."""
    conn.execute(insert(persons).values(**_columns(asdict(account))))


def change(conn: Connection, name: str, **values: Any) -> None:
    """Sets columns of a person, by the names of PersonAccount."""
    conn.execute(update(persons).where(persons.c.name == name).values(**_columns(values)))


def account_of(row: Any) -> PersonAccount:
    """A row of `persons` as an account."""
    values = {key: row[key] for key in PersonAccount.__dataclass_fields__}
    values |= {
        "roles": read_roles(row["roles"]),
        "source": AccountSource(row["source"]),
        "user_handle": bytes(row["user_handle"]),
        "disabled": bool(row["disabled"]),
    }
    return PersonAccount(**values)


def _columns(values: dict[str, Any]) -> dict[str, Any]:
    if "roles" in values:
        values = values | {"roles": written(values["roles"])}
    if "source" in values:
        values = values | {"source": AccountSource(values["source"]).value}
    return values


def passkeys(conn: Connection, person: str) -> list[PasskeyRow]:
    """A person's passkeys, oldest first."""
    columns = person_passkeys.c
    statement = select(person_passkeys).where(columns.person == person).order_by(columns.registered_at)
    return [_passkey_of(row) for row in conn.execute(statement).mappings()]


def passkey_count(conn: Connection, person: str) -> int:
    """Number of a person's passkeys."""
    statement = select(func.count()).select_from(person_passkeys).where(person_passkeys.c.person == person)
    return int(conn.execute(statement).scalar_one())


def passkey_counts(conn: Connection) -> dict[str, int]:
    """Number of passkeys by person."""
    statement = select(person_passkeys.c.person, func.count()).group_by(person_passkeys.c.person)
    return {name: int(number) for name, number in conn.execute(statement)}


def find_passkey(conn: Connection, credential_id: bytes) -> PasskeyRow | None:
    """The passkey with this id."""
    statement = select(person_passkeys).where(person_passkeys.c.credential_id == credential_id)
    row = conn.execute(statement).mappings().one_or_none()
    return None if row is None else _passkey_of(row)


def add_passkey(conn: Connection, passkey: PasskeyRow) -> None:
    """Inserts a passkey."""
    conn.execute(insert(person_passkeys).values(**asdict(passkey)))


def use_passkey(conn: Connection, before: PasskeyRow, *, sign_count: int, now_ms: int) -> bool:
    """Stores the counter of a use; False when another use came first."""
    columns = person_passkeys.c
    statement = update(person_passkeys).where(
        columns.credential_id == before.credential_id, columns.sign_count == before.sign_count
    )
    return conn.execute(statement.values(sign_count=sign_count, used_at=now_ms)).rowcount == 1


def remove_passkey(conn: Connection, person: str, credential_id: bytes) -> bool:
    """Deletes a person's passkey; False when there is none."""
    columns = person_passkeys.c
    statement = delete(person_passkeys).where(columns.credential_id == credential_id, columns.person == person)
    return conn.execute(statement).rowcount == 1


def remove_passkeys(conn: Connection, person: str) -> None:
    """Deletes all passkeys of a person."""
    conn.execute(delete(person_passkeys).where(person_passkeys.c.person == person))


def _passkey_of(row: Any) -> PasskeyRow:
    values = dict(row)
    values |= {"credential_id": bytes(row["credential_id"]), "public_key": bytes(row["public_key"])}
    values["backed_up"] = bool(row["backed_up"])
    return PasskeyRow(**values)


def open_enrolment(conn: Connection, enrolment: EnrolmentRow) -> None:
    """Opens a link in the place of an earlier one."""
    close_enrolment(conn, enrolment.person)
    conn.execute(insert(person_enrolments).values(**asdict(enrolment)))


def close_enrolment(conn: Connection, person: str) -> bool:
    """Closes a person's link; False when there was none."""
    return conn.execute(delete(person_enrolments).where(person_enrolments.c.person == person)).rowcount == 1


def find_enrolment(conn: Connection, token_digest: bytes) -> EnrolmentRow | None:
    """The open link with this token."""
    statement = select(person_enrolments).where(person_enrolments.c.token_digest == token_digest)
    row = conn.execute(statement).mappings().one_or_none()
    return None if row is None else EnrolmentRow(**(dict(row) | {"token_digest": bytes(row["token_digest"])}))


def enrolments_open(conn: Connection, now_ms: int) -> set[str]:
    """Persons with an open link."""
    statement = select(person_enrolments.c.person).where(person_enrolments.c.expires_at > now_ms)
    return set(conn.execute(statement).scalars())
