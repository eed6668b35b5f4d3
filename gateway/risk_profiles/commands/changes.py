"""Offers, withdraws, adopts and ends risk profiles, and decides about proposals of that."""

from __future__ import annotations

from typing import TypeVar

from gateway.contract.messages import to_timestamp
from gateway.errors import (
    AgreementForbidsError,
    IllegalTransitionError,
    InvalidRequestError,
    NotFoundError,
    RevisionConflictError,
    Violation,
)
from gateway.feed.service.writing.transaction import Transaction
from gateway.persons.commands.registers import ChangeCommand, DecideChangeCommand, RegisterCommand, catch_up
from gateway.risk_profiles.codec.events import (
    ADOPTED,
    OFFERED,
    REPORTED,
    WITHDRAWN,
    ProfileKey,
    act_of,
    key_of,
)
from gateway.risk_profiles.commands.register import ProfileRegister, require_known, require_room
from gateway.risk_profiles.rules.reports import shown_numbers
from gateway.risk_profiles.service.figures import count_outcomes
from gateway.risk_profiles.service.profiles import require_profile, require_values, rule_of
from gateway.risk_profiles.service.state import KnownProfile, read_profile
from gateway.v1 import alert_service_pb2, risk_profile_pb2
from gateway.v1 import risk_profile_service_pb2 as _Pb

ProfileChangeResponse = TypeVar(
    "ProfileChangeResponse",
    _Pb.OfferRiskProfileResponse,
    _Pb.WithdrawRiskProfileResponse,
    _Pb.AdoptRiskProfileResponse,
    _Pb.EndRiskProfileResponse,
)


class _ProfileChange(ChangeCommand[ProfileChangeResponse]):
    """Changes a profile, or its adoption here."""

    decisions: ProfileRegister

    def require_possible(self, tx: Transaction, change: risk_profile_pb2.RiskProfileEvent) -> None:
        require_possible(tx, self.decisions, change)


class OfferProfileCommand(_ProfileChange[_Pb.OfferRiskProfileResponse]):
    """Offers an own profile, or a new version.

    Raises:
        InvalidRequestError: a partner may not have it, or the rule is wrong, unbounded or too costly.
        RevisionConflictError: the version isn't the next one.
        IllegalTransitionError: it was withdrawn.
    """

    request: _Pb.OfferRiskProfileRequest

    @property
    def response_type(self) -> type[_Pb.OfferRiskProfileResponse]:
        return _Pb.OfferRiskProfileResponse

    def change(self, tx: Transaction) -> risk_profile_pb2.RiskProfileEvent:
        require_profile(self.request.profile, "profile.")
        return risk_profile_pb2.RiskProfileEvent(offered=self.request.profile)


class WithdrawProfileCommand(_ProfileChange[_Pb.WithdrawRiskProfileResponse]):
    """Withdraws an own profile; raises NotFoundError or IllegalTransitionError."""

    request: _Pb.WithdrawRiskProfileRequest

    @property
    def response_type(self) -> type[_Pb.WithdrawRiskProfileResponse]:
        return _Pb.WithdrawRiskProfileResponse

    def change(self, tx: Transaction) -> risk_profile_pb2.RiskProfileEvent:
        known = require_known(tx, ProfileKey(self.decisions.node, self.request.profile_id))
        withdrawal = risk_profile_pb2.RiskProfileWithdrawal(
            profile_id=self.request.profile_id, version=known.newest.version, reason=self.request.reason
        )
        return risk_profile_pb2.RiskProfileEvent(withdrawn=withdrawal)


class AdoptProfileCommand(_ProfileChange[_Pb.AdoptRiskProfileResponse]):
    """Adopts a partner's profile, or a new version or other values.

    Raises:
        NotFoundError: there is no such profile here.
        RevisionConflictError: the caller has seen another version.
        IllegalTransitionError: it was withdrawn, or is an own one.
        InvalidRequestError: a value is beyond its bounds.
    """

    request: _Pb.AdoptRiskProfileRequest

    @property
    def response_type(self) -> type[_Pb.AdoptRiskProfileResponse]:
        return _Pb.AdoptRiskProfileResponse

    def change(self, tx: Transaction) -> risk_profile_pb2.RiskProfileEvent:
        request = self.request
        known = require_known(tx, key_of(request.profile))
        if known.newest.version != request.version:
            raise _conflict(known, request.version)
        require_values(known.newest, request.values)
        return _adoption(known, self.decisions.node, request.version, dict(request.values))


class EndProfileCommand(_ProfileChange[_Pb.EndRiskProfileResponse]):
    """Ends the adoption of a profile; raises NotFoundError or IllegalTransitionError."""

    request: _Pb.EndRiskProfileRequest

    @property
    def response_type(self) -> type[_Pb.EndRiskProfileResponse]:
        return _Pb.EndRiskProfileResponse

    def change(self, tx: Transaction) -> risk_profile_pb2.RiskProfileEvent:
        known = require_known(tx, key_of(self.request.profile))
        adopted = known.adoption_of(self.decisions.node)
        if adopted is None:
            raise _not_adopted(known)
        change = _adoption(known, self.decisions.node, adopted[1].version, {})
        change.adopted.ended, change.adopted.rule_version = True, adopted[1].rule_version
        return change


