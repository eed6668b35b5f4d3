"""The command line: `gateway COMMAND`."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any

import typer
from typer.exceptions import Abort, TyperException

from gateway import __version__
from gateway.cli.groups import CommandGroup, CommandMap, Noun
from gateway.cli.help import current_command, translated_help
from gateway.cli.output import EXIT_FAILED, print_error
from gateway.cli.usage import refused
from gateway.logs import configure_warnings
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

DEBUG_VARIABLE = "GATEWAY_DEBUG"
"""Environment variable that lets a defect show its traceback."""

GC_THRESHOLD = 20_000
"""Allocations between garbage collections. By default, 700, a sixth of the time in which `gateway serve` imports its
modules goes into looking for cycles, of which there are none.
"""

COMMANDS: Mapping[str, str | Noun] = {
    "trial": "gateway.cli.trial.command:trial",
    "init": "gateway.cli.node.init:init",
    "prepare": "gateway.cli.node.prepare:prepare",
    "serve": "gateway.cli.node.serve:serve",
    "console": "gateway.cli.console:console",
    "doctor": "gateway.cli.node.doctor:doctor",
    "status": "gateway.cli.node.commands:status",
    "verify": "gateway.cli.node.maintenance:verify",
    "rebuild": "gateway.cli.node.maintenance:rebuild",
    "backup": "gateway.cli.node.backup:backup",
    "restore": "gateway.cli.node.backup:restore",
    "recover": "gateway.cli.link.recover:recover",
    "maintenance": Noun(
        N_("Announce this node's maintenance to partners, whose gateways raise no alarm meanwhile."),
        {
            "announce": "gateway.cli.link.maintenance:announce",
            "end": "gateway.cli.link.maintenance:end",
            "list": "gateway.cli.link.maintenance:list_",
        },
    ),
    "alert": Noun(
        N_("Publish alerts, read them, and answer those of partners."),
        {
            "publish": "gateway.cli.alert.publish:publish",
            "list": "gateway.cli.alert.read:list_",
            "show": "gateway.cli.alert.read:show",
            "watch": "gateway.cli.alert.read:watch",
            "ack": "gateway.cli.alert.commands:ack",
            "flag": "gateway.cli.alert.commands:flag",
            "ask": "gateway.cli.alert.commands:ask",
            "answer": "gateway.cli.alert.commands:answer",
            "finding": "gateway.cli.alert.findings:finding",
            "correct-finding": "gateway.cli.alert.findings:correct_finding",
            "withdraw-finding": "gateway.cli.alert.findings:withdraw_finding",
            "close": "gateway.cli.alert.commands:close",
            "withdraw": "gateway.cli.alert.commands:withdraw",
            "amend": "gateway.cli.alert.commands:amend",
            "erase": "gateway.cli.alert.erasing:erase",
            "erased": "gateway.cli.alert.erasing:erased",
            "retention": "gateway.cli.alert.erasing:retention",
            "publication-sheet": "gateway.cli.alert.publication:publication_sheet",
        },
    ),
    "inbox": Noun(
        N_("What wants action, the search over alerts, and what colleagues do with them."),
        {
            "list": "gateway.cli.inbox.commands:list_",
            "related": "gateway.cli.inbox.commands:related",
            "assign": "gateway.cli.inbox.commands:assign",
            "note": "gateway.cli.inbox.commands:note",
            "notes": "gateway.cli.inbox.commands:notes",
        },
    ),
    "watchlist": Noun(
        N_("Own watchlists: import, propose, approve, withdraw; and read partners' copies."),
        {
            "import": "gateway.cli.watchlist.importing:import_",
            "list": "gateway.cli.watchlist.read:list_",
            "show": "gateway.cli.watchlist.read:show",
            "proposals": "gateway.cli.watchlist.read:proposals",
            "proposal": "gateway.cli.watchlist.proposal:proposal",
            "diff": "gateway.cli.watchlist.diff:diff",
            "watch": "gateway.cli.watchlist.read:watch",
            "export": "gateway.cli.watchlist.exporting:export",
            "screen": "gateway.cli.watchlist.screen:screen",
            "matches": "gateway.cli.watchlist.matches:matches",
            "changes": "gateway.cli.watchlist.changes:changes",
            "confirm": "gateway.cli.watchlist.matches:confirm",
            "dismiss": "gateway.cli.watchlist.matches:dismiss",
            "report": "gateway.cli.watchlist.screen:report",
            "hits": "gateway.cli.watchlist.screen:hits",
            "answer": "gateway.cli.watchlist.screen:answer",
            "statistics": "gateway.cli.watchlist.screen:statistics",
            "propose": "gateway.cli.watchlist.commands:propose",
            "withdraw": "gateway.cli.watchlist.commands:withdraw",
            "approve": "gateway.cli.watchlist.commands:approve",
            "reject": "gateway.cli.watchlist.commands:reject",
        },
    ),
    "keys": Noun(
        N_("Signing keys: where each is, and hardware tokens."),
        {
            "list": "gateway.cli.keys.commands:list_",
            "unlock": "gateway.cli.keys.commands:unlock",
            "generate": "gateway.cli.keys.commands:generate",
        },
    ),
    "licence": Noun(
        N_("Export licences: publish, amend, withdraw; report uses; see what is left."),
        {
            "import": "gateway.cli.licence.importing:import_",
            "list": "gateway.cli.licence.read:list_",
            "show": "gateway.cli.licence.read:show",
            "use": "gateway.cli.licence.reports:use",
            "follow": "gateway.cli.licence.reports:follow",
            "check": "gateway.cli.licence.reports:check",
            "publish": "gateway.cli.licence.changes:publish",
            "amend": "gateway.cli.licence.changes:amend",
            "withdraw": "gateway.cli.licence.changes:withdraw",
            "proposals": "gateway.cli.licence.read:proposals",
            "approve": "gateway.cli.licence.changes:approve",
            "reject": "gateway.cli.licence.changes:reject",
        },
    ),
    "risk-profile": Noun(
        N_("Risk profiles: offer own ones, try and adopt partners', report what they came to."),
        {
            "list": "gateway.cli.risk_profile.read:list_",
            "show": "gateway.cli.risk_profile.read:show",
            "try": "gateway.cli.risk_profile.read:try_",
            "adopt": "gateway.cli.risk_profile.changes:adopt",
            "end": "gateway.cli.risk_profile.changes:end",
            "report": "gateway.cli.risk_profile.changes:report",
            "offer": "gateway.cli.risk_profile.changes:offer",
            "withdraw": "gateway.cli.risk_profile.changes:withdraw",
            "proposals": "gateway.cli.risk_profile.read:proposals",
            "approve": "gateway.cli.risk_profile.changes:approve",
            "reject": "gateway.cli.risk_profile.changes:reject",
        },
    ),
    "history": Noun(
        N_(
            "Shipment history: record shipments, search own and partners', trace a consignment, keep what a case needs."
        ),
        {
            "import": "gateway.cli.history.importing:import_",
            "search": "gateway.cli.history.search:search",
            "trace": "gateway.cli.history.trace:trace",
            "show": "gateway.cli.history.commands:show",
            "risks": "gateway.cli.history.commands:risks",
            "rules": "gateway.cli.history.commands:rules",
            "balance": "gateway.cli.history.balance:balance",
            "hold": Noun(
                N_("Legal holds: place, release and list them."),
                {
                    "place": "gateway.cli.history.hold:place",
                    "release": "gateway.cli.history.hold:release",
                    "list": "gateway.cli.history.hold:list_",
                },
            ),
        },
    ),
    "law": Noun(
        N_("Export control as the lists of this installation have it, by day."),
        {
            "show": "gateway.cli.law.show:show",
            "suggest": "gateway.cli.law.suggest:suggest",
            "changes": "gateway.cli.law.changes:changes",
        },
    ),
    "why": Noun(
        N_("Why a partner doesn't have something of ours, or isn't given a field of it."),
        {
            "alert": "gateway.cli.why:alert",
            "entry": "gateway.cli.why:entry",
            "record": "gateway.cli.why:record",
        },
    ),
    "person": Noun(
        N_("Persons who sign in at a console: add them, change roles, see sessions, resolve pseudonyms."),
        {
            "add": "gateway.cli.person.commands:add",
            "list": "gateway.cli.person.commands:list_",
            "show": "gateway.cli.person.commands:show",
            "roles": "gateway.cli.person.commands:roles",
            "disable": "gateway.cli.person.commands:disable",
            "reset": "gateway.cli.person.commands:reset",
            "sessions": "gateway.cli.person.commands:sessions",
            "whois": "gateway.cli.person.commands:whois",
            "rotate-key": "gateway.cli.person.commands:rotate_key",
        },
    ),
    "file": Noun(
        N_("Evidence files: upload them, ask partners for theirs, read, list and erase them."),
        {
            "put": "gateway.cli.file.commands:put",
            "ask": "gateway.cli.file.commands:ask",
            "get": "gateway.cli.file.commands:get",
            "list": "gateway.cli.file.commands:list_",
            "erase": "gateway.cli.file.commands:erase",
            "limits": "gateway.cli.file.commands:limits",
        },
    ),
    "evidence": Noun(
        N_("Evidence: export the proof of an alert or answer, verify it anywhere."),
        {
            "export": "gateway.cli.evidence.export:export",
            "verify": "gateway.cli.evidence.verify:verify",
            "page": "gateway.cli.evidence.page:page",
            "consistency": "gateway.cli.evidence.consistency:consistency",
            "cose-receipt": "gateway.cli.evidence.cose_receipt:cose_receipt",
        },
    ),
    "link": Noun(
        N_("Links to partners: lag, suspension, quarantine, recovery."),
        {
            "list": "gateway.cli.link.commands:list_",
            "suspend": "gateway.cli.link.commands:suspend",
            "resume": "gateway.cli.link.commands:resume",
            "resolve": "gateway.cli.link.commands:resolve",
            "recover": "gateway.cli.link.recover:recover",
            "declare-new": "gateway.cli.link.commands:declare_new",
        },
    ),
    "notification": Noun(
        N_("Notifications: what a system was told, its rules, and how mails, webhooks and the outbox stand."),
        {
            "list": "gateway.cli.notification.commands:list_",
            "watch": "gateway.cli.notification.commands:watch",
            "read": "gateway.cli.notification.commands:read",
            "rules": "gateway.cli.notification.rules:rules",
            "follow": "gateway.cli.notification.rules:follow",
            "unfollow": "gateway.cli.notification.rules:unfollow",
            "share": "gateway.cli.notification.rules:share",
            "unshare": "gateway.cli.notification.rules:unshare",
            "outbox": "gateway.cli.notification.commands:outbox",
            "test": "gateway.cli.notification.commands:send_test",
        },
    ),
    "directory": Noun(
        N_("Draft, sign, verify and show the directory: who is in the federation, and who may send what to whom."),
        {
            "card": "gateway.cli.directory.drafting:card",
            "draft": "gateway.cli.directory.drafting:draft",
            "renew": "gateway.cli.directory.drafting:renew",
            "remove-member": "gateway.cli.directory.drafting:remove_member",
            "revoke": "gateway.cli.directory.revocation:revoke",
            "revoke-now": "gateway.cli.directory.owner_revocation:revoke_now",
            "take-revocation": "gateway.cli.directory.owner_revocation:take_revocation",
            "sign": "gateway.cli.directory.commands:sign",
            "verify": "gateway.cli.directory.commands:verify",
            "show": "gateway.cli.directory.commands:show",
            "diff": "gateway.cli.directory.commands:diff",
            "offered": "gateway.cli.directory.offers:offered",
            "take": "gateway.cli.directory.offers:take",
        },
    ),
    "pki": Noun(
        N_("Make keys and certificates, and show their content."),
        {
            "init-ca": "gateway.cli.pki.commands:init_ca",
            "request": "gateway.cli.pki.commands:request",
            "issue": "gateway.cli.pki.commands:issue",
            "signing-keys": "gateway.cli.pki.commands:signing_keys",
            "next-keys": "gateway.cli.pki.commands:next_keys",
            "second-keys": "gateway.cli.pki.commands:second_keys",
            "directory-key": "gateway.cli.pki.commands:directory_key",
            "show": "gateway.cli.pki.commands:show",
        },
    ),
    "audit": Noun(
        N_("The audit log: requests and decisions."),
        {
            "list": "gateway.cli.node.commands:audit_list",
            "head": "gateway.cli.node.commands:audit_head",
            "export": "gateway.cli.evidence.audit:audit_export",
        },
    ),
}
"""Name to `module:function`, imported when called."""


class RootGroup(CommandGroup):
    """`gateway` itself."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": CommandMap(COMMANDS)})

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs a command line; what is wrong with it is told as other errors are."""
        words = list(sys.argv[1:] if args is None else args)
        current_command.set("")
        run = partial(super().main, words, prog_name, complete_var, windows_expand_args=windows_expand_args, **extra)
        if not standalone_mode:
            return run(standalone_mode=False)
        try:
            code = run(standalone_mode=False)
        except Abort:
            print_error(_("nothing was done: it was interrupted or not confirmed"), _("Run the command again."))
            raise SystemExit(EXIT_FAILED) from None
        except TyperException as error:
            refused(error, words)
        raise SystemExit(code if isinstance(code, int) else 0)


app = typer.Typer(
    name="gateway",
    cls=RootGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["--help", "-h"]},
    help=translated_help(
        """Customs gateway: signed alerts between customs authorities, with proof of origin and receipt.

        A node: init, pki and directory make it, doctor checks it, serve runs it. Its systems: alert, watchlist,
        history, evidence. Its operators: status, link, audit, verify, rebuild, backup, restore, recover.
        """
    ),
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gateway {__version__}")  # noqa: TID251  # without the time to import more
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help=_("Print the version and end."))
    ] = False,
) -> None:
    """What `gateway --help` says stands at `app`."""


def main() -> None:
    """The script `gateway`; a defect is printed as a sentence too."""
    gc.set_threshold(GC_THRESHOLD)
    configure_warnings()
    try:
        app(prog_name="gateway")
    except Exception as error:  # a defect
        if os.environ.get(DEBUG_VARIABLE):
            raise
        problem = _("this is a defect of the gateway: {kind}: {error}", kind=type(error).__name__, error=error)
        way_out = _("run the command again with {variable}=1 and report what it prints.", variable=DEBUG_VARIABLE)
        print_error(problem, way_out)
        raise SystemExit(EXIT_FAILED) from None


if __name__ == "__main__":
    main()
