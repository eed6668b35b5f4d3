"""Tables that a new migration is made from: one that isn't registered would be dropped by it."""

from __future__ import annotations

import subprocess
import sys

UNREGISTERED = """
from importlib import import_module
from pkgutil import walk_packages

import gateway
from gateway.node.projections import metadata

registered = set(metadata.tables)
for module in walk_packages(gateway.__path__, "gateway."):
    if ".tables" in module.name:
        import_module(module.name)
print(len(registered), *sorted(set(metadata.tables) - registered))
"""


def test_every_table_is_registered() -> None:
    """In a process of its own: here other tests have imported what declares tables."""
    ran = subprocess.run([sys.executable, "-c", UNREGISTERED], capture_output=True, text=True, check=True, timeout=60)
    number, *unregistered = ran.stdout.split()
    assert int(number) > 100
    assert unregistered == []