class ReportProfileCommand(RegisterCommand[_Pb.ReportRiskProfileResponse]):
    """Reports what an adopted profile came to, to the node that offers it.

    Raises:
        NotFoundError: there is no such profile here.
        IllegalTransitionError: it isn't adopted.
        AgreementForbidsError: the partner may not have reports.
    """

    decisions: ProfileRegister
    request: _Pb.ReportRiskProfileRequest

    @property
    def response_type(self) -> type[_Pb.ReportRiskProfileResponse]:
        return _Pb.ReportRiskProfileResponse

    def answer(self, tx: Transaction) -> _Pb.ReportRiskProfileResponse:
        catch_up(tx)
        node, known = self.decisions.node, require_known(tx, key_of(self.request.profile))
        adopted = known.adoption_of(node)
        if adopted is None:
            raise _not_adopted(known)
        act, adoption = adopted
        last = known.reports.get(node)
        before = last[1] if last is not None and last[0].acted_at >= act.acted_at else None
        counted = count_outcomes(tx.conn, known.key.rule_id, since_ms=act.acted_at)
        report = shown_numbers(**counted._asdict(), least=self.decisions.least_count, before=before)
        report.profile.CopyFrom(known.key.reference)
        report.version, report.rule_version = adoption.version, adoption.rule_version
        report.revision = known.revision_of(REPORTED, node) + 1
        getattr(report, "from").CopyFrom(to_timestamp(act.acted_at))
        report.until.CopyFrom(to_timestamp(tx.now_ms))
        change = risk_profile_pb2.RiskProfileEvent(occurred_at=to_timestamp(tx.now_ms), reported=report)
        require_room(tx, known.key, node)
        self.decisions.sharing.require(change, node, known.key.offerer, known.newest.purpose, tx.now_ms)
        place = self.decisions.append(tx, self.actor, recorded=change)
        entry = alert_service_pb2.EntryReference(origin=place.origin.line, index=place.index)
        return _Pb.ReportRiskProfileResponse(report=report, entry=entry)


class DecideProfileCommand(DecideChangeCommand[_Pb.DecideRiskProfileProposalResponse]):
    """Records a second person's decision about a proposed change; raises as `DecideChangeCommand`."""

    decisions: ProfileRegister

    @property
    def response_type(self) -> type[_Pb.DecideRiskProfileProposalResponse]:
        return _Pb.DecideRiskProfileProposalResponse

    def require_possible(self, tx: Transaction, change: risk_profile_pb2.RiskProfileEvent) -> None:
        require_possible(tx, self.decisions, change)

    def answered(self, change: risk_profile_pb2.RiskProfileEvent) -> _Pb.DecideRiskProfileProposalResponse:
        return _Pb.DecideRiskProfileProposalResponse(profile=act_of(change, self.decisions.node).profile.reference)


def require_possible(tx: Transaction, profiles: ProfileRegister, change: risk_profile_pb2.RiskProfileEvent) -> None:
    """Raises unless the change follows on the profile as it is now; as the commands."""
    key = act_of(change, profiles.node)
    known = read_profile(tx.conn, key.profile)
    require_room(tx, key.profile, profiles.node)
    if known is not None and known.withdrawn:
        raise _illegal(f"risk profile {key.profile_id} was withdrawn before")
    if key.kind == OFFERED:
        _require_recipients(profiles, change, tx.now_ms)
        newest = known.newest.version if known is not None else 0
        if key.number != newest + 1:
            raise RevisionConflictError(
                f"risk profile {key.profile_id} is at version {newest}, so the next is {newest + 1}, not {key.number}",
                metadata={"about": "risk profile", "revision": str(newest)},
            )
        return
    if known is None:
        raise NotFoundError(f"there is no risk profile {key.offerer}/{key.profile_id} here")
    if key.kind == WITHDRAWN and key.number != known.newest.version:
        raise _conflict(known, key.number)
    if key.kind == ADOPTED:
        if key.offerer == profiles.node:
            raise _illegal(f"{key.profile_id} is an own profile: put its rule into the rules file of this node")
        if key.number != known.revision_of(ADOPTED, profiles.node) + 1:
            raise _conflict(known, change.adopted.version)
        if not change.adopted.ended and change.adopted.version != known.newest.version:
            raise _conflict(known, change.adopted.version)


def _require_recipients(profiles: ProfileRegister, change: risk_profile_pb2.RiskProfileEvent, now_ms: int) -> None:
    problems: list[Violation] = []
    partners = profiles.sharing.partners()
    for at, recipient in enumerate(change.offered.recipients):
        field = f"profile.recipients[{at}]"
        if recipient not in partners:
            text = f"{recipient!r} isn't a partner; partners are: {', '.join(sorted(partners))}"
            problems.append(Violation(field, "recipients.known", text))
            continue
        try:
            profiles.sharing.require(change, profiles.node, recipient, change.offered.purpose, now_ms)
        except (AgreementForbidsError, InvalidRequestError) as error:
            problems.append(Violation(field, "recipients.agreement", error.message))
    if problems:
        raise InvalidRequestError(problems)


def _adoption(
    known: KnownProfile, node: str, version: int, values: dict[str, float]
) -> risk_profile_pb2.RiskProfileEvent:
    adoption = risk_profile_pb2.RiskProfileAdoption(
        profile=known.key.reference, version=version, revision=known.revision_of(ADOPTED, node) + 1, values=values
    )
    profile = known.version(version)
    if profile is not None:
        adoption.rule_version = rule_of(profile, values).version
    return risk_profile_pb2.RiskProfileEvent(adopted=adoption)


def _conflict(known: KnownProfile, seen: int) -> RevisionConflictError:
    newest = known.newest.version
    return RevisionConflictError(
        f"risk profile {known.key.profile_id} has changed: version {newest} is the newest, {seen} was read",
        metadata={"about": "risk profile", "revision": str(newest)},
    )


def _not_adopted(known: KnownProfile) -> IllegalTransitionError:
    return _illegal(f"risk profile {known.key.offerer}/{known.key.profile_id} isn't adopted here")


def _illegal(message: str) -> IllegalTransitionError:
    return IllegalTransitionError(message, metadata={"about": "risk profile"})
