"""Cosigns partners' feeds as a witness, and has own feeds cosigned by the witnesses that the directory names."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from gateway.feed.rpc.witnessing import WitnessBounds, WitnessCollector, WitnessServer
from gateway.feed.service.witnessing import Witness
from gateway.node.capabilities.capability import Capability
from gateway.node.capabilities.parts import NodeParts
from gateway.tlog.note import SignatureType, Signer, Verifier
from gateway.trust.service.directory_versions import TrustedDirectory

log = logging.getLogger(__name__)

_MINUTE_MS: Final = 60_000


class Witnessing:
    """Both sides of witnessing.

    Attributes:
        server: for partners.
        capability: collects cosignatures on own feeds; does nothing while the directory has no policy.
    """

    def __init__(self, parts: NodeParts, *, trust: Callable[[], TrustedDirectory], signer: Signer | None) -> None:
        """`signer`: this node's key as a witness; None where it is none."""
        settings = parts.settings
        if signer is not None:
            vkey = Verifier(signer.name, signer.public_key, SignatureType.COSIGNATURE).to_vkey()
            log.info("this node is a witness; its key for the directory's policy: %s", vkey)
        self.server = WitnessServer(
            settings.node,
            None if signer is None else Witness(settings.node, trust=trust, signer=signer),
            database=parts.database,
            writer=parts.writer,
            alarms=parts.alarms,
            clock=parts.clock,
        )
        collector = WitnessCollector(
            WitnessBounds(
                settings.witness.every_minutes * _MINUTE_MS, settings.alarms.unwitnessed_minutes * _MINUTE_MS
            ),
            federation=settings.federation,
            directory=parts.directory,
            database=parts.database,
            writer=parts.writer,
            peers=parts.peers,
            alarms=parts.alarms,
            metrics=parts.metrics,
            clock=parts.clock,
        )
        self.capability = Capability({}, {"witnesses": collector.run})
