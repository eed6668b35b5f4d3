"""Finds the reader or writer for a file of a watchlist."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from gateway.cli.display.tables import opened
from gateway.errors import OptionError
from gateway.formats.foreign_files import require_no_workbook
from gateway.formats.lists.csv_lists import LIST_MAPPINGS, read_csv, write_csv
from gateway.formats.lists.export import Export
from gateway.formats.lists.formats import PUBLISHED, START_BYTES, xml_format
from gateway.formats.lists.ftm_export import write_ftm
from gateway.formats.lists.json_lines import read_json_lines, write_json_lines
from gateway.formats.lists.ofac.reader import read_ofac
from gateway.formats.lists.rows import ListOptions, Row, bounded
from gateway.formats.lists.stix import write_stix
from gateway.formats.tables.lines import Dialect
from gateway.formats.tables.mapping import TableMapping
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_pb2 import WatchlistEntry

OFAC_FILES = (("sdn", "alt", "add"), ("cons_prim", "cons_alt", "cons_add"))
"""Names of the files of OFAC's two lists."""

OFAC_COMMENTS = ("sdn_comments", "cons_comments")
"""Their files with the rest of long remarks."""

Output = Callable[[Path], AbstractContextManager[BinaryIO]]


class ImportFormat(StrEnum):
    """Formats that are read."""

    CSV = "csv"
    JSONL = "jsonl"
    UN_XML = "un-xml"
    HK_XML = "hk-xml"
    EU_XML = "eu-xml"
    EU_CSV = "eu-csv"
    UK_XML = "uk-xml"
    OFAC_XML = "ofac-xml"
    FTM = "ftm"
    OFAC = "ofac"


class ExportFormat(StrEnum):
    """Formats that are written."""

    CSV = "csv"
    JSONL = "jsonl"
    FTM = "ftm"
    STIX = "stix"


WITHOUT_LEGAL_BASIS = frozenset({ImportFormat.OFAC, *map(ImportFormat, PUBLISHED)}) - {ImportFormat.HK_XML}
"""Formats without a legal basis."""

_BY_ENDING = {
    ".csv": ImportFormat.CSV,
    ".jsonl": ImportFormat.JSONL,
    ".ndjson": ImportFormat.JSONL,
    ".xml": ImportFormat.UN_XML,
}


def format_of(file: Path, given: ImportFormat | None) -> ImportFormat:
    """The format by the option, or by the file's ending; of XML by its outermost element."""
    file_format = given or _BY_ENDING.get(file.suffix.lower())
    if given is None and file_format is ImportFormat.UN_XML and file.is_file():
        with file.open("rb") as stream:
            file_format = ImportFormat(xml_format(stream.read(START_BYTES)))
    if file_format is None:
        require_no_workbook(str(file))
        raise OptionError(
            _(
                "{file}: its ending doesn't name a format; give --format {formats}",
                file=file,
                formats=", ".join(ImportFormat),
            )
        )
    return file_format


def mapping_of(given: str, kind: ImportFormat) -> TableMapping | None:
    """A mapping from a TOML file, or a packaged one; ConfigurationError for a wrong name or format."""
    if not given:
        return None
    if kind is not ImportFormat.CSV:
        raise OptionError(_("--mapping is for columns of a CSV; {kind} has none", kind=kind))
    return LIST_MAPPINGS.named(given)


@dataclass(slots=True)
class ListSource:
    """A list in a file, to be read as often as needed; `size_bytes` is that of its main file."""

    file: Path
    size_bytes: int
    _streams: list[BinaryIO]
    _read: Callable[[list[BinaryIO], ListOptions], Iterator[Row]]

    def rows(self, options: ListOptions) -> Iterator[Row]:
        """The rows from the first one on."""
        for stream in self._streams:
            stream.seek(0)
        return bounded(self._read(self._streams, options))

    @property
    def position_bytes(self) -> int:
        """How far its main file has been read."""
        return self._streams[0].tell()


@contextmanager
def open_source(
    file: Path, kind: ImportFormat, mapping: TableMapping | None = None, dialect: Dialect | None = None
) -> Iterator[ListSource]:
    """A list in a file, `-` for standard input; mapping and dialect are of CSV."""
    with ExitStack() as stack:
        paths = _ofac_paths(file) if kind is ImportFormat.OFAC and str(file) != "-" else [file]
        # a list without aliases or addresses has empty files of them
        streams = [stack.enter_context(opened(path, may_be_empty=at > 0)) for at, path in enumerate(paths)]
        size = streams[0].seek(0, io.SEEK_END)
        yield ListSource(file, size, streams, _reader(kind, mapping, dialect, str(file)))


def _reader(
    kind: ImportFormat, mapping: TableMapping | None, dialect: Dialect | None, source: str
) -> Callable[[list[BinaryIO], ListOptions], Iterator[Row]]:
    readers: Mapping[ImportFormat, Callable[[list[BinaryIO], ListOptions], Iterator[Row]]] = {
        ImportFormat.CSV: lambda streams, options: read_csv(streams[0], options, mapping, dialect, source=source),
        ImportFormat.JSONL: lambda streams, options: read_json_lines(streams[0], options),
        ImportFormat.OFAC: lambda streams, options: read_ofac(
            streams[0], streams[1], streams[2], options, comments=next(iter(streams[3:]), None)
        ),
    }
    if kind in readers:
        return readers[kind]
    published = PUBLISHED[kind]
    return lambda streams, options: published(streams[0], options)


def _ofac_paths(file: Path) -> list[Path]:
    """The three files in the folder, or beside the named one, and that of comments if it is there."""
    folder = file if file.is_dir() else file.parent
    there = {path.name.lower(): path for path in folder.iterdir()} if folder.is_dir() else {}
    chosen = _ofac_list(file, there)
    names, comments = OFAC_FILES[chosen], OFAC_COMMENTS[chosen]
    missing = [f"{name}.csv" for name in names if f"{name}.csv" not in there]
    if missing:
        raise OptionError(
            _(
                "{folder}: {missing} isn't there; OFAC's list is {files} in one folder",
                folder=folder,
                missing=", ".join(missing),
                files=", ".join(f"{name}.csv" for name in names),
            )
        )
    return [there[f"{name}.csv"] for name in (*names, comments) if f"{name}.csv" in there]


def _ofac_list(file: Path, there: Mapping[str, Path]) -> int:
    """Which of OFAC's lists is meant: that of the named file, else the one that is there."""
    for number, (main, *_others) in enumerate(OFAC_FILES):
        if file.name.lower() == f"{main}.csv":
            return number
    return next((number for number, (main, *_others) in enumerate(OFAC_FILES) if f"{main}.csv" in there), 0)


def write_list(
    kind: ExportFormat, target: Path, output: Output, publisher: str, entries: Iterable[WatchlistEntry]
) -> Export:
    """Writes entries, which some formats read twice, to the file that `output` opens."""
    writers: Mapping[ExportFormat, Callable[[BinaryIO], Export]] = {
        ExportFormat.CSV: lambda stream: write_csv(stream, entries),
        ExportFormat.JSONL: lambda stream: write_json_lines(stream, entries),
        ExportFormat.FTM: lambda stream: write_ftm(stream, entries),
        ExportFormat.STIX: lambda stream: write_stix(stream, publisher, entries),
    }
    with output(target) as stream:
        return writers[kind](stream)
