"""Takes steps on an alert: a form, then what will be sent to whom, then the step, once.

The form carries a request id from its first view on: a second click or a reload sends the same request, which the
gateway answers as the first time.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.client import new_request_id
from gateway.console.agreed import agreed, nodes_of
from gateway.console.attaching import AttachedFiles, attached_files
from gateway.console.drafts import draft_id_of, title_of
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
from gateway.console.views.alerts.allowed import roles_of
from gateway.console.views.alerts.changes import ContentChange, content_changes
from gateway.console.views.alerts.field_names import error_text
from gateway.console.views.alerts.sending import step_envelopes
from gateway.console.views.remarks import remarks_of
from gateway.errors import (
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    RevisionConflictError,
)

FORMS: Final[dict[str, StepForm]] = {**STEP_FORMS, "finding": FINDING, "amend": AMENDMENT, **FINDING_CHANGES}
_NUMBERED: Final = {"answer": "question_id", **dict.fromkeys(FINDING_CHANGES, "finding")}
"""Steps on one thing of the alert, by the name in the path: the parameter that follows it."""


async def ask_for(request: Request) -> Response:
    """The form of a step."""
    step, context = await _of(request)
    first = dict(step.first(context))
    first |= {"request_id": new_request_id(), "revision": str(context.view.alert.revision)}
    if step.evidence is not None:
        first["file_classes"] = "INVESTIGATIVE"
    await _attach(request, step, context)
    return _form_page(request, step, context, Form.with_values(first))


async def take(request: Request) -> Response:
    """A form that was sent: shows what would be sent, and on the second time sends it."""
    sent = form(request)
    step, context = await _of(request)
    files = await _attach(request, step, context)
    if sent.text("edit"):
        return _form_page(request, step, context, sent)
    message = step.read(sent, context)
    if step.evidence is not None and files is not None:
        step.evidence(message).extend(files.evidence())
    if not sent.is_good:
        return _form_page(request, step, context, sent, status=422)
    if not sent.text("confirmed"):
        if context.view.alert.revision != revision_of(sent):
            return _changed_page(request, step, context, sent)
        return await _preview_page(request, step, context, message)
    return await _send(request, step, context, message)


async def _attach(request: Request, step: StepForm, context: StepContext) -> AttachedFiles | None:
    """Takes the files of a form, for the page to show; None for a step without files."""
    if step.evidence is None:
        return None
    content = context.view.alert.content
    files = await attached_files(request, form(request), purpose=content.purpose, case_reference=content.case_reference)
    request.state.files = files
    return files


async def _send(request: Request, step: StepForm, context: StepContext, message: Any) -> Response:
    sent = form(request)
    try:
        await step.act(client(request), message)
    except RevisionConflictError:
        return _changed_page(request, step, StepContext(await alert_of(request), *_rest(context)), sent)
    except InvalidRequestError as error:
        sent.add_violations(error, step.violations)
        return _form_page(request, step, context, sent, status=422)
    except IllegalTransitionError as error:
        sent.problems[""] = error_text(error)
        return _form_page(request, step, context, sent, status=409)
    return redirect(with_done(context.view.path + list_query(request.query_params), _name(request)))


async def _of(request: Request) -> tuple[StepForm, StepContext]:
    step = FORMS.get(_name(request))
    if step is None:
        raise NotFoundError("there is no such step")
    view = await alert_of(request)
    if _name(request) == "ask" and not view.own:
        asked_for = nodes_of(form(request), "onward")
        request.state.onward = (await agreed(request)).partner_options(asked_for, without={view.alert.publisher})
    question_id = request.path_params.get("question_id", "")
    node = console_of(request).client.node_name
    number = request.path_params.get("finding", "")
    finding = view.own_finding(number, node) if number else None
    return step, StepContext(view, node, reader_locale(request).zone, question_id, finding)


def _name(request: Request) -> str:
    *_before, last_but_one, last = request.url.path.removesuffix(UPLOAD_SUFFIX).split("/")
    return last_but_one if _NUMBERED.get(last_but_one, "") in request.path_params else last


def _rest(context: StepContext) -> tuple[Any, ...]:
    return context.node, context.zone, context.question_id, context.finding


def _form_page(request: Request, step: StepForm, context: StepContext, sent: Form, *, status: int = 200) -> Response:
    return render(
        request,
        f"alert/steps/{_name(request)}.html",
        title=step.title(),
        status=status,
        form=sent,
        **_page(request, step, context, sent),
    )


def _page(request: Request, step: StepForm, context: StepContext, sent: Form) -> dict[str, Any]:
    in_its_list = list_query(request.query_params)
    path = request.url.path.removesuffix(UPLOAD_SUFFIX)
    return {
        "draft": draft_id_of(request) if title_of(path) else "",
        "alert_href": context.view.path + in_its_list,
        "step": step,
        "choices": step_choices(),
        "goods_rows": goods_rows(sent),
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


async def _preview_page(request: Request, step: StepForm, context: StepContext, message: Any) -> Response:
    """What each partner would get, as the gateway says it."""
    sent = form(request)
    try:
        preview = await client(request).preview_step(step.previewed(message))
    except InvalidRequestError as error:
        sent.add_violations(_of_the_step(error), step.violations)
        return _form_page(request, step, context, sent, status=422)
    except IllegalTransitionError as error:  # somebody else was faster
        sent.problems[""] = error_text(error)
        return _form_page(request, step, context, sent, status=409)
    return render(
        request,
        "alert/preview.html",
        title=step.title(),
        envelopes=step_envelopes(preview, step.changes(message) if step.changes else ()),
        can_send=all(one.allowed for one in preview.recipients),
        hidden={name: values for name, values in sent.values.items() if name not in ("csrf", "confirmed", "edit")},
        **_page(request, step, context, sent),
    )


def _of_the_step(error: InvalidRequestError) -> InvalidRequestError:
    """The same violations by the paths of the step's own request: the preview's begin with its name."""
    own = [replace(each, field=each.field.partition(".")[2]) for each in error.violations]
    return InvalidRequestError(own, error.message)


def _changed_page(request: Request, step: StepForm, context: StepContext, sent: Form) -> Response:
    """The alert changed since it was read: what has changed, and the form again, for the revision that is now."""
    read = revision_of(sent)
    changes = changes_since(context.view, read)
    sent.values["revision"] = [str(context.view.alert.revision)]
    sent.values["request_id"] = [new_request_id()]
    return render(
        request,
        f"alert/steps/{_name(request)}.html",
        title=step.title(),
        status=409,
        form=sent,
        changes=changes,
        read_revision=read,
        **_page(request, step, context, sent),
    )


def changes_since(view: AlertView, revision: int) -> list[ContentChange]:
    """What differs between a revision in the alert's history and the present one; empty where it isn't there."""
    for change in view.response.history:
        name = change.event.WhichOneof("event")
        if name in ("published", "amended"):
            told = getattr(change.event, name)
            if told.revision == revision:
                return content_changes(told.content, view.alert.content)
    return []


_ALERT: Final = "/alerts/{publisher}/{alert_id}"

routes = [
    page_route(f"{_ALERT}/{name}{number}", handler, methods=(method,), roles=roles_of(name))
    for name, number in ((name, f"/{{{_NUMBERED[name]}}}" if name in _NUMBERED else "") for name in FORMS)
    for handler, method in ((ask_for, "GET"), (take, "POST"))
] + [
    page_route(f"{_ALERT}/{name}{UPLOAD_SUFFIX}", take, methods=("POST",), roles=roles_of(name))
    for name in ("finding", "answer/{question_id}", "correct-finding/{finding}")
]
