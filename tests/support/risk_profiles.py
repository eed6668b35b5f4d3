"""Risk profiles for tests, and what is done with them at paper nodes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from gateway.risk_profiles.commands.changes import (
    AdoptProfileCommand,
    DecideProfileCommand,
    EndProfileCommand,
    OfferProfileCommand,
    ReportProfileCommand,
    WithdrawProfileCommand,
)
from gateway.risk_profiles.commands.register import ProfileRegister
from gateway.risk_profiles.service.queries import ProfileQueries
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import risk_profile_pb2
from gateway.v1 import risk_profile_service_pb2 as pb
from tests.support.nodes import PaperNode

ID = "HEAVY-ZINC"

HOSTILE = {
    "too long": "true " + "|| true " * 600,
    "too deep": "(" * 400 + "true" + ")" * 400,
    "an unknown function": "steal(item.description)",
    "an unknown fact": "secret.size() > 0",
    "texts that grow": "'a'.replace('a', 'aaaaaaaaaa').replace('a', 'aaaaaaaaaa').size() > 0",
    "a pattern": "item.description.matches('(a+)+b')",
    "loops within loops": "licences.all(a, licences.all(b, licences.all(c, licences.all(d, a == b && c == d))))",
    "long lists in loops": "[{0}].all(a, [{0}].all(b, [{0}].all(c, a <= b || b <= c)))".format(", ".join(["1"] * 40)),
    "no truth value": "net_kg",
}
"""Conditions that are refused, by why."""


def profile(**overrides: Any) -> risk_profile_pb2.RiskProfile:
    """Zinc that is heavier than a parameter says, offered to Hong Kong."""
    made = risk_profile_pb2.RiskProfile(
        profile_id=ID,
        version=1,
        title="Heavy consignments of zinc",
        typology="false declaration",
        looks_for="{codes} weighs {kg} kg, more than {t.least_kg}: antimony was declared so.",
        about="goods",
        condition="net_kg > t.least_kg && item.description.lowerAscii().contains('zinc')",
        severity="medium",
        confidence="low",
        parameters=[
            risk_profile_pb2.RiskProfileParameter(
                name="least_kg", unit="kg", meaning="net mass", default_value=10_000, least=1_000, most=100_000
            )
        ],
        inputs={"codes": "item.codes.map(c, c.code)", "kg": "net_kg"},
        valid_from="2026-01-01",
        valid_until="2099-12-31",
        purpose="risk_assessment",
        recipients=["hk"],
    )
    for name, value in overrides.items():
        made.ClearField(name)  # type: ignore[arg-type]
        made.MergeFrom(risk_profile_pb2.RiskProfile(**{name: value}))
    return made


def profile_reference(profile_id: str = ID, offerer: str = "cn") -> risk_profile_pb2.RiskProfileReference:
    """Names a profile."""
    return risk_profile_pb2.RiskProfileReference(offerer=offerer, profile_id=profile_id)


class PaperProfiles:
    """What the systems of a paper node do with risk profiles."""

    def __init__(self, node: PaperNode, *, four_eyes: bool = False, least_count: int = 3) -> None:
        self.node = node
        self.register = ProfileRegister(
            federation=FEDERATION,
            node=node.name,
            directory=lambda: node.trust.directory,
            clock=node.clock,
            four_eyes=four_eyes,
            least_count=least_count,
        )
        self.queries = ProfileQueries(node.database)

    def offer(self, *, actor: str = "desk", **overrides: Any) -> pb.OfferRiskProfileResponse:
        request = pb.OfferRiskProfileRequest(request_id=str(uuid.uuid4()), profile=profile(**overrides))
        return self._run(OfferProfileCommand(self.register, request, f"system/x/{actor}", actor))

    def withdraw(self, profile_id: str = ID) -> pb.WithdrawRiskProfileResponse:
        request = pb.WithdrawRiskProfileRequest(request_id=str(uuid.uuid4()), profile_id=profile_id, reason="Over.")
        return self._run(WithdrawProfileCommand(self.register, request, "system/x/desk", "desk"))

    def adopt(
        self, version: int = 1, values: Mapping[str, float] | None = None, *, actor: str = "desk"
    ) -> pb.AdoptRiskProfileResponse:
        request = pb.AdoptRiskProfileRequest(
            request_id=str(uuid.uuid4()), profile=profile_reference(), version=version, values=values or {}
        )
        return self._run(AdoptProfileCommand(self.register, request, f"system/x/{actor}", actor))

    def end(self) -> pb.EndRiskProfileResponse:
        request = pb.EndRiskProfileRequest(request_id=str(uuid.uuid4()), profile=profile_reference())
        return self._run(EndProfileCommand(self.register, request, "system/x/desk", "desk"))

    def report(self) -> risk_profile_pb2.RiskProfileReport:
        request = pb.ReportRiskProfileRequest(request_id=str(uuid.uuid4()), profile=profile_reference())
        response: pb.ReportRiskProfileResponse = self._run(
            ReportProfileCommand(self.register, request, "system/x/desk", "desk")
        )
        return response.report

    def decide(self, proposal_id: str, *, approve: bool = True, actor: str = "chief") -> None:
        request = pb.DecideRiskProfileProposalRequest(
            request_id=str(uuid.uuid4()), proposal_id=proposal_id, approve=approve, remarks="seen"
        )
        self._run(DecideProfileCommand(self.register, request, f"system/x/{actor}", actor))

    def listed(self) -> list[pb.ListedRiskProfile]:
        self.node.settle()
        return list(self.queries.list(pb.ListRiskProfilesRequest()).profiles)

    def get(self) -> pb.ListedRiskProfile:
        self.node.settle()
        return self.queries.get(profile_reference()).profile

    def _run(self, command: Any) -> Any:
        result = self.node.writer.run(command)
        self.node.settle()
        return result
