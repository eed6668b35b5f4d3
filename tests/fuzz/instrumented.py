"""Imports the targets with the product's code instrumented for coverage, where atheris is installed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import redirect_stderr
from importlib.util import find_spec
from io import StringIO

from tests.fuzz.target import Target

GUIDED = find_spec("atheris") is not None
"""Whether coverage guides the inputs."""

if GUIDED:
    import atheris

    with redirect_stderr(StringIO()), atheris.instrument_imports(include=["gateway"], enable_loader_override=False):
        from tests.fuzz import all_targets
else:
    from tests.fuzz import all_targets

assert all_targets.TARGETS


def fuzz(target: Target, arguments: Sequence[str]) -> None:
    """Runs libFuzzer until its time is over or something is found. Ends the process."""
    atheris.Setup([sys.argv[0], *arguments], target)
    atheris.Fuzz()
