"""Sections of an alert's page that come from other capabilities; one that is off or fails is left out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request

from gateway.console.page import client
from gateway.console.pages.alert.case import load_case
from gateway.console.views.alerts.alert import AlertView
from gateway.console.views.alerts.case import CaseView
from gateway.console.views.alerts.related import related_alerts
from gateway.console.views.files import file_view
from gateway.errors import GatewayError, Kind

log = logging.getLogger(__name__)

_HIDDEN: Final = frozenset({Kind.UNIMPLEMENTED, Kind.PERMISSION_DENIED, Kind.FAILED_PRECONDITION})
"""The capability is off, or not for this person: there is no such section."""


@dataclass(frozen=True, slots=True)
class AlertSection:
    """A section.

    Args:
        name: what `template` has the loaded value as.
        load: asks the gateway; None for no section.
        template: the section's HTML, a `<section class="card">`; it has the alert as `view`.
        beside: in the side column.
    """

    name: str
    load: Callable[[Request, AlertView], Awaitable[Any]]
    template: str
    beside: bool = True


@dataclass(frozen=True, slots=True)
class LoadedSection:
    """A section to show; `problem` where it couldn't be loaded."""

    section: AlertSection
    value: Any
    problem: str = ""


async def _related(request: Request, view: AlertView) -> Any:
    return related_alerts(await client(request).casework.related(view.reference, page_size=10))


async def _files(request: Request, view: AlertView) -> Any:
    return [file_view(view.reference, file) for file in await client(request).files.of_alert(view.reference)] or None


CASE: Final = AlertSection("case", load_case, "alert/case.html")

SECTIONS: Final[Sequence[AlertSection]] = [
    AlertSection("files", _files, "files/section.html", beside=False),
    CASE,
    AlertSection("related", _related, "alert/related.html"),
]
"""In the order of the page."""


async def loaded_sections(request: Request, view: AlertView) -> Mapping[bool, Sequence[LoadedSection]]:
    """The sections of an alert, by whether they stand beside; one that fails doesn't hide the rest."""
    loaded = await asyncio.gather(*(_loaded(section, request, view) for section in SECTIONS))
    shown = [one for one in loaded if one is not None]
    return {beside: [one for one in shown if one.section.beside is beside] for beside in (True, False)}


async def loaded_case(request: Request, view: AlertView) -> CaseView | None:
    """What colleagues do with an alert; None where casework is off, or not for this person."""
    loaded = await _loaded(CASE, request, view)
    return None if loaded is None else loaded.value


async def _loaded(section: AlertSection, request: Request, view: AlertView) -> LoadedSection | None:
    try:
        value = await section.load(request, view)
    except GatewayError as error:
        if error.kind in _HIDDEN:
            return None
        log.warning("a section of an alert isn't shown", extra={"section": section.name, "reason": error.reason})
        return LoadedSection(section, None, error.message)
    return None if value is None else LoadedSection(section, value)
