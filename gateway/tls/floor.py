"""Sets the minimum TLS version to 1.3 before gRPC is imported.

gRPC for Python has no setting for this. Its cipher suite list governs TLS 1.2 alone, so a list of one pre-shared-key
suite, for which no key exists, leaves TLS 1.2 without a suite. gRPC reads the list from the environment at its import
and never again (measured). `gateway` imports this module first.
"""

from __future__ import annotations

import os
import sys

from gateway.errors import ConfigurationError

FLOOR_VARIABLE = "GRPC_SSL_CIPHER_SUITES"
NO_TLS12_SUITE = "ECDHE-PSK-CHACHA20-POLY1305"


def _set_floor() -> bool:
    if "grpc" not in sys.modules:
        os.environ[FLOOR_VARIABLE] = NO_TLS12_SUITE
    return os.environ.get(FLOOR_VARIABLE) == NO_TLS12_SUITE


FLOOR_SET = _set_floor()
"""Whether the floor was set in time; without it no credentials can be made."""


def require_floor() -> None:
    """Raises ConfigurationError if gRPC was imported before the gateway, without the floor in the environment."""
    if not FLOOR_SET:
        raise ConfigurationError(
            "gRPC was imported before the gateway, so it would accept TLS 1.2; import `gateway` first, or start the "
            f"process with {FLOOR_VARIABLE}={NO_TLS12_SUITE} in its environment"
        )
