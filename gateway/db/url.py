"""Reads database URLs, also libpq's form with several hosts, of which one is the primary."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from gateway.errors import ConfigurationError

CONNECT_TIMEOUT_S = 2
"""Seconds for each of several hosts: a host that is gone must not delay the change to the next one."""

SILENT_MS = 4_000
"""Milliseconds after which a connection whose other end acknowledges nothing is given up."""

_SEVERAL_HOSTS = re.compile(
    r"(?P<scheme>[a-z]+(?:\+[a-z0-9]+)?)://(?:(?P<user>[^@/]*)@)?(?P<hosts>[^/?@]*,[^/?@]*)(?P<rest>[/?].*)?",
    re.DOTALL,
)
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.%]+\]|[^:\[\],]*)(?::(?P<port>[0-9]+))?")


def parse_url(url: str) -> URL:
    """Parses sqlite:///PATH or postgresql://[user[:password]@]host[:port][,host[:port]…]/database[?option=value&…].

    With several hosts connections go to the one that can be written, unless the URL has `target_session_attrs`.

    Raises:
        ConfigurationError: it is no URL of a database.
    """
    several = _SEVERAL_HOSTS.fullmatch(url)
    if several is None:
        parsed = _make(url)
    else:
        hosts, ports = _hosts(several["hosts"])
        user = f"{several['user']}@" if several["user"] is not None else ""
        parsed = _make(f"{several['scheme']}://{user}{several['rest'] or ''}")
        parsed = parsed.set(query={**parsed.query, "host": ",".join(hosts), "port": ",".join(ports)})
    if has_several_hosts(parsed):
        parsed = parsed.set(query={"target_session_attrs": "read-write", **parsed.query})
    return parsed


def has_several_hosts(url: URL) -> bool:
    """Whether connections choose among hosts."""
    hosts = url.query.get("host", "")
    return isinstance(hosts, tuple) or "," in hosts


def connection_options(url: URL) -> dict[str, Any]:
    """libpq's options for every connection, apart from those that the URL sets itself: vanished servers are noticed."""
    options: dict[str, Any] = {
        # Without it psycopg gives bytes for text where the server's encoding is SQL_ASCII, before anything can say so.
        "client_encoding": "utf8",
        "keepalives_idle": 2,
        "keepalives_interval": 1,
        "keepalives_count": 2,
        "tcp_user_timeout": SILENT_MS,
    }
    if has_several_hosts(url):
        options["connect_timeout"] = CONNECT_TIMEOUT_S
    return {name: value for name, value in options.items() if name not in url.query}


def _hosts(listed: str) -> tuple[list[str], list[str]]:
    hosts, ports = [], []
    for part in listed.split(","):
        host = _HOST.fullmatch(part)
        if host is None:
            raise ConfigurationError(f"database_url: {part!r} isn't host or host:port")
        hosts.append(unquote(host["name"]).strip("[]"))
        ports.append(host["port"] or "5432")
    return hosts, ports


def _make(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            "database_url isn't a URL; use sqlite:///PATH or postgresql://user@host[,host…]/database"
        ) from error
