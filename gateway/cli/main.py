"""The command line, put together: `gateway COMMAND`.

What the commands do is in the modules named here, one for each noun.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli.alert.commands import alert_app
from gateway.cli.directory.commands import directory_app
from gateway.cli.evidence.commands import evidence_app
from gateway.cli.history.commands import history_app
from gateway.cli.link.commands import link_app, recover
from gateway.cli.node.commands import audit_app, status
from gateway.cli.node.doctor import doctor
from gateway.cli.node.init import init
from gateway.cli.node.maintenance import rebuild, verify
from gateway.cli.node.serve import serve
from gateway.cli.output import EXIT_FAILED
from gateway.cli.pki.commands import pki_app
from gateway.cli.watchlist.commands import watchlist_app

DEBUG_VARIABLE = "GATEWAY_DEBUG"
"""Environment variable that lets a defect show its traceback."""

app = typer.Typer(
    name="gateway",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help="Customs gateway: signed alerts between customs authorities, provable for ever.\n\n"
    "A node: init, pki and directory make it, doctor checks it, serve runs it. "
    "Its systems: alert, watchlist, history, evidence. Its operators: status, link, audit, verify, rebuild, recover.",
)

app.command("init")(init)
app.command("serve")(serve)
app.command("doctor")(doctor)
app.command("status")(status)
app.command("verify")(verify)
app.command("rebuild")(rebuild)
app.command("recover")(recover)
app.add_typer(alert_app, name="alert")
app.add_typer(watchlist_app, name="watchlist")
app.add_typer(history_app, name="history")
app.add_typer(evidence_app, name="evidence")
app.add_typer(link_app, name="link")
app.add_typer(directory_app, name="directory")
app.add_typer(pki_app, name="pki")
app.add_typer(audit_app, name="audit")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gateway {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """What `gateway --help` says stands at `app`."""


def main() -> None:
    """Entry point of the script `gateway`. A defect is one sentence too; GATEWAY_DEBUG=1 shows where it is."""
    try:
        app(prog_name="gateway")
    except Exception as error:  # whatever it is, people get a sentence and a way out
        if os.environ.get(DEBUG_VARIABLE):
            raise
        sys.stderr.write(
            f"Error: this is a defect of the gateway: {type(error).__name__}: {error}\n"
            f"Way out: run the command again with {DEBUG_VARIABLE}=1 and report what it prints.\n"
        )
        raise SystemExit(EXIT_FAILED) from None


if __name__ == "__main__":
    main()
