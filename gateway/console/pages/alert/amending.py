"""The form of an amendment: what changes most often, everything else stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gateway.client import GatewayClient
from gateway.console.filters import bounded
from gateway.console.form import Form
from gateway.console.pages.alert.step_forms import StepContext, StepForm, choice, local_value, revision_of
from gateway.console.views.alerts.changes import content_changes
from gateway.contract.enum_words import word_of
from gateway.translation.messages import LANGUAGES
from gateway.translation.messages import gettext as _
from gateway.v1.alert_pb2 import AlertContent, Priority, RequestedAction
from gateway.v1.alert_service_pb2 import AmendAlertRequest
from gateway.v1.goods_pb2 import Equipment

MAX_SEALS: Final = 16


@dataclass(frozen=True, slots=True)
class Amendment:
    """An alert's new content, and the content that it replaces."""

    request_id: str
    alert_id: str
    revision: int
    before: AlertContent
    content: AlertContent


def _first(context: StepContext) -> Mapping[str, str]:
    content = context.view.alert.content
    values = {
        "priority": word_of(Priority, content.priority),
        "requested_action": word_of(RequestedAction, content.requested_action),
        "valid_until": local_value(bounded(content.valid_until), context.zone),
        "caveat": content.handling.caveat,
        "equipment": "\n".join(_unit_line(unit) for unit in content.subject.equipment),
    }
    if content.HasField("reply_by"):
        values["reply_by"] = local_value(bounded(content.reply_by), context.zone)
    return values | {f"narrative-{each.language}": each.text for each in content.narratives}


def _read(sent: Form, context: StepContext) -> Amendment:
    before = context.view.alert.content
    content = AlertContent()
    content.CopyFrom(before)
    content.priority = choice(sent, "priority", Priority)  # type: ignore[assignment]
    content.requested_action = choice(sent, "requested_action", RequestedAction)  # type: ignore[assignment]
    _put_times(sent, context, content)
    content.handling.caveat = sent.text("caveat")
    del content.narratives[:]
    present = {narrative.language: narrative.text for narrative in before.narratives}
    for language in dict.fromkeys((*present, *LANGUAGES)):  # in their order, so that only what differs changes
        typed = sent.text(f"narrative-{language}").replace("\r\n", "\n")
        if text := typed if language in LANGUAGES else present[language]:
            content.narratives.add(language=language, text=text)
    del content.subject.equipment[:]
    content.subject.equipment.extend(_units(sent, before))
    if content == before and sent.is_good:
        sent.problems[""] = _("Nothing has changed yet.")
    return Amendment(sent.text("request_id"), context.view.alert.id, revision_of(sent), before, content)


def _put_times(sent: Form, context: StepContext, content: AlertContent) -> None:
    for name in ("valid_until", "reply_by"):
        if name == "reply_by" and not sent.text(name):
            content.ClearField("reply_by")
            continue
        present = getattr(content, name)
        if content.HasField(name) and sent.text(name) == local_value(bounded(present), context.zone):
            continue  # the form has minutes: what wasn't changed keeps its seconds
        at = sent.moment(name, context.zone)
        if at is not None:
            present.FromDatetime(at)


def _unit_line(unit: Equipment) -> str:
    return " ".join([unit.id, *unit.seals])


def _units(sent: Form, before: AlertContent) -> Sequence[Equipment]:
    """A container on each line, its seals after it; one that was there keeps its electronic lock."""
    locks = {unit.id: unit.e_lock for unit in before.subject.equipment}
    lines = [line.split() for line in sent.raw("equipment").splitlines() if line.strip()]
    if any(len(line) > MAX_SEALS + 1 for line in lines):
        sent.problems["equipment"] = _("A container has at most {number} seals.", number=MAX_SEALS)
    return [Equipment(id=name, seals=seals, e_lock=locks.get(name, "")) for name, *seals in lines]


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
        "content.priority": "priority",
        "content.requested_action": "requested_action",
        "content.valid_until": "valid_until",
        "content.reply_by": "reply_by",
        "content.handling.caveat": "caveat",
        "content.subject.equipment": "equipment",
        "content.subject": "equipment",
        "content.narratives": "narrative-en",
    },
)
"""The step."""
