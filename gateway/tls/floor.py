"""Sets the minimum TLS version to 1.3 and silences gRPC's log before gRPC is imported.

gRPC for Python has no setting for the version. Its cipher suite list governs TLS 1.2 alone, so a list of one
pre-shared-key suite, for which no key exists, leaves TLS 1.2 without a suite. gRPC reads the list from the environment
at its import and never again (measured). `gateway` imports this module first.

gRPC's own log would write names in TLS handshakes and texts of errors to standard error, with newlines and escape
sequences as they came, as often as a stranger likes. What matters comes as an error of a call; the gateway logs that.
"""

from __future__ import annotations

import os
import sys

from gateway.errors import ConfigurationError

FLOOR_VARIABLE = "GRPC_SSL_CIPHER_SUITES"
NO_TLS12_SUITE = "ECDHE-PSK-CHACHA20-POLY1305"


LOG_VARIABLE = "GRPC_VERBOSITY"
NO_LOG = "NONE"
TRACE_VARIABLE = "GRPC_TRACE"


def _set_floor() -> bool:
    if "grpc" not in sys.modules:
        os.environ[FLOOR_VARIABLE] = NO_TLS12_SUITE
        os.environ[LOG_VARIABLE] = NO_LOG
        os.environ.pop(TRACE_VARIABLE, None)
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
