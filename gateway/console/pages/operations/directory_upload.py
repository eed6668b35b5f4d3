"""Takes a version of the directory that an operator uploads: shows changes and signatures first, then asks."""

from __future__ import annotations

import asyncio
from io import BytesIO
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.approvals import approving_client
from gateway.console.form import Form
from gateway.console.page import client, console_of, form, page_route, redirect, render, session
from gateway.console.pages.operations.keys import directory_page
from gateway.console.pages.operations.parts import OPERATOR
from gateway.console.views.alerts.field_names import error_text
from gateway.console.views.trusted import signature_counts
from gateway.errors import GatewayError, Kind
from gateway.translation.messages import gettext as _
from gateway.v1.node_service_pb2 import TakeDirectoryRequest

DIRECTORY: Final = "/operations/directory"

TAKE: Final = "/gateway.v1.NodeService/TakeDirectory"

MOST_BYTES: Final = 1 << 20
"""Bytes of a signed note, as the contract has it."""

SENDING: Final = frozenset({OPERATOR})
"""Roles from which the gateway takes a version."""


async def preview(request: Request) -> Response:
    """What the file would change, who has signed it, and who is missing; with a button where it can be taken."""
    sent = form(request)
    upload = sent.upload("file")
    note = await upload.read(MOST_BYTES + 1) if upload is not None else b""
    if upload is None or not note:
        return await _refused(request, sent, _("Choose a file."))
    if len(note) > MOST_BYTES:
        return await _refused(request, sent, _("The file is too large."))
    try:
        shown = await client(request).node.preview_directory(note)
    except GatewayError as error:
        if error.kind is not Kind.INVALID_ARGUMENT:
            raise
        return await _refused(request, sent, _("It is no directory: {problem}", problem=error_text(error)))
    name, counts = upload.filename or "", signature_counts(shown.signers, shown.threshold_in_force, shown.threshold)
    can_be_taken = not shown.problem and bool(shown.changes)
    spool, owner = console_of(request).spool, session(request).person
    token = await asyncio.to_thread(spool.put, owner, name, BytesIO(note)) if can_be_taken else ""
    return render(
        request,
        "operations/directory_preview.html",
        title=_("Version {version} of the directory", version=shown.version),
        shown=shown,
        counts=counts,
        lacks_signatures=not all(count.is_enough for count in counts),
        file_name=name,
        hidden={"token": token},
        can_be_taken=can_be_taken,
    )


async def take(request: Request) -> Response:
    """Puts it in place, with the person's passkey where there is one."""
    sent, owner, spool = form(request), session(request).person, console_of(request).spool
    if sent.text("edit"):
        spool.drop(owner, sent.text("token"))
        return redirect(DIRECTORY)
    _name, file = spool.get(owner, sent.text("token"))
    note = await asyncio.to_thread(file.read)
    what = _("Put a version of the directory in force")
    acting = await approving_client(request, TAKE, TakeDirectoryRequest(note=note), what=what, back=DIRECTORY)
    if isinstance(acting, Response):
        return acting
    version = await acting.node.take_directory(note)
    spool.drop(owner, sent.text("token"))
    return redirect(f"{DIRECTORY}?taken={version}")


async def _refused(request: Request, sent: Form, problem: str) -> Response:
    sent.problems["file"] = problem
    return await directory_page(request, sent)


routes = [
    page_route("/operations/directory/upload", preview, methods=("POST",), roles=SENDING),
    page_route("/operations/directory/take", take, methods=("POST",), roles=SENDING),
]
