"""Makes the TLS sources of a node's two ports."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from gateway.contract.ids import GatewayIdentity
from gateway.node.settings import Settings
from gateway.tls.credentials import TlsFiles, TlsSource, anchors_from_file
from gateway.trust.rules.directory import Directory
from gateway.trust.service.partner_anchors import PartnerAnchors


def tls_sources(
    settings: Settings, directory: Callable[[], Directory], now: Callable[[], datetime]
) -> tuple[TlsSource, TlsSource]:
    """One certificate, different trust anchors for partners and own systems."""
    tls = settings.tls
    files = TlsFiles(certificate=tls.certificate, key=tls.key, passphrase=tls.passphrase())
    identity = GatewayIdentity(settings.federation, settings.node)
    partners = PartnerAnchors(directory, own=settings.node)
    return (
        TlsSource(files, identity=identity, trust_anchors=partners, clock=now),
        TlsSource(files, identity=identity, trust_anchors=anchors_from_file(tls.ca), clock=now),
    )
