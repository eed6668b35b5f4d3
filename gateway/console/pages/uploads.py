"""Takes a file in parts, before the form that attaches it: what `upload.js` sends.

1. `POST /files/upload` names file, type and size. The answer has a token, or says why the file isn't taken.
2. `POST /files/{token}/upload?offset=…` brings the bytes from there on, at most PART_BYTES. Where they don't fit,
   nothing is taken, and the answer (409) has the offset that would.
3. The part that makes the file whole hands it to the gateway as a form's file: the same checks, one audit event. The
   answer has its digest. An empty part at the end asks for that once more, after an answer that was lost.
4. `GET` says how much is here. `DELETE` forgets it.

A token is its person's alone. 503 stands for what passes: the same request may be sent again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.console.attaching import CLASSES, about_file, hand_over, most_bytes, require_taken
from gateway.console.page import client, console_of, page_route, session
from gateway.console.spool import PART_BYTES, ComingFile, HandedOver, PartialFiles
from gateway.console.views.alerts.field_names import error_text
from gateway.errors import FileRefusedError, GatewayError, Kind, NotFoundError

_PASSING: Final = frozenset({Kind.UNAVAILABLE, Kind.RESOURCE_EXHAUSTED, Kind.DEADLINE_EXCEEDED})

MAX_DIGITS: Final = 15
"""Of a size or an offset."""

Handler = Callable[[Request], Awaitable[Response]]


async def begin(request: Request) -> Response:
    """Begins a file."""
    about = about_file(
        name=unquote(request.headers.get("x-file-name", ""), errors="replace"),
        media_type=request.headers.get("x-file-type", ""),
        purpose="",
        case_reference="",
        classes=(),
    )
    size = _number(request.headers.get("x-file-size", ""))
    if size is None:
        return JSONResponse({"problem": ""}, status_code=400)
    limits = await client(request).files.limits()
    largest = most_bytes(request, limits)
    require_taken(about.media_type, size, limits=limits, largest=largest)
    token = console_of(request).coming.begin(
        session(request).person, about.file_name, about.media_type, size, largest=largest
    )
    return JSONResponse({"token": token})


async def take_part(request: Request) -> Response:
    """Takes a part; with the last one the gateway gets the file."""
    coming, owner, token = _of(request)
    kept = coming.get(owner, token)
    if kept.result is not None:
        return _done(kept.result)
    offset = _number(request.query_params.get("offset", ""))
    if offset is None or offset != kept.received:
        return JSONResponse({"offset": kept.received}, status_code=409)
    if offset < kept.size:
        part = await _part(request, min(PART_BYTES, kept.size - offset))
        if part is None:
            return JSONResponse({"problem": ""}, status_code=413)
        received = coming.append(owner, token, offset, part)
        if received < kept.size:
            fits = received == offset + len(part)
            return JSONResponse({"offset": received}, status_code=200 if fits else 409)
    return _done(await _result(request, kept))


async def say(request: Request) -> Response:
    """How much of a file is here."""
    coming, owner, token = _of(request)
    kept = coming.get(owner, token)
    return _done(kept.result) if kept.result else JSONResponse({"offset": kept.received})


async def leave_out(request: Request) -> Response:
    """Forgets a file."""
    coming, owner, token = _of(request)
    await coming.drop(coming.get(owner, token), token)
    return Response(status_code=204)


def _of(request: Request) -> tuple[PartialFiles, str, str]:
    """Files that are coming, the person, and the token that the path names."""
    return console_of(request).coming, session(request).person, request.path_params["token"]


async def _part(request: Request, most: int) -> bytes | None:
    """The bytes of a part; None where it has more, of which the rest isn't read."""
    length = _number(request.headers.get("content-length", ""))
    if length is not None and length > most:
        return None
    part = bytearray()
    async for chunk in request.stream():
        part += chunk
        if len(part) > most:
            return None
    return bytes(part)


async def _result(request: Request, kept: ComingFile) -> HandedOver:
    """What a whole file has become at the gateway; purpose, case and classes are those of the form by now."""
    coming, owner, token = _of(request)
    query = request.query_params
    about = about_file(
        name=kept.name,
        media_type=kept.media_type,
        purpose=query.get("purpose", ""),
        case_reference=query.get("case_reference", ""),
        classes=query.getlist(CLASSES),
    )
    async with kept.handing_over:
        coming.get(owner, token)  # it may have been left out meanwhile
        result = kept.result
        if result is None:
            try:
                result = await hand_over(request, kept.file, about)
            except FileRefusedError:
                coming.forget(kept, token)
                raise
            coming.finish(kept, result)
    return result


def _done(result: HandedOver) -> Response:
    return JSONResponse({"digest": result.digest, "name": result.name, "remark": result.remark})


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS else None


def _route(path: str, handler: Handler, method: str) -> Route:
    """A route for a script: what the gateway or the console refuses is a sentence and no page."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except GatewayError as error:
            if error.kind is Kind.UNAUTHENTICATED:
                raise
            return JSONResponse({"problem": error_text(error)}, status_code=_status(error))

    answer.__name__ = handler.__name__
    return page_route(path, answer, methods=(method,))


def _status(error: GatewayError) -> int:
    if isinstance(error, NotFoundError):
        return 404
    return 503 if error.kind in _PASSING and not isinstance(error, FileRefusedError) else 422


_COMING: Final = "/files/{token}/upload"

routes = [
    _route("/files/upload", begin, "POST"),
    _route(_COMING, take_part, "POST"),
    _route(_COMING, say, "GET"),
    _route(_COMING, leave_out, "DELETE"),
]
