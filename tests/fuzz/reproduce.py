"""Tries inputs on a target: `python -m tests.fuzz.reproduce TARGET FILE …`. What breaks its property is raised."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.fuzz.all_targets import TARGETS


def main() -> None:
    name, *files = sys.argv[1:]
    for file in files:
        TARGETS[name](Path(file).read_bytes())
        print(f"{file}: the property holds")


if __name__ == "__main__":
    main()
