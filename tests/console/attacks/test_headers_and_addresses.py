"""What a response lets a browser do, whatever the address; and addresses, hosts and parameters that lead elsewhere."""

from __future__ import annotations

import pytest

from tests.support.console.trial import ConsoleTrial, Office
from tests.support.console.visitor import HOME, Answer, Visitor
from tests.support.console.walk import places

EVIL = "evil.example"


def assert_guarded(answer: Answer) -> None:
    """No framing, no guessing of types, no inline code, nothing kept in a cache."""
    policy = answer.headers["Content-Security-Policy"]
    directives = dict(part.strip().partition(" ")[::2] for part in policy.split(";"))
    assert directives["default-src"] == "'self'"
    assert directives["frame-ancestors"] == "'none'"
    assert directives["object-src"] == "'none'"
    assert directives["base-uri"] == "'none'"
    assert directives["form-action"] == "'self'"
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert "*" not in policy
    assert "data:" not in directives.get("script-src", "")
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer")
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "no-store" in answer.headers["Cache-Control"]
    assert "Server" not in answer.headers
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_every_page_is_guarded(trial: ConsoleTrial) -> None:
    for place in places(trial):
        token = trial.session(place.node, place.person) if place.person else ""
        visitor = Visitor.with_session(trial[place.node], token)
        assert_guarded(visitor.get(place.path))


@pytest.mark.parametrize("path", ["/sign-in", "/nowhere", "/%00", "/alerts/x/y", "/../../etc/passwd", "/sign-out"])
def test_pages_without_a_session_are_guarded(trial: ConsoleTrial, path: str) -> None:
    assert_guarded(Visitor(trial["hk"]).get(path))


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../../../../../etc/passwd",
        "/static/..%2f..%2f..%2f..%2f..%2fetc/passwd",
        "/static/%2e%2e/%2e%2e/app.py",
        "/static//etc/passwd",
        "/static/....//app.py",
        "/static/\\..\\app.py",
        "/static/css/",
        "/static/",
    ],
)
def test_static_files_are_the_consoles_alone(trial: ConsoleTrial, path: str) -> None:
    answer = Visitor(trial["hk"]).get(path)
    assert answer.status in (400, 403, 404)
    assert "root:" not in answer.text
    assert "import annotations" not in answer.text


ELSEWHERE = [
    f"https://{EVIL}/", f"//{EVIL}", f"/\\{EVIL}", f"\\\\{EVIL}", f"/%5c{EVIL}", f"/\t/{EVIL}", f"/\r\n//{EVIL}",
    f"https:{EVIL}", f"javascript:alert('{EVIL}')", f"data:text/html,{EVIL}", f"http://localhost@{EVIL}",
    f"///{EVIL}", f"/x\r\nLocation: https://{EVIL}", f"/x\r\nSet-Cookie: {EVIL}=1",
]  # fmt: skip


@pytest.fixture(scope="module")
def hk(trial: ConsoleTrial) -> Office:
    return trial["hk"]


@pytest.fixture(scope="module")
def newcomer(trial: ConsoleTrial, hk: Office) -> str:
    """Whose language and colours are changed here."""
    return trial.run(hk.newcomer("auditor"))


@pytest.mark.parametrize("where", ELSEWHERE)
def test_sign_in_leads_to_no_other_site(hk: Office, newcomer: str, where: str) -> None:
    visitor = Visitor(hk)
    form = {"csrf": visitor.csrf("/sign-in"), "person": newcomer, "password": hk.passwords[newcomer], "next": where}
    answer = visitor.post("/sign-in", form)
    assert answer.status == 303
    assert leads_inside(answer.location)
    assert not any(EVIL in line for line in answer.set_cookies)
    for path in ("/language", "/theme"):
        answer = visitor.post(path, {"csrf": visitor.csrf(HOME), "language": "pt", "theme": "dark", "back": where})
        assert leads_inside(answer.location), path


def leads_inside(location: str) -> bool:
    """Whether a browser stays at the console: a path, and not one that browsers read as a host."""
    return location.startswith("/") and not location.startswith(("//", "/\\", "/\t", "/\r", "/\n"))


@pytest.mark.parametrize("where", ELSEWHERE)
def test_the_page_of_sign_in_doesnt_carry_another_site(hk: Office, where: str) -> None:
    from urllib.parse import quote

    text = Visitor(hk).get(f"/sign-in?next={quote(where, safe='')}").text
    assert f'href="{where}' not in text
    assert f'value="https://{EVIL}' not in text
    assert f'value="//{EVIL}' not in text


@pytest.mark.parametrize("host", [EVIL, f"{EVIL}:80", "127.0.0.1", "localhost", "", "localhost:1", f"localhost.{EVIL}"])
def test_another_host_is_refused(trial: ConsoleTrial, host: str) -> None:
    answer = Visitor(trial["hk"]).get("/sign-in", Host=host)
    assert answer.status in (400, 421)
    assert EVIL not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Forwarded_Host": EVIL},
        {"Forwarded": f"host={EVIL};proto=https"},
        {"X_Forwarded_Proto": "https", "X_Forwarded_Prefix": f"//{EVIL}"},
        {"X_Original_URL": f"https://{EVIL}/", "X_Rewrite_URL": "/operations"},
        {"X_HTTP_Method_Override": "POST"},
        {"Accept_Language": f'../../{EVIL}, "><script>'},
        {"Referer": f"https://{EVIL}/"},
    ],
    ids=str,
)
def test_headers_of_a_request_decide_nothing(trial: ConsoleTrial, headers: dict[str, str]) -> None:
    answer = Visitor(trial["hk"]).get(HOME, **headers)
    assert answer.location.startswith("/sign-in")
    answer = Visitor(trial["hk"]).get("/sign-in", **headers)
    assert answer.status == 200
    assert EVIL not in answer.text


@pytest.mark.parametrize("value", ["../../../etc", "xx", "", "<script>", "zh" * 500])
def test_cookies_of_preferences_decide_nothing_but_looks(trial: ConsoleTrial, value: str) -> None:
    answer = Visitor(trial["hk"]).send("GET", "/sign-in", Cookie=f"language={value}; theme={value[:20]}")
    assert answer.status == 200
    assert "<script>" not in answer.text
    assert "zhzh" not in answer.text
