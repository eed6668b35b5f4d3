"""Takes steps on an alert: a form, then what will be sent to whom, then the step, once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import new_request_id
from gateway.console.agreed import agreed, nodes_of
from gateway.console.attaching import attached_files
from gateway.console.drafts import draft_id_of, title_of
from gateway.console.flow import Carried, Flow
from gateway.console.form import Form
from gateway.console.listing import list_query, with_done
from gateway.console.page import client, console_of, form, page_route, reader_locale, redirect, render
from gateway.console.pages.alert.amending import AMENDMENT
from gateway.console.pages.alert.finding import FINDING, FINDING_CHANGES, checked_as, goods_rows
from gateway.console.pages.alert.show import alert_of
from gateway.console.pages.alert.step_forms import (
    STEP_FORMS,
    StepContext,
    StepForm,
    revision_of,
    step_choices,
)
from gateway.console.server.security import UPLOAD_SUFFIX
from gateway.console.views.alerts.alert import AlertView
from gateway.console.views.alerts.alert_form import OFTEN_AMENDED
from gateway.console.views.alerts.allowed import roles_of
from gateway.console.views.alerts.changes import ContentChange, content_changes
from gateway.console.views.alerts.sending import step_envelopes
from gateway.console.views.form_rows import row_count
from gateway.console.views.remarks import remarks_of
from gateway.errors import (
    InvalidRequestError,
    NotFoundError,
    RevisionConflictError,
)

FORMS: Final[dict[str, StepForm]] = {**STEP_FORMS, "finding": FINDING, "amend": AMENDMENT, **FINDING_CHANGES}
_NUMBERED: Final = {"answer": "question_id", **dict.fromkeys(FINDING_CHANGES, "finding")}
"""Steps on one thing of the alert, by the name in the path: the parameter that follows it."""


@dataclass(frozen=True, slots=True)
class StepOnAlert:
    """A step of the path, and the alert as it is."""

    form: StepForm
    context: StepContext


async def _first(request: Request, step: StepOnAlert) -> dict[str, str | list[str]]:
    first = dict(step.form.first(step.context)) | {"revision": str(step.context.view.alert.revision)}
    return first if step.form.evidence is None else {**first, "file_classes": "INVESTIGATIVE"}


async def _read(request: Request, step: StepOnAlert, sent: Form) -> Any:
    message, files = step.form.read(sent, step.context), getattr(request.state, "files", None)
    if step.form.evidence is not None and files is not None:
        step.form.evidence(message).extend(files.evidence())
    return message


async def _check(request: Request, step: StepOnAlert, message: Any, hidden: Carried) -> Response:
    """What each partner would get, as the gateway says it."""
    if step.context.view.alert.revision != revision_of(form(request)):
        return _changed_page(request, step)
    preview = await client(request).preview_step(step.form.previewed(message))
    return render(
        request,
        "alert/preview.html",
        title=step.form.title(),
        envelopes=step_envelopes(preview, step.form.changes(message) if step.form.changes else ()),
        can_send=all(one.allowed for one in preview.recipients),
        hidden=hidden,
        **_page(request, step, form(request)),
    )


async def _send(request: Request, step: StepOnAlert, message: Any) -> Response:
    try:
        await step.form.act(client(request), message)
    except RevisionConflictError:
        return _changed_page(request, await _step(request))
    return redirect(with_done(step.context.view.path + list_query(request.query_params), _name(request)))


def _note(sent: Form, step: StepOnAlert, error: InvalidRequestError) -> None:
    """The preview's paths begin with the step's name."""
    own = error if sent.text("confirmed") else _of_the_step(error)
    sent.add_violations(own, step.form.violations)


async def _step(request: Request) -> StepOnAlert:
    step = FORMS.get(_name(request))
    if step is None:
        raise NotFoundError("there is no such step")
    view = await alert_of(request)
    if _name(request) == "ask" and not view.own:
        asked_for = nodes_of(form(request), "onward")
        request.state.onward = (await agreed(request)).partner_options(asked_for, without={view.alert.publisher})
    if step.evidence is not None:
        content = view.alert.content
        request.state.files = await attached_files(
            request, form(request), purpose=content.purpose, case_reference=content.case_reference
        )
    question_id = request.path_params.get("question_id", "")
    node = console_of(request).client.node_name
    number = request.path_params.get("finding", "")
    finding = view.own_finding(number, node) if number else None
    return StepOnAlert(step, StepContext(view, node, reader_locale(request).zone, question_id, finding))


def _name(request: Request) -> str:
    *_before, last_but_one, last = request.url.path.removesuffix(UPLOAD_SUFFIX).split("/")
    return last_but_one if _NUMBERED.get(last_but_one, "") in request.path_params else last


async def _show(request: Request, step: StepOnAlert, sent: Form, status: int) -> Response:
    return _form_page(request, step, sent, status)


def _form_page(request: Request, step: StepOnAlert, sent: Form, status: int, **changed: Any) -> Response:
    return render(
        request,
        f"alert/steps/{_name(request)}.html",
        title=step.form.title(),
        status=status,
        form=sent,
        **changed,
        **_page(request, step, sent),
    )


def _page(request: Request, on_alert: StepOnAlert, sent: Form) -> dict[str, Any]:
    step, context = on_alert.form, on_alert.context
    in_its_list = list_query(request.query_params)
    path = request.url.path.removesuffix(UPLOAD_SUFFIX)
    return {
        "draft": draft_id_of(request) if title_of(path) else "",
        "alert_href": context.view.path + in_its_list,
        "step": step,
        "choices": step_choices(),
        "goods_rows": goods_rows(sent),
        "rows": {kind.name: range(row_count(sent, kind)) for kind in OFTEN_AMENDED.rows},
        "remarks": remarks_of(sent, checked_as),
        "partners_choice": [(node, node.upper()) for node in context.partners],
        "rows_of_changes": lambda changes: [(change.name, change.before, change.after) for change in changes],
        "heading": step.title(),
        "view": context.view,
        "partners": context.partners,
        "finding": context.finding,
        "question": next((q for q in context.view.questions if q.question_id == context.question_id), None),
        "action": path + in_its_list,
        "upload_action": path + UPLOAD_SUFFIX + in_its_list,
        "files": getattr(request.state, "files", None),
        "onward": getattr(request.state, "onward", ()),
    }


def _of_the_step(error: InvalidRequestError) -> InvalidRequestError:
    """The same violations by the paths of the step's own request: the preview's begin with its name."""
    own = [replace(each, field=each.field.partition(".")[2]) for each in error.violations]
    return InvalidRequestError(own, error.message)


def _changed_page(request: Request, step: StepOnAlert) -> Response:
    """The alert changed since it was read: what has changed, and the form again, for the revision that is now."""
    sent, view = form(request), step.context.view
    read = revision_of(sent)
    sent.values["revision"] = [str(view.alert.revision)]
    sent.values["request_id"] = [new_request_id()]
    return _form_page(request, step, sent, 409, changes=changes_since(view, read), read_revision=read)


def changes_since(view: AlertView, revision: int) -> list[ContentChange]:
    """What differs between a revision in the alert's history and the present one; empty where it isn't there."""
    for change in view.response.history:
        name = change.event.WhichOneof("event")
        if name in ("published", "amended"):
            told = getattr(change.event, name)
            if told.revision == revision:
                return content_changes(told.content, view.alert.content)
    return []


_FLOW: Final = Flow(subject=_step, first=_first, show=_show, read=_read, check=_check, send=_send, violations=_note)
_ALERT: Final = "/alerts/{publisher}/{alert_id}"

routes = [
    route
    for name in FORMS
    for number in (f"/{{{_NUMBERED[name]}}}" if name in _NUMBERED else "",)
    for route in _FLOW.routes(f"{_ALERT}/{name}{number}", roles=roles_of(name))
] + [
    page_route(f"{_ALERT}/{name}{UPLOAD_SUFFIX}", _FLOW.take, methods=("POST",), roles=roles_of(name))
    for name in ("finding", "answer/{question_id}", "correct-finding/{finding}")
]
