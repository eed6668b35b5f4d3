"""`gateway person`: accounts of those who sign in at a console."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.values import as_dict, shown_time
from gateway.errors import OptionError
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _
from gateway.v1.person_pb2 import Person, PersonSession

if TYPE_CHECKING:
    from gateway.client import GatewayClient

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help=_("The person's name at sign-in."))]
RoleOption = Annotated[
    list[str] | None,
    typer.Option("--role", help=_("officer, analyst, publisher, supervisor, auditor or operator; may be repeated.")),
]
ConsoleOption = Annotated[
    str, typer.Option("--console", help=_("Where the console is, e.g. https://console.example: makes a link."))
]


@reports_errors
@connected
def add(
    target: Target,
    name: NameArgument,
    *,
    display_name: Annotated[str, typer.Option("--name", help=_("The name that colleagues see. Mandatory."))] = "",
    role: RoleOption = None,
    email: Annotated[str, typer.Option(help=_("Where messages reach the person."))] = "",
    console: ConsoleOption = "",
    as_json: JsonOption = False,
) -> None:
    """Add a person; prints an enrolment link, which works once. Role: operator.

    The name stays for ever, since records name it, and is never given to somebody else.

    \b
    Example:
      gateway person add chan.tai-man --name "Chan Tai Man" --role officer --console https://console.hk.example

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    if not display_name.strip() or not role:
        raise OptionError(_("--name, --role: a person needs a name that colleagues see, and a role"))
    added = target.run(lambda client: client.persons.add(name, display_name, role, email=email))
    facts = {
        N_("Person"): added.person.name,
        N_("Roles"): ", ".join(added.person.roles),
        N_("Link"): _link(console, added.enrolment_token),
        N_("Works until"): shown_time(added, "enrolment_expires_at"),
    }
    Output(as_json).facts(_("Added"), facts, data=as_dict(added))


@reports_errors
@connected
def list_(target: Target, *, as_json: JsonOption = False) -> None:
    """List persons by name. Role: operator, supervisor, auditor.

    \b
    Example:
      gateway person list

    \b
    Exit codes: 0 done, 1 refused or unreachable.
    """

    async def read(client: GatewayClient) -> list[Person]:
        return [person async for person in client.persons.list_persons()]

    persons = target.run(read)
    Output(as_json).table(
        _("Persons"),
        marked("Name", "Shown as", "Roles", "State", "Passkeys", "Last sign-in"),
        [_cells(person) for person in persons],
        data=[as_dict(person) for person in persons],
        minor=("Passkeys",),
    )


def _cells(person: Person) -> tuple[object, ...]:
    return (
        person.name,
        person.display_name,
        ", ".join(person.roles),
        _state(person),
        person.passkeys,
        shown_time(person, "signed_in_at"),
    )


def _state(person: Person) -> str:
    if person.disabled:
        return _("disabled")
    if person.HasField("locked_until"):
        return _("locked")
    return _("invited") if person.enrolment_open else _("active")


@reports_errors
@connected
def show(target: Target, name: NameArgument, *, as_json: JsonOption = False) -> None:
    """Show a person with its passkeys. Role: operator, supervisor, auditor.

    \b
    Example:
      gateway person show chan.tai-man

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 no such person.
    """
    found = target.run(lambda client: client.persons.get(name))
    person, grant = found.person, found.break_glass
    facts: dict[str, object] = {
        N_("Shown as"): person.display_name,
        N_("E-mail"): person.email or None,
        N_("Roles"): ", ".join(person.roles),
        N_("State"): _state(person),
        N_("Added"): shown_time(person, "added_at"),
        N_("Last sign-in"): shown_time(person, "signed_in_at"),
        N_("Locked until"): shown_time(person, "locked_until"),
        N_("Passkeys"): [passkey.label for passkey in found.passkeys],
        N_("Break-glass"): f"{', '.join(grant.roles)}: {grant.reason}" if found.HasField("break_glass") else None,
    }
    Output(as_json).facts(person.name, facts, data=as_dict(found))


