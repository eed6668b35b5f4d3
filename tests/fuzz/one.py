"""Runs one target under atheris: `python -m tests.fuzz.one TARGET [libFuzzer's arguments]`. Started by `run`."""

from __future__ import annotations

import sys

import atheris


def main() -> None:
    name, *arguments = sys.argv[1:]
    with atheris.instrument_imports(include=["gateway"], enable_loader_override=False):
        from tests.fuzz.all_targets import TARGETS
    atheris.Setup([sys.argv[0], *arguments], TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
