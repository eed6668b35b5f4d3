"""Verifies a bundle of evidence that somebody uploads, as `gateway evidence verify` does, and says what it proves."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.form import Form
from gateway.console.page import client, form, page_route, render
from gateway.console.server.security import UPLOAD_SUFFIX
from gateway.console.views.verification import VerificationView, verification_view
from gateway.translation.messages import gettext as _

MAX_BYTES: Final = 5_000_000
"""Largest .zip file, in bytes: it goes to the gateway in one message, which has at most 5 MiB."""

PATH: Final = "/evidence/verify"


async def ask(request: Request) -> Response:
    """The form."""
    return _page(request, Form())


async def verify(request: Request) -> Response:
    """Each step of the verification, up to the one that fails."""
    sent = form(request)
    upload = sent.upload("file")
    if upload is None:
        sent.problems["file"] = _("Choose a file.")
        return _page(request, sent, status=422)
    archive = await asyncio.to_thread(upload.file.read, MAX_BYTES + 1)
    if not archive:
        sent.problems["file"] = _("The file is empty.")
    elif len(archive) > MAX_BYTES:
        sent.problems["file"] = _("The file is larger than 5 MB: verify it with `gateway evidence verify`.")
    if not sent.is_good:
        return _page(request, sent, status=422)
    result = verification_view(await client(request).evidence.verify(archive=archive))
    return _page(request, sent, result=result, file_name=upload.filename or "")


def _page(
    request: Request, sent: Form, *, status: int = 200, result: VerificationView | None = None, file_name: str = ""
) -> Response:
    return render(
        request,
        "evidence/verify.html",
        title=_("Verify evidence"),
        status=status,
        form=sent,
        action=PATH + UPLOAD_SUFFIX,
        result=result,
        file_name=file_name,
    )


VERIFYING: Final = frozenset({"officer", "supervisor", "auditor"})

routes = [
    page_route(PATH, ask, roles=VERIFYING),
    page_route(PATH + UPLOAD_SUFFIX, verify, methods=("POST",), roles=VERIFYING),
]
