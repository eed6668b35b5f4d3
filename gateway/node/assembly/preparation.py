"""Puts together the pool that prepares what comes in bulk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

from gateway.alerts.commands.bulk_preparation import AlertPreparation
from gateway.alerts.commands.publishing import PreparedAlert, Publisher
from gateway.errors import GatewayError
from gateway.feed.projection.look_ahead import CheckedEntry
from gateway.node.settings import Settings
from gateway.node.workers.preparation import CHECK_ENTRIES, HANDLERS, PREPARE_ALERTS, preparation_handlers
from gateway.rpc.workers.cores import usable_cores
from gateway.rpc.workers.preparation import Preparation, processes_for
from gateway.trust.rules.directory import Directory
from gateway.trust.rules.permissions import Principal
from gateway.v1 import alert_service_pb2

log = logging.getLogger(__name__)


def preparation_of(settings: Settings) -> Preparation:
    """The pool that the settings ask for, or else the cores."""
    wanted = settings.workers.preparation
    processes = processes_for(usable_cores()) if wanted is None else wanted
    if processes:
        log.info("%d processes prepare what comes in bulk", processes)
    return Preparation(
        preparation_handlers, (settings.federation, settings.node), handlers=HANDLERS, processes=processes
    )


class EntryChecks:
    """Begins checks of partners' entries in the pool; for the writer's thread."""

    def __init__(self, preparation: Preparation) -> None:
        self._preparation = preparation

    def __call__(self, channel: str, payloads: Sequence[bytes], *, caller: str) -> Future[list[CheckedEntry]] | None:
        return self._preparation.begin(CHECK_ENTRIES, channel, payloads, caller=f"gateway/{caller}")


class BulkAlerts:
    """Prepares the alerts of one message of PublishAlerts."""

    def __init__(
        self,
        preparation: Preparation,
        publisher: Publisher,
        *,
        directory: Callable[[], Directory],
        clock: Callable[[], int],
    ) -> None:
        self._preparation = preparation
        self._alerts = AlertPreparation(publisher, directory, clock)

    async def __call__(
        self, request: alert_service_pb2.PublishAlertsRequest, principal: Principal
    ) -> list[PreparedAlert | GatewayError]:
        actor = principal.actor
        return await self._preparation.run(
            PREPARE_ALERTS,
            partial(self._alerts.pack, request, actor),
            caller=principal.id,
            here=partial(self._alerts.here, request, actor),
            finish=partial(self._alerts.finish, request, actor),
        )
