"""The way of forms that send something: the form, what would be sent, and on the second time it is sent, once.

A form carries a request id from its first view on: a second click or a reload sends the same request, which the gateway
answers as the first time. What the gateway refuses comes back with the form, and nothing that was written is lost.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.client import new_request_id
from gateway.console.form import Form
from gateway.console.page import form, page_route
from gateway.console.views.alerts.field_names import error_text
from gateway.errors import GatewayError, InvalidRequestError, Kind

Subject = TypeVar("Subject")
Sent = TypeVar("Sent")
Carried = dict[str, list[str]]

_STATUS: Final = {Kind.INVALID_ARGUMENT: 422, Kind.FAILED_PRECONDITION: 409, Kind.PERMISSION_DENIED: 403}
"""Refusals that come back with the form, and the status of its page."""

_OF_ONE_SENDING: Final = frozenset({"csrf", "confirmed", "edit", "do"})


def carried(sent: Form) -> Carried:
    """The values that the page with what would be sent carries on, in hidden fields."""
    return {name: values for name, values in sent.values.items() if name not in _OF_ONE_SENDING}


async def _nothing(request: Request, subject: Any) -> Mapping[str, str | list[str]]:
    return {}


@dataclass(frozen=True, slots=True)
class Flow(Generic[Subject, Sent]):
    """One form, from its first view to what follows.

    Attributes:
        subject: what the form is about, as it is now.
        show: the form's page, with this status.
        read: what the form says; what can't be read is noted in the form, and None is said where nothing can be made.
        check: the page that shows what would be sent, with the form's values to carry on.
        send: sends it, and leads on.
        violations: the form's field for a path of the request or its beginning; or what notes them in the form.
        first: the values of the first view, beside the request id.
    """

    subject: Callable[[Request], Awaitable[Subject]]
    show: Callable[[Request, Subject, Form, int], Awaitable[Response]]
    read: Callable[[Request, Subject, Form], Awaitable[Sent | None]]
    check: Callable[[Request, Subject, Sent, Carried], Awaitable[Response]]
    send: Callable[[Request, Subject, Sent], Awaitable[Response]]
    violations: Mapping[str, str] | Callable[[Form, Subject, InvalidRequestError], None]
    first: Callable[[Request, Subject], Awaitable[Mapping[str, str | list[str]]]] = _nothing

    async def ask(self, request: Request) -> Response:
        """The form's first view."""
        subject = await self.subject(request)
        first = await self.first(request, subject)
        return await self.show(request, subject, Form.with_values({"request_id": new_request_id(), **first}), 200)

    async def take(self, request: Request) -> Response:
        """The form that was sent: once more, or what would be sent, or the step."""
        sent, subject = form(request), await self.subject(request)
        if sent.text("edit") or sent.text("do") not in ("", "preview"):
            return await self.show(request, subject, sent, 200)
        try:
            said = await self.read(request, subject, sent)
            if said is None or not sent.is_good:
                return await self.show(request, subject, sent, 422)
            if not sent.text("confirmed"):
                return await self.check(request, subject, said, carried(sent))
            return await self.send(request, subject, said)
        except InvalidRequestError as error:
            self._note(sent, subject, error)
            return await self.show(request, subject, sent, 422)
        except GatewayError as error:
            if error.kind not in _STATUS:
                raise
            sent.problems[""] = error_text(error)
            return await self.show(request, subject, sent, _STATUS[error.kind])

    def _note(self, sent: Form, subject: Subject, error: InvalidRequestError) -> None:
        if callable(self.violations):
            self.violations(sent, subject, error)
        else:
            sent.add_violations(error, self.violations)

    def routes(self, path: str, *, roles: frozenset[str] | None = None) -> list[Route]:
        """The form's page, for the roles that may send it."""
        return [page_route(path, self.ask, roles=roles), page_route(path, self.take, methods=("POST",), roles=roles)]
