"""Decides who may call what, with deny by default."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.errors import PermissionDeniedError


class Role(StrEnum):
    """A role of a local system or a person; `console` is for systems alone: it signs persons in."""

    PUBLISHER = "publisher"
    OFFICER = "officer"
    ANALYST = "analyst"
    SUPERVISOR = "supervisor"
    AUDITOR = "auditor"
    OPERATOR = "operator"
    CONSOLE = "console"


PERSON_ROLES = frozenset(Role) - {Role.CONSOLE}
"""Roles that a person may have."""


PERSON_PREFIX = "person/"
"""Begins the actor of what a person did."""

SIGN_IN_LANE = "sign-in"
"""Lane of the calls that a console makes before anybody has signed in."""


class Approval(StrEnum):
    """Whether a method asks a person with a passkey for an approval that is bound to the request."""

    NEVER = "never"
    ALWAYS = "always"
    BY_CONTENT = "by_content"
    """The handler decides by what is asked for."""


class PrincipalKind(StrEnum):
    """The listener that a caller came through."""

    PEER = "peer"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller.

    Attributes:
        node: e.g. `hk`; the partner's for a peer, else our.
        name: of the system; empty for a peer.
        roles: from the node's settings, or the person's; empty for a peer.
        certificate_fingerprint: SHA-256 of the certificate's DER, lower-case hex.
        person: in whose name the system calls; empty when it calls in its own.
        session: UUID of the person's session.
        break_glass: UUID of the grant while roles beyond the person's own are in force.
        lane: part of the caller's calls that counts for itself; empty for all others.
        caller: id of the program that calls, whoever it calls for: `gateway/<node>` or `system/<node>/<name>` as in the
            SPIFFE path.
        id: `person/<node>/<person>`, or the caller.
        account: whose calls count together in limits, queues and buffers: the id, or a lane of it.
    """

    kind: PrincipalKind
    node: str
    name: str
    roles: frozenset[Role]
    certificate_fingerprint: str
    person: str = ""
    session: str = ""
    break_glass: str = ""
    lane: str = ""
    caller: str = field(init=False, compare=False, repr=False)
    id: str = field(init=False, compare=False, repr=False)
    account: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        caller = f"gateway/{self.node}" if self.kind is PrincipalKind.PEER else f"system/{self.node}/{self.name}"
        identity = f"person/{self.node}/{self.person}" if self.person else caller
        object.__setattr__(self, "caller", caller)
        object.__setattr__(self, "id", identity)
        object.__setattr__(self, "account", f"{identity}#{self.lane}" if self.lane else identity)

    @property
    def shares_connection(self) -> bool:
        """Whether other accounts call through the same connections, which must not be ended for this one."""
        return bool(self.person or self.lane)

    @property
    def actor(self) -> str:
        """Who acts, as events name it: the person, or the system where it acts for itself. No system has a slash."""
        return f"{PERSON_PREFIX}{self.person}" if self.person else self.name


@dataclass(frozen=True, slots=True)
class Permission:
    """Callers of a method: systems and persons with any of `roles`, every person if `persons`, and partner gateways if
    `peers`. Empty admits nobody.

    Attributes:
        weight: what a call costs besides its messages, in small calls.
        approval: whether a person approves the request by passkey.
        before_sign_in: whether strangers at a console cause such calls, which count in SIGN_IN_LANE.
    """

    roles: frozenset[Role] = frozenset()
    peers: bool = False
    weight: float = 1.0
    persons: bool = False
    approval: Approval = Approval.NEVER
    before_sign_in: bool = False

    def admits(self, principal: Principal) -> bool:
        """Roles never admit a peer, `peers` never a system."""
        if principal.kind is PrincipalKind.PEER:
            return self.peers
        return (self.persons and bool(principal.person)) or not self.roles.isdisjoint(principal.roles)


NOBODY = Permission()


class PermissionTable:
    """Full method name (`/gateway.v1.AlertService/GetAlert`) to permission; others are denied."""

    def __init__(self, rows: Mapping[str, Permission]) -> None:
        self._rows = dict(rows)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __getitem__(self, method: str) -> Permission:
        """The method's row, or one that admits nobody."""
        return self._rows.get(method, NOBODY)

    def authorise(self, principal: Principal, method: str) -> Permission:
        """Admits an authenticated caller and returns the method's row, or raises PermissionDeniedError."""
        permission = self._rows.get(method, NOBODY)
        if not permission.admits(principal):
            raise PermissionDeniedError(_refusal(principal, permission), metadata={"method": method})
        return permission

    def differences(self, methods: Iterable[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Methods without a row, and rows without a method."""
        existing, listed = frozenset(methods), frozenset(self._rows)
        return existing - listed, listed - existing


def _refusal(principal: Principal, permission: Permission) -> str:
    if principal.kind is PrincipalKind.PEER:
        return "partner gateways may not call this method"
    if permission.persons:
        return "this method needs a person who has signed in"
    if permission.roles:
        return f"this method needs one of the roles: {', '.join(sorted(permission.roles))}"
    return "systems may not call this method"
