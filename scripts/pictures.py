"""Draws the pictures of docs/tutorial.md: what the commands of its blocks print, as SVG."""

from __future__ import annotations

import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
PICTURES = ROOT / "docs" / "pictures"
WIDTH = 80

SHOWN = {
    "trial": "gateway trial",
    "alert": "cn alert show $ALERT --system risk-engine",
    "evidence": "gateway evidence verify nodes/evidence.zip --directory nodes/directory.note",
}
"""Picture to the line of the tutorial that it shows."""

_MARK = "\x1e"


def main() -> None:
    """Runs the tutorial's blocks in a folder of their own, and draws."""
    text = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
    script = "\n".join(block.partition("```")[0] for block in text.split("```sh\n")[1:])
    script = script.replace("make setup\n", "")
    for name, line in SHOWN.items():
        assert f"\n{line}\n" in f"\n{script}", line
        script = f"\n{script}".replace(f"\n{line}\n", f"\nprintf '{_MARK}{name}\\n'\n{line}\nprintf '{_MARK}\\n'\n", 1)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / ".venv").symlink_to(sys.prefix)
        environment = {
            **os.environ, "COLUMNS": str(WIDTH), "FORCE_COLOR": "1", "TERM": "xterm-256color",
            "PATH": f"{Path(sys.prefix) / 'bin'}:{os.environ['PATH']}",
        }  # fmt: skip
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", script], cwd=folder, env=environment,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        subprocess.run([sys.executable, "-m", "gateway.cli.main", "trial", "--stop"], cwd=folder, check=False)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    PICTURES.mkdir(exist_ok=True)
    for part in done.stdout.split(_MARK)[1::2]:
        name, _, output = part.partition("\n")
        draw(name, output)


def draw(name: str, output: str) -> None:
    """Writes one picture; only its text depends on the run."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text(f"$ {SHOWN[name]}", style="bold"))
    console.print(Text.from_ansi(output.rstrip()))
    svg = console.export_svg(title=shlex.split(SHOWN[name])[0], unique_id=name)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # no font is fetched
    (PICTURES / f"{name}.svg").write_text(svg + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
