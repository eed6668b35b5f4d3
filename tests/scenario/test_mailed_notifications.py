"""A person with an address is told by e-mail what a rule of the authority says; a dead mail server slows nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.v1 import alert_pb2
from gateway.v1.notification_service_pb2 import (
    NotificationAudience,
    NotificationChannel,
    NotificationKind,
    NotificationRule,
)
from tests.support.federation import Federation, alert, eventually, with_logs
from tests.support.persons import DOMAIN, ORIGIN
from tests.support.receivers import MailReceiver, mail_receiver


@pytest.fixture
def server() -> Iterator[MailReceiver]:
    with mail_receiver() as running:
        yield running


@pytest.fixture
def nodes(tmp_path: Path, server: MailReceiver) -> Iterator[Federation]:
    lines = f"""
[persons]
enabled = true
domain = "{DOMAIN}"
origins = ["{ORIGIN}"]
require_passkey = false
[notifications]
enabled = true
console_url = "https://console.hk.example"
[notifications.mail]
host = "127.0.0.1"
port = {server.port}
security = "unsafe_plain"
sender = "gateway@customs.hk.example"
spacing_s = 0
"""
    for made in with_logs(tmp_path, settings_of=lambda name: lines if name == "hk" else ""):
        made.start("cn", "hk")
        yield made


def test_an_urgent_alert_is_mailed_to_officers(nodes: Federation, server: MailReceiver) -> None:
    rule = NotificationRule(
        kinds=[NotificationKind.NOTIFICATION_KIND_NEW_ALERT],
        priorities=[alert_pb2.PRIORITY_A],
        channels=[NotificationChannel.NOTIFICATION_CHANNEL_EMAIL],
        audience=NotificationAudience(role="officer"),
    )

    async def run() -> None:
        async with nodes.client("hk", "operator") as operator:
            await operator.persons.add("wong", "Wong Siu Ming", ["officer"], email="wong@customs.hk.example")
            await operator.persons.add("silva", "Ana Silva", ["analyst"], email="silva@customs.hk.example")
            await operator.notifications.set_shared_rules([rule])
            async with nodes.client("cn", "publisher") as publisher:
                await publisher.publish(alert(priority=alert_pb2.PRIORITY_C), ["hk"])
                sent = await publisher.publish(alert(priority=alert_pb2.PRIORITY_A), ["hk"])

            async def mailed() -> bool:
                return bool(server.mails)

            await eventually(mailed, what="a mail")
            (state,) = (await operator.notifications.outbox_state()).ways
        (mail,) = server.mails
        assert mail["To"] == "wong@customs.hk.example"
        assert f"https://console.hk.example/alerts/cn/{sent.alert_id}" in mail.get_content()
        assert "Antimony" not in mail.as_string()
        assert (state.way, state.target) == ("email", f"127.0.0.1:{server.port}")

    nodes.run(run())
