"""Risk profiles for pages: what they look for, who adopted them, and what they came to there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from gateway.console.filters import calendar_day, foreign, moment, number
from gateway.console.views.words import capitalised
from gateway.translation.labels import CONFIDENCE, PURPOSE, TYPOLOGY, label, readable
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed as joined
from gateway.v1.risk_profile_pb2 import RiskProfile, RiskProfileReference, RiskProfileReport
from gateway.v1.risk_profile_service_pb2 import (
    ListedRiskProfile,
    ListedRiskProfileProposal,
    RiskProfileUse,
    TryRiskProfileResponse,
)
from gateway.v1.trace_pb2 import Severity

_PLACEHOLDER: Final = re.compile(r"\{([a-z][a-z0-9_.]*)(?::[a-z]+)?\}")
"""As in explanations of risk rules."""


STEP_TITLES: Final[Mapping[str, Callable[[], str]]] = {
    "adopt": lambda: _("Adopt"),
    "end": lambda: _("End"),
    "report": lambda: _("Report"),
}
"""Steps that send something to the partner that offers a profile."""


@dataclass(frozen=True, slots=True)
class ProfileStep:
    """A step on a partner's profile.

    Attributes:
        name: of STEP_TITLES.
        version: of the profile that the person has seen.
        values: own values of parameters, by name; others are as offered.
    """

    name: str
    version: int
    values: Mapping[str, float]
    request_id: str


@dataclass(frozen=True, slots=True)
class RiskProfileListRow:
    """A profile in a list; `kind` is a tag's."""

    path: str
    name: str
    offerer: str
    title: str
    version: int
    status: str
    kind: str


def profile_path(reference: RiskProfileReference) -> str:
    """Address of a profile's page."""
    return f"/risk-profiles/{reference.offerer}/{reference.profile_id}"


def profile_rows(profiles: Iterable[ListedRiskProfile], node: str) -> list[RiskProfileListRow]:
    """Profiles for a list of this node."""
    return [
        RiskProfileListRow(
            profile_path(listed.reference),
            listed.reference.profile_id,
            listed.reference.offerer,
            listed.newest.title,
            listed.newest.version,
            *_status(listed, node),
        )
        for listed in profiles
    ]


def profile_summary(listed: ListedRiskProfile, node: str) -> list[tuple[str, Any]]:
    """A profile's newest version, with what it is here."""
    profile = listed.newest
    rows: list[tuple[str, Any]] = [(_("Status"), _status(listed, node)[0])]
    if listed.HasField("withdrawal"):
        rows.append((_("Withdrawn"), foreign(listed.withdrawal.reason)))
    return [*rows, *_content(profile)]


def use_rows(listed: ListedRiskProfile) -> list[Sequence[Any]]:
    """What nodes do with a profile, and what it came to there."""
    return [(use.node.upper(), _adopted(use), *_numbers(use.report)) for use in listed.uses]


def trial_rows(tried: TryRiskProfileResponse) -> list[tuple[str, Any]]:
    """What a trial came to."""
    rows: list[tuple[str, Any]] = [(_("Records"), tried.records), (_("Hits"), tried.hits)]
    if tried.failed:
        rows.append((_("Failed"), tried.failed))
    if tried.record_ids:
        rows.append((_("Newest records with a hit"), foreign(joined(tried.record_ids))))
    if not tried.complete:
        rows.append((_("Limit"), _("There are more records since then: the newest were evaluated.")))
    return rows


def adoption_at(listed: ListedRiskProfile, node: str) -> RiskProfileUse | None:
    """The adoption of a profile that is in force at a node."""
    uses = (use for use in listed.uses if use.node == node and use.adoption.version and not use.adoption.ended)
    return next(uses, None)


def step_rows(listed: ListedRiskProfile, step: ProfileStep, node: str) -> list[tuple[str, Any]]:
    """What a step would send, before it is sent."""
    use = adoption_at(listed, node)
    match step.name:
        case "adopt":
            own = _("{values} (own values aren't sent)", values=joined(_values_text(step.values)))
            return [
                (_("It learns"), _("This authority adopts version {version}.", version=step.version)),
                (_("Parameters"), own if step.values else _("as offered")),
            ]
        case "end":
            return [(_("It learns"), _("This authority doesn't use the profile any more."))]
        case _:
            since = [(_("Since"), moment(use.adopted_at))] if use is not None else []
            numbers = [_("records"), _("hits"), _("hits that inspections confirmed"), _("hits found as declared")]
            return [(_("It learns how many"), numbers), *since, (_("Left out"), _("small numbers"))]


