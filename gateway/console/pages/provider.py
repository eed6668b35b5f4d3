"""Sign-in at the authority's identity provider: OpenID Connect's code flow with PKCE, by Authlib.

1. The browser goes to the provider with a state, a nonce and a PKCE challenge; what belongs to them is in a cookie.
2. It comes back with a code and the state of that cookie: no other browser's answer is taken.
3. The console fetches the ID token with the code and the PKCE verifier.
4. The node verifies the token, with the nonce: this console only hands it on.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import secrets
import ssl
import time
import warnings
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from gateway.console.form import own_path
from gateway.console.page import console_of, form, page_route
from gateway.console.pages.sign_in import begin, device_of, sign_in_page
from gateway.console.settings import OidcSection
from gateway.errors import ConfigurationError, NotFoundError, SignInRefusedError, UnavailableError
from gateway.translation.messages import gettext as _

if TYPE_CHECKING:
    from authlib.integrations.httpx_client import AsyncOAuth2Client

log = logging.getLogger(__name__)

CALLBACK: Final = "/sign-in/provider/back"
WAIT_S: Final = 600
"""Seconds for a sign-in at the provider."""

TIMEOUT_S: Final = 10.0
MAX_COOKIE_CHARS: Final = 2_048

DISCOVERY_S: Final = 3_600.0
"""Seconds for which the provider's addresses hold."""

FAILURE_S: Final = 5.0
"""Seconds after which a provider that didn't answer is asked again; until then known addresses go on being used."""

_DISCOVERY: Final = "/.well-known/openid-configuration"
_ENDPOINTS: Final = ("issuer", "authorization_endpoint", "token_endpoint")


@dataclass(frozen=True, slots=True)
class _Flow:
    """What a browser that went to the provider has in its cookie."""

    state: str
    nonce: str
    verifier: str
    where: str

    def written(self) -> str:
        return urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @classmethod
    def read(cls, text: str) -> _Flow | None:
        """The flow of a cookie; None for anything else."""
        try:
            document = json.loads(urlsafe_b64decode(text[:MAX_COOKIE_CHARS].encode("ascii")))
            flow = cls(**document)
        except (ValueError, TypeError):
            return None
        return flow if all(isinstance(value, str) and value for value in asdict(flow).values()) else None


async def go(request: Request) -> Response:
    """1."""
    oidc = _section(request)
    flow = _Flow(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(64),
        where=own_path(request.query_params.get("next", "/")),
    )
    async with _client(request, oidc) as provider:
        endpoints = await _discovery(request).endpoints(provider, oidc)
        url, _state = provider.create_authorization_url(
            endpoints["authorization_endpoint"], state=flow.state, nonce=flow.nonce, code_verifier=flow.verifier
        )
    response = RedirectResponse(url, status_code=303)
    response.set_cookie(
        _cookie(request), flow.written(), max_age=WAIT_S, path="/", secure=True, httponly=True, samesite="lax"
    )
    return response


async def come_back(request: Request) -> Response:
    """2 to 4."""
    oidc, query = _section(request), request.query_params
    flow = _Flow.read(request.cookies.get(_cookie(request), ""))
    state, code = query.get("state", ""), query.get("code", "")
    if flow is None or not code or not hmac.compare_digest(state.encode(), flow.state.encode()):  # 2
        return await _refused(request)
    try:
        id_token = await _id_token(request, oidc, flow, code)  # 3
        persons = console_of(request).client.persons
        signed_in = await persons.sign_in_with_id_token(id_token, flow.nonce, device=device_of(request))  # 4
    except SignInRefusedError:
        return await _refused(request)
    response = begin(request, signed_in, where=flow.where)
    _forget(request, response)
    return response


async def _id_token(request: Request, oidc: OidcSection, flow: _Flow, code: str) -> str:
    """Raises SignInRefusedError for a code that the provider doesn't take, UnavailableError where it doesn't answer."""
    from authlib.common.errors import AuthlibBaseError  # noqa: PLC0415  where a provider is set

    async with _client(request, oidc) as provider:
        endpoints = await _discovery(request).endpoints(provider, oidc)
        try:
            token = await provider.fetch_token(endpoints["token_endpoint"], code=code, code_verifier=flow.verifier)
        except (AuthlibBaseError, ValueError) as error:
            raise SignInRefusedError(f"the provider refuses the code: {error}") from error
        except httpx.HTTPError as error:
            raise _unavailable(oidc, error) from error
    id_token = token.get("id_token")
    if not isinstance(id_token, str):
        raise SignInRefusedError("the provider gave no ID token")
    return id_token


