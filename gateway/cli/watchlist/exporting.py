"""`gateway watchlist export`: write a list to a file."""

from __future__ import annotations

import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.files import output_file
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.watchlist.files import ExportFormat, write_list
from gateway.cli.watchlist.read import filter_of
from gateway.errors import NotFoundError, OptionError
from gateway.formats.lists.export import Export
from gateway.translation.messages import N_, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1.watchlist_pb2 import WatchlistEntry

if TYPE_CHECKING:
    from gateway.client import GatewayClient

EXIT_INCOMPLETE = 3
"""Some entries weren't written."""

MOST_SHOWN = 20
"""Entries that can't be written listed one by one; --json has them all."""

_LENGTH = struct.Struct(">I")


class EntrySpool:
    """Entries on disk: a list may be larger than memory, and some formats read it twice."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.count = 0

    def add(self, entry: WatchlistEntry) -> None:
        """Keeps one more."""
        data = entry.SerializeToString()
        self._file.write(_LENGTH.pack(len(data)) + data)
        self.count += 1

    def __iter__(self) -> Iterator[WatchlistEntry]:
        self._file.seek(0)
        while head := self._file.read(_LENGTH.size):
            yield WatchlistEntry.FromString(self._file.read(_LENGTH.unpack(head)[0]))


@reports_errors
@connected
def export(
    target: Target,
    *,
    list_: Annotated[str, typer.Option("--list", help=_("Name of the list, e.g. un-sc."))],
    file_format: Annotated[ExportFormat, typer.Option("--format", help=_("Format of the file."))],
    publisher: Annotated[str, typer.Option(help=_("Node whose list it is; our node without it."))] = "",
    out: Annotated[Path, typer.Option("--out", help=_("File to write; standard output without it."))] = Path("-"),
    as_json: JsonOption = False,
) -> None:
    """Write a list, own or a partner's, to a file that other programs read.

    csv and jsonl have all fields; fields that another format lacks are listed.

    Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway watchlist export --list un-sc --format csv --out un-sc.csv
      gateway watchlist export --list un-sc --publisher cn --format stix --out un-sc.json
      gateway watchlist export --list minerals --format jsonl | head -3

    \b
    Exit codes: 0 all written, 1 refused or unreachable, 2 wrong input or no such list here,
    3 the format can't hold some entries, all others are written.
    """
    to_stdout = str(out) == "-"
    if to_stdout and as_json:
        raise OptionError(_("--out: name a file; the report goes to standard output"))
    output = Output(as_json)
    with tempfile.TemporaryFile() as file:
        spool = EntrySpool(file)
        owner = target.run(lambda client: _fetch(client, output, spool, list_, publisher))
        if not spool.count:
            raise NotFoundError(_("there is no entry in list {list} of {owner} here", list=list_, owner=owner))
        written = write_list(file_format, out, _stdout if to_stdout else output_file, owner, spool)
    _report(output, out, written, to_stdout=to_stdout)


async def _fetch(client: GatewayClient, output: Output, spool: EntrySpool, name: str, publisher: str) -> str:
    owner = publisher or client.node_name
    with output.progress(_("Reading")) as advance:
        async with aclosing(client.watchlist.entries(filter=filter_of(name, owner, ""))) as entries:
            async for entry in entries:
                spool.add(entry.entry)
                advance(1)
    return owner


@contextmanager
def _stdout(_: Path) -> Iterator[BinaryIO]:
    yield sys.stdout.buffer  # noqa: TID251  # a list's file, for a program
    sys.stdout.flush()


def _report(output: Output, out: Path, written: Export, *, to_stdout: bool) -> None:
    facts: dict[str, Any] = {N_("File"): out, N_("Entries"): written.written}
    if not to_stdout:
        data = {"file": out, **{name: getattr(written, name) for name in ("written", "left_out", "not_written")}}
        output.facts(_("Exported"), facts, data=data)
    if written.left_out:
        fields = ", ".join(
            ngettext("{name} ({number} entry)", "{name} ({number} entries)", count, name=name)
            for name, count in written.left_out.items()
        )
        output.note(_("Not carried whole by this format: {fields}.", fields=fields))
    for entry_id, reason in list(written.not_written.items())[:MOST_SHOWN]:
        output.note(_("Not written: {entry_id}: {reason}", entry_id=entry_id, reason=reason))
    if written.not_written:
        output.note(
            _(
                "Not written in all: {count} of {total}.",
                count=len(written.not_written),
                total=len(written.not_written) + written.written,
            )
        )
        raise typer.Exit(EXIT_INCOMPLETE)