def profile_proposal_title(listed: ListedRiskProfileProposal) -> str:
    """What a proposal would change, in a line."""
    change = listed.proposal.change
    match change.WhichOneof("event"):
        case "offered":
            offered = change.offered
            return _("Offer version {version} of risk profile {name}", version=offered.version, name=offered.profile_id)
        case "withdrawn":
            return _("Withdraw risk profile {name}", name=change.withdrawn.profile_id)
        case _:
            adopted = change.adopted
            name = f"{adopted.profile.offerer}/{adopted.profile.profile_id}"
            if adopted.ended:
                return _("End risk profile {name} here", name=name)
            return _("Adopt risk profile {name}, version {version}", name=name, version=adopted.rule_version)


def change_rows(listed: ListedRiskProfileProposal) -> list[tuple[str, Any]]:
    """What a proposal would change."""
    change = listed.proposal.change
    if change.HasField("offered"):
        return _content(change.offered)
    if change.HasField("withdrawn"):
        return [(_("Why"), foreign(change.withdrawn.reason))]
    values = [_code(text) for text in _values_text(change.adopted.values)]
    shown = Markup(", ").join(values) if values else _("as offered")
    return [(_("Version"), change.adopted.rule_version), (_("Parameters"), shown)]


def _content(profile: RiskProfile) -> list[tuple[str, Any]]:
    parameters = [
        Markup("{} {}: {}").format(
            _code(one.name),
            f"{number(one.default_value)} ({number(one.least)}–{number(one.most)}) {one.unit}",
            foreign(one.meaning),
        )
        for one in profile.parameters
    ]
    return [
        (_("Looks for"), foreign(_in_words(profile))),
        (_("Suspicion"), foreign(capitalised(label(TYPOLOGY, profile.typology)))),
        (_("Severity"), capitalised(label(Severity.DESCRIPTOR.name, profile.severity))),
        (_("Confidence"), capitalised(label(CONFIDENCE, profile.confidence))),
        (
            _("Valid"),
            _("{start} to {end}", start=calendar_day(profile.valid_from), end=calendar_day(profile.valid_until)),
        ),
        (_("Purpose"), capitalised(label(PURPOSE, profile.purpose))),
        (_("Offered to"), joined([name.upper() for name in profile.recipients])),
        (_("Version"), profile.version),
        (_("Parameters"), Markup("; ").join(parameters)),
        (_("Condition"), _code(profile.condition)),
    ]


def _in_words(profile: RiskProfile) -> str:
    """What a profile looks for, with its parameters as they are offered in place of their names.

    What a record gives stands in brackets: `[net kg] kg`.
    """
    numbers = {f"t.{one.name}": number(one.default_value) for one in profile.parameters}
    return _PLACEHOLDER.sub(lambda match: numbers.get(match[1], f"[{readable(match[1])}]"), profile.looks_for)


def _values_text(values: Mapping[str, float]) -> list[str]:
    return [f"{name} {value:g}" for name, value in sorted(values.items())]


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


def _status(listed: ListedRiskProfile, node: str) -> tuple[str, str]:
    if listed.HasField("withdrawal"):
        return _("withdrawn"), "bad"
    adopted = [use.adoption for use in listed.uses if use.adoption.version and not use.adoption.ended]
    if not adopted:
        return _("offered"), "quiet"
    if listed.reference.offerer == node:
        return _("adopted by {number}", number=len(adopted)), "good"
    version = adopted[0].rule_version
    if adopted[0].version < listed.newest.version:
        return _("adopted {version}, new: {newest}", version=version, newest=listed.newest.version), "warn"
    return _("adopted {version}", version=version), "good"


def _adopted(use: RiskProfileUse) -> str:
    if not use.adoption.version:
        return "–"
    return _("ended") if use.adoption.ended else use.adoption.rule_version


def _numbers(report: RiskProfileReport) -> tuple[str, ...]:
    if not report.version:
        return ("–",) * 4
    inspected = report.confirmed + report.unfounded
    rate = f" ({report.hits / report.records:.2%})" if report.hits and report.records else ""
    share = f" ({report.confirmed / inspected:.0%})" if inspected and report.HasField("unfounded") else ""
    return (
        _shown(report, "records"),
        _shown(report, "hits") + rate,
        _shown(report, "confirmed") + (share if report.HasField("confirmed") else ""),
        _shown(report, "unfounded"),
    )


def _shown(report: RiskProfileReport, name: str) -> str:
    return str(getattr(report, name)) if report.HasField(name) else _("withheld")  # type: ignore[arg-type]
