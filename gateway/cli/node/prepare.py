"""`gateway prepare`: says what an empty data folder means, before the first start on it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from gateway.cli.connection import DEFAULT_CONFIG, ConfigOption, read_settings
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.errors import OptionError
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _


@reports_errors
def prepare(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    new: Annotated[bool, typer.Option("--new", help=_("The node has never run."))] = False,
    data_lost: Annotated[
        bool, typer.Option("--data-lost", help=_("The node has run, its data are gone, and there is no backup."))
    ] = False,
    if_empty: Annotated[
        bool, typer.Option("--if-empty", help=_("Change nothing, and end with 0, where the folder isn't empty."))
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Prepare an empty data folder for its first start, where `gateway init` hasn't made it.

    A node doesn't start on an empty folder by itself: it can't tell a new node from one whose disk was lost. With
    --data-lost it asks its partners what they hold before it publishes, and says in its answers that records may be
    lost. With a backup, use `gateway restore` instead.

    \b
    Examples:
      gateway prepare --new --config /srv/gateway/gateway.toml
      gateway prepare --data-lost --config /srv/gateway/gateway.toml

    \b
    Exit codes: 0 done, 2 settings aren't right, or the folder isn't empty.
    """
    if new is data_lost:
        raise OptionError(_("give either --new or --data-lost"))
    from gateway.node.backups.first_start import is_prepared, prepare_start  # noqa: PLC0415  # imports slowly

    settings = read_settings(config)
    if if_empty and is_prepared(settings):
        Output(as_json).note(_("{folder} isn't empty; nothing was changed", folder=settings.data_dir))
        return
    prepare_start(settings, data_lost=data_lost, now=datetime.now(UTC))
    output = Output(as_json)
    output.facts(_("Folder prepared"), {N_("Node"): settings.node, N_("Folder"): settings.data_dir})
    output.note(_("Next: gateway serve"))
    if data_lost:
        output.note(_("Then: gateway recover, until no feed is blocked"))
