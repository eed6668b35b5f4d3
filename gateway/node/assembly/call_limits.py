"""Limits of callers by the settings: of all of a kind, and of one by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from gateway.feed.service.quotas import MIB
from gateway.node.sections.bound_settings import CallLimitSettings
from gateway.rpc.fairness.limits import Limits, default_limits
from gateway.trust.rules.permissions import Principal, PrincipalKind


def limits_of(settings: Mapping[str, CallLimitSettings]) -> Callable[[Principal], Limits]:
    """What the settings make of the defaults: first those of all of the caller's kind, then those of the caller."""

    def limits(principal: Principal) -> Limits:
        found = default_limits(principal)
        for name in _names(principal):
            if name in settings:
                found = _changed(found, settings[name])
        return found

    return limits


def _names(principal: Principal) -> tuple[str, ...]:
    if principal.lane:
        return ()
    if principal.person:
        return "persons", f"person/{principal.person}"
    if principal.kind is PrincipalKind.PEER:
        return "partners", f"gateway/{principal.node}"
    return "systems", f"system/{principal.name}"


def _changed(limits: Limits, by: CallLimitSettings) -> Limits:
    given = by.model_dump(exclude_none=True)
    if "mib_per_day" in given:
        given["bytes_per_day"] = given.pop("mib_per_day") * MIB
    return replace(limits, **given)
