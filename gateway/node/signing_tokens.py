"""The hardware tokens of a node's settings: opened with it, watched while it runs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Final, Self

from gateway.feed.service.alarms import SIGNING_TOKEN, Alarms
from gateway.node.settings import Settings
from gateway.telemetry.metrics import Metrics
from gateway.trust.pki.pins import PinSource
from gateway.trust.pki.token_uri import TokenKeyUri
from gateway.trust.pki.tokens import SigningToken, TokenKey, TokenState, TokenStatus
from gateway.v1 import node_service_pb2 as pb

LOOK_S: Final = 1.0
"""Seconds between two looks at each token: a lost one is back within that, and the loss of an idle one is seen."""


WIRE_STATES: Final[Mapping[TokenState, pb.TokenState.ValueType]] = {
    TokenState.LOCKED: pb.TOKEN_STATE_LOCKED,
    TokenState.LOST: pb.TOKEN_STATE_LOST,
    TokenState.READY: pb.TOKEN_STATE_READY,
}
"""States of tokens in the contract."""


class SigningTokens:
    """The tokens by label; none, and nothing runs, without a section of the settings. Thread-safe."""

    def __init__(self, settings: Settings, *, on_change: Callable[[SigningToken], None] = lambda _: None) -> None:
        """Starts nothing yet: a token's process starts when a key of it is asked for."""
        self._keys = settings.keys
        self._tokens = {
            label: SigningToken(
                label,
                chosen.module,
                pins=PinSource(label, chosen.pin_file, data_dir=settings.data_dir, environment=os.environ),
                on_change=on_change,
            )
            for label, chosen in settings.tokens.items()
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def get(self, label: str) -> SigningToken | None:
        """A token by its label."""
        return self._tokens.get(label)

    def statuses(self) -> dict[str, TokenStatus]:
        """The state of each, by label."""
        return {label: token.status for label, token in self._tokens.items()}

    def key_rows(self) -> list[pb.SigningKey]:
        """Each signing key with its place, and the state of its token."""
        rows = []
        for use, place in self._keys.places.items():
            row = pb.SigningKey(use=use, place=str(place))
            if isinstance(place, TokenKeyUri):
                state, row.problem = self._tokens[place.token].status
                row.token, row.state = place.token, WIRE_STATES[state]
            rows.append(row)
        return rows

    def key(self, place: TokenKeyUri) -> TokenKey:
        """A key, whose token is unlocked if its PIN is here; raises ConfigurationError: it isn't there."""
        token = self._tokens[place.token]
        key = token.key(place.label)
        if token.status.state is not TokenState.READY:
            token.look()
        return key

    async def watch(self) -> None:
        """Looks at each token again and again, side by side, until cancelled."""
        await asyncio.gather(*(_watch(token) for token in self._tokens.values()))

    def close(self) -> None:
        """Ends their processes."""
        for token in self._tokens.values():
            token.close()


async def _watch(token: SigningToken) -> None:
    while True:
        await asyncio.to_thread(token.look)
        await asyncio.sleep(LOOK_S)


def token_observer(alarms: Alarms, metrics: Metrics) -> Callable[[SigningToken], None]:
    """What raises and ends the alarm of a token whose state has changed, and sets its metric."""

    def observe(token: SigningToken) -> None:
        status = token.status
        for each in TokenState:
            metrics.signing_token_state.set(float(each is status.state), token.label, each)
        if status.state is TokenState.READY:
            alarms.clear(SIGNING_TOKEN, token.label)
        else:
            alarms.set(SIGNING_TOKEN, token.label, status.sentence(token.label))

    return observe
