"""Binds the two ports of a node, each with what stands before its handlers."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.node.assembly.callers import Callers
from gateway.node.settings import Settings
from gateway.rpc.listener.options import local_limits, peer_limits
from gateway.rpc.listener.server import Listener, Register, build_server
from gateway.rpc.listener.tls import server_credentials
from gateway.tls.credentials import TlsSource


def bind_listeners(
    settings: Settings,
    *,
    callers: Callers,
    peer_tls: TlsSource,
    local_tls: TlsSource,
    for_partners: Mapping[str, Register],
    for_systems: Mapping[str, Register],
) -> list[Listener]:
    """The ports for partners and for own systems, in that order; nothing is served yet.

    Raises:
        ConfigurationError: a port can't be bound.
    """
    return [
        build_server(
            bind=settings.peer_bind,
            credentials=server_credentials(peer_tls, admitted_anchors=callers.admitted_partners),
            limits=peer_limits(settings.connections.peer),
            interceptors=callers.at_peer_port(),
            services=for_partners,
        ),
        build_server(
            bind=settings.local_bind,
            credentials=server_credentials(local_tls),
            limits=local_limits(settings.connections.local),
            interceptors=callers.at_local_port(),
            services=for_systems,
            reflect=settings.reflection,
        ),
    ]
