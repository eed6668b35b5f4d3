"""Signs with keys in hardware tokens (PKCS#11), each token in a signer process of its own.

A process ends when its vendor's library crashes; the token is then lost until the process is started again. Only the
PIN's file, or an operator, unlocks it then: this process keeps no PIN.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.errors import ConfigurationError, CredentialsError, GatewayError, SigningKeyUnavailableError
from gateway.trust.pki.pins import PinSource
from gateway.trust.pki.token_messages import TokenOperation, TokenOutcome, receive, send

log = logging.getLogger(__name__)

ANSWER_S: Final = 5.0
"""Seconds for an answer; a process that takes longer hangs in its library, and is killed."""

OPEN_S: Final = 30.0
"""The same where a token is opened or makes a key."""

RETRY_AFTER_S: Final = 1.0
"""Seconds after which a caller may try again; a lost token is looked for as often."""

_END_S: Final = 2.0
_REFUSED_BEFORE: Final = "it refused the PIN that it has here, which isn't tried again"
_WITHHELD: Final = "GATEWAY_"


class TokenState(StrEnum):
    """What a token can do."""

    LOCKED = "locked"
    """It wants a PIN from an operator."""
    LOST = "lost"
    """It isn't reached."""
    READY = "ready"
    """It signs."""


class TokenStatus(NamedTuple):
    """A token's state, and what is wrong with it."""

    state: TokenState
    problem: str

    def sentence(self, token: str) -> str:
        """What is wrong, with the token's label."""
        if self.state is TokenState.LOCKED:
            return f"token {token} is locked: {self.problem}"
        return f"token {token} is lost: {self.problem}"


class TokenKey:
    """An Ed25519 key in a token; implements PrivateKey. Thread-safe."""

    def __init__(self, token: SigningToken, label: str, public_key: bytes) -> None:
        self._token = token
        self._label = label
        self._public_key = Ed25519PublicKey.from_public_bytes(public_key)

    def public_key(self) -> Ed25519PublicKey:
        """The public key, as it was when the key was found."""
        return self._public_key

    def sign(self, data: bytes) -> bytes:
        """Signs, and verifies the signature: partners take a wrong one for misbehaviour, and it stays in the feed.

        Raises:
            SigningKeyUnavailableError: the token is locked or lost, or signs with another key.
        """
        signature = self._token.sign(self._label, data)
        try:
            self._public_key.verify(signature, data)
        except InvalidSignature:
            self._token.lose(f"its key {self._label} isn't the one that was there at the start")
            raise self._token.unavailable() from None
        return signature


