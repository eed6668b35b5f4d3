"""A token behind its process: it signs, is opened again after every loss, and a wrong PIN is tried once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, CredentialsError, SigningKeyUnavailableError
from gateway.trust.pki.keys import Ed25519Signer
from gateway.trust.pki.pins import CREDENTIALS_VARIABLE, PinSource
from gateway.trust.pki.tokens import SigningToken, TokenState
from tests.support.tokens import MODULE, PIN, SoftToken, needs_softhsm

pytestmark = needs_softhsm

LABEL = "cn"


@pytest.fixture
def soft(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SoftToken:
    made = SoftToken(tmp_path / "token", LABEL)
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture
def pin_file(tmp_path: Path) -> Path:
    path = tmp_path / "pin"
    write_pin(path, PIN)
    return path


def write_pin(path: Path, pin: str) -> None:
    path.write_text(f"{pin}\n")
    path.chmod(0o600)


def opened(tmp_path: Path, pin_file: Path | None, changes: list[TokenState] | None = None) -> SigningToken:
    pins = PinSource(LABEL, pin_file, data_dir=tmp_path, environment={})
    noted = [] if changes is None else changes
    return SigningToken(LABEL, MODULE, pins=pins, on_change=lambda token: noted.append(token.status.state))


@pytest.fixture
def changes() -> list[TokenState]:
    return []


@pytest.fixture
def token(tmp_path: Path, soft: SoftToken, pin_file: Path, changes: list[TokenState]) -> Iterator[SigningToken]:
    made = opened(tmp_path, pin_file, changes)
    assert made.look().state is TokenState.READY
    made.generate("log")
    yield made
    made.close()


def test_a_generated_key_signs_and_is_found_again(token: SigningToken, tmp_path: Path, pin_file: Path) -> None:
    key = token.key("log")
    signer = Ed25519Signer("feed", key)
    key.public_key().verify(signer.sign(b"a message"), b"a message")
    assert signer.named("another").public_key == signer.public_key
    other = opened(tmp_path, pin_file)
    assert other.key("log").public_key() == key.public_key()
    other.close()


def test_a_key_is_never_overwritten(token: SigningToken) -> None:
    with pytest.raises(ConfigurationError, match="a key log already"):
        token.generate("log")


def test_several_threads_sign_at_once(token: SigningToken) -> None:
    key = token.key("log")
    done: list[int] = []

    def work(number: int) -> None:
        for turn in range(50):
            message = b"%d/%d" % (number, turn)
            key.public_key().verify(key.sign(message), message)
        done.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [0, 1, 2, 3]


def test_a_token_that_was_away_signs_again(token: SigningToken, soft: SoftToken, changes: list[TokenState]) -> None:
    key = token.key("log")
    key.sign(b"before")
    soft.unplug()
    with pytest.raises(SigningKeyUnavailableError, match="token cn is lost"):
        key.sign(b"away")
    assert token.look().state is TokenState.LOST
    soft.plug_in()
    assert token.look().state is TokenState.READY
    key.sign(b"after")
    assert changes == [TokenState.READY, TokenState.LOST, TokenState.READY]


def test_a_loss_is_seen_when_nothing_is_signed(token: SigningToken, soft: SoftToken) -> None:
    token.key("log")
    soft.unplug()
    assert token.look().state is TokenState.LOST
    soft.plug_in()
    assert token.look().state is TokenState.READY


def test_a_killed_process_is_started_again(token: SigningToken) -> None:
    key = token.key("log")
    assert token.process_id is not None
    os.kill(token.process_id, signal.SIGKILL)
    with pytest.raises(SigningKeyUnavailableError, match="its signer process has ended"):
        key.sign(b"away")
    assert token.look().state is TokenState.READY
    key.sign(b"after")


def test_a_process_that_hangs_is_killed(token: SigningToken, monkeypatch: pytest.MonkeyPatch) -> None:
    key = token.key("log")
    assert token.process_id is not None
    os.kill(token.process_id, signal.SIGSTOP)
    monkeypatch.setattr("gateway.trust.pki.tokens.ANSWER_S", 0.2)
    with pytest.raises(SigningKeyUnavailableError, match=r"doesn't answer within 0\.2 s"):
        key.sign(b"away")
    assert token.look().state is TokenState.READY


def test_another_key_under_the_same_label_signs_nothing(token: SigningToken, soft: SoftToken, tmp_path: Path) -> None:
    key = token.key("log")
    soft.unplug()
    replaced = SoftToken(tmp_path / "replacement", LABEL)
    replaced.store.rename(soft.store)
    assert token.look().state is TokenState.LOST
    other = opened(tmp_path, tmp_path / "pin")
    assert other.look().state is TokenState.READY
    other.generate("log")
    other.close()
    assert token.look().state is TokenState.READY
    with pytest.raises(SigningKeyUnavailableError, match="isn't the one that was there at the start"):
        key.sign(b"a message")


def test_a_wrong_pin_is_tried_once_over_restarts(soft: SoftToken, tmp_path: Path, pin_file: Path) -> None:
    write_pin(pin_file, "000000")
    first = opened(tmp_path, pin_file)
    assert first.look() == (TokenState.LOCKED, "it refused the PIN (PinIncorrect)")
    first.close()
    for _ in range(2):
        second = opened(tmp_path, pin_file)
        assert second.look() == (TokenState.LOCKED, "it refused the PIN that it has here, which isn't tried again")
        second.close()
    third = opened(tmp_path, pin_file)
    with pytest.raises(CredentialsError, match="refused the PIN"):
        third.unlock("111111")
    with pytest.raises(CredentialsError, match="has refused this PIN"):
        third.unlock("111111")
    with pytest.raises(CredentialsError, match="has refused this PIN"):
        third.unlock("000000")
    third.unlock(PIN)
    assert third.status.state is TokenState.READY
    assert not PinSource(LABEL, None, data_dir=tmp_path, environment={}).refused.exists()
    third.close()


def test_a_token_without_a_pin_is_locked_and_its_public_key_is_found(
    token: SigningToken, tmp_path: Path, soft: SoftToken
) -> None:
    locked = opened(tmp_path, None)
    key = locked.key("log")
    assert locked.look() == (TokenState.LOCKED, "it wants a PIN")
    with pytest.raises(SigningKeyUnavailableError, match="token cn is locked"):
        key.sign(b"a message")
    locked.unlock(PIN)
    key.sign(b"a message")
    locked.close()


def test_a_pin_comes_from_the_service_s_credentials(token: SigningToken, tmp_path: Path) -> None:
    folder = tmp_path / "credentials"
    folder.mkdir()
    write_pin(folder / "cn.pin", PIN)
    environment = {CREDENTIALS_VARIABLE: str(folder)}
    assert PinSource(LABEL, None, data_dir=tmp_path, environment=environment).read() == PIN
    assert PinSource("another", None, data_dir=tmp_path, environment=environment).read() is None


@pytest.mark.parametrize(("label", "module", "problem"), [("mo", MODULE, "token mo"), ("cn", Path("/none.so"), "none")])
def test_what_is_not_there_is_named(soft: SoftToken, label: str, module: Path, problem: str) -> None:
    wrong = SigningToken(label, module)
    with pytest.raises(ConfigurationError, match=problem):
        wrong.key("log")
    wrong.close()


def test_a_key_that_is_not_there_is_named(token: SigningToken) -> None:
    with pytest.raises(ConfigurationError, match="no Ed25519 key receipts"):
        token.key("receipts")


def test_a_pin_stands_on_no_command_line(token: SigningToken) -> None:
    assert PIN.encode() not in Path(f"/proc/{token.process_id}/cmdline").read_bytes()
    assert PIN.encode() not in Path(f"/proc/{token.process_id}/environ").read_bytes()
