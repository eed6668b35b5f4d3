"""Puts together what own systems and partners do with export licences."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gateway.feed.rpc.dues import send_dues
from gateway.licences.commands.distribution import SendDuesCommand
from gateway.licences.commands.register import LicenceRegister
from gateway.licences.rpc.service import LicenceAnswers, LicenceServicer
from gateway.licences.service.coverage import LicenceChecks
from gateway.licences.service.queries import LicenceQueries
from gateway.licences.tables import acts
from gateway.node.capabilities.capability import Capability
from gateway.node.capabilities.parts import NodeParts
from gateway.tlog.note import Signer
from gateway.trust.service.directory_versions import TrustedDirectory


class Licences:
    """Licences, at every node.

    Attributes:
        capability: for own systems.
        answers: for partners.
    """

    def __init__(
        self, parts: NodeParts, *, trust: Callable[[], TrustedDirectory], signer_for: Callable[[str], Signer]
    ) -> None:
        settings, queries = parts.settings, LicenceQueries(parts.database)
        checks = LicenceChecks(
            node=settings.node, trust=trust, signer_for=signer_for, queries=queries, clock=parts.clock
        )
        register = LicenceRegister(
            federation=settings.federation,
            node=settings.node,
            directory=parts.directory,
            clock=parts.clock,
            four_eyes=settings.licences.four_eyes,
            persons=settings.persons.enabled,
        )
        servicer = LicenceServicer(
            register=register,
            queries=queries,
            writer=parts.writer,
            checks=checks,
            peers=parts.peers,
            clock=parts.clock,
        )
        sending = partial(
            send_dues,
            parts.writer,
            parts.database,
            acts.dues,
            lambda: SendDuesCommand(register.sharing),
            what="licences",
        )
        self.capability = Capability(
            {"gateway.v1.LicenceService": servicer.register},
            {"licences that wait": sending},
        )
        self.answers = LicenceAnswers(checks)
