"""`gateway directory offered|take`: versions that partners offered, and putting the newest in force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.clock import now
from gateway.cli.connection import DEFAULT_CONFIG, ConfigOption, read_settings
from gateway.cli.directory.tables import difference_rows, print_differences
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.errors import OptionError
from gateway.translation.messages import N_, marked
from gateway.translation.messages import gettext as _
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_offers import DirectoryState, Offer
from gateway.trust.service.directory_versions import TrustedDirectory


@reports_errors
def offered(*, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the versions of the directory that partners offered and this node verified, and what each changes.

    What they revoke is refused already; everything else waits until one is put in force. It may run beside the node,
    and changes nothing.

    \b
    Example:
      gateway directory offered --config /etc/gateway/gateway.toml
    """
    from gateway.node.existing_data import directory_state  # noqa: PLC0415  # imports slowly

    output, state = Output(as_json), directory_state(read_settings(config))
    output.table(
        _("Offered versions"),
        marked("Version", "Offered by", "SHA-256", "Expires"),
        [
            (offer.version.version, offer.partner, offer.version.digest.hex()[:16], offer.version.directory.expires_at)
            for offer in state.offers
        ],
        data=[_offer_json(state, offer) for offer in state.offers],
    )
    for offer in () if as_json else state.later:
        output.line(_("Version {version}, offered by {partner}:", version=offer.version.version, partner=offer.partner))
        print_differences(output, _before(state, offer), offer.version.directory)
    for split in state.splits():
        output.warning(
            _(
                "there are two different versions {version}, SHA-256 {first} and {second}: one of them is forged; "
                "compare both with all authorities",
                version=split.version,
                first=split.first_digest.hex(),
                second=split.second_digest.hex(),
            )
        )


@reports_errors
def take(
    *,
    config: ConfigOption = DEFAULT_CONFIG,
    yes: Annotated[
        bool, typer.Option("--yes", help=_("Put it in force without being asked; what changes is shown all the same."))
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Put the newest version of the directory that partners offered in force, after a look at what it changes.

    It is written to directory.file, where a running node finds it within seconds. A file there that was never in force
    here stays, and is an error: somebody has put it there meanwhile.

    \b
    Examples:
      gateway directory take --config /etc/gateway/gateway.toml
      gateway directory take --yes --config /etc/gateway/gateway.toml
    """
    from gateway.node.directory_store import put_in_place  # noqa: PLC0415  # imports slowly
    from gateway.node.existing_data import directory_state  # noqa: PLC0415  # imports slowly

    output, settings = Output(as_json), read_settings(config)
    state = directory_state(settings)
    offer = state.newest(now())
    if offer is None:
        _print_file(output, _("Nothing to take"), settings.directory.file, state.in_force, partner="")
        output.note(_("`gateway status` shows which version each partner has."))
        return
    if not as_json:
        print_differences(output, state.in_force.directory, offer.version.directory)
    if not yes and not output.confirm(
        _(
            "Put version {version}, offered by {partner}, in force?",
            version=offer.version.version,
            partner=offer.partner,
        )
    ):
        raise OptionError(_("nothing was changed; --yes takes it without being asked"))
    put_in_place(settings.directory.file, offer.version.note, state)
    _print_file(output, _("Directory put in place"), settings.directory.file, offer.version, partner=offer.partner)
    output.note(_("A running node puts it in force within seconds; `gateway status` shows it."))


def _print_file(output: Output, title: str, file: Path, version: TrustedDirectory, *, partner: str) -> None:
    output.facts(
        title,
        {
            N_("File"): file,
            N_("Version"): version.version,
            N_("Offered by"): partner,
            N_("Signed by"): list(version.signed_by),
        },
    )


def _before(state: DirectoryState, offer: Offer) -> Directory:
    return (state.in_force, *offer.way)[-1].directory


def _offer_json(state: DirectoryState, offer: Offer) -> object:
    return {
        "version": offer.version.version,
        "offered_by": offer.partner,
        "sha256": offer.version.digest.hex(),
        "expires": offer.version.directory.expires_at,
        "differences": [
            {"path": path, "before": before, "after": after}
            for path, before, after in difference_rows(_before(state, offer), offer.version.directory)
        ],
    }
