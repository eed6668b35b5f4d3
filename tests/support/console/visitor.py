"""Speaks HTTP to a console without a browser: for requests that no browser would send."""

from __future__ import annotations

import http.client
import re
import socket
from dataclasses import dataclass, field
from html import unescape
from typing import Self
from urllib.parse import urlencode

from tests.support.console.trial import Office

_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
TIMEOUT_S = 60.0

HOME = "/account"
"""A page that everybody with a session may read, and nobody without one."""


@dataclass(frozen=True)
class Answer:
    """What a console answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    @property
    def set_cookies(self) -> list[str]:
        """The lines that set cookies, whole."""
        return self.headers.get_all("Set-Cookie") or []


@dataclass
class Visitor:
    """Somebody with cookies at one console; keeps those that answers set."""

    office: Office
    cookies: dict[str, str] = field(default_factory=dict)

    @classmethod
    def with_session(cls, office: Office, token: str) -> Self:
        return cls(office, {office.cookie: token})

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, None, **headers)

    def post(self, path: str, form: dict[str, str], **headers: str) -> Answer:
        """Sends a form as a browser on a page of this console does."""
        usual = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": self.office.origin,
            "Sec-Fetch-Site": "same-origin",
        }
        return self.send("POST", path, urlencode(form).encode(), **{**usual, **headers})

    def csrf(self, path: str) -> str:
        """The token of the forms on a page."""
        found = _TOKEN.search(self.get(path).text)
        assert found, f"{path} has no form"
        return unescape(found[1])

    def sign_in(self, name: str, password: str, **headers: str) -> Answer:
        """By password, with the form's token."""
        token = self.csrf("/sign-in")
        return self.post("/sign-in", {"csrf": token, "person": name, "password": password}, **headers)

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request; a header whose value is empty is left out, `_` in a name is `-`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.office.port, timeout=TIMEOUT_S)
        sent = {"Host": f"{self.office.host}:{self.office.port}"}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.connect()
            # Head and form leave together, as from a browser. A form may be refused unread: bytes that come after that
            # cut the answer off.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                if value:
                    connection.putheader(name, value)
            if body is not None and "Content-Length" not in sent:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
            response = connection.getresponse()
            answer = Answer(response.status, response.headers, response.read())
        finally:
            connection.close()
        for line in answer.set_cookies:
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0].strip('"')
            if value and "max-age=0" not in rest.lower():
                self.cookies[name] = value
            else:
                self.cookies.pop(name, None)
        return answer
