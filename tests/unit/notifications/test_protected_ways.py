"""Mail by STARTTLS and TLS, and NATS by TLS, with real servers: another certificate than the settings' is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from gateway.errors import UnavailableError
from gateway.notifications.codec.outbox import OutboxMessage
from gateway.notifications.rpc.jetstream import JetStreamPublisher, StreamAddress
from gateway.notifications.rules.audience import Addressee
from gateway.notifications.service.mailer import Mailer, MailSecurity, MailServer
from gateway.notifications.service.sending import DeliveryAttempt
from gateway.trust.rules.permissions import Role
from tests.support.programs import NATS_SERVER
from tests.support.receivers import MailReceiver, NatsProcess, mail_receiver, nats_process
from tests.support.tls_servers import ServerFiles, server_files
from tests.unit.notifications.test_mailer import NOW, waiting

WONG = Addressee("person/hk/wong", frozenset({Role.OFFICER}), email="wong@customs.hk.example")
CHANGE = OutboxMessage("gba/cn/hk/alerts/1", "hk.alert.published", b'{"id":"1"}')


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[ServerFiles, ServerFiles, ServerFiles]:
    """The server's, another CA's, and one of the server's name for another host."""
    folder = tmp_path_factory.mktemp("certificates")
    return (
        server_files(folder, "server"),
        server_files(folder, "other"),
        server_files(folder, "elsewhere", host="mail.elsewhere.example"),
    )


def receiver_of(security: MailSecurity, files: ServerFiles) -> AbstractContextManager[MailReceiver]:
    context = files.context()
    return mail_receiver(starttls=context) if security is MailSecurity.STARTTLS else mail_receiver(tls=context)


def sent(port: int, security: MailSecurity, ca: Path) -> DeliveryAttempt:
    server = MailServer("127.0.0.1", port, security, "gateway@customs.hk.example", "hk", ca=ca)
    return Mailer(server, people=lambda: {WONG.id: WONG}, clock=lambda: NOW).send([waiting(1, "wong")])


@pytest.mark.parametrize("security", [MailSecurity.STARTTLS, MailSecurity.TLS])
def test_a_mail_goes_to_the_server_of_the_settings_ca(
    security: MailSecurity, files: tuple[ServerFiles, ServerFiles, ServerFiles]
) -> None:
    with receiver_of(security, files[0]) as receiver:
        assert sent(receiver.port, security, files[0].ca).taken == (1,)
        assert len(receiver.mails) == 1


@pytest.mark.parametrize("security", [MailSecurity.STARTTLS, MailSecurity.TLS])
@pytest.mark.parametrize("which", ["another CA", "another host"])
def test_a_mail_server_with_another_certificate_gets_no_mail(
    security: MailSecurity, which: str, files: tuple[ServerFiles, ServerFiles, ServerFiles]
) -> None:
    server, ca = (files[0], files[1].ca) if which == "another CA" else (files[2], files[2].ca)
    with receiver_of(security, server) as receiver:
        attempt = sent(receiver.port, security, ca)
        assert attempt.is_down
        assert "certificate" in attempt.failed[1].lower()
        assert receiver.mails == []


def test_a_mail_server_without_starttls_gets_no_mail(files: tuple[ServerFiles, ServerFiles, ServerFiles]) -> None:
    with mail_receiver() as receiver:
        attempt = sent(receiver.port, MailSecurity.STARTTLS, files[0].ca)
        assert attempt.is_down
        assert receiver.mails == []


@pytest.fixture(scope="module")
def nats(
    tmp_path_factory: pytest.TempPathFactory, files: tuple[ServerFiles, ServerFiles, ServerFiles]
) -> Iterator[NatsProcess]:
    NATS_SERVER.require()
    with nats_process(tmp_path_factory.mktemp("nats") / "data", tls=files[0]) as running:
        running.wait()
        yield running


def publish(url: str, ca: Path | None) -> None:
    async def run() -> None:
        publisher = JetStreamPublisher(StreamAddress(url, "GATEWAY", "gateway", ca=ca, user="cn", password="secret"))
        try:
            await publisher.publish([CHANGE])
        finally:
            await publisher.close()

    asyncio.run(run())


def test_a_change_goes_to_the_stream_of_the_settings_ca(
    nats: NatsProcess, files: tuple[ServerFiles, ServerFiles, ServerFiles]
) -> None:
    publish(nats.url, files[0].ca)
    (message,) = asyncio.run(nats.messages())
    assert (message.subject, json.loads(message.data)) == ("gateway.hk.alert.published", {"id": "1"})


def test_a_nats_server_with_another_certificate_gets_no_change(
    nats: NatsProcess, files: tuple[ServerFiles, ServerFiles, ServerFiles]
) -> None:
    with pytest.raises(UnavailableError, match=r"(?i)certificate"):
        publish(nats.url, files[1].ca)
    with pytest.raises(UnavailableError, match=r"(?i)certificate"):
        publish(nats.url, None)  # a private CA isn't the system's


def test_an_outbox_by_tls_takes_no_server_without_it(
    tmp_path: Path, files: tuple[ServerFiles, ServerFiles, ServerFiles]
) -> None:
    NATS_SERVER.require()
    with nats_process(tmp_path / "plain") as plain:
        plain.wait()
        with pytest.raises(UnavailableError, match="secure connection required"):
            publish(plain.url.replace("nats:", "tls:"), files[0].ca)
        assert asyncio.run(plain.messages()) == []
