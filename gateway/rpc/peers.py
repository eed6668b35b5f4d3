"""Channels to partners, renewed with the directory and the TLS credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import grpc.aio

from gateway.contract.channel_options import channel_options
from gateway.errors import DirectoryError
from gateway.rpc.listener.tls import channel_credentials
from gateway.tls.credentials import TlsSource
from gateway.trust.rules.directory import Directory
from gateway.v1.exchange_service_pb2_grpc import ExchangeServiceStub


@dataclass(frozen=True, slots=True)
class _PeerChannel:
    channel: grpc.aio.Channel
    basis: tuple[int, int]


class Peers:
    """One channel per partner, shared by its feeds; for one event loop."""

    def __init__(
        self, *, own: str, directory: Callable[[], Directory], tls: TlsSource, endpoints: Mapping[str, str]
    ) -> None:
        self._own = own
        self._directory = directory
        self._tls = tls
        self._endpoints = endpoints
        self._channels: dict[str, _PeerChannel] = {}

    def names(self) -> list[str]:
        """All other nodes of the directory."""
        return sorted(set(self._directory().nodes) - {self._own})

    def basis(self) -> tuple[int, int]:
        """Credentials' generation and directory version for new channels."""
        return self._tls.generation, self._directory().version

    async def stub(self, partner: str) -> ExchangeServiceStub:
        """The partner's ExchangeService; raises DirectoryError if the directory lacks its address."""
        basis = self.basis()
        made = self._channels.get(partner)
        if made is None or made.basis != basis:
            if made is not None:
                await made.channel.close()
            made = self._channels[partner] = _PeerChannel(self._channel(partner), basis)
        return ExchangeServiceStub(made.channel)

    async def close(self) -> None:
        for made in self._channels.values():
            await made.channel.close()
        self._channels.clear()

    def _channel(self, partner: str) -> grpc.aio.Channel:
        node = self._directory().node(partner)
        endpoint = self._endpoints.get(partner) or next(iter(node.endpoints), "")
        if not endpoint:
            raise DirectoryError(f"the directory gives no endpoint of {partner}, and the settings have none")
        material = self._tls.current()
        credentials = channel_credentials(
            "".join(node.tls_ca_pems).encode(), material.certificate_pem, material.key_pem
        )
        return grpc.aio.secure_channel(endpoint, credentials, options=channel_options(server_name=node.tls_server_name))
