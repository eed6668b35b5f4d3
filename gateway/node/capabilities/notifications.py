"""Puts notifications, warnings of deadlines and the outbox together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from sqlalchemy import Connection

from gateway.contract.ids import Channel, FeedOrigin
from gateway.history.service.control_changes import ControlChanges
from gateway.node.capabilities.capability import Capability, Loop
from gateway.node.capabilities.parts import NodeParts
from gateway.node.sections.notification_settings import MailContent, MailSettings, NotificationSettings, OutboxSettings
from gateway.node.settings import Settings
from gateway.notifications.codec.webhook import secret_of
from gateway.notifications.commands.gathering import Sources
from gateway.notifications.rpc.audience_source import AudienceSource
from gateway.notifications.rpc.delivery import DeliveryLoop
from gateway.notifications.rpc.jetstream import JetStreamPublisher, StreamAddress
from gateway.notifications.rpc.outbox import PUBLISHING, OutboxLoop, OutboxPublisher
from gateway.notifications.rpc.posted_outbox import PostingPublisher
from gateway.notifications.rpc.service import NotificationServicer
from gateway.notifications.rpc.teller import TELLING, Teller
from gateway.notifications.rules.audience import Addressee
from gateway.notifications.rules.warnings import WarningTimes
from gateway.notifications.service.controls import changed_controls
from gateway.notifications.service.mailer import Mailer, MailServer
from gateway.notifications.service.sending import DeliveryWay
from gateway.notifications.service.webhooks import WebhookTarget, WebhookWay
from gateway.persons.tables.accounts import active_persons
from gateway.tls.secret_files import read_passphrase, read_secret
from gateway.watchlists.rules.visibility import ListVisibility

_MINUTE_MS = 60_000
_HOUR_MS = 3_600_000


def notifications(parts: NodeParts, *, visibility: ListVisibility, controls: ControlChanges) -> Capability | None:
    """Notifications and the outbox; None where they are off.

    Raises:
        ConfigurationError: a secret can't be read, or a package is missing.
    """
    settings = parts.settings
    chosen = settings.notifications
    if not chosen.enabled:
        return None
    targets = _targets(chosen)
    audience = AudienceSource(parts.database, people=partial(_people, settings), webhooks=targets)
    ways = _ways(parts, targets, audience)
    outbox = _outbox(parts, targets)
    teller = _teller(parts, audience, visibility, controls)
    servicer = NotificationServicer(
        database=parts.database,
        writer=parts.writer,
        notifier=parts.notifier,
        audience=audience,
        ways=ways,
        outbox=outbox,
        webhooks=targets,
        has_mail=bool(chosen.mail.host),
        clock=parts.clock,
    )
    loops: dict[str, Loop] = {
        TELLING: teller.run,
        "old notifications": teller.keep_house,
        "told controls": teller.run_controls,
    }
    loops |= {loop.way.name: loop.run for loop in ways}
    if outbox is not None:
        loops[PUBLISHING] = outbox.run
    return Capability(
        {"gateway.v1.NotificationService": servicer.register}, loops, everywhere={"told alarms": teller.run_alarms}
    )


def _teller(parts: NodeParts, audience: AudienceSource, visibility: ListVisibility, controls: ControlChanges) -> Teller:
    settings = parts.settings
    chosen = settings.notifications
    return Teller(
        parts.database,
        writer=parts.writer,
        notifier=parts.notifier,
        sources=Sources(
            node=settings.node,
            visibility=visibility,
            times=WarningTimes(chosen.warn_before_minutes * _MINUTE_MS, chosen.warn_share),
            former=parts.former_partners,
        ),
        audience=audience,
        alarms=parts.alarms,
        metrics=parts.metrics,
        lists=_own_lists(settings),
        keep_days=chosen.keep_days,
        most_kept=chosen.most_kept,
        clock=parts.clock,
        control_changes=partial(changed_controls, controls),
    )


def _own_lists(settings: Settings) -> FeedOrigin:
    return FeedOrigin(settings.federation, settings.node, settings.node, Channel.LISTS)


def _people(settings: Settings, conn: Connection) -> Sequence[Addressee]:
    """Active persons; and systems of the settings, which are told by rules that name them, or by their own."""
    systems = [
        Addressee(f"system/{settings.node}/{name}", frozenset(roles), is_person=False)
        for name, roles in settings.systems.items()
    ]
    if not settings.persons.enabled:
        return systems
    persons = [
        Addressee(f"person/{settings.node}/{one.name}", one.roles, email=one.email, language=one.language)
        for one in active_persons(conn)
    ]
    return [*persons, *systems]


def _ways(parts: NodeParts, targets: Mapping[str, WebhookTarget], audience: AudienceSource) -> list[DeliveryLoop]:
    settings = parts.settings
    chosen = settings.notifications
    ways: list[tuple[DeliveryWay, float]] = [
        (WebhookWay(target, clock=parts.clock), 0.0) for target in targets.values()
    ]
    if chosen.mail.host:
        mailer = Mailer(_mail_server(settings, chosen.mail), people=audience.by_id, clock=parts.clock)
        ways.append((mailer, chosen.mail.spacing_s))
    return [
        DeliveryLoop(
            way,
            parts.database,
            writer=parts.writer,
            notifier=parts.notifier,
            alarms=parts.alarms,
            metrics=parts.metrics,
            give_up_ms=chosen.give_up_hours * _HOUR_MS,
            spacing_s=spacing_s,
            clock=parts.clock,
        )
        for way, spacing_s in ways
    ]


def _mail_server(settings: Settings, mail: MailSettings) -> MailServer:
    return MailServer(
        host=mail.host,
        port=mail.port,
        security=mail.security,
        sender=mail.sender,
        node=settings.node,
        ca=mail.ca,
        user=mail.user,
        password=_password(mail.password_file),
        console_url=settings.notifications.console_url,
        summary=mail.content is MailContent.SUMMARY,
    )


def _targets(chosen: NotificationSettings) -> dict[str, WebhookTarget]:
    return {
        name: WebhookTarget(
            name=name,
            url=webhook.url,
            key=secret_of(read_secret(webhook.secret_file).decode("ascii", "replace"), str(webhook.secret_file)),
            ca=webhook.ca,
        )
        for name, webhook in chosen.webhooks.items()
    }


def _outbox(parts: NodeParts, targets: Mapping[str, WebhookTarget]) -> OutboxLoop | None:
    settings = parts.settings
    chosen = settings.notifications.outbox
    publisher: OutboxPublisher
    if chosen.nats:
        publisher = JetStreamPublisher(_stream(chosen))
    elif chosen.webhook:
        publisher = PostingPublisher(targets[chosen.webhook], clock=parts.clock)
    else:
        return None
    return OutboxLoop(
        publisher,
        parts.database,
        node=settings.node,
        lists=_own_lists(settings),
        writer=parts.writer,
        notifier=parts.notifier,
        alarms=parts.alarms,
        metrics=parts.metrics,
    )


def _stream(chosen: OutboxSettings) -> StreamAddress:
    return StreamAddress(
        url=chosen.nats,
        stream=chosen.stream,
        prefix=chosen.prefix,
        ca=chosen.ca,
        certificate=chosen.certificate,
        key=chosen.key,
        credentials=chosen.credentials_file,
        user=chosen.user,
        password=_password(chosen.password_file),
        create=chosen.create_stream,
    )


def _password(file: Path | None) -> str:
    return (read_passphrase(file=file, environment={}) or b"").decode()
