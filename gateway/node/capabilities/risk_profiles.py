"""Puts together what own systems do with risk profiles."""

from __future__ import annotations

from functools import partial

from gateway.feed.rpc.dues import send_dues
from gateway.node.capabilities.capability import Capability
from gateway.node.capabilities.parts import NodeParts
from gateway.risk_profiles.commands.distribution import SendProfileDuesCommand
from gateway.risk_profiles.commands.register import ProfileRegister
from gateway.risk_profiles.rpc.service import RiskProfileServicer
from gateway.risk_profiles.service.queries import ProfileQueries
from gateway.risk_profiles.tables import acts
from gateway.rpc.workers.worker_process import WorkerProcess


def risk_profiles(parts: NodeParts, *, process: WorkerProcess) -> Capability:
    """At every node; `process` tries profiles on own records."""
    settings = parts.settings
    profiles = ProfileRegister(
        federation=settings.federation,
        node=settings.node,
        directory=parts.directory,
        clock=parts.clock,
        four_eyes=settings.risk_profiles.four_eyes,
        persons=settings.persons.enabled,
        least_count=settings.risk_profiles.least_count,
    )
    servicer = RiskProfileServicer(
        profiles=profiles,
        queries=ProfileQueries(parts.database),
        writer=parts.writer,
        process=process,
        clock=parts.clock,
    )
    sending = partial(
        send_dues,
        parts.writer,
        parts.database,
        acts.dues,
        lambda: SendProfileDuesCommand(profiles.sharing),
        what="risk profiles",
    )
    return Capability(
        {"gateway.v1.RiskProfileService": servicer.register},
        {"risk profiles that wait": sending},
    )
