"""The signer process: holds one token by its vendor's PKCS#11 library, so that a crash of that library stays here.

Run as `python -m gateway.trust.pki.token_process MODULE LABEL`, with its end of a pair of sockets as standard input. It
ends when the other end is closed, and keeps the PIN in memory alone: it logs in again with it when a session died.
"""

from __future__ import annotations

import resource
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

import pkcs11
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.exceptions import (
    NoSuchKey,
    PinExpired,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    UserNotLoggedIn,
)

from gateway.trust.pki.token_messages import TokenOperation, TokenOutcome, receive, send

_CURVE: Final = bytes((0x13, 12)) + b"edwards25519"
"""EC_PARAMS of Ed25519: the curve's name as a DER PrintableString (PKCS#11 3.0, section 2.3.10)."""

_POINT_BYTES: Final = 32
_POINT_BEGIN: Final = bytes((0x04, _POINT_BYTES))
"""EC_POINT is the public key's 32 bytes (PKCS#11 3.1), or a DER OCTET STRING of them (2.40, 3.0)."""

_REFUSED_PIN: Final = (PinIncorrect, PinInvalid, PinLenRange, PinLocked, PinExpired)

ResultT = TypeVar("ResultT")


class AnsweredError(Exception):
    """A request that can't be met, with its outcome."""

    def __init__(self, outcome: TokenOutcome, text: str) -> None:
        super().__init__(text)
        self.outcome = outcome


class TokenSession:
    """One session with a token. Only its process's one thread uses it."""

    def __init__(self, library: Any, label: str) -> None:
        self._library = library
        self._label = label
        self._pin: str | None = None
        self._session: pkcs11.Session | None = None
        self._keys: dict[str, Any] = {}
        self._labels: set[str] = set()  # of keys that must be there

    def find(self, label: str, _content: bytes) -> bytes:
        """The public key of a label, 32 bytes; its token need not be unlocked, unless it hides public keys."""
        point = self._again(lambda: _point(self._object(label, ObjectClass.PUBLIC_KEY)))
        self._labels.add(label)
        return point

    def sign(self, label: str, content: bytes) -> bytes:
        """An Ed25519 signature (RFC 8032, pure), 64 bytes."""
        self._require_pin()
        return bytes(self._again(lambda: self._key(label).sign(content, mechanism=Mechanism.EDDSA)))

    def look(self, _label: str, _content: bytes) -> bytes:
        """Looks whether every key that was asked for is there; opens again what was lost."""
        kind = ObjectClass.PUBLIC_KEY if self._pin is None else ObjectClass.PRIVATE_KEY
        self._again(lambda: [self._object(label, kind) for label in self._labels] or self._token())
        self._require_pin()
        return b""

    def unlock(self, _label: str, content: bytes, *, by_itself: bool = False) -> bytes:
        """Logs in with a PIN. A wrong one is tried once."""
        self._close(forget=False)
        token = self._token()
        if by_itself and token.flags & pkcs11.TokenFlag.USER_PIN_FINAL_TRY:
            raise AnsweredError(TokenOutcome.PIN_UNTRIED, "one more wrong PIN would lock it")
        self._pin = content.decode()
        self._open()
        return b""

    def unlock_by_itself(self, label: str, content: bytes) -> bytes:
        """The same with a PIN that nobody has just typed."""
        return self.unlock(label, content, by_itself=True)

    def generate(self, label: str, _content: bytes) -> bytes:
        """Makes a key pair that never leaves the token; answers with its public key."""
        self._require_pin()
        self._close(forget=False)
        session = self._open(rw=True)
        if list(session.get_objects({Attribute.LABEL: label})):
            raise AnsweredError(TokenOutcome.REFUSED, f"it has a key {label} already, and a key is never overwritten")
        parameters = session.create_domain_parameters(KeyType.EC_EDWARDS, {Attribute.EC_PARAMS: _CURVE}, local=True)
        public, _ = parameters.generate_keypair(
            id=label.encode(), label=label, store=True, mechanism=Mechanism.EC_EDWARDS_KEY_PAIR_GEN
        )
        return _point(public)

    def _require_pin(self) -> None:
        if self._pin is None:
            raise AnsweredError(TokenOutcome.LOCKED, "it wants a PIN")

    def _again(self, work: Callable[[], ResultT]) -> ResultT:
        """Does something, and once more in a new session where the old one has died."""
        try:
            return work()
        except PKCS11Error:
            self._close(forget=True)
            return work()

    def _key(self, label: str) -> Any:
        if label not in self._keys:
            self._keys[label] = self._object(label, ObjectClass.PRIVATE_KEY)
        return self._keys[label]

    def _object(self, label: str, kind: ObjectClass) -> pkcs11.Key:
        try:
            return self._open().get_key(object_class=kind, key_type=KeyType.EC_EDWARDS, label=label)
        except NoSuchKey:
            raise NoSuchKey(f"it has no Ed25519 key {label}") from None

    def _open(self, *, rw: bool = False) -> pkcs11.Session:
        if self._session is None:
            try:
                self._session = self._token().open(rw=rw, user_pin=self._pin)
            except _REFUSED_PIN as error:
                self._pin = None
                raise AnsweredError(TokenOutcome.PIN_REFUSED, f"it refused the PIN ({type(error).__name__})") from None
        return self._session

    def _token(self) -> pkcs11.Token:
        token: pkcs11.Token = self._library.get_token(token_label=self._label)
        return token

    def _close(self, *, forget: bool) -> None:
        """Ends the session; `forget`: what the library knows of slots and tokens too."""
        session, self._session = self._session, None
        self._keys = {}
        try:
            if session is not None:
                session.close()
        except PKCS11Error:
            pass  # it has died, which is why it is closed
        if forget:
            self._library.reinitialize()


