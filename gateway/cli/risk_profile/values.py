"""Reads names of risk profiles and values of parameters, and puts profiles and reports into facts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import typer

from gateway.cli.output import stacked
from gateway.cli.pairs import named_once
from gateway.errors import OptionError
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.risk_profile_pb2 import RiskProfile, RiskProfileParameter, RiskProfileReference, RiskProfileReport
from gateway.v1.risk_profile_service_pb2 import ListedRiskProfile, RiskProfileUse

ProfileArgument = Annotated[str, typer.Argument(metavar="PROFILE", help=_("OFFERER/ID, e.g. cn/GA-SCRAP."))]
ValueOption = Annotated[
    list[str] | None,
    typer.Option("--set", help=_("Own value of a parameter, e.g. usd_per_kg=80; repeat for more.")),
]


def profile_reference(text: str, own_node: str = "") -> RiskProfileReference:
    """A reference from OFFERER/ID, or from the id alone of an own profile; OptionError otherwise."""
    offerer, slash, profile_id = text.partition("/")
    if not slash:
        offerer, profile_id = own_node, text
    if not offerer or not profile_id:
        raise OptionError(
            _("{text!r} doesn't name a risk profile", text=text),
            way_out=_("Give OFFERER/ID as `gateway risk-profile list` shows it."),
        )
    return RiskProfileReference(offerer=offerer, profile_id=profile_id)


def named_values(texts: Iterable[str] | None) -> dict[str, float]:
    """Values of parameters from NAME=NUMBER; OptionError otherwise."""

    def pairs() -> Iterator[tuple[str, float]]:
        for text in texts or ():
            name, _equals, number = text.partition("=")
            try:
                yield name, float(number)
            except ValueError:
                raise OptionError(_("--set: {text!r} isn't NAME=NUMBER", text=text)) from None

    return named_once("--set", pairs())


def name_of(reference: RiskProfileReference) -> str:
    """OFFERER/ID."""
    return f"{reference.offerer}/{reference.profile_id}"


def status_of(listed: ListedRiskProfile, own_node: str) -> str:
    """What a profile is here, in a word or two; of an own one how many partners have adopted it."""
    if listed.HasField("withdrawal"):
        return _("withdrawn")
    adopted = [use.adoption for use in listed.uses if use.adoption.version and not use.adoption.ended]
    if listed.reference.offerer == own_node:
        return _("adopted by {number}", number=len(adopted)) if adopted else _("offered")
    if not adopted:
        return _("offered")
    version = adopted[0].rule_version
    if adopted[0].version < listed.newest.version:
        return _("adopted {version}, new: {newest}", version=version, newest=listed.newest.version)
    return _("adopted {version}", version=version)


def profile_facts(profile: RiskProfile) -> dict[str, object]:
    """A version for people."""
    return {
        N_("Title"): profile.title,
        N_("Version"): profile.version,
        N_("Typology"): profile.typology,
        N_("Looks for"): profile.looks_for,
        N_("To"): profile.about,
        N_("Condition"): profile.condition,
        N_("Severity"): profile.severity,
        N_("Confidence"): profile.confidence,
        N_("Parameters"): stacked(map(_parameter, profile.parameters)) or None,
        N_("Valid"): f"{profile.valid_from} – {profile.valid_until}",
        N_("Purpose"): profile.purpose,
        N_("Offered to"): ", ".join(profile.recipients),
    }


def _parameter(parameter: RiskProfileParameter) -> str:
    bounds = f"{parameter.default_value:g} ({parameter.least:g}–{parameter.most:g}) {parameter.unit}".rstrip()
    return f"{parameter.name} {bounds}: {parameter.meaning}"


def use_cells(use: RiskProfileUse) -> tuple[object, ...]:
    """What a node does with a profile, and what it came to there."""
    adoption = use.adoption
    adopted = None if not adoption.version else _("ended") if adoption.ended else adoption.rule_version
    return use.node, adopted, *report_cells(use.report)


def report_cells(report: RiskProfileReport) -> tuple[object, ...]:
    """Records, hits with their rate, confirmed ones with their share of the inspected ones, as declared."""
    if not report.version:
        return None, None, None, None
    inspected = report.confirmed + report.unfounded
    rated = report.HasField("hits") and report.HasField("records") and report.records
    shared = report.HasField("confirmed") and report.HasField("unfounded") and inspected
    return (
        _shown(report, "records"),
        _shown(report, "hits") + (f" ({report.hits / report.records:.2%})" if rated else ""),
        _shown(report, "confirmed") + (f" ({report.confirmed / inspected:.0%})" if shared else ""),
        _shown(report, "unfounded"),
    )


def _shown(report: RiskProfileReport, name: str) -> str:
    return str(getattr(report, name)) if report.HasField(name) else _("withheld")  # type: ignore[arg-type]
