"""Tokens of forms, where a form comes from, and the settings of a console."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from gateway.console.form import own_path
from gateway.console.server.security import content_policy, csrf_token, is_csrf_token, is_same_origin
from gateway.console.settings import load_console_settings
from gateway.errors import ConfigurationError

ORIGIN = "https://console.example"


def test_a_token_holds_for_its_session_alone_and_never_looks_the_same() -> None:
    tokens = {csrf_token("session") for _ in range(50)}

    assert len(tokens) == 50
    assert all(is_csrf_token("session", token) for token in tokens)
    assert not any(is_csrf_token("another", token) for token in tokens)
    assert not any(is_csrf_token("", csrf_token("")) for _ in range(3))


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_nothing_else_is_a_token(text: str) -> None:
    assert not is_csrf_token("session", text)


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"origin": ORIGIN, "sec-fetch-site": "same-origin"}, True),
        ({"origin": ORIGIN}, True),
        ({"sec-fetch-site": "same-origin"}, True),
        ({}, False),
        ({"origin": "null"}, False),
        ({"origin": "https://console.example.evil"}, False),
        ({"origin": ORIGIN, "sec-fetch-site": "cross-site"}, False),
        ({"origin": ORIGIN, "sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
    ],
)
def test_a_form_comes_from_the_console(headers: dict[str, str], own: bool) -> None:
    assert is_same_origin(Headers(headers), ORIGIN) is own


def test_the_policy_allows_nothing_unsafe() -> None:
    policy = content_policy("abc")

    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/\\evil.example", "evil", "/a\nb", "/\t/evil.example", ""]
)
def test_a_redirect_never_leaves_the_console(path: str) -> None:
    assert own_path(path) == "/"


def test_a_redirect_goes_back_to_a_page() -> None:
    assert own_path("/alerts/cn/1?done=flag") == "/alerts/cn/1?done=flag"


GOOD = """
bind = "127.0.0.1:8444"
[gateway]
address = "127.0.0.1:7444"
ca = "ca.pem"
certificate = "console.pem"
key = "console.key"
"""


def settings_of(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "console.toml"
    file.write_text(text, "utf-8")
    return file


def test_settings_are_read_and_paths_belong_to_the_file(tmp_path: Path) -> None:
    settings = load_console_settings(settings_of(tmp_path, GOOD))

    assert settings.public_origin == "http://127.0.0.1:8444"
    assert settings.gateway.key == tmp_path / "console.key"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("orgin = 'https://x'\n" + GOOD, "orgin: there is no such setting; did you mean 'origin'?"),
        (GOOD.replace("127.0.0.1:8444", "0.0.0.0:8444"), "only over https"),
        ("origin = 'http://console.example'\n" + GOOD, "only over https"),
        ("origin = 'https://console.example/path'\n" + GOOD, "scheme and host alone"),
        ("zone = 'Mars/Olympus'\n" + GOOD, "no time zone"),
        (GOOD.replace("127.0.0.1:8444", "8444"), "give host:port"),
        (GOOD.replace('key = "console.key"', ""), "gateway.key: is missing"),
        (GOOD + "[limits]\nstreams = 0\n", "limits.streams: must be greater than or equal to 1"),
        ("bind = [", "settings"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_console_settings(settings_of(tmp_path, text))

    assert problem in refused.value.message
