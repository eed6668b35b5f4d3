"""`gateway history show|risks|rules`: own records, and the risk rules with what they found in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.connection import Target, connected
from gateway.cli.display.pages import pages_of
from gateway.cli.history.search import WAIT_S, WaitOption
from gateway.cli.history.values import event_cells, inspection_cells, shipment_facts
from gateway.cli.output import JsonOption, Output, reports_errors, stacked
from gateway.cli.values import as_dict, shown_time, value_of
from gateway.contract.enum_words import word_of
from gateway.errors import OptionError
from gateway.translation.messages import N_, listed, marked, ngettext
from gateway.translation.messages import gettext as _
from gateway.translation.rule_sentences import explained
from gateway.v1.history_service_pb2 import GetShipmentResponse, ListRulesResponse, RiskRule, ShipmentRevision
from gateway.v1.trace_pb2 import Discrepancy, RiskHit, Severity

if TYPE_CHECKING:
    pass

DIGEST_CHARS = 16
"""Hexadecimal digits of a digest in a table; --json has all 64."""


@reports_errors
@connected
def show(
    target: Target,
    record: Annotated[str, typer.Argument(metavar="RECORD", help=_("Its key at this node, as it was recorded."))],
    *,
    wait_indexed: WaitOption = WAIT_S,
    as_json: JsonOption = False,
) -> None:
    """Show an own record: its content, revisions, events, inspections, holds, and when it may be purged.

    Role: publisher, officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway history show 534520260000000101
      gateway history show 534520260000000101 --json

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input or no such record here.
    """
    response = target.run(lambda client: client.history.get(record, wait_indexed_s=wait_indexed))
    output = Output(as_json)
    if as_json:
        output.json(as_dict(response))
        return
    shipment = response.record.shipment
    output.facts(
        _("Record {node}/{record}", node=response.record.node, record=record),
        {**_about(response), **shipment_facts(shipment)},
    )
    if response.unindexed:
        output.warning(
            ngettext(
                "{number} revision or addition of it is recorded and not indexed yet: it is missing here",
                "{number} revisions or additions of it are recorded and not indexed yet: they are missing here",
                response.unindexed,
            )
        )
    columns = marked("Position", "Rev", "Recorded", "By", "What", "Digest")
    output.table(
        _("Revisions"), columns, [_revision_cells(revision) for revision in response.revisions], minor=("Position",)
    )
    if shipment.events:
        columns_of_events = marked("When", "What", "Where", "Container", "Seal", "Means", "Source", "Remarks")
        output.table(
            _("Events"), columns_of_events, [event_cells(event) for event in shipment.events], minor=("Source", "Means")
        )
    if shipment.inspections:
        columns_of_findings = marked("When", "Result", "Where", "Methods", "Found", "Remarks")
        output.table(
            _("Inspections"), columns_of_findings, [inspection_cells(inspection) for inspection in shipment.inspections]
        )
    if response.risk_hits:
        output.table(_("Rules that fired"), _HIT_COLUMNS, map(_hit_cells, response.risk_hits), minor=_MINOR_OF_HITS)


def _about(response: GetShipmentResponse) -> dict[str, object]:
    held = _("never while held") if response.hold_ids else _("not known")
    return {
        N_("Revision"): response.record.revision,
        N_("Recorded"): shown_time(response.record, "recorded_at"),
        N_("May be purged after"): shown_time(response, "delete_after") or held,
        N_("Held by"): stacked(response.hold_ids) or _("no hold"),
    }


def _revision_cells(revision: ShipmentRevision) -> tuple[object, ...]:
    return (
        revision.position,
        revision.revision,
        shown_time(revision, "recorded_at"),
        revision.recorded_by,
        _content_of(revision),
        f"{revision.digest.hex()[:DIGEST_CHARS]}…",
    )


def _content_of(revision: ShipmentRevision) -> str:
    kind = revision.item.WhichOneof("item")
    if kind is None:
        return _("purged")
    if kind == "shipment":
        return _("revision {revision}", revision=revision.revision)
    added = revision.item.addition
    events, inspections, withdrawn = len(added.events), len(added.inspections), len(added.withdrawn_inspections)
    taken_out = ngettext("{number} inspection withdrawn", "{number} inspections withdrawn", withdrawn)
    return listed(
        (
            ngettext("{number} event", "{number} events", events),
            ngettext("{number} inspection added", "{number} inspections added", inspections),
            *([taken_out] if withdrawn else []),
        )
    )


_HIT_COLUMNS = marked("Rule", "Severity", "Record", "Rev", "Found", "What", "Why")
_MINOR_OF_HITS = ("Found", "Rev")


@reports_errors
@connected
def risks(
    target: Target,
    *,
    rule: Annotated[str, typer.Option(help=_("Of one rule alone, e.g. R05."))] = "",
    severity: Annotated[str, typer.Option(help=_("notice, low, medium or high."))] = "",
    record: Annotated[str, typer.Option(help=_("Of one record alone."))] = "",
    limit: Annotated[int, typer.Option(help=_("Most rows shown; 0 for all."), min=0)] = 50,
    as_json: JsonOption = False,
) -> None:
    """List rules that fired on own records, newest first. Role: officer, analyst, supervisor, auditor.

    \b
    Examples:
      gateway history risks --severity high
      gateway history risks --rule R05 --limit 0 --json

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 wrong input.
    """
    filter_ = filter_of(rule, severity, record)

    pages, more = target.run(
        lambda client: pages_of(client.history.risk_hits_page, lambda page: page.hits, limit, filter=filter_)
    )
    risk_hits = [hit for page in pages for hit in page.hits]
    output = Output(as_json)
    output.table(
        _("Rules that fired"),
        _HIT_COLUMNS,
        map(_hit_cells, risk_hits),
        data=[as_dict(risk_hit) for risk_hit in risk_hits],
        minor=_MINOR_OF_HITS,
    )
    if unevaluated := max(page.unevaluated for page in pages):
        output.warning(
            ngettext(
                "{number} revision or addition isn't judged by the rules yet",
                "{number} revisions or additions aren't judged by the rules yet",
                unevaluated,
            )
        )
    if more:
        output.note(
            _(
                "There are more than these {limit}; --limit 0 shows all, --rule, --severity and --record narrow.",
                limit=limit,
            )
        )


def filter_of(rule: str, severity: str, record: str) -> str:
    """The filter for the conditions that aren't empty."""
    if severity:
        severity = word_of(Severity, value_of(Severity, severity, "--severity"))
    terms = {"rule": rule, "severity": severity, "record": record}
    for name, value in terms.items():
        if '"' in value or "\\" in value:
            raise OptionError(_("--{name}: {value!r} can't have quotes or backslashes", name=name, value=value))
    return " AND ".join(f'{name} = "{value}"' for name, value in terms.items() if value)