@reports_errors
@connected
def roles(
    target: Target,
    name: NameArgument,
    *,
    role: RoleOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give a person other roles, in place of all present ones. Role: operator.

    \b
    Example:
      gateway person roles chan.tai-man --role officer --role analyst

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such person.
    """
    if not role:
        raise OptionError(_("--role: say which roles the person has from now on"))
    changed = target.run(lambda client: client.persons.change(name, roles=role))
    Output(as_json).facts(_("Changed"), {N_("Roles"): ", ".join(changed.roles)}, data=as_dict(changed))


@reports_errors
@connected
def disable(
    target: Target,
    name: NameArgument,
    *,
    enable: Annotated[bool, typer.Option("--undo", help=_("Let the person sign in again."))] = False,
    as_json: JsonOption = False,
) -> None:
    """Disable a person: all sessions end at once, and nobody signs in by this name. Role: operator.

    \b
    Example:
      gateway person disable chan.tai-man

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 no such person.
    """
    changed = target.run(lambda client: client.persons.change(name, disabled=not enable))
    Output(as_json).facts(_("Changed"), {N_("State"): _state(changed)}, data=as_dict(changed))


@reports_errors
@connected
def reset(target: Target, name: NameArgument, *, console: ConsoleOption = "", as_json: JsonOption = False) -> None:
    """Remove a person's password and passkeys, end all sessions; prints a new enrolment link. Role: operator.

    \b
    Example:
      gateway person reset chan.tai-man --console https://console.hk.example

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 no such person.
    """
    done = target.run(lambda client: client.persons.reset(name))
    facts = {
        N_("Link"): _link(console, done.enrolment_token) if done.enrolment_token else None,
        N_("Works until"): shown_time(done, "enrolment_expires_at"),
    }
    Output(as_json).facts(_("Reset"), facts, data=as_dict(done))


@reports_errors
@connected
def sessions(
    target: Target,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help=_("Of one person; all without."))] = "",
    *,
    end: Annotated[bool, typer.Option("--end", help=_("End all sessions of the person."))] = False,
    as_json: JsonOption = False,
) -> None:
    """List who is signed in, or end a person's sessions. Role: operator, supervisor.

    \b
    Example:
      gateway person sessions chan.tai-man --end

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    if end:
        if not name:
            raise OptionError(_("--end: name the person whose sessions end"))
        ended = target.run(lambda client: client.persons.end_session(person=name))
        Output(as_json).facts(_("Ended"), {N_("Sessions"): ended})
        return
    listed = target.run(lambda client: client.persons.sessions(name, everybody=not name))
    Output(as_json).table(
        _("Sessions"),
        marked("Person", "Began", "Last used", "Ends", "Console", "Browser"),
        [_session_cells(session) for session in listed],
        data=[as_dict(session) for session in listed],
        minor=("Browser", "Ends"),
    )


def _session_cells(session: PersonSession) -> tuple[object, ...]:
    times = (shown_time(session, name) for name in ("started_at", "used_at", "ends_at"))
    return (session.person, *times, session.system, session.device or None)


@reports_errors
@connected
def whois(
    target: Target,
    pseudonym: Annotated[str, typer.Argument(help=_("As a partner sees it, e.g. person/~7f3k2m9qab5ncwyz."))],
    *,
    reason: Annotated[str, typer.Option(help=_("Why you ask; it stays in the audit log. Mandatory."))] = "",
    as_json: JsonOption = False,
) -> None:
    """Tell which own person a pseudonym means that a partner sees. Role: supervisor, auditor.

    \b
    Example:
      gateway person whois person/~7f3k2m9qab5ncwyz --reason "Request of hk in case HK-2026-17"

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such pseudonym.
    """
    if not reason.strip():
        raise OptionError(_("--reason: say why you ask; it stays in the audit log"))
    meant = target.run(lambda client: client.persons.resolve_pseudonym(pseudonym, reason=reason))
    facts = {
        N_("Person"): meant.person.name,
        N_("Shown as"): meant.person.display_name,
        N_("Partner"): meant.partner,
    }
    Output(as_json).facts(pseudonym, facts, data=as_dict(meant))


@reports_errors
@connected
def rotate_key(
    target: Target,
    *,
    end_everything: Annotated[
        bool,
        typer.Option("--end-everything", help=_("For an emergency: end all sessions and links now.")),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Replace the key that signs what consoles show for persons. Role: operator.

    Nobody has to sign in again: what the old key signed holds until it expires, two minutes later. It is replaced by
    itself after assertion_key_days.

    With --end-everything nothing that was signed or given out before holds any more: all sessions and break-glass
    grants end at once, enrolment links are taken back, and everybody signs in again.

    \b
    Examples:
      gateway person rotate-key
      gateway person rotate-key --end-everything

    \b
    Exit codes: 0 done, 1 refused or unreachable.
    """
    rotated = target.run(lambda client: client.persons.rotate_assertion_key(end_everything=end_everything))
    facts: dict[str, object] = {
        N_("New key signs from"): shown_time(rotated, "signs_from"),
        N_("Old key ends"): shown_time(rotated, "old_ends_at"),
    }
    if end_everything:
        facts[N_("Sessions that ended")] = rotated.ended_sessions
    Output(as_json).facts(_("Replaced"), facts, data=as_dict(rotated))


def _link(console: str, token: str) -> str:
    path = f"/enrol/{token}"
    return console.rstrip("/") + path if console else path
