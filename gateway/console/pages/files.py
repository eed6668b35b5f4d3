"""Files of an alert: asked for, looked at, downloaded, erased.

Opening a file is an event of the audit log. Its page opens a picture once; a list shows pictures small only where
somebody asks for that, and each that is made anew is such an event too.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from gateway.client import AlertReference, new_request_id
from gateway.console.attaching import safe_name, sandbox
from gateway.console.images.made import MadePictures
from gateway.console.images.sandbox import PictureError, SafePicture
from gateway.console.images.worker import MAX_INPUT_BYTES, MAX_SIDE, SMALL_SIDE
from gateway.console.page import client, form, has_role, page_route, redirect, render, session
from gateway.console.pages.alert.path import reference
from gateway.console.server.security import KEPT_BY_BROWSER
from gateway.console.views.files import FileView, file_view, why_not_shown
from gateway.errors import GatewayError, NotFoundError
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import AlertContent
from gateway.v1.file_pb2 import AlertFile

DIGEST_CHARS: Final = 64

DOWNLOAD_POLICY: Final = "default-src 'none'; sandbox"
"""Content security policy of a file that a stranger made, should a browser show it all the same."""

SLICE_BYTES: Final = 64 * 1024
"""Of a download at once: each must be taken within `limits.body_s`, by a line of 4 kB/s too."""

NO_PICTURE: Final = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 72" fill="none" stroke="#77828c" stroke-width="2">'
    b'<rect x="4" y="4" width="88" height="64" rx="4"/><path d="M4 68 92 4"/></svg>'
)
"""Stands in a list for a file that isn't shown as a picture; the file's page says why."""

_made = MadePictures()


def digest_of(request: Request) -> bytes:
    """The digest that a path names."""
    text = request.path_params["digest"]
    try:
        digest = bytes.fromhex(text)
    except ValueError:
        digest = b""
    if len(text) != DIGEST_CHARS or not digest:
        raise NotFoundError("there is no such file")
    return digest


async def load_file_view(request: Request) -> tuple[AlertReference, AlertContent, FileView]:
    """The alert of a path, its content, and the file of it."""
    key, digest = reference(request), digest_of(request)
    content = (await client(request).get_alert(key)).alert.content
    files: list[AlertFile] = await client(request).files.of_alert(key)
    for file in files:
        if file.file.evidence.sha256 == digest:
            return key, content, file_view(key, file)
    raise NotFoundError("the alert names no such file")


async def show(request: Request) -> Response:
    """The page of a file."""
    key, content, view = await load_file_view(request)
    why_no_picture = await _make_picture(request, content, view) if view.is_picture else ""
    return render(
        request,
        "files/show.html",
        title=view.name,
        view=view,
        why_no_picture=why_no_picture,
        alert_path=f"/alerts/{key.publisher}/{key.alert_id}",
        case_reference=content.case_reference,
        may_ask=has_role(request, "officer", "analyst", "supervisor"),
        may_erase=has_role(request, "supervisor"),
        request_id=new_request_id(),
    )


async def show_all(request: Request) -> Response:
    """The files of an alert, its pictures small."""
    key = reference(request)
    content = (await client(request).get_alert(key)).alert.content
    files = [file_view(key, file) for file in await client(request).files.of_alert(key)]
    return render(
        request,
        "files/list.html",
        title=_("Pictures and documents"),
        files=files,
        alert_path=f"/alerts/{key.publisher}/{key.alert_id}",
        case_reference=content.case_reference,
    )


async def ask(request: Request) -> Response:
    """Asks the partner for the file."""
    key, content, view = await load_file_view(request)
    case = form(request).text("case_reference") or content.case_reference
    await client(request).files.request(view.digest, key, purpose=content.purpose, case_reference=case)
    return redirect((form(request).text("back") == "alert" and view.alert_path) or view.path)


async def erase(request: Request) -> Response:
    """Erases the file here."""
    _key, _content, view = await load_file_view(request)
    sent = form(request)
    reason = sent.required("reason", _("Say why: the reason stays."))
    if not sent.is_good:
        return await show(request)
    await client(request).files.erase(view.digest, reason=reason, request_id=sent.text("request_id") or None)
    return redirect(view.path)


async def _make_picture(request: Request, content: AlertContent, view: FileView) -> str:
    """Makes the picture that the page will ask for; says why there is none where there is none."""
    try:
        _made.put(session(request).token, view.digest, await _picture(request, content, view))
    except PictureError as error:
        return why_not_shown(error)
    except GatewayError:  # too many pictures are being opened, or the gateway can't be asked for its bytes
        return _("It can't be shown now. Open this page again in a moment.")
    return ""


async def _picture(request: Request, content: AlertContent, view: FileView, side: int = MAX_SIDE) -> SafePicture:
    """Reads a file, which the audit log notes, and makes the picture anew in the worker."""
    if view.size > MAX_INPUT_BYTES:
        raise PictureError(too_large=True)
    data = await client(request).files.get_bytes(
        view.digest, purpose=content.purpose, case_reference=content.case_reference, most=MAX_INPUT_BYTES
    )
    return await sandbox.safe_picture(data, side=side)


async def picture(request: Request) -> Response:
    """The picture, made for the file's page or now; what isn't one is refused."""
    _key, content, view = await load_file_view(request)
    if not view.is_picture:
        raise NotFoundError("this file isn't shown as a picture")
    safe = _made.take(session(request).token, view.digest)
    try:
        safe = safe or await _picture(request, content, view)
    except PictureError as error:
        raise NotFoundError(f"this file isn't shown: {error}") from None
    return Response(safe.content, media_type=safe.media_type, headers={"content-security-policy": DOWNLOAD_POLICY})


async def thumbnail(request: Request) -> Response:
    """The picture, small. Its browser keeps it for its session, so that going back to the list opens nothing again."""
    _key, content, view = await load_file_view(request)
    if not view.is_picture:
        raise NotFoundError("this file isn't shown as a picture")
    try:
        small = await _picture(request, content, view, SMALL_SIDE)
    except PictureError:
        small = SafePicture("image/svg+xml", NO_PICTURE)
    headers = {"content-security-policy": DOWNLOAD_POLICY, "cache-control": KEPT_BY_BROWSER, "vary": "cookie"}
    return Response(small.content, media_type=small.media_type, headers=headers)


async def download(request: Request) -> Response:
    """The file as it is, to be kept and not shown."""
    _key, content, view = await load_file_view(request)
    opened = await client(request).files.read(
        view.digest, purpose=content.purpose, case_reference=content.case_reference
    )
    name = safe_name(view.name)
    plain = "".join(char if char.isascii() and char not in '"%;\\' else "_" for char in name)
    return StreamingResponse(
        slices(opened.chunks),
        media_type="application/octet-stream",
        headers={
            "content-disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}",
            "content-length": str(opened.file.evidence.size_bytes),
            "content-security-policy": DOWNLOAD_POLICY,
            "x-content-type-options": "nosniff",
        },
    )


async def slices(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The same bytes in pieces that a slow line takes in time."""
    try:
        async for chunk in chunks:
            for start in range(0, len(chunk), SLICE_BYTES):
                yield chunk[start : start + SLICE_BYTES]
    finally:
        await chunks.aclose()


_FILE: Final = "/alerts/{publisher}/{alert_id}/files/{digest}"

routes = [
    page_route("/alerts/{publisher}/{alert_id}/files", show_all),
    page_route(_FILE, show),
    page_route(f"{_FILE}/picture", picture),
    page_route(f"{_FILE}/thumbnail", thumbnail),
    page_route(f"{_FILE}/download", download),
    page_route(f"{_FILE}/ask", ask, methods=("POST",)),
    page_route(f"{_FILE}/erase", erase, methods=("POST",)),
]
