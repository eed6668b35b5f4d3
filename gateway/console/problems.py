"""Tells people what went wrong and what they can do: a title, a sentence and a way out for each kind of error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gateway.console.views.alerts.field_names import error_text
from gateway.errors import GatewayError, Kind
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

_STATUS: Final = {
    Kind.INVALID_ARGUMENT: 422,
    Kind.OUT_OF_RANGE: 422,
    Kind.NOT_FOUND: 404,
    Kind.ALREADY_EXISTS: 409,
    Kind.ABORTED: 409,
    Kind.FAILED_PRECONDITION: 409,
    Kind.PERMISSION_DENIED: 403,
    Kind.UNAUTHENTICATED: 401,
    Kind.RESOURCE_EXHAUSTED: 429,
    Kind.UNAVAILABLE: 503,
    Kind.DEADLINE_EXCEEDED: 504,
    Kind.UNIMPLEMENTED: 501,
}

_TITLES: Final = {
    Kind.INVALID_ARGUMENT: N_("Something in this request isn't right"),
    Kind.OUT_OF_RANGE: N_("Something in this request isn't right"),
    Kind.NOT_FOUND: N_("This isn't here"),
    Kind.ALREADY_EXISTS: N_("This was already done with other content"),
    Kind.ABORTED: N_("Somebody changed this in the meantime"),
    Kind.FAILED_PRECONDITION: N_("This isn't possible now"),
    Kind.PERMISSION_DENIED: N_("You may not do this"),
    Kind.UNAUTHENTICATED: N_("You aren't signed in"),
    Kind.RESOURCE_EXHAUSTED: N_("Too much at once"),
    Kind.UNAVAILABLE: N_("The gateway doesn't answer"),
    Kind.DEADLINE_EXCEEDED: N_("The gateway took too long"),
    Kind.UNIMPLEMENTED: N_("This gateway doesn't offer this"),
}

_WAYS_OUT: Final = {
    Kind.NOT_FOUND: N_("It doesn't exist, or your roles don't let you see it. Go back and choose another."),
    Kind.ABORTED: N_("Open it again, read what has changed, and repeat the step if it still fits."),
    Kind.PERMISSION_DENIED: N_("Ask a supervisor who has the role for it, or an operator to change your roles."),
    Kind.UNAUTHENTICATED: N_("Sign in again; you come back to this page."),
    Kind.RESOURCE_EXHAUSTED: N_("Wait a moment and try again."),
    Kind.UNAVAILABLE: N_("Nothing was lost. Try again in a moment; if it stays so, tell an operator."),
    Kind.DEADLINE_EXCEEDED: N_("It may have happened all the same. Look before you repeat it."),
    Kind.UNIMPLEMENTED: N_("An operator can turn it on in the gateway's settings."),
    Kind.ALREADY_EXISTS: N_("Open it and see what was sent before you send anything again."),
}
"""Better words for a page than an error's own, which speaks of commands."""


@dataclass(frozen=True, slots=True)
class PageProblem:
    """What a page says of an error."""

    status: int
    title: str
    sentence: str
    """By the gateway; in English where it isn't one of `gateway.translation.refusals`."""
    way_out: str
    reason: str


def problem_of(error: GatewayError) -> PageProblem:
    """What to say of an error of the gateway or its client, in the current language."""
    kind = error.kind
    return PageProblem(
        status=_STATUS.get(kind, 500),
        title=_(_TITLES.get(kind, N_("Something went wrong"))),
        sentence=error_text(error),
        way_out=_(_WAYS_OUT.get(kind, error.way_out)),
        reason=error.reason,
    )


def missing_page() -> PageProblem:
    """For an address that has no page."""
    return PageProblem(404, _("This page isn't here"), "", _("Check the address, or go on from the menu."), "")


def refused_form() -> PageProblem:
    """For a form that another page sent, or that is older than its session."""
    return PageProblem(
        403,
        _("This form is out of date"),
        _("It was opened before you signed in, or not from this console. Nothing was sent."),
        _("Open the page again and repeat what you did."),
        "FORM_REFUSED",
    )


def unreadable_form(why: str) -> PageProblem:
    """For a form that breaks the limits or isn't one; `why` is for who wrote it."""
    return PageProblem(
        400, _("This form can't be read"), why, _("Open the page again and repeat what you did."), "FORM_REFUSED"
    )


def defect() -> PageProblem:
    """For an error that nobody thought of."""
    return PageProblem(
        500,
        _("Something went wrong"),
        _("This is a defect of the console; its log has the details."),
        _("Go back and try again; if it stays so, tell an operator when it happened."),
        "INTERNAL",
    )
