"""Fetches the keys of the identity provider, and again when it has new ones."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from gateway.errors import UnavailableError
from gateway.persons.rules.policy import OidcPolicy

KEEP_S = 3_600.0
"""Seconds for which keys are kept: how long one that the provider has withdrawn still counts."""

AGAIN_S = 30.0
"""Least seconds between two fetches for unknown keys, so that tokens with made-up key ids cause no flood."""

TIMEOUT_S = 5.0
MAX_DOCUMENT_BYTES = 256 * 1024
"""Largest document of the provider."""

_DISCOVERY = "/.well-known/openid-configuration"


class ProviderKeys:
    """The provider's signing keys; thread-safe, and blocks for a fetch."""

    def __init__(self, policy: OidcPolicy, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._policy = policy
        self._monotonic_s = monotonic_s
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._fetched_s = 0.0

    def for_key(self, key_id: str) -> KeySet:
        """Keys that have this one, if the provider has it (any without an id).

        Raises:
            UnavailableError: the provider doesn't answer, or not with keys.
        """
        with self._lock:
            age_s = self._monotonic_s() - self._fetched_s
            keys = self._keys
            unknown = keys is None or (bool(key_id) and key_id not in [key.kid for key in keys.keys])
            if keys is None or age_s > KEEP_S or (unknown and age_s > AGAIN_S):
                keys = self._keys = self._fetch()
                self._fetched_s = self._monotonic_s()
            return keys

    def _fetch(self) -> KeySet:
        try:
            with httpx.Client(timeout=TIMEOUT_S, verify=_anchors(self._policy.ca_pem), trust_env=False) as client:
                found = _document(client, self._policy.issuer.rstrip("/") + _DISCOVERY)
                if found.get("issuer") != self._policy.issuer:
                    raise UnavailableError(f"the identity provider says that it is {found.get('issuer')!r}")
                return KeySet.import_key_set(_document(client, str(found["jwks_uri"])))  # type: ignore[arg-type]
        except (httpx.HTTPError, httpx.InvalidURL, JoseError, ValueError, KeyError, TypeError) as error:
            raise UnavailableError(
                f"the identity provider {self._policy.issuer} doesn't give its keys: {type(error).__name__}"
            ) from error


def _document(client: httpx.Client, url: str) -> dict[str, Any]:
    parts = httpx.URL(url)
    if parts.scheme != "https" and parts.host not in ("127.0.0.1", "localhost", "::1"):
        raise ValueError(f"{url} isn't an https URL")
    with client.stream("GET", url, headers={"accept": "application/json"}) as response:
        response.raise_for_status()
        body = b""
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > MAX_DOCUMENT_BYTES:
                raise ValueError(f"{url} gives more than {MAX_DOCUMENT_BYTES} bytes")
    document = httpx.Response(200, content=body).json()
    if not isinstance(document, dict):
        raise ValueError(f"{url} gives no object")
    return document


def _anchors(ca_pem: str) -> Any:
    import ssl  # noqa: PLC0415  where a provider is set

    context = ssl.create_default_context()
    if ca_pem:
        context = ssl.create_default_context(cadata=ca_pem)
    return context