def _hit_cells(hit: RiskHit) -> tuple[object, ...]:
    discrepancy = hit.discrepancy
    return (
        f"{discrepancy.rule_id} {discrepancy.name}",
        word_of(Severity, discrepancy.severity),
        hit.record_id,
        hit.revision,
        shown_time(hit, "found_at"),
        _measured(discrepancy),
        explained(discrepancy.explanation) or None,
    )


def _measured(discrepancy: Discrepancy) -> str | None:
    against = ", ".join(f"{name} {value}" for name, value in sorted(discrepancy.thresholds.items()))
    measured = f"{discrepancy.measured:g}" if discrepancy.HasField("measured") else ""
    if measured and against:
        return _("{measured} against {thresholds}", measured=measured, thresholds=against)
    return measured or against or None


@reports_errors
@connected
def rules(
    target: Target,
    rule: Annotated[str, typer.Argument(metavar="RULE", help=_("All about one rule, e.g. R05."))] = "",
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help=_("Show conditions and sources too."))] = False,
    as_json: JsonOption = False,
) -> None:
    """List the rules with their thresholds and what their hits came to. Role: publisher, officer, analyst, supervisor,
    auditor.

    Hits are own records; confirmed and as declared are those that were inspected. Lift is the share of confirmed ones,
    divided by that of all inspected records: 1 is no better than chance. A better threshold is shown where 20 inspected
    hits or more show one; it takes effect when you set it.

    \b
    Examples:
      gateway history rules
      gateway history rules R05
      gateway history rules -v

    \b
    Exit codes: 0 done, 1 refused or unreachable, 2 no such rule.
    """
    found = target.run(lambda client: client.history.rules(with_outcomes=True))
    output = Output(as_json)
    if rule:
        wanted = next((each for each in found.rules if each.rule_id.upper() == rule.upper()), None)
        if wanted is None:
            raise OptionError(_("there is no rule {rule}: gateway history rules lists them", rule=repr(rule)))
        if as_json:
            output.json(as_dict(ListRulesResponse(rules=[wanted], version=found.version)))
        else:
            output.facts(f"{wanted.rule_id} {wanted.name}", _rule_facts(wanted))
        return
    columns = marked("Rule", "Applied", "To", "Typology", "Confidence", "Thresholds")
    rows = map(_rule_cells, found.rules)
    output.table(
        _("Rules, version {version}", version=found.version),
        columns,
        rows,
        data=as_dict(found),
        minor=("Typology", "To"),
    )
    with_hits = [each for each in found.rules if each.outcomes.hits]
    if with_hits and not as_json:
        columns_of_outcomes = marked("Rule", "Hits", "Confirmed", "As declared", "Lift", "Better threshold")
        output.table(_("What inspections of hits found"), columns_of_outcomes, map(_outcome_cells, with_hits))
    if verbose:
        for each in found.rules:
            output.line(f"{each.rule_id} {each.name}: {each.expression}")
            output.line(f"  {each.source}")


