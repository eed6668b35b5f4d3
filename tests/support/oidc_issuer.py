"""A small OpenID provider of the tests: discovery, a page that asks who one is, codes with PKCE, ID tokens, keys.

    with OidcIssuer(folder) as issuer:
        issuer.people["chan"] = {"preferred_username": "chan", "groups": ["customs-officers"]}
        token = issuer.id_token("chan", nonce="…")      # as the token endpoint would give
        issuer.url, issuer.ca, issuer.client_id         # for settings

https on localhost with a certificate of its own CA. Never more than a provider of tests: who chooses a name is it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jws
from joserfc.jwk import ECKey

from tests.support.tls_servers import server_files

TOKEN_S = 300
"""Seconds for which an ID token holds."""


@dataclass
class _Code:
    """What a code stands for, once."""

    person: str
    redirect_uri: str
    nonce: str
    challenge: str


@dataclass
class OidcIssuer:
    """A provider that runs in a thread.

    Attributes:
        folder: where its CA lies.
        people: by name, claims beyond the registered ones.
        client_secret: asked for at the token endpoint; empty: a public client, with PKCE alone.
        redirect_uris: where codes may go; empty: anywhere.
        requests: paths that were asked for, in their order.
        broken: answers every request with 503.
    """

    folder: Path
    client_id: str = "customs-console"
    client_secret: str = ""
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    redirect_uris: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    broken: bool = False
    _codes: dict[str, _Code] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self.rotate_key()
        files = server_files(self.folder, "issuer")
        self.ca = files.ca
        handler = type("Handler", (_Handler,), {"provider": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._server.socket = files.context().wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=self._server.serve_forever, name="issuer", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """The issuer, as in its tokens."""
        return f"https://localhost:{self._server.server_port}"

    def rotate_key(self) -> None:
        """A new signing key; the one before isn't published any more."""
        self._key = ECKey.generate_key("P-256", {"kid": secrets.token_hex(4), "use": "sig", "alg": "ES256"})

    def id_token(self, person: str, nonce: str, **claims: Any) -> str:
        """A token as the token endpoint gives it; `claims` replace what it says, None leaves a claim out."""
        now_s = int(time.time())
        said: dict[str, Any] = {
            "iss": self.url,
            "sub": f"id-of-{person}",
            "aud": self.client_id,
            "iat": now_s,
            "exp": now_s + TOKEN_S,
            "nonce": nonce,
            "preferred_username": person,
            **self.people.get(person, {}),
            **claims,
        }
        payload = json.dumps({name: value for name, value in said.items() if value is not None})
        header = {"alg": "ES256", "kid": self._key.kid, "typ": "JWT"}
        return jws.serialize_compact(header, payload.encode(), self._key, algorithms=["ES256"])

    def discovery(self) -> dict[str, Any]:
        """What stands below `.well-known`."""
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        }

    def jwks(self) -> dict[str, Any]:
        """The public key."""
        return {"keys": [self._key.as_dict(private=False)]}

    def page(self, query: dict[str, str]) -> str:
        """Asks who one is: a link for each person."""
        if problem := self._problem(query):
            return f'<!doctype html><html lang="en"><title>Refused</title><main><h1>{html.escape(problem)}</h1></main>'
        links = "".join(
            f'<li><a href="/chosen?{html.escape(urlencode({**query, "person": name}))}">{html.escape(name)}</a></li>'
            for name in self.people
        )
        return (
            '<!doctype html><html lang="en"><title>Who are you?</title><link rel="icon" href="data:,">'
            f"<main><h1>Who are you?</h1><ul>{links}</ul></main>"
        )

    def chosen(self, query: dict[str, str]) -> str:
        """Where the browser goes with a code."""
        code = secrets.token_urlsafe(16)
        self._codes[code] = _Code(
            query["person"], query["redirect_uri"], query.get("nonce", ""), query["code_challenge"]
        )
        answer = {"code": code, "state": query.get("state", ""), "iss": self.url}
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def exchange(self, form: dict[str, str], authorization: str) -> dict[str, Any]:
        """The tokens for a code; an OAuth error instead where the request isn't right."""
        code = self._codes.pop(form.get("code", ""), None)
        if form.get("grant_type") != "authorization_code" or code is None:
            return {"error": "invalid_grant"}
        if not self._is_client(form, authorization):
            return {"error": "invalid_client"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        verified = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if form.get("redirect_uri") != code.redirect_uri or not hmac.compare_digest(verified, code.challenge):
            return {"error": "invalid_grant"}
        token = self.id_token(code.person, code.nonce)
        return {"id_token": token, "access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": 300}

    def _problem(self, query: dict[str, str]) -> str:
        wanted = {"response_type": "code", "client_id": self.client_id, "code_challenge_method": "S256"}
        wrong = [name for name, value in wanted.items() if query.get(name) != value]
        wrong += [name for name in ("redirect_uri", "code_challenge", "state", "nonce") if not query.get(name)]
        if self.redirect_uris and query.get("redirect_uri") not in self.redirect_uris:
            wrong.append("redirect_uri")
        return f"Refused: {', '.join(wrong)}" if wrong else ""

    def _is_client(self, form: dict[str, str], authorization: str) -> bool:
        if authorization.startswith("Basic "):
            name, _, secret = base64.b64decode(authorization[6:]).decode().partition(":")
        else:
            name, secret = form.get("client_id", ""), form.get("client_secret", "")
        return name == self.client_id and hmac.compare_digest(secret, self.client_secret)


class _Handler(BaseHTTPRequestHandler):
    provider: OidcIssuer
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        self.request.settimeout(30)
        super().setup()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.provider.requests.append(parts.path)
        if self.provider.broken:
            self._answer(503, "text/plain", "broken")
        elif parts.path == "/.well-known/openid-configuration":
            self._answer(200, "application/json", json.dumps(self.provider.discovery()))
        elif parts.path == "/jwks":
            self._answer(200, "application/json", json.dumps(self.provider.jwks()))
        elif parts.path == "/authorize":
            self._answer(200, "text/html; charset=utf-8", self.provider.page(query))
        elif parts.path == "/chosen":
            self._answer(303, "text/plain", "", Location=self.provider.chosen(query))
        else:
            self._answer(404, "text/plain", "")

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode()
        form = {name: values[0] for name, values in parse_qs(text).items()}
        self.provider.requests.append(self.path)
        if self.provider.broken or self.path != "/token":
            self._answer(503 if self.provider.broken else 404, "text/plain", "")
            return
        answer = self.provider.exchange(form, self.headers.get("Authorization", ""))
        self._answer(400 if "error" in answer else 200, "application/json", json.dumps(answer))

    def _answer(self, status: int, kind: str, text: str, **headers: str) -> None:
        body = text.encode()
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing: the run's output is the tests'."""
