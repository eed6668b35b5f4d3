"""Recognises files that people take for a table or text and that are neither: empty ones, workbooks, archives."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, BinaryIO, Final

from gateway.errors import InputFileError
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

_BEGINNING_BYTES: Final = 8

_WORKBOOK = N_("is a workbook of a spreadsheet program, not a text file")
_AS_CSV = N_("Save it there as CSV in UTF-8, and give that file.")
_KINDS: Final = (
    (b"PK\x03\x04", _WORKBOOK, _AS_CSV),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _WORKBOOK, _AS_CSV),
    (b"\x1f\x8b", N_("is compressed by gzip"), N_("Unpack it, and give the file that was in it.")),
    (b"%PDF-", N_("is a PDF"), N_("Get the data as CSV or JSON from where the PDF was made.")),
)
_WORKBOOK_ENDINGS: Final = frozenset({".xlsx", ".xlsm", ".xls", ".ods"})


def require_text(stream: BinaryIO, source: str) -> None:
    """Raises InputFileError for a file without a byte, or in a form that is no text; nothing of the stream is taken."""
    begin = _beginning(stream)
    if not begin:
        raise InputFileError(_("{source} is empty", source=source), way_out=_("Give a file with at least one line."))
    for mark, said, way_out in _KINDS:
        if begin.startswith(mark):
            raise InputFileError(f"{source} {_(said)}", way_out=_(way_out))


def require_no_workbook(name: str) -> None:
    """Raises InputFileError for the name of a workbook: no format that is read has such an ending."""
    if PurePath(name).suffix.lower() in _WORKBOOK_ENDINGS:
        raise InputFileError(f"{name} {_(_WORKBOOK)}", way_out=_(_AS_CSV))


def _beginning(stream: BinaryIO) -> bytes:
    peek: Any = getattr(stream, "peek", None)  # of what can't be read twice, e.g. a pipe
    if peek is not None:
        return bytes(peek(_BEGINNING_BYTES)[:_BEGINNING_BYTES])
    place = stream.tell()
    begin = stream.read(_BEGINNING_BYTES)
    stream.seek(place)
    return begin
