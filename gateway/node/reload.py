"""Reads the settings of a running node again, and puts in force what may change without a restart."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from gateway.errors import ConfigurationError
from gateway.feed.service.alarms import SETTINGS, Alarms
from gateway.node.settings import Settings
from gateway.trust.rules.audit import AuditEntry, AuditResult, AuditSink

log = logging.getLogger(__name__)

METHOD: Final = "reload settings"
"""Name of the operation in the audit log."""

_FILE, _RESTART = "file", "restart"
"""Subjects of the alarm: the file can't be read; it has changes that wait for a restart."""


class SettingsReloader:
    """Applies changed settings of a running node.

    Args:
        settings: those in force.
        read: reads the file again; raises ConfigurationError.
        appliers: by the name of a top-level setting, what puts a new value in force. Others need a restart.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read: Callable[[], Settings],
        appliers: Mapping[str, Callable[[Settings], None]],
        alarms: Alarms,
        audit: AuditSink,
        clock: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._read = read
        self._appliers = appliers
        self._alarms = alarms
        self._audit = audit
        self._clock = clock

    def reload(self) -> None:
        """Applies all changes that can be applied, or none.

        1. Read and check the whole file. A mistake anywhere leaves everything as it was, and is an alarm.
        2. Put the changed settings that may change in force.
        3. Changes that need a restart are an alarm until the restart, or until they are taken back.
        """
        try:
            new = self._read()
        except ConfigurationError as error:
            self._alarms.set(SETTINGS, _FILE, f"the settings weren't reloaded, the old ones stay: {error.message}")
            self._record(AuditResult.ERROR, error.reason, error.message)
            return
        self._alarms.clear(SETTINGS, _FILE)
        changed = [name for name in Settings.model_fields if getattr(new, name) != getattr(self._settings, name)]
        applied = [name for name in changed if name in self._appliers]
        for name in applied:
            self._appliers[name](new)
        self._settings = self._settings.model_copy(update={name: getattr(new, name) for name in applied})
        self._tell(applied, [name for name in changed if name not in self._appliers])

    def _tell(self, applied: list[str], waiting: list[str]) -> None:
        if waiting:
            names = ", ".join(waiting)
            self._alarms.set(SETTINGS, _RESTART, f"changed in the file and in force after a restart only: {names}")
        else:
            self._alarms.clear(SETTINGS, _RESTART)
        text = (
            f"in force now: {', '.join(applied) or 'nothing new'}; after a restart: {', '.join(waiting) or 'nothing'}"
        )
        log.info("settings reloaded; %s", text)
        self._record(AuditResult.ALLOW, "", text)

    def _record(self, result: AuditResult, reason: str, detail: str) -> None:
        self._audit(AuditEntry(self._clock(), f"gateway/{self._settings.node}", METHOD, result, reason, detail))