class SigningToken:
    """One token and its process, which is started when first needed; thread-safe.

    Args:
        label: the token's.
        module: the vendor's PKCS#11 library.
        pins: where its PIN is; None where a person types it.
        on_change: called after each change of its state, in any thread; it must not block.
    """

    def __init__(
        self,
        label: str,
        module: Path,
        *,
        pins: PinSource | None = None,
        on_change: Callable[[SigningToken], None] = lambda _: None,
    ) -> None:
        self.label = label
        self.module = module
        self._pins = pins
        self._on_change = on_change
        self._status = TokenStatus(TokenState.LOST, "it wasn't looked for yet")
        self._asking = threading.RLock()  # from a question to what its answer says of the state
        self._process: subprocess.Popen[bytes] | None = None
        self._end: socket.socket | None = None

    @property
    def status(self) -> TokenStatus:
        """As its process said last."""
        return self._status

    @property
    def process_id(self) -> int | None:
        """Of its process, while there is one."""
        return None if self._process is None else self._process.pid

    def key(self, label: str) -> TokenKey:
        """A key by its label, also of a locked token; raises ConfigurationError: the token or the key isn't there."""
        outcome, answer = self._ask(TokenOperation.FIND, label, b"", OPEN_S)
        if outcome is not TokenOutcome.DONE:
            raise self._unusable(outcome, answer)
        return TokenKey(self, label, answer)

    def sign(self, label: str, message: bytes) -> bytes:
        """An Ed25519 signature, 64 bytes; raises SigningKeyUnavailableError at once unless the token is ready."""
        if self._status.state is TokenState.READY:
            with self._asking:
                outcome, answer = self._ask(TokenOperation.SIGN, label, message, ANSWER_S)
                if outcome is TokenOutcome.DONE:
                    return answer
                if outcome is TokenOutcome.PIN_REFUSED:
                    self._note_changed_pin()
                self._judge(outcome, answer)
        raise self.unavailable()

    def generate(self, label: str) -> TokenKey:
        """Makes a key in an unlocked token; raises ConfigurationError: it has one of that label, or can't make it."""
        outcome, answer = self._ask(TokenOperation.GENERATE, label, b"", OPEN_S)
        if outcome is not TokenOutcome.DONE:
            raise self._unusable(outcome, answer)
        return TokenKey(self, label, answer)

    def unlock(self, pin: str) -> None:
        """Tries a PIN that a person has typed, once: also where the call for it comes twice.

        Raises:
            CredentialsError: the token refused it, now or before, or isn't there.
        """
        if self._pins is not None and self._pins.was_refused(pin):
            way_out = f"If it is the right one now, delete {self._pins.refused} and try again."
            raise CredentialsError(f"token {self.label} has refused this PIN, which isn't tried again", way_out=way_out)
        with self._asking:
            outcome, answer = self._try(TokenOperation.UNLOCK, pin)
            self._judge(outcome, answer)
        if outcome is not TokenOutcome.DONE:
            raise self._unusable(outcome, answer)

    def look(self) -> TokenStatus:
        """Finds out how the token is; starts a process that ended, opens what was lost, and unlocks it where it can."""
        with self._asking:
            outcome, answer = self._ask(TokenOperation.LOOK, "", b"", OPEN_S)
            if outcome is TokenOutcome.PIN_REFUSED:
                self._note_changed_pin()
            if outcome is TokenOutcome.LOCKED and self._pins is not None:
                outcome, answer = self._unlock_by_itself(self._pins, answer)
            self._judge(outcome, answer)
        return self._status

    def lose(self, problem: str) -> None:
        """Notes that it can't be used."""
        self._set(TokenState.LOST, problem)

    def unavailable(self) -> SigningKeyUnavailableError:
        """Why it doesn't sign now."""
        status = self._status
        return SigningKeyUnavailableError(
            status.sentence(self.label), retry_after_s=RETRY_AFTER_S, metadata={"about": str(status.state)}
        )

    def close(self) -> None:
        """Ends its process."""
        with self._asking:
            self._end_process(wait_s=_END_S)

    def _unlock_by_itself(self, pins: PinSource, answer: bytes) -> tuple[TokenOutcome, bytes]:
        try:
            pin = pins.read()
        except ConfigurationError as error:
            return TokenOutcome.LOCKED, error.message.encode()
        if pin is None:
            return TokenOutcome.LOCKED, answer
        if pins.was_refused(pin):
            return TokenOutcome.LOCKED, _REFUSED_BEFORE.encode()
        return self._try(TokenOperation.UNLOCK_BY_ITSELF, pin)

    def _try(self, operation: TokenOperation, pin: str) -> tuple[TokenOutcome, bytes]:
        outcome, answer = self._ask(operation, "", pin.encode(), OPEN_S)
        if self._pins is not None and outcome is TokenOutcome.DONE:
            self._pins.note_taken()
        if self._pins is not None and outcome is TokenOutcome.PIN_REFUSED:
            self._pins.note_refused(pin)
        return outcome, answer

    def _note_changed_pin(self) -> None:
        """The PIN that a process had taken is wrong now. If the one on file is that one, it isn't tried again."""
        with suppress(GatewayError):
            if self._pins is not None and (pin := self._pins.read()) is not None:
                self._pins.note_refused(pin)

    def _judge(self, outcome: TokenOutcome, answer: bytes) -> None:
        if outcome is TokenOutcome.DONE:
            self._set(TokenState.READY, "")
            return
        is_locked = outcome in (TokenOutcome.LOCKED, TokenOutcome.PIN_REFUSED, TokenOutcome.PIN_UNTRIED)
        self._set(TokenState.LOCKED if is_locked else TokenState.LOST, answer.decode("utf-8", "replace"))

    def _set(self, state: TokenState, problem: str) -> None:
        before, self._status = self._status, TokenStatus(state, problem)
        if before != self._status:
            self._on_change(self)

    def _unusable(self, outcome: TokenOutcome, answer: bytes) -> ConfigurationError:
        text = answer.decode("utf-8", "replace")
        if outcome is TokenOutcome.PIN_REFUSED:
            way_out = "Don't try the same PIN again: after a few wrong ones the token locks itself for good."
            return CredentialsError(f"token {self.label}: {text}", way_out=way_out)
        way_out = "Plug the token in, and see its label, its keys and the path of its library."
        return CredentialsError(f"token {self.label}: {text}", way_out=way_out)

    def _ask(
        self, operation: TokenOperation, label: str, content: bytes, timeout_s: float
    ) -> tuple[TokenOutcome, bytes]:
        with self._asking:
            try:
                end = self._end if self._end is not None else self._start()
                end.settimeout(timeout_s)
                send(end, operation, label.encode(), content)
                outcome, _, answer = receive(end)
                return TokenOutcome(outcome), answer
            except TimeoutError:
                problem = f"its library doesn't answer within {timeout_s:g} s"
            except OSError:
                problem = "its signer process has ended"
            self._end_process(wait_s=0.0)
            return TokenOutcome.LOST, problem.encode()

    def _start(self) -> socket.socket:
        if find_spec("pkcs11") is None:
            way_out = "Install the gateway's wheel with the extra: pip install 'WHEEL[pkcs11]'."
            raise ConfigurationError("hardware tokens need the package python-pkcs11", way_out=way_out)
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "gateway.trust.pki.token_process", str(self.module), self.label]
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  our own module
                command,
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env={name: value for name, value in os.environ.items() if not name.startswith(_WITHHELD)},
                start_new_session=True,
            )
        self._end = ours
        return ours

    def _end_process(self, *, wait_s: float) -> None:
        end, process = self._end, self._process
        self._end = self._process = None
        if end is not None:
            end.close()
        if process is not None:
            try:
                process.wait(wait_s)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
