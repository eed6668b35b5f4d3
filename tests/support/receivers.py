"""Receivers on this machine of what a node sends out: for webhooks, mails, and NATS with JetStream."""

from __future__ import annotations

import base64
import hmac
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.federation import free_port
from tests.support.node_processes import end
from tests.support.programs import NATS_SERVER
from tests.support.tls_servers import ServerFiles

SECRET = base64.b64encode(bytes(range(32))).decode()
"""Secret of the webhooks, without its prefix."""


@dataclass
class Posted:
    """A request that a webhook got."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def is_signed(self) -> bool:
        """Whether the signature is right: computed as the specification says, not by the product's code."""
        signed = b".".join([self.id.encode(), self.headers["webhook-timestamp"].encode(), self.body])
        expected = base64.b64encode(hmac.new(base64.b64decode(SECRET), signed, "sha256").digest()).decode()
        return hmac.compare_digest(f"v1,{expected}", self.headers["webhook-signature"])


@dataclass
class WebReceiver:
    """Takes requests, or answers `status` as a test says."""

    port: int = field(default_factory=free_port)
    posted: list[Posted] = field(default_factory=list)
    status: int = 204
    location: str = ""
    hang_s: float = 0.0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def taken(self) -> list[Posted]:
        return [one for one in self.posted if one.headers[":status"] == "204"]

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.posted.append(Posted(self.path, headers | {":status": str(receiver.status)}, body))
                time.sleep(receiver.hang_s)
                self.send_response(receiver.status)
                if receiver.location:
                    self.send_header("location", receiver.location)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def web_receiver() -> Iterator[WebReceiver]:
    receiver = WebReceiver()
    receiver.start()
    try:
        yield receiver
    finally:
        receiver.stop()


@dataclass
class MailReceiver:
    """A real SMTP server; `refuse` answers a recipient with 550."""

    port: int = field(default_factory=free_port)
    mails: list[EmailMessage] = field(default_factory=list)
    refuse: str = ""

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address == self.refuse:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    def texts(self) -> list[str]:
        """Bodies of all mails."""
        return [mail.get_content() for mail in self.mails]


@contextmanager
def mail_receiver(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[MailReceiver]:
    """With `starttls` it takes no mail before it; with `tls` the connection begins with TLS."""
    receiver = MailReceiver()
    controller = Controller(
        receiver,
        hostname="127.0.0.1",
        port=receiver.port,
        ssl_context=tls,
        tls_context=starttls,
        require_starttls=starttls is not None,
    )
    controller.start()
    try:
        yield receiver
    finally:
        controller.stop()


@dataclass
class NatsProcess:
    """Debian's nats-server with JetStream in a folder."""

    folder: Path
    tls: ServerFiles | None = None
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{'nats' if self.tls is None else 'tls'}://127.0.0.1:{self.port}"

    def start(self) -> None:
        assert self.process is None
        command = [str(NATS_SERVER.require()), "-a", "127.0.0.1", "-p", str(self.port), "-js", "-sd", str(self.folder)]
        if self.tls is not None:
            command += ["--tls", "--tlscert", str(self.tls.certificate), "--tlskey", str(self.tls.key)]
        with (self.folder / "log.txt").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def wait(self) -> None:
        """Returns when it answers."""
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 5).close()
            except OSError:
                assert time.monotonic() < deadline, "nats-server doesn't start"
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        if self.process is not None:
            process, self.process = self.process, None
            end(process, 15, 20.0)

    async def messages(self, stream: str = "GATEWAY") -> list[Any]:
        """All messages of a stream, in order; none while there is no stream."""
        import nats
        from nats.js.errors import NotFoundError

        tls = {} if self.tls is None else {"tls": ssl.create_default_context(cafile=str(self.tls.ca))}
        client = await nats.connect(self.url, allow_reconnect=False, connect_timeout=5, **tls)
        try:
            jetstream = client.jetstream()
            try:
                state = (await jetstream.stream_info(stream)).state
            except NotFoundError:
                return []
            return [await jetstream.get_msg(stream, at) for at in range(state.first_seq, state.last_seq + 1) if at]
        finally:
            await client.close()


@contextmanager
def nats_process(folder: Path, *, tls: ServerFiles | None = None) -> Iterator[NatsProcess]:
    folder.mkdir()
    server = NatsProcess(folder, tls)
    server.start()
    try:
        yield server
    finally:
        server.stop()
