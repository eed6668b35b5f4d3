"""Runs the tests with pytest's arguments; a few that failed run once more: `python -m scripts.run_tests -k feed`.

Whole nodes, databases and browsers share the machine's cores in a run, and a test of them may run out of time for that
alone. Failing twice, the second time with the machine to itself, fails the run. A test that passes then is named at the
end: it is unsteady, which is a defect of the test or of the product.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import pytest

MOST: Final = 5
"""Tests that get a second try: where more failed, the cause isn't how busy the machine was."""


class Failures:
    """Collects the ids of tests that failed, in their set-up and clean-up too, once each."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Each report of each worker."""
        if report.failed and report.nodeid not in self.ids:
            self.ids.append(report.nodeid)


def main(arguments: Sequence[str]) -> int:
    """Exit code of pytest; 0 also where all that failed passed on the second try."""
    failures = Failures()
    code = int(pytest.main(list(arguments), plugins=[failures]))
    if code != pytest.ExitCode.TESTS_FAILED or not 0 < len(failures.ids) <= MOST:
        return code
    print(f"\nOnce more, alone: {len(failures.ids)} of the tests failed.", flush=True)
    second = [sys.executable, "-m", "pytest", "--quiet", *failures.ids]
    if (code := subprocess.run(second, check=False).returncode) == pytest.ExitCode.OK:
        for name in failures.ids:
            print(f"UNSTEADY: {name} failed beside other tests and passed alone. Mend it, or what it tests.")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
