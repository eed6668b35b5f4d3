"""Publishes one alert of a JSON file, or says all that is wrong with it before anything is sent."""

from __future__ import annotations

from gateway.cli.connection import Target
from gateway.cli.output import Output
from gateway.cli.values import as_dict, entries, parsed
from gateway.contract.identification.identifiers import alert_doubts
from gateway.errors import GatewayError, InvalidRequestError, Violation
from gateway.formats.alerts.alert_lines import everything_wrong
from gateway.formats.json_messages import WAY_OUT, read_sound_part
from gateway.translation.labels import published_word
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.translation.notices import noticed
from gateway.v1.alert_pb2 import AlertContent


def read_one(data: bytes, source: str) -> tuple[AlertContent, list[Violation]]:
    """The alert of a file, and what couldn't be read of it."""
    return parsed(data, source, lambda document: read_sound_part(document, AlertContent))


def publish_one(
    target: Target, output: Output, content: AlertContent, nodes: list[str], request_id: str | None
) -> None:
    """Publishes it; a refusal names doubtful identifiers too."""
    try:
        response = target.run(lambda client: client.publish(content, nodes, request_id=request_id))
    except InvalidRequestError as error:
        found = alert_doubts(content)
        doubts = [Violation(f"content.{path}", f"notice.{doubt.code.value}", doubt.message) for path, doubt in found]
        raise InvalidRequestError([*error.violations, *doubts]) from None
    facts = {
        N_("Alert"): response.alert_id,
        N_("Entries"): entries(response.entries),
        N_("Notices"): [f"{notice.field}: {noticed(notice.message)}" for notice in response.notices],
    }
    output.facts(published_word(), facts, data=as_dict(response))


def not_sent(
    target: Target, output: Output, content: AlertContent, broken: list[Violation], nodes: list[str]
) -> InvalidRequestError:
    """All that is wrong with an alert which can't be read as a whole, the gateway's objections too."""
    found = everything_wrong(content, broken)
    try:
        preview = target.run(lambda client: client.preview(content, nodes))
    except GatewayError as error:
        output.warning(_("The gateway wasn't asked about recipients and purpose: {message}", message=error.message))
        return InvalidRequestError(found, way_out=WAY_OUT)
    unread, named = {each.field for each in broken}, {each.field for each in found}
    for each in preview.violations:
        path = each.field.removeprefix("content.")
        if path not in named and not any(path.startswith((f"{one}.", f"{one}[")) for one in unread):
            found.append(Violation(path, each.rule, each.message))
    refusals = [each.refusal.removeprefix("recipients: ") for each in preview.recipients if each.refusal]
    if "purpose" not in unread:
        found += [Violation("recipients", "agreement", refusal) for refusal in refusals]
    return InvalidRequestError(found, way_out=WAY_OUT)
