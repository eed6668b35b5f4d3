"""`gateway watchlist diff`: compares a partner's copy of our lists with what was distributed to it."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.output import JsonOption, Output, reports_errors
from gateway.cli.values import as_dict
from gateway.cli.watchlist.values import change_row
from gateway.translation.messages import gettext as _
from gateway.translation.messages import marked, ngettext
from gateway.v1.watchlist_service_pb2 import CompareCopyResponse

EXIT_DIFFERENT = 3
"""`diff`: the partner's copy isn't what was distributed to it."""

ROOT_CHARS = 16
"""Hexadecimal digits of a root in a sentence; --json has all 64."""

MOST_SHOWN = 20
"""Missing changes in the table of `diff`; --json has all that the gateway sends."""


@reports_errors
@connected
def diff(
    target: Target,
    *,
    partner: Annotated[str, typer.Option("--with", help=_("The partner whose copy is compared, e.g. hk."))],
    as_json: JsonOption = False,
) -> None:
    """Compare a partner's copy of our lists with what was distributed to it.

    The partner is asked for size and Merkle root of its copy; equal roots are equal copies, to the last byte.

    Role: publisher, officer, supervisor, auditor, operator.

    \b
    Example:
      gateway watchlist diff --with hk

    \b
    Exit codes: 0 identical, 1 refused or unreachable, 2 wrong input, 3 not identical.
    """
    comparison = target.run(lambda client: client.watchlist.compare(partner))
    output = Output(as_json)
    if as_json:
        roots = {"own_root": comparison.own_root.hex(), "partner_root": comparison.partner_root.hex()}
        output.json(
            {"identical": comparison.identical, "verdict": verdict(partner, comparison), **as_dict(comparison), **roots}
        )
    else:
        output.line(verdict(partner, comparison))
        _show_missing(output, partner, comparison)
    if not comparison.identical:
        raise typer.Exit(EXIT_DIFFERENT)


def verdict(partner: str, copy: CompareCopyResponse) -> str:
    """Whether the copies are identical, in one line."""
    if copy.untold and copy.own_size == copy.partner_size and copy.own_root == copy.partner_root:
        return ngettext(
            "NOT identical yet: {partner} has all that was distributed to it, but up to {number} change of own lists "
            "isn't distributed yet; ask again in a moment.",
            "NOT identical yet: {partner} has all that was distributed to it, but up to {number} changes of own lists "
            "aren't distributed yet; ask again in a moment.",
            copy.untold,
            partner=partner,
        )
    if copy.identical and not copy.own_size:
        return _(
            "Identical: nothing was distributed to {partner}; feed {feed} is empty on both sides.",
            partner=partner,
            feed=copy.origin,
        )
    if copy.identical:
        return ngettext(
            "Identical: {partner} lists {number} entry, all that was distributed to it; feed {feed} has size {size} "
            "and root {root} on both sides.",
            "Identical: {partner} lists {number} entries, all that was distributed to it; feed {feed} has size {size} "
            "and root {root} on both sides.",
            copy.active,
            partner=partner,
            feed=copy.origin,
            size=copy.own_size,
            root=_root(copy.own_root),
        )
    return _difference(partner, copy)


def _difference(partner: str, copy: CompareCopyResponse) -> str:
    sizes = {"partner": partner, "feed": copy.origin, "theirs": copy.partner_size, "own": copy.own_size}
    if copy.partner_size > copy.own_size:
        return _(
            "NOT identical: feed {feed} has size {theirs} at {partner} and only {own} here; after a restore from an "
            "older backup `gateway recover` fetches the rest back.",
            **sizes,
        )
    if copy.own_root != copy.partner_root:
        return _(
            "NOT identical: at size {theirs} feed {feed} has root {own_root} here and {their_root} at {partner}: one "
            "side's history isn't what was signed.",
            own_root=_root(copy.own_root),
            their_root=_root(copy.partner_root),
            **sizes,
        )
    lacks = ngettext(
        "NOT identical: {partner} lacks {number} change; feed {feed} has size {own} here and {theirs} there, up to "
        "which the roots are equal ({root}).",
        "NOT identical: {partner} lacks {number} changes; feed {feed} has size {own} here and {theirs} there, up to "
        "which the roots are equal ({root}).",
        copy.missing_count,
        root=_root(copy.partner_root),
        **sizes,
    )
    if not copy.untold:
        return lacks
    more = ngettext(
        "Up to {number} more isn't distributed yet.", "Up to {number} more aren't distributed yet.", copy.untold
    )
    return f"{lacks} {more}"


def _show_missing(output: Output, partner: str, comparison: CompareCopyResponse) -> None:
    if not comparison.missing:
        return
    rows = [change_row(change) for change in comparison.missing[:MOST_SHOWN]]
    output.table(_("Not yet at {partner}", partner=partner), marked("Entry", "Change", "Rev", "Name or reason"), rows)
    if comparison.missing_count > len(rows):
        output.note(
            _(
                "and {missing_count} more; --json has the first {count}",
                missing_count=comparison.missing_count - len(rows),
                count=len(comparison.missing),
            )
        )


def _root(root: bytes) -> str:
    return f"{root.hex()[:ROOT_CHARS]}…" if root else _("none")
