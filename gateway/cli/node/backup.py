"""`gateway backup` and `gateway restore`: copies of a node's data with a manifest, and back."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import DEFAULT_CONFIG, ConfigOption, read_settings
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _

if TYPE_CHECKING:
    from gateway.feed.tables.restores import Loss
    from gateway.node.backups.manifest import Manifest
    from gateway.node.backups.restore import RestorePlan

MIB = 1024 * 1024


@reports_errors
def backup(
    out: Annotated[Path, typer.Argument(metavar="OUT", help=_("A new folder for the backup."), show_default=False)],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    with_keys: Annotated[
        bool, typer.Option("--with-keys", help=_("Also settings, keys and certificates: keep such a backup locked."))
    ] = False,
    manifest_only: Annotated[
        bool,
        typer.Option(
            "--manifest-only", help=_("Only the manifest and the small files, beside a base backup of PostgreSQL.")
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Back up this node's data, while it runs or not: the database, accepted directories, evidence, and a manifest.

    The copy is one committed state. It is checked before it counts: SQLite's integrity check, and the signed head of
    every feed. PostgreSQL is copied by pg_dump. A command that was cut off leaves no backup: run it again.

    \b
    Examples:
      gateway backup /backup/2026-01-15 --config /etc/gateway/gateway.toml
      gateway backup /vault/cn --with-keys

    \b
    Exit codes: 0 made and checked, 1 the database can't be read or is damaged, 2 wrong input or settings.
    """
    from gateway.node.backups.create import make_backup  # noqa: PLC0415  # imports slowly

    output = Output(as_json)
    copied = 0
    with output.progress(_("Copying"), None) as advance:

        def progress(pages: int, _all: int) -> None:
            nonlocal copied
            advance(pages - copied)
            copied = pages

        manifest = make_backup(
            read_settings(config),
            out,
            settings_file=config if with_keys else None,
            manifest_only=manifest_only,
            progress=progress,
        )
    _show_manifest(output, out, manifest)


def _show_manifest(output: Output, out: Path, manifest: Manifest) -> None:
    size = sum((out / name).stat().st_size for name in manifest.files)
    output.facts(
        _("Backup"),
        {
            N_("Folder"): out,
            N_("State of"): manifest.time,
            N_("Feeds"): len(manifest.heads),
            N_("Entries"): sum(manifest.sizes.values()),
            N_("Shipment records"): manifest.tally.records,
            N_("Audit events"): manifest.tally.audit_events,
            N_("Evidence files"): manifest.evidence_files,
            N_("MiB"): size // MIB,
        },
    )
    if manifest.evidence_files == "elsewhere":
        output.note(_("Evidence files aren't in this backup: back their store up by its own means."))


@reports_errors
def restore(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="BACKUP",
            help=_("The backup's folder, or an SQLite database file."),
            exists=True,
            show_default=False,
        ),
    ],
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    accept_loss: Annotated[
        bool,
        typer.Option("--accept-loss", help=_("Restore a backup that lacks entries which this node has signed.")),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put a backup in the place of this node's database, which is kept aside. The node must be stopped.

    First the backup is checked and compared with the marks of what this node has signed: the tables say what partners
    have to give back and what nobody has. Such a backup is restored with --accept-loss only. Then start the node and
    run `gateway recover`. A command that was cut off is run again.

    \b
    Examples:
      gateway restore /backup/2026-01-15 --config /etc/gateway/gateway.toml
      gateway restore /backup/2026-01-15 --accept-loss

    \b
    Exit codes: 0 restored, 1 the disk can't be written, 2 not restored: the node runs, the backup isn't right or is
    older than the marks.
    """
    from gateway.node.backups.known import stopped_node  # noqa: PLC0415  # imports slowly
    from gateway.node.backups.restore import plan_restore  # noqa: PLC0415
    from gateway.node.backups.restore import restore as put_back  # noqa: PLC0415

    output, settings = Output(as_json), read_settings(config)
    with stopped_node(settings) as known:
        plan = plan_restore(settings, source, known)
        if not as_json:
            _show_plan(output, plan)
        if not accept_loss:
            plan.require_complete()
        aside = put_back(settings, plan)
    output.facts(
        _("Restored"),
        {N_("State of"): plan.manifest.time, N_("Before it"): aside},
        data={"state_of": plan.manifest.time, "aside": aside, "losses": plan.losses},
    )
    output.note(_("Start the node, then run `gateway recover`: it fetches back what partners have."))


def _show_plan(output: Output, plan: RestorePlan) -> None:
    output.table(
        _("Own feeds"),
        marked("Own feed", "In the backup", "Lacks", "Comes back from"),
        [
            (loss.kind.partition("/")[2], loss.kept, _lacks(loss), loss.source or _("nobody"))
            for loss in plan.losses
            if loss.of_feed
        ],
    )
    output.table(
        _("What only this node has"),
        marked("What", "In the backup", "Lacks, at least"),
        [(loss.kind, loss.kept, _lacks(loss)) for loss in plan.losses if not loss.of_feed],
    )
    output.line(
        _(
            "Answers to requests after {time} are lost too: a program that repeats one publishes a second alert. "
            "Partners' entries come back by themselves.",
            time=f"{plan.manifest.time:%Y-%m-%d %H:%M:%S} UTC",
        )
    )


def _lacks(loss: Loss) -> object:
    return _("unknown") if loss.lost is None else loss.lost
