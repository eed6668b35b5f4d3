"""The peer pyas2lib in an environment of its own: `python -m bench.peer_as2 [--dir PATH] [--json FILE]`.

One alert's way by AS2 (RFC 4130), all in one process: build a message that is signed and encrypted, parse, decrypt and
verify it, build the signed receipt (MDN), parse and verify that. Without network, disk, agreements or a log, so a floor
of what a product on AS2 costs. Rates are messages per second of processor time; rounds alternate with this project's
stages of the same alerts (`bench.stages`, processor time of both nodes).

The part behind `PEER` runs in that environment.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from bench import alerts, stages
from bench.nodes import PUBLISHER, RECIPIENT
from bench.peer_environment import PeerProcess, environment, run_from_command_line
from bench.results import Figures, show, write

REQUIREMENT = "pyas2lib==1.4.4"
ROUNDS = 5
MESSAGES = 100

PEER = """
import base64, json, sys, time
from pyas2lib import as2
given = json.loads(sys.stdin.readline())
def organization(name):
    pem = given["keys"][name].encode()
    return as2.Organization(as2_name=name, sign_key=pem, sign_key_pass=b"", decrypt_key=pem, decrypt_key_pass=b"")
def partner(name):
    certificate = given["certificates"][name].encode()
    return as2.Partner(as2_name=name, verify_cert=certificate, encrypt_cert=certificate, validate_certs=False,
        sign=True, digest_alg="sha256", encrypt=True, enc_alg="aes_256_cbc", mdn_mode="SYNC", mdn_digest_alg="sha256")
names = given["names"]
organizations = {name: organization(name) for name in names}
partners = {name: partner(name) for name in names}
def exchange(payload):
    sent = as2.Message(organizations[names[0]], partners[names[1]])
    sent.build(payload, filename="alert.bin", subject="alert", content_type="application/octet-stream",
        disposition_notification_to="desk@example.org")
    received = as2.Message()
    status, error, receipt = received.parse(sent.headers_str + b"\\r\\n" + sent.content,
        organizations.get, partners.get, lambda message, partner: False)
    assert status == "processed" and received.signed and received.encrypted, error
    answered = as2.Mdn()
    status, detail = answered.parse(receipt.headers_str + b"\\r\\n" + receipt.content, lambda message, partner: sent)
    assert status == "processed", detail
print(json.dumps("ready"), flush=True)
for line in sys.stdin:
    payloads = [base64.b64decode(text) for text in json.loads(line)]
    began = time.process_time()
    for payload in payloads:
        exchange(payload)
    print(json.dumps(len(payloads) / (time.process_time() - began)), flush=True)
"""


def key_and_certificate(name: str) -> tuple[str, str]:
    """A party's key with its certificate, and the certificate alone, as PEM; RSA of 2,048 bits as AS2 products use."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    return private + pem, pem


def run(folder: Path, json_file: Path | None) -> None:
    peer, names = PeerProcess(environment(folder / "environment", [REQUIREMENT]), PEER), (PUBLISHER, RECIPIENT)
    parties = {name: key_and_certificate(name) for name in names}
    keys = {name: key for name, (key, _) in parties.items()}
    certificates = {name: certificate for name, (_, certificate) in parties.items()}
    peer.ask({"names": names, "keys": keys, "certificates": certificates})
    payloads = [request.content.SerializeToString() for request in alerts.requests(MESSAGES, recipient=RECIPIENT)]
    halves, figures = stages.Halves(folder / "nodes"), Figures()
    for _ in range(ROUNDS):
        rate = peer.ask([b64encode(payload).decode() for payload in payloads])
        figures.note("as2: message with receipt", "/s", rate)
        taken = stages.measure(halves, group=1, rounds=MESSAGES)
        figures.note("as2: this gateway's stages, one alert at a time", "/s", 1e6 / mean(taken.sums_us))
    peer.end()
    halves.close()
    show(figures, "Messages a second of processor time")
    write(json_file, figures, command="python -m bench.peer_as2")


if __name__ == "__main__":
    run_from_command_line("Messages per second of pyas2lib, beside this project's stages.", run)
