"""Calls the worker process that knows names, for searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.casework.service.search_plan import AlertSearchPlan, MatchedName, number_plan
from gateway.errors import UnavailableError
from gateway.rpc.calls import current_caller
from gateway.rpc.workers.worker_process import WorkerProcess

PLAN_SEARCH, MATCH_NAMES = "alert search", "alert names"
"""Handlers; results: a SearchPlan, recorded names by key."""

PLAN_TIMEOUT_S = 20.0
"""Seconds to start for a search, and again to compare names."""

HANDLER_DEADLINES_S = {PLAN_SEARCH: PLAN_TIMEOUT_S, MATCH_NAMES: PLAN_TIMEOUT_S}
"""Seconds for a call."""

_RETRY_AFTER_S = 2.0


class NamesProcess:
    """A node's process, shared with shipment history and started on demand."""

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process

    def plan(self, text: str) -> AlertSearchPlan | None:
        """What a search looks for; None for an empty text. Not for the event loop's thread.

        Raises:
            UnavailableError: the process ended, or took too long.
        """
        if not text.strip():
            return None
        plan: AlertSearchPlan = number_plan(text) or self._call(PLAN_SEARCH, text)
        return plan

    def matching(self, names: Sequence[str]) -> tuple[dict[int, MatchedName], bool]:
        """Recorded names that may be any of these; otherwise as `plan`."""
        matched: tuple[dict[int, MatchedName], bool] = self._call(MATCH_NAMES, list(names))
        return matched

    def _call(self, handler: str, argument: Any) -> Any:
        try:
            self._process.start().result(PLAN_TIMEOUT_S)
            return self._process.call(handler, argument, caller=current_caller()).result(PLAN_TIMEOUT_S)
        except TimeoutError as error:
            message = "the process that knows names hasn't answered in time"
            raise UnavailableError(message, retry_after_s=_RETRY_AFTER_S) from error
