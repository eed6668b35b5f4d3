"""Finds the person in whose name a system calls, and the approval that a call carries.

The steps continue those of `gateway.rpc.authentication`, for a call with the metadata `gateway-person`:

5. *console*. The system signs persons in: it has the role console, and so none of its own.
6. *assertion*. This node signed it, for this certificate, and it is in force.
7. *session*. It lasts, began through this system, and its person isn't disabled. The person's roles count from here on.
8. *approval*. For a method that needs one and a person who has a passkey: `gateway-approval` answers a question that
   was asked in this session for this method and these bytes, and that nobody has answered before.
"""

from __future__ import annotations

from typing import Any, Protocol

from gateway.contract.person_metadata import APPROVAL_KEY, PERSON_KEY
from gateway.errors import SessionEndedError
from gateway.trust.rules.permissions import Principal


class PersonCalls(Protocol):
    """Decides about calls in a person's name; on the event loop's thread."""

    def identify(self, assertion: str, system: Principal) -> Principal:
        """Steps 5 and 6: the person, who has no roles yet. Raises SessionEndedError."""

    async def recheck(self, principal: Principal, system: Principal) -> Principal:
        """Step 7, and again for an open stream; the roles may have changed. Raises SessionEndedError."""

    async def approve(self, principal: Principal, method: str, approval: str, request: bytes) -> bool:
        """Step 8: whether the request is approved; False also where the person has no passkey.

        Raises:
            ApprovalRequiredError: the approval isn't one, or (when it is empty) one is needed.
        """

    async def needs_approval(self, principal: Principal) -> bool:
        """Whether the person has a passkey to approve by."""


class NoPersons:
    """A node whose settings know no persons."""

    def identify(self, assertion: str, system: Principal) -> Principal:
        raise SessionEndedError("console: this node knows no persons; its settings lack [persons]")

    async def recheck(self, principal: Principal, system: Principal) -> Principal:
        raise SessionEndedError("console: this node knows no persons; its settings lack [persons]")

    async def approve(self, principal: Principal, method: str, approval: str, request: bytes) -> bool:
        return False

    async def needs_approval(self, principal: Principal) -> bool:
        return False


class LatePersons:
    """Stands in the ports, which are built before what they call; knows no persons before `start`."""

    def __init__(self) -> None:
        self._calls: PersonCalls = NoPersons()

    def start(self, calls: PersonCalls) -> None:
        """Calls in a person's name are admitted from now on."""
        self._calls = calls

    def identify(self, assertion: str, system: Principal) -> Principal:
        return self._calls.identify(assertion, system)

    async def recheck(self, principal: Principal, system: Principal) -> Principal:
        return await self._calls.recheck(principal, system)

    async def approve(self, principal: Principal, method: str, approval: str, request: bytes) -> bool:
        return await self._calls.approve(principal, method, approval, request)

    async def needs_approval(self, principal: Principal) -> bool:
        return await self._calls.needs_approval(principal)


def assertion_in(metadata: Any) -> str:
    """The assertion that a call carries; empty without one."""
    return _value(metadata, PERSON_KEY)


def approval_in(metadata: Any) -> str:
    """The approval that a call carries; empty without one."""
    return _value(metadata, APPROVAL_KEY)


def _value(metadata: Any, key: str) -> str:
    values = [value for name, value in metadata or () if name == key]
    if len(values) > 1:
        raise SessionEndedError(f"assertion: the call carries {key} {len(values)} times")
    return values[0] if values and isinstance(values[0], str) else ""
