"""The floor depends on the order of imports, so each case runs in a process of its own."""

import os
import subprocess
import sys

import pytest

CREDENTIALS = """
from gateway.errors import ConfigurationError
from gateway.tls.floor import require_floor
try:
    require_floor()
except ConfigurationError as error:
    print("refused:", error)
else:
    print("floor")
"""


def run(code: str, **environment: str) -> str:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("GRPC_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=clean | environment, capture_output=True, text=True, timeout=30, check=True
    )
    return done.stdout


@pytest.mark.parametrize("module", ["gateway.rpc.listener.tls", "gateway.rpc.listener.server", "gateway.errors"])
def test_any_module_of_the_gateway_sets_the_floor_before_grpc_is_imported(module: str) -> None:
    watch = """
import os, sys
class Watch:
    def find_spec(self, name, path, target=None):
        if name == "grpc":
            print("floor at import:", os.environ.get("GRPC_SSL_CIPHER_SUITES"))
            print("log at import:", os.environ.get("GRPC_VERBOSITY"), os.environ.get("GRPC_TRACE"))
sys.meta_path.insert(0, Watch())
"""
    code = f"{watch}\nimport {module}\nimport grpc\n{CREDENTIALS}"
    expected = ["floor at import: ECDHE-PSK-CHACHA20-POLY1305", "log at import: NONE None", "floor"]
    assert run(code).splitlines() == expected
    assert run(code, GRPC_VERBOSITY="DEBUG", GRPC_TRACE="all").splitlines() == expected


def test_grpc_imported_first_is_refused_with_the_way_out() -> None:
    assert run(f"import grpc\n{CREDENTIALS}").startswith("refused: gRPC was imported before the gateway")


def test_grpc_imported_first_is_right_with_the_floor_in_the_environment() -> None:
    seen = run(f"import grpc\n{CREDENTIALS}", GRPC_SSL_CIPHER_SUITES="ECDHE-PSK-CHACHA20-POLY1305")
    assert seen == "floor\n"


def test_a_list_of_other_suites_in_the_environment_does_not_get_through() -> None:
    other = "ECDHE-ECDSA-AES128-GCM-SHA256"
    assert run(CREDENTIALS, GRPC_SSL_CIPHER_SUITES=other) == "floor\n"  # replaced in time
    assert run(f"import grpc\n{CREDENTIALS}", GRPC_SSL_CIPHER_SUITES=other).startswith("refused")


def test_credentials_and_listeners_ask_for_the_floor() -> None:
    code = """
import grpc
from gateway.errors import ConfigurationError
from gateway.rpc.listener.tls import channel_credentials, server_credentials
for make in (lambda: channel_credentials(b"", b"", b""), lambda: server_credentials(None)):
    try:
        make()
    except ConfigurationError as error:
        print("imported before" in str(error))
"""
    assert run(code) == "True\nTrue\n"
