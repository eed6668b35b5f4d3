"""A person's drafts of forms: kept by a script or a button, listed, gone on with, deleted."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.drafts import PATH, draft_of, draft_path, in_words, title_of
from gateway.console.page import client, form, page_route, redirect, render
from gateway.errors import NotFoundError, OptionError
from gateway.translation.messages import gettext as _

BY_SCRIPT = "x-draft"
"""Header of a form that a script sends to be kept."""


async def show(request: Request) -> Response:
    """All drafts, the newest first."""
    return render(
        request,
        "drafts/list.html",
        title=_("Your drafts"),
        drafts=in_words(await client(request).casework.drafts()),
        done=request.query_params.get("done", ""),
    )


async def keep(request: Request) -> Response:
    """Keeps the fields of a form."""
    draft = draft_of(form(request), form(request).raw("draft_form"))
    if draft is None:
        raise OptionError(_("This form isn't kept."))
    await client(request).casework.save_draft(draft)
    return Response(status_code=204) if BY_SCRIPT in request.headers else redirect(f"{PATH}?done=kept")


async def go_on(request: Request) -> Response:
    """What was written, and a button to the form."""
    draft = await client(request).casework.draft(request.path_params["draft_id"])
    title = title_of(draft.form)
    if not title:
        raise NotFoundError(_("This form isn't there any more."))
    return render(
        request,
        "drafts/show.html",
        title=_("Draft: {form}", form=title),
        draft=draft,
        written=[field.value for field in draft.fields if _is_written(field.name, field.value)],
    )


def _is_written(name: str, value: str) -> bool:
    """Whether a field shows what somebody wrote, and no id, choice or content that the form carries."""
    return name not in ("base", "request_id", "revision", "draft_id", "amends") and len(value.split()) > 1


async def delete(request: Request) -> Response:
    """Deletes one."""
    await client(request).casework.delete_draft(request.path_params["draft_id"])
    return redirect(f"{PATH}?done=deleted")


routes = [
    page_route(PATH, show),
    page_route(PATH, keep, methods=("POST",)),
    page_route(draft_path("{draft_id}"), go_on),
    page_route(draft_path("{draft_id}/delete"), delete, methods=("POST",)),
]
