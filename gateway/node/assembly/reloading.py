"""Says which settings of a running node may change, and what puts each in force."""

from __future__ import annotations

from collections.abc import Callable

from gateway.feed.service.alarms import Alarms
from gateway.feed.service.quotas import Quotas
from gateway.logs import set_level
from gateway.node.assembly.callers import Callers
from gateway.node.assembly.quotas import bounds_of
from gateway.node.reload import SettingsReloader
from gateway.node.settings import Settings
from gateway.node.signing_keys import SigningKeys
from gateway.trust.rules.audit import AuditSink


def settings_reloader(
    settings: Settings,
    *,
    read: Callable[[], Settings],
    keys: SigningKeys,
    callers: Callers,
    quotas: Quotas,
    alarms: Alarms,
    audit: AuditSink,
    clock: Callable[[], int],
) -> SettingsReloader:
    """A reloader of these settings; all others need a restart."""

    def read_with_keys() -> Settings:
        """Signing keys are read each time: files may have changed under the same names."""
        new = read()
        keys.take(new)
        return new

    appliers: dict[str, Callable[[Settings], None]] = {
        "keys": lambda _: None,  # taken when they were read
        "systems": lambda new: callers.set_systems(new.systems),
        "limits": lambda new: callers.set_limits(new.limits),
        "quotas": lambda new: quotas.set_bounds(bounds_of(new.quotas)),
        "log_level": lambda new: set_level(new.log_level),
    }
    return SettingsReloader(settings, read=read_with_keys, appliers=appliers, alarms=alarms, audit=audit, clock=clock)
