"""Runs a `gateway` command as somebody at a terminal would, and reads its report.

What the command does is the product's.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from demo.play import StuckError
from demo.stage import clean_environment

_COMMAND = (sys.executable, "-P", "-m", "gateway.cli.main")
"""`-P`: what lies in the folder where it runs isn't imported."""


async def run_gateway(*arguments: str, folder: Path) -> tuple[int, Any]:
    """Runs `gateway ARGUMENTS --json` in a folder, without any setting from the environment.

    Returns:
        The exit code, and the report as parsed JSON.

    Raises:
        StuckError: it reported nothing; the message is what it said instead.
    """
    process = await asyncio.create_subprocess_exec(
        *_COMMAND,
        *arguments,
        "--json",
        cwd=folder,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=clean_environment(),
        start_new_session=True,
    )
    try:
        said, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if not said:
        what = " ".join(arguments[:2])
        raise StuckError(f"gateway {what} ended with exit code {process.returncode}: {complaint.decode().strip()}")
    return process.returncode or 0, json.loads(said)
