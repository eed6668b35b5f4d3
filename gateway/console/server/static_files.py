"""Serves the console's own files from memory, compressed once, under a name that changes with their content."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.errors import ConfigurationError

FOLDER: Final = Path(__file__).parents[1] / "static"

_FOREVER: Final = "public, max-age=31536000, immutable"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
"""Media types of the files that are served; others in the folder, e.g. licences, aren't."""

_JOINED: Final = {"css/console.css": ("css/tokens.css", "css/base.css", "css/components.css", "css/pages.css")}
"""What every page has, as one file of several: a new window asks once before it paints."""

MAX_EMBLEM_BYTES: Final = 256 * 1024

_EMBLEMS: Final = {".svg": (b"<svg",), ".png": (b"\x89PNG\r\n",)}
"""What files of an emblem begin with, by their ending."""

DIGEST_CHARS: Final = 12


@dataclass(frozen=True, slots=True)
class StaticFile:
    """One file."""

    media_type: str
    plain: bytes
    compressed: bytes


class StaticFiles:
    """All files, read once. Their names hold one digest of all, so that modules find each other by relative names."""

    def __init__(self, folder: Path = FOLDER, *, emblem: Path | None = None) -> None:
        """`emblem`: of the authority, in place of the packaged one.

        Raises:
            ConfigurationError: it can't be read, or isn't a picture that pages show.
        """
        self._files = {
            path.relative_to(folder).as_posix(): _file(path.name, path.read_bytes())
            for path in sorted(folder.rglob("*"))
            if path.suffix in _TYPES
        }
        for name, parts in _JOINED.items():
            self._files[name] = _file(name, b"\n".join(self._files[part].plain for part in parts))
        self.emblem = ""
        if emblem is not None:
            self.emblem = f"emblem{emblem.suffix.lower()}"
            self._files[self.emblem] = _emblem(emblem)
        digest = sha256()
        for name, file in self._files.items():
            digest.update(name.encode() + b"\0" + sha256(file.plain).digest())
        self._digest = digest.hexdigest()[:DIGEST_CHARS]

    def url(self, name: str) -> str:
        """Path for a page, e.g. of `css/base.css`; KeyError where there is no such file."""
        self._files[name]
        return f"/static/{self._digest}/{name}"

    def route(self) -> Route:
        return Route("/static/{digest}/{name:path}", self._serve, methods=["GET"])

    async def _serve(self, request: Request) -> Response:
        file = self._files.get(request.path_params["name"])
        if file is None:
            return PlainTextResponse("There is no such file.", status_code=404)
        current = request.path_params["digest"] == self._digest
        headers = {"cache-control": _FOREVER if current else "no-store", "vary": "accept-encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(file.compressed, media_type=file.media_type, headers=headers | {"content-encoding": "gzip"})
        return Response(file.plain, media_type=file.media_type, headers=headers)


def _emblem(path: Path) -> StaticFile:
    """A picture that a browser shows as one: what an .svg holds besides isn't run."""
    begins = _EMBLEMS.get(path.suffix.lower())
    way_out = "Give an .svg or .png file of at most 256 KiB."
    if begins is None:
        raise ConfigurationError(f"emblem: {path.name} isn't a picture that pages show", way_out=way_out)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"emblem: {path}: {error.strerror}", way_out=way_out) from error
    if len(content) > MAX_EMBLEM_BYTES or not any(begin in content[:1024] for begin in begins):
        raise ConfigurationError(f"emblem: {path.name} isn't such a picture, or is too large", way_out=way_out)
    return _file(f"emblem{path.suffix.lower()}", content)


def _file(name: str, plain: bytes) -> StaticFile:
    return StaticFile(_TYPES[PurePosixPath(name).suffix], plain, gzip.compress(plain, 9, mtime=0))