def _point(key: pkcs11.Key) -> bytes:
    point = bytes(key[Attribute.EC_POINT])
    if len(point) == len(_POINT_BEGIN) + _POINT_BYTES:
        point = point.removeprefix(_POINT_BEGIN)
    if len(point) != _POINT_BYTES:
        raise AnsweredError(TokenOutcome.REFUSED, "its key isn't of Ed25519")
    return point


def serve(end: socket.socket, token: TokenSession) -> None:
    """Answers one request after the other until the other end is gone."""
    handlers: dict[int, Callable[[str, bytes], bytes]] = {
        TokenOperation.FIND: token.find,
        TokenOperation.SIGN: token.sign,
        TokenOperation.LOOK: token.look,
        TokenOperation.UNLOCK: token.unlock,
        TokenOperation.UNLOCK_BY_ITSELF: token.unlock_by_itself,
        TokenOperation.GENERATE: token.generate,
    }
    while True:
        try:
            operation, label, content = receive(end)
        except OSError:
            return
        outcome, answer = _answer(handlers[operation], label.decode(), content)
        send(end, outcome, b"", answer)


def _answer(handler: Callable[[str, bytes], bytes], label: str, content: bytes) -> tuple[TokenOutcome, bytes]:
    try:
        return TokenOutcome.DONE, handler(label, content)
    except AnsweredError as error:
        return error.outcome, str(error).encode()
    except UserNotLoggedIn:
        return TokenOutcome.LOCKED, b"it wants a PIN"
    except PKCS11Error as error:
        return TokenOutcome.LOST, (str(error) or f"its library says {type(error).__name__}").encode()


def main() -> None:
    """Runs the process."""
    module, label = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the node ends this process by closing its end
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a PIN in memory
    with socket.socket(fileno=0) as end:
        try:
            library = pkcs11.lib(module)
        except (PKCS11Error, RuntimeError) as error:
            receive(end)
            send(end, TokenOutcome.REFUSED, b"", f"{module}: {error}".encode())
            return
        serve(end, TokenSession(library, label))


if __name__ == "__main__":
    main()
