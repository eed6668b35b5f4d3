"""Puts together what stands between a port and its handlers: authentication, limits, metrics."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Collection, Mapping
from datetime import datetime

from gateway.feed.service.alarms import Alarms
from gateway.node.assembly.call_limits import limits_of
from gateway.node.host.capacity import CapacityMonitor
from gateway.node.sections.bound_settings import CallLimitSettings
from gateway.node.settings import Settings
from gateway.rpc.authentication import Authenticator, DeferredPersonCalls, LocalPort, NoPersons, PeerPort, Port
from gateway.rpc.call_metrics import CallMetrics
from gateway.rpc.call_policy import CallPolicy
from gateway.rpc.calls import OpenStreams, RunningCalls
from gateway.rpc.fairness.caller_connections import (
    PARTNER_CONNECTIONS,
    SYSTEM_CONNECTIONS,
    AbandonedCalls,
    CallerConnections,
    Disconnector,
)
from gateway.rpc.fairness.limits import CallerLimits
from gateway.rpc.fairness.pacing import CallPacer
from gateway.rpc.interceptors import AuthInterceptor, Interceptor
from gateway.telemetry.gauges import Labels
from gateway.telemetry.metrics import Metrics
from gateway.trust.codec.permissions import load_permissions
from gateway.trust.rules.audit import AuditSink
from gateway.trust.rules.directory import Directory
from gateway.trust.rules.permissions import Role
from gateway.trust.service.partner_anchors import PartnerAnchors


class Callers:
    """The callers of one node's two ports."""

    def __init__(
        self,
        settings: Settings,
        *,
        directory: Callable[[], Directory],
        ports: Callable[[], tuple[int, int]],
        audit: AuditSink,
        alarms: Alarms,
        metrics: Metrics,
        now: Callable[[], datetime],
        clock: Callable[[], int],
    ) -> None:
        """
        Args:
            ports: the port numbers, peer and local, known when the node has started.
            clock: milliseconds since 1970, which `now` gives with a zone.
        """
        self._settings = settings
        self._directory = directory
        self._audit = audit
        self._metrics = metrics
        self._now = now
        self._clock = clock
        self._disconnector = Disconnector()
        self._connections = tuple(
            CallerConnections(most, self._disconnector) for most in (PARTNER_CONNECTIONS, SYSTEM_CONNECTIONS)
        )
        self.capacity = CapacityMonitor(settings.connections, ports=ports, callers=self._connections, alarms=alarms)
        self._pacer, self._abandoned = CallPacer(), AbandonedCalls()
        self.persons = DeferredPersonCalls()
        self.admitted_partners = PartnerAnchors(directory, own=settings.node, without=self._abandoned.shut_out_nodes)
        self._authenticators: list[Authenticator] = []
        self._systems: dict[str, frozenset[Role]] = {}
        self.set_systems(settings.systems)
        self._calls: list[CallMetrics] = []
        self.running: list[tuple[RunningCalls, OpenStreams]] = []
        self._limits = CallerLimits(
            limits_of(settings.limits),
            time_ms=clock,
            on_refusal=lambda caller, limit: metrics.limit_refusals.labels(caller, limit).inc(),
        )
        metrics.running_calls.follow(lambda: self._of_all(CallMetrics.running))
        metrics.watchers.follow(lambda: self._of_all(CallMetrics.watchers))

    def at_peer_port(self) -> list[Interceptor]:
        """Interceptors of the port for partners, the outermost first."""
        return self._interceptors("peer", PeerPort(self._settings.node), self._connections[0])

    def at_local_port(self) -> list[Interceptor]:
        """Interceptors of the port for own systems, the outermost first."""
        return self._interceptors("local", LocalPort(self._settings.node, self._systems), self._connections[1])

    def systems(self) -> Mapping[str, frozenset[Role]]:
        """Own systems and their roles."""
        return dict(self._systems)

    def set_systems(self, systems: Mapping[str, Collection[Role]]) -> None:
        """Own systems and their roles from now on; open streams are checked again within their interval."""
        self._systems.clear()
        self._systems.update((name, frozenset(roles)) for name, roles in systems.items())
        for authenticator in self._authenticators:
            authenticator.forget()

    def set_limits(self, settings: Mapping[str, CallLimitSettings]) -> None:
        """Limits of callers from now on; what they have used stays counted."""
        self._limits.set_limits(limits_of(settings))

    def certificate_ends(self) -> Mapping[str, datetime]:
        """When the certificates of those that have called end, by principal id."""
        return ChainMap(*[authenticator.certificate_ends() for authenticator in self._authenticators])

    def _interceptors(self, name: str, port: Port, connections: CallerConnections) -> list[Interceptor]:
        self._authenticators.append(Authenticator(port=port, directory=self._directory, clock=self._now))
        permissions = load_permissions()
        authenticating = AuthInterceptor(
            CallPolicy(
                authenticator=self._authenticators[-1],
                permissions=permissions,
                limits=self._limits,
                connections=connections,
                disconnector=self._disconnector,
                pacer=self._pacer,
                abandoned=self._abandoned,
                audit=self._audit,
                time_ms=self._clock,
                persons=self.persons if name == "local" else NoPersons(),
            )
        )
        self._calls.append(CallMetrics(name, permissions, self._metrics))
        self.running.append((authenticating.unary_calls, authenticating.streams))
        return [self._calls[-1], authenticating]

    def _of_all(self, of: Callable[[CallMetrics], Mapping[Labels, float]]) -> Mapping[Labels, float]:
        total: dict[Labels, float] = {}
        for labels, number in (item for calls in self._calls for item in of(calls).items()):
            total[labels] = total.get(labels, 0.0) + number
        return total
