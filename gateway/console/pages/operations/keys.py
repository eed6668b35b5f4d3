"""Certificates, keys and the directory, with the days that are left and who signed."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.page import client, page_route, render
from gateway.console.pages.operations.parts import days_kind, days_left, tabs
from gateway.translation.messages import gettext as _

_SIGNATURE: Final = "— "
"""Begins each line of a signature in a signed note (C2SP signed-note)."""


@dataclass(frozen=True, slots=True)
class SignedDirectory:
    """What a signed note of the directory says: its document, and the names of its signers."""

    document: dict[str, object]
    signers: tuple[str, ...]

    @classmethod
    def of(cls, note: bytes) -> SignedDirectory:
        """Reads a note that the gateway has verified; what can't be read is left out."""
        text, _separator, signatures = note.decode("utf-8", "replace").rpartition("\n\n")
        names = [
            line[len(_SIGNATURE) :].split(" ")[0] for line in signatures.splitlines() if line.startswith(_SIGNATURE)
        ]
        try:
            document = json.loads(text)
        except ValueError:
            document = {}
        return cls(document if isinstance(document, dict) else {}, tuple(names))

    @property
    def threshold(self) -> str:
        """How many must sign; empty where the document doesn't say."""
        return str(self.document.get("threshold", ""))


async def show_keys(request: Request) -> Response:
    """Certificates, then keys."""
    node = client(request).node
    certificates, keys = await asyncio.gather(node.certificates(), node.keys())
    return render(
        request,
        "operations/keys.html",
        title=_("Certificates and keys"),
        tabs=tabs(request),
        certificates=[(one, days := days_left(one.not_after), days_kind(days)) for one in certificates],
        keys=[(one, days := days_left(one.not_after), days_kind(days)) for one in keys],
    )


async def show_directory(request: Request) -> Response:
    """The version in force."""
    status = await client(request).node.directory()
    days = days_left(status.expires_at)
    signed = SignedDirectory.of(status.note)
    return render(
        request,
        "operations/directory.html",
        title=_("Directory"),
        tabs=tabs(request),
        directory=status,
        signed=signed,
        days=days,
        kind=days_kind(days),
    )


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