async def _refused(request: Request) -> Response:
    form(request).problems[""] = _("The identity provider didn't sign you in. Try again.")
    response = await sign_in_page(request, status=401)
    _forget(request, response)
    return response


def _client(request: Request, oidc: OidcSection) -> AsyncOAuth2Client:
    from authlib.deprecate import AuthlibDeprecationWarning  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AuthlibDeprecationWarning)  # it announces httpx2, which isn't there yet
        from authlib.integrations.httpx_client import AsyncOAuth2Client  # noqa: PLC0415  where a provider is set

    secret = ""
    if oidc.client_secret_file is not None:
        try:
            secret = oidc.client_secret_file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"oidc.client_secret_file: {error}") from error
    return AsyncOAuth2Client(
        client_id=oidc.client_id,
        client_secret=secret or None,
        token_endpoint_auth_method="client_secret_basic" if secret else "none",
        scope=" ".join(oidc.scopes),
        redirect_uri=console_of(request).settings.public_origin + CALLBACK,
        code_challenge_method="S256",
        timeout=TIMEOUT_S,
        trust_env=False,
        verify=_trust(oidc.ca),
    )


class Discovery:
    """What the identity provider says of itself, asked for once an hour however many persons sign in.

    A failure holds for some seconds, so that a provider that is away isn't waited for by each.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asking = asyncio.Lock()
        self._found: dict[str, str] = {}
        self._problem: UnavailableError | None = None
        self._until_s = 0.0

    async def endpoints(self, provider: AsyncOAuth2Client, oidc: OidcSection) -> dict[str, str]:
        """Addresses by name.

        Raises:
            UnavailableError: it doesn't answer, or isn't one, and hasn't been before.
        """
        async with self._asking:
            if self._clock() >= self._until_s:
                try:
                    self._found, self._problem = await _asked(provider, oidc), None
                    self._until_s = self._clock() + DISCOVERY_S
                except UnavailableError as error:
                    self._problem = error
                    self._until_s = self._clock() + FAILURE_S
        if not self._found:
            raise self._problem or UnavailableError(f"{oidc.issuer} doesn't answer")
        return self._found


async def _asked(provider: AsyncOAuth2Client, oidc: OidcSection) -> dict[str, str]:
    try:
        answer = await provider.request("GET", oidc.issuer.rstrip("/") + _DISCOVERY, withhold_token=True)
        answer.raise_for_status()
        document: Any = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise _unavailable(oidc, error) from error
    found = {name: str(document.get(name, "")) for name in _ENDPOINTS} if isinstance(document, dict) else {}
    if found.get("issuer") != oidc.issuer or not all(found.values()):
        raise UnavailableError(f"{oidc.issuer} doesn't describe itself as an identity provider")
    return found


@cache
def _trust(ca: Path | None) -> ssl.SSLContext:
    """Made once: it reads some hundred authorities."""
    return ssl.create_default_context(cafile=str(ca) if ca else None)


def _discovery(request: Request) -> Discovery:
    present: Discovery | None = getattr(request.app.state, "discovery", None)
    if present is None:
        present = request.app.state.discovery = Discovery()
    return present


def _unavailable(oidc: OidcSection, error: Exception) -> UnavailableError:
    log.warning("the identity provider doesn't answer: %s", error)
    return UnavailableError(f"the identity provider {oidc.issuer} doesn't answer")


def _section(request: Request) -> OidcSection:
    oidc = console_of(request).settings.oidc
    if oidc is None:
        raise NotFoundError("this console's settings name no identity provider")
    return oidc


def _cookie(request: Request) -> str:
    return f"__Host-provider-{console_of(request).client.node_name}"


def _forget(request: Request, response: Response) -> None:
    response.delete_cookie(_cookie(request), path="/", secure=True, httponly=True, samesite="lax")


routes = [
    page_route("/sign-in/provider", go, public=True),
    page_route(CALLBACK, come_back, public=True),
]
