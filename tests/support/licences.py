"""Licences for tests, and what is done with them at paper nodes."""

from __future__ import annotations

import uuid
from typing import Any

from gateway.licences.commands.changes import (
    AmendLicenceCommand,
    DecideLicenceCommand,
    PublishLicenceCommand,
    WithdrawLicenceCommand,
)
from gateway.licences.commands.register import LicenceRegister
from gateway.licences.commands.reports import ReportFollowUpCommand, ReportUseCommand
from gateway.licences.service.queries import LicenceQueries
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import goods_pb2, licence_pb2, party_pb2
from gateway.v1 import licence_service_pb2 as pb
from tests.support.nodes import PaperNode

NUMBER = "CN-2026-0001"
CONSIGNEE = "Placeholder Metals (HK) Limited"

ARRIVED = licence_pb2.LICENCE_FOLLOW_UP_KIND_ARRIVED
REEXPORTED = licence_pb2.LICENCE_FOLLOW_UP_KIND_REEXPORTED


def named(name: str) -> party_pb2.Party:
    """A party with one name."""
    return party_pb2.Party(names=[party_pb2.Name(text=name)])


def licence_content(**overrides: Any) -> licence_pb2.LicenceContent:
    """A thousand kilograms of gallium for one consignee in Hong Kong, not to be re-exported."""
    content = licence_pb2.LicenceContent(
        holder=named("Placeholder Smelter Co., Ltd."),
        consignee=named(CONSIGNEE),
        end_use="wafers",
        goods=[
            licence_pb2.LicenceGoods(
                control_code="3C001",
                codes=[goods_pb2.CommodityCode(code="811292", scheme="hs")],
                quantity="1000",
                unit="KGM",
                tolerance_percent="5",
            )
        ],
        valid_from="2026-01-01",
        valid_until="2026-06-30",
        destinations=["HK"],
        conditions=[licence_pb2.LICENCE_CONDITION_NO_REEXPORT],
        purpose="export_control",
        legal_basis="Export Control Law, article 12",
        parties=["hk"],
    )
    for name, value in overrides.items():
        content.ClearField(name)  # type: ignore[arg-type]
        content.MergeFrom(licence_pb2.LicenceContent(**{name: value}))
    return content


def reference(number: str = NUMBER, issuer: str = "cn") -> licence_pb2.LicenceReference:
    """Names a licence."""
    return licence_pb2.LicenceReference(issuer=issuer, number=number)


class PaperLicences:
    """What the systems of a paper node do with licences."""

    def __init__(self, node: PaperNode, *, four_eyes: bool = False) -> None:
        self.node = node
        self.register = LicenceRegister(
            federation=FEDERATION,
            node=node.name,
            directory=lambda: node.trust.directory,
            clock=node.clock,
            four_eyes=four_eyes,
        )
        self.queries = LicenceQueries(node.database)

    def publish(self, number: str = NUMBER, *, actor: str = "desk", **content: Any) -> pb.PublishLicenceResponse:
        request = pb.PublishLicenceRequest(request_id=_new_id(), number=number, content=licence_content(**content))
        return self._run(PublishLicenceCommand(self.register, request, f"system/x/{actor}", actor))

    def amend(
        self, revision: int, number: str = NUMBER, *, effective_on: str = "2026-02-01", **content: Any
    ) -> pb.AmendLicenceResponse:
        request = pb.AmendLicenceRequest(
            request_id=_new_id(),
            number=number,
            revision=revision,
            effective_on=effective_on,
            content=licence_content(**content),
        )
        return self._run(AmendLicenceCommand(self.register, request, "system/x/desk", "desk"))

    def withdraw(
        self, revision: int, number: str = NUMBER, *, effective_on: str = "2026-03-01"
    ) -> pb.WithdrawLicenceResponse:
        request = pb.WithdrawLicenceRequest(
            request_id=_new_id(), number=number, revision=revision, effective_on=effective_on, reason="Misused."
        )
        return self._run(WithdrawLicenceCommand(self.register, request, "system/x/desk", "desk"))

    def decide(self, proposal_id: str, *, approve: bool = True, actor: str = "chief") -> None:
        request = pb.DecideLicenceProposalRequest(
            request_id=_new_id(), proposal_id=proposal_id, approve=approve, remarks="seen"
        )
        self._run(DecideLicenceCommand(self.register, request, f"system/x/{actor}", actor))

    def use(
        self, declaration: str, quantity: str, *, number: str = NUMBER, issuer: str = "cn", **fields: Any
    ) -> pb.ReportLicenceUseResponse:
        given = {"day": "2026-01-15", "destination": "HK", "consignee": named(CONSIGNEE), **fields}
        request = pb.ReportLicenceUseRequest(
            request_id=_new_id(),
            licence=reference(number, issuer),
            declaration=declaration,
            quantity=quantity,
            **given,
        )
        return self._run(ReportUseCommand(self.register, request, "system/x/desk", "desk"))

    def follow(
        self,
        kind: licence_pb2.LicenceFollowUpKind.ValueType,
        declaration: str,
        quantity: str,
        *,
        number: str = NUMBER,
        **fields: Any,
    ) -> pb.ReportLicenceFollowUpResponse:
        request = pb.ReportLicenceFollowUpRequest(
            request_id=_new_id(),
            licence=reference(number),
            kind=kind,
            declaration=declaration,
            quantity=quantity,
            **{"day": "2026-01-20", **fields},
        )
        return self._run(ReportFollowUpCommand(self.register, request, "system/x/desk", "desk"))

    def get(self, number: str = NUMBER, issuer: str = "cn") -> pb.GetLicenceResponse:
        self.node.settle()
        return self.queries.get(reference(number, issuer))

    def balance(self, number: str = NUMBER, issuer: str = "cn") -> licence_pb2.LicenceBalance:
        return self.get(number, issuer).licence.balance

    def breaches(self, number: str = NUMBER) -> list[tuple[str, str]]:
        """Kind and declaration of each."""
        return breaches_in(self.balance(number))

    def _run(self, command: Any) -> Any:
        return self.node.writer.run(command)


def breaches_in(balance: licence_pb2.LicenceBalance) -> list[tuple[str, str]]:
    """Kind, without its prefix, and declaration of each breach."""
    prefix = "LICENCE_BREACH_KIND_"
    return [
        (licence_pb2.LicenceBreachKind.Name(breach.kind).removeprefix(prefix), breach.declaration)
        for breach in balance.breaches
    ]


def _new_id() -> str:
    return str(uuid.uuid4())
