"""`gateway evidence cose-receipt`: a proof of inclusion for verifiers of COSE (RFC 9942)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.evidence.export import RecipientOption, bundle_of
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.short_ids import AlertArgument, alert_reference
from gateway.errors import OptionError
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _

if TYPE_CHECKING:
    from gateway.client import GatewayClient
    from gateway.v1.evidence_service_pb2 import EvidenceFile

FeedOption = Annotated[
    str, typer.Option("--feed", metavar="FEED", help=_("Instead of an alert: a feed that this gateway publishes."))
]
EntryOption = Annotated[int | None, typer.Option(help=_("Number of the feed's entry, from 0."), min=0)]
OutOption = Annotated[
    Path | None, typer.Option("--out", help=_("A new folder, or one file when it ends in .zip; else cose-receipt.zip."))
]


@reports_errors
@connected
def cose_receipt(
    target: Target,
    alert: AlertArgument = "",
    *,
    recipient: RecipientOption = "",
    feed: FeedOption = "",
    entry: EntryOption = None,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Export a COSE receipt (RFC 9942) that an own entry is in its feed. Role: officer, supervisor, auditor.

    The gateway signs receipt.cose with the feed's key, for the bytes of header.binpb; libraries for COSE receipts
    verify it, and so does `gateway evidence verify`. It proves neither payload nor receipt by the partner.

    \b
    Examples:
      gateway evidence cose-receipt cn/019bbf30-0000-7000-8000-000000000000 --out case-7-cose.zip
      gateway evidence cose-receipt --feed gba.customs.example/cn/hk/alerts --entry 0 --out entry-0

    \b
    Exit codes: 0 exported, 1 refused, unreachable or damaged, 2 wrong input or no such alert or entry here.
    """
    if bool(alert) == bool(feed) or (feed and recipient) or bool(feed) != (entry is not None):
        raise OptionError(_("name either an ALERT, or --feed FEED with --entry NUMBER"))
    # only here: they import slowly
    from gateway.evidence.service.cose_export import RECEIPT  # noqa: PLC0415
    from gateway.evidence.service.files import write_bundle  # noqa: PLC0415
    from gateway.tlog.cose_receipt import parse_cose_receipt  # noqa: PLC0415

    async def exported(client: GatewayClient) -> list[EvidenceFile]:
        if feed:
            return await client.evidence.export_cose_receipt(origin=feed, index=entry or 0)
        return await client.evidence.export_cose_receipt(await alert_reference(client, alert), recipient=recipient)

    bundle = bundle_of(target.run(exported))
    path = out or Path("cose-receipt.zip")
    write_bundle(bundle, path)
    receipt = parse_cose_receipt(bundle.files[RECEIPT])
    facts: dict[str, object] = {N_("Path"): path, N_("Feed"): receipt.origin, N_("Entry"): receipt.index}
    Output(as_json).facts(_("COSE receipt"), {**facts, N_("Key ID"): receipt.key_id.hex()})
