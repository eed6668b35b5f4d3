"""Rules that are compiled at a node's start aren't compiled again for its first caller."""

from __future__ import annotations

import subprocess
import sys

FIRST_AND_SECOND = """
import sys
from gateway.contract.validation import violations
from gateway.rpc.request_rules import compile_rules
from gateway.v1.alert_service_pb2 import PublishAlertRequest

entered = 0

def count(_frame, event, _argument):
    global entered
    entered += event == "call"

def calls():
    global entered
    entered = 0
    sys.setprofile(count)
    found = violations(PublishAlertRequest())
    sys.setprofile(None)
    assert found
    return entered

if sys.argv[1:]:
    compile_rules(sys.argv[1:])
print(calls(), calls())
"""
PUBLISH = "/gateway.v1.AlertService/PublishAlert"


def calls(*compiled: str) -> tuple[int, int]:
    """Functions that a fresh process enters for the first broken request, and for the second."""
    command = [sys.executable, "-c", FIRST_AND_SECOND, *compiled]
    first, second = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return int(first), int(second)


def test_the_first_caller_finds_the_rules_compiled() -> None:
    first, second = calls(PUBLISH)
    assert first == second


def test_without_that_it_would_compile_them() -> None:
    first, second = calls()
    assert first > 10 * second


def test_a_method_that_nobody_has_loaded_has_no_rules() -> None:
    first, second = calls("/example.v1.NoService/None", PUBLISH)
    assert first == second
