"""Certificates, keys and the directory, with the days that are left and who signed."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.form import Form
from gateway.console.page import client, has_role, page_route, render
from gateway.console.pages.operations.parts import OPERATOR, days_kind, days_left, tabs
from gateway.console.views.trusted import SignedDirectory, certificate_use, key_use
from gateway.translation.messages import gettext as _


async def show_keys(request: Request) -> Response:
    """Certificates, then keys."""
    node = client(request).node
    certificates, keys = await asyncio.gather(node.certificates(), node.keys())
    return render(
        request,
        "operations/keys.html",
        title=_("Certificates and keys"),
        certificate_use=certificate_use,
        key_use=key_use,
        tabs=tabs(request),
        certificates=[(one, days := days_left(one.not_after), days_kind(days)) for one in certificates],
        keys=[(one, days := days_left(one.not_after), days_kind(days)) for one in keys],
    )


async def show_directory(request: Request) -> Response:
    """The version in force."""
    return await directory_page(request, Form())


async def directory_page(request: Request, sent: Form) -> Response:
    """The version in force, and for operators the form to upload another."""
    status = await client(request).node.directory()
    days = days_left(status.expires_at)
    signed = SignedDirectory.of(status.note)
    return render(
        request,
        "operations/directory.html",
        title=_("Directory"),
        tabs=tabs(request),
        status=200 if sent.is_good else 422,
        form=sent,
        taken=_taken(request.query_params.get("taken", "")),
        may_upload=has_role(request, OPERATOR),
        directory=status,
        signed=signed,
        days=days,
        kind=days_kind(days),
    )


def _taken(version: str) -> str:
    """What is said after a version was put in place."""
    if not (version.isascii() and version.isdecimal() and len(version) < 10):
        return ""
    return _("Version {version} is put in place, and in force within seconds.", version=version)


async def download(request: Request) -> Response:
    """The signed note, as other tools verify it."""
    status = await client(request).node.directory()
    headers = {"content-disposition": f'attachment; filename="directory-{status.version}.note"'}
    return Response(status.note, media_type="application/octet-stream", headers=headers)


routes = [
    page_route("/operations/keys", show_keys),
    page_route("/operations/directory", show_directory),
    page_route("/operations/directory/note", download),
]
