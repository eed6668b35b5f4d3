"""A time-stamping authority on this machine: `openssl ts` behind HTTP, with a certificate of its own."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.federation import free_port
from tests.support.programs import OPENSSL

CONFIG = """\
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[stamping]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
accuracy = secs:1
ess_cert_id_chain = no
ess_cert_id_alg = sha256
"""
"""The certificate alone is in a token: OpenSSL puts a chain there in an order that strict readers refuse."""

_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


@dataclass
class Authority:
    """A TSA in a folder of its own.

    Args:
        under_ca: whether a CA has issued its certificate; it signed that itself otherwise.
    """

    folder: Path
    name: str = "Placeholder TSA"
    under_ca: bool = False

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        (self.folder / "serial").write_text("01\n")
        self._config.write_text(CONFIG.format(name=self.name, folder=self.folder))
        made = ("-keyout", self.folder / "tsa.key", "-config", self._config)
        if not self.under_ca:
            self.openssl("req", "-x509", *_EC, *made, "-out", self.certificate, "-extensions", "stamping")
            return
        ca, key, request = (self.folder / name for name in ("ca.pem", "ca.key", "tsa.csr"))
        self.openssl("req", "-x509", *_EC, "-keyout", key, "-out", ca, "-subj", f"/CN={self.name} CA")
        self.openssl("req", "-new", *_EC, *made, "-out", request)
        profile = ("-extfile", self._config, "-extensions", "stamping")
        self.openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", key, "-out", self.certificate, *profile)

    @property
    def certificate(self) -> Path:
        return self.folder / "tsa.pem"

    @property
    def trusted(self) -> Path:
        """What a verifier names: the certificate, with its CA's where there is one."""
        if not self.under_ca:
            return self.certificate
        chain = self.folder / "chain.pem"
        chain.write_bytes(self.certificate.read_bytes() + (self.folder / "ca.pem").read_bytes())
        return chain

    @property
    def _config(self) -> Path:
        return self.folder / "openssl.cnf"

    def openssl(self, *arguments: str | Path) -> bytes:
        run = subprocess.run([OPENSSL.require(), *arguments], capture_output=True, check=False)
        assert run.returncode == 0, run.stderr.decode()
        return run.stdout

    def answer(self, query: bytes) -> bytes:
        """The answer to a TimeStampReq in DER."""
        file, out = self.folder / "query.tsq", self.folder / "answer.tsr"
        file.write_bytes(query)
        section = ("-config", self._config, "-section", "here")
        self.openssl("ts", "-reply", *section, "-queryfile", file, "-out", out)
        return out.read_bytes()

    def verifies(self, stamp: Path, data: Path) -> bool:
        """Whether `openssl ts -verify` says so, by this authority's certificates."""
        command = ["ts", "-verify", "-in", stamp, "-data", data, "-CAfile", self.trusted]
        return subprocess.run([OPENSSL.require(), *command], capture_output=True, check=False).returncode == 0


@dataclass
class StampServer:
    """The authority over HTTP; `answers` replaces what it says, `queries` is what it was asked."""

    authority: Authority
    port: int = field(default_factory=free_port)
    status: int = 200
    location: str = ""
    answers: bytes | None = None
    queries: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/tsr"

    @contextmanager
    def running(self) -> Iterator[StampServer]:
        served = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.headers["Content-Type"] == "application/timestamp-query"
                query = self.rfile.read(int(self.headers["Content-Length"]))
                served.queries.append(query)
                body = served.answers if served.answers is not None else served.authority.answer(query)
                self.send_response(served.status)
                if served.location:
                    self.send_header("Location", served.location)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
