"""Files of an alert: asked for, looked at, downloaded, erased; and the upload that a form's script makes."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Final
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from gateway.client import AlertReference, new_request_id
from gateway.console.attaching import CLASSES, about_file, safe_name
from gateway.console.images.sandbox import PictureError, PictureSandbox
from gateway.console.images.worker import MAX_INPUT_BYTES
from gateway.console.page import client, form, has_role, page_route, redirect, render
from gateway.console.pages.alert.path import reference
from gateway.console.views.files import FileView, file_view
from gateway.errors import GatewayError, NotFoundError
from gateway.translation.messages import gettext as _
from gateway.translation.refusals import refused
from gateway.v1.alert_pb2 import AlertContent
from gateway.v1.file_pb2 import AlertFile

DIGEST_CHARS: Final = 64

DOWNLOAD_POLICY: Final = "default-src 'none'; sandbox"
"""Content security policy of a file that a stranger made, should a browser show it all the same."""

SLICE_BYTES: Final = 64 * 1024
"""Of a download at once: each must be taken within `limits.body_s`, by a line of 4 kB/s too."""

_sandbox = PictureSandbox()


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
    return render(
        request,
        "files/show.html",
        title=view.name,
        view=view,
        alert_path=f"/alerts/{key.publisher}/{key.alert_id}",
        case_reference=content.case_reference,
        may_ask=has_role(request, "officer", "analyst", "supervisor"),
        may_erase=has_role(request, "supervisor"),
        request_id=new_request_id(),
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


async def picture(request: Request) -> Response:
    """The picture, made anew by the worker; what isn't one is refused."""
    _key, content, view = await load_file_view(request)
    if not view.is_picture or view.size > MAX_INPUT_BYTES:
        raise NotFoundError("this file isn't shown as a picture")
    data = await client(request).files.get_bytes(
        view.digest, purpose=content.purpose, case_reference=content.case_reference, most=MAX_INPUT_BYTES
    )
    try:
        safe = await _sandbox.safe_picture(data)
    except PictureError as error:
        raise NotFoundError(f"this file isn't shown: {error}") from None
    return Response(safe.content, media_type=safe.media_type, headers={"content-security-policy": DOWNLOAD_POLICY})


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


async def upload(request: Request) -> Response:
    """Takes the bytes of a file as they come and answers with its digest: the upload of `upload.js`."""
    query = request.query_params
    about = about_file(
        name=unquote(request.headers.get("x-file-name", ""), errors="replace"),
        media_type=request.headers.get("content-type", ""),
        purpose=query.get("purpose", ""),
        case_reference=query.get("case_reference", ""),
        classes=query.getlist(CLASSES),
    )
    try:
        file = await client(request).files.put_stream(request.stream(), about)
    except GatewayError as error:
        return JSONResponse({"problem": refused(error.message)}, status_code=422)
    return JSONResponse({"digest": file.evidence.sha256.hex(), "name": file.evidence.file_name or about.file_name})


_FILE: Final = "/alerts/{publisher}/{alert_id}/files/{digest}"

routes = [
    page_route("/files/upload", upload, methods=("POST",)),
    page_route(_FILE, show),
    page_route(f"{_FILE}/picture", picture),
    page_route(f"{_FILE}/download", download),
    page_route(f"{_FILE}/ask", ask, methods=("POST",)),
    page_route(f"{_FILE}/erase", erase, methods=("POST",)),
]
