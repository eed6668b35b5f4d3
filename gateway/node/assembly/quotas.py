"""Bounds by the settings on what partners can have stored, and their alarms."""

from __future__ import annotations

from collections.abc import Callable

from gateway.db.database import Database
from gateway.feed.service.alarms import QUOTA, Alarms
from gateway.feed.service.quotas import MIB, Bound, Quotas, Stored, Usage
from gateway.node.sections.bound_settings import QuotaSettings

ALARM_SHARE = 0.8
"""Share of a bound from which an alarm is raised; it ends with the day, or when the bound is raised."""

_WORDS = {
    Stored.ALERTS: "entries of its feed of alerts",
    Stored.WATCHLIST: "entries of its feed of lists",
    Stored.LICENCES: "entries of its feed of licences",
    Stored.RISK_PROFILES: "entries of its feed of risk profiles",
    Stored.QUESTIONS: "questions about shipments",
    Stored.ANSWERS: "records in its answers",
    Stored.MATCHES: "matches that it makes here",
}


def bounds_of(settings: QuotaSettings) -> dict[Stored, Bound]:
    """The bounds that an operator has set."""
    return {
        Stored.ALERTS: Bound(settings.alert_entries, settings.alert_mib * MIB),
        Stored.WATCHLIST: Bound(settings.watchlist_entries, settings.watchlist_mib * MIB),
        Stored.LICENCES: Bound(settings.licence_entries, settings.licence_mib * MIB),
        Stored.RISK_PROFILES: Bound(settings.risk_profile_entries, settings.risk_profile_mib * MIB),
        Stored.QUESTIONS: Bound(settings.questions, settings.question_mib * MIB),
        Stored.ANSWERS: Bound(settings.answer_records, settings.answer_mib * MIB),
        Stored.MATCHES: Bound(settings.matches, settings.match_mib * MIB),
    }


class QuotaMonitor:
    """Raises alarms for partners near a bound of the day."""

    def __init__(self, quotas: Quotas, *, database: Database, alarms: Alarms, clock: Callable[[], int]) -> None:
        self._quotas = quotas
        self._database = database
        self._alarms = alarms
        self._clock = clock
        self._raised: set[str] = set()

    def usage(self) -> list[Usage]:
        """What each partner has had stored today."""
        with self._database.look() as conn:
            return self._quotas.today(conn, self._clock())

    def check(self) -> None:
        """Raises or changes an alarm from ALARM_SHARE on, and clears those that no longer hold."""
        near = {
            f"{used.partner}/{used.stored.value}": _message(used) for used in self.usage() if used.share >= ALARM_SHARE
        }
        for subject, message in near.items():
            self._alarms.set(QUOTA, subject, message)
        for subject in self._raised - near.keys():
            self._alarms.clear(QUOTA, subject)
        self._raised = set(near)


def _message(used: Usage) -> str:
    beyond = "isn't kept" if used.stored is Stored.MATCHES else "waits until tomorrow"
    return (
        f"{used.partner} has had {used.items:,} of {used.bound.items:,} {_WORDS[used.stored]} stored today (UTC), "
        f"{used.bytes // MIB:,} of {used.bound.bytes // MIB:,} MiB; what is beyond {beyond}; "
        "a higher setting in [quotas] makes room"
    )
