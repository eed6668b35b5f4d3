"""The form of an amendment: what changes most often, everything else stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from gateway.client import GatewayClient
from gateway.console.form import Form
from gateway.console.pages.alert.step_forms import StepContext, StepForm, revision_of
from gateway.console.views.alerts.alert_form import OFTEN_AMENDED, read_form, shown
from gateway.console.views.alerts.changes import content_changes
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import AlertContent
from gateway.v1.alert_service_pb2 import AmendAlertRequest


@dataclass(frozen=True, slots=True)
class Amendment:
    """An alert's new content, and the content that it replaces."""

    request_id: str
    alert_id: str
    revision: int
    before: AlertContent
    content: AlertContent


def _first(context: StepContext) -> Mapping[str, str | list[str]]:
    return shown(context.view.alert.content, context.zone, OFTEN_AMENDED)


def _read(sent: Form, context: StepContext) -> Amendment:
    before = context.view.alert.content
    content = read_form(sent, before, context.zone, OFTEN_AMENDED).content
    if content == before and sent.is_good:
        sent.problems[""] = _("Nothing has changed yet.")
    return Amendment(sent.text("request_id"), context.view.alert.id, revision_of(sent), before, content)


def _previewed(amendment: Amendment) -> AmendAlertRequest:
    return AmendAlertRequest(
        request_id=amendment.request_id,
        alert_id=amendment.alert_id,
        revision=amendment.revision,
        content=amendment.content,
    )


async def _act(client: GatewayClient, amendment: Amendment) -> object:
    return await client.amend(
        amendment.alert_id, amendment.content, revision=amendment.revision, request_id=amendment.request_id
    )


AMENDMENT: Final = StepForm(
    title=lambda: _("Amend this alert"),
    send=lambda: _("Send the amendment"),
    first=_first,
    read=_read,
    changes=lambda amendment: content_changes(amendment.before, amendment.content),
    previewed=_previewed,
    act=_act,
    violations={
        **{f"content.{name}": name for name in ("priority", "requested_action", "valid_until", "reply_by")},
        "content.handling.caveat": "caveat",
        "content.subject": "equipment-0-id",
        "content.narratives": "narrative-en",
    },
)
"""The step."""