def _rule_facts(rule: RiskRule) -> dict[str, object]:
    outcomes = rule.outcomes
    return {
        N_("Applied"): rule.enabled,
        N_("To"): rule.scope.replace("_", " "),
        N_("Typology"): rule.typology,
        N_("Confidence"): rule.confidence,
        N_("Condition"): rule.expression,
        N_("Thresholds"): stacked(f"{name} {value:g}" for name, value in sorted(rule.thresholds.items())) or None,
        N_("Source"): rule.source,
        N_("Own records with a hit"): outcomes.hits,
        N_("Confirmed"): outcomes.confirmed,
        N_("As declared"): outcomes.unfounded,
        N_("Lift here"): f"{outcomes.lift:.2f}" if outcomes.HasField("lift") else None,
        N_("Lift on known outcomes"): f"{rule.measured_lift:.2f}" if rule.HasField("measured_lift") else None,
        N_("Better threshold"): _better_threshold(rule),
    }


def _rule_cells(rule: RiskRule) -> tuple[object, ...]:
    return (
        f"{rule.rule_id} {rule.name}",
        rule.enabled,
        rule.scope.replace("_", " "),
        rule.typology,
        rule.confidence,
        stacked(f"{name} {value:g}" for name, value in sorted(rule.thresholds.items())) or None,
    )


def _outcome_cells(rule: RiskRule) -> tuple[object, ...]:
    outcomes = rule.outcomes
    return (
        f"{rule.rule_id} {rule.name}",
        outcomes.hits,
        outcomes.confirmed,
        outcomes.unfounded,
        f"{outcomes.lift:.2f}" if outcomes.HasField("lift") else None,
        _better_threshold(rule),
    )


def _better_threshold(rule: RiskRule) -> str | None:
    """The learned threshold where it isn't the one in force."""
    learned = rule.outcomes.learned
    if not learned.name or learned.value <= rule.thresholds[learned.name]:
        return None
    return _("{name} {value}: lift {lift}", name=learned.name, value=f"{learned.value:g}", lift=f"{learned.lift:.2f}")
