"""Builds the clients of other languages and runs them against three nodes: python examples/check.py [LANGUAGE …].

Without languages: those whose tools are there; what is left out is said.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

EXAMPLES = Path(__file__).parent
BIN = Path(sys.prefix) / "bin"
PORT = 20_000 + os.getpid() % 10_000
"""cn's port for partners; its systems' is the next. Another in every run, since several may run at once."""

JARS = Path("/usr/share/java")
GO_LIBRARIES = Path("/usr/share/gocode")

_ENVIRONMENT = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
_PATIENCE_S = 900


class MissingToolError(Exception):
    """A language can't be built here."""


def main(languages: Sequence[str]) -> int:
    """Checks each; the exit code says whether all that could be built did what they should."""
    with tempfile.TemporaryDirectory() as folder:
        commands: dict[str, list[str]] = {}
        for language in languages or tuple(BUILDS):
            try:
                commands[language] = BUILDS[language](Path(folder))
            except MissingToolError as missing:
                print(f"{language}: left out, {missing}")
                if languages:
                    return 1
        trial = Path(folder) / "trial"
        gateway("trial", trial, "--port", PORT)
        try:
            for language, command in commands.items():
                if not command:
                    continue
                check(command, trial)
                print(f"{language}: publishes, lists, watches, and names a refusal")
        finally:
            gateway("trial", trial, "--stop")
    return 0


def check(command: Sequence[str], trial: Path) -> None:
    """What each client must do."""
    alert = str(trial / "alert.json")
    published = run(command, "publish", alert, "hk")
    assert f"cn/{published}" in run(command, "list").splitlines()
    assert f"cn/{published}" in run(command, "list", "recipient = hk AND case_reference = CN-2026-0117").splitlines()
    position, name, *_ = run(command, "watch", "1").split()
    assert int(position) > 0
    assert name.startswith("cn/")
    refused = subprocess.run(
        [*command, "publish", alert, "zz"], capture_output=True, text=True, check=False, timeout=_PATIENCE_S
    )
    assert refused.returncode == 1, refused
    assert "INVALID" in refused.stderr, refused.stderr
    assert "isn't a partner" in refused.stderr, refused.stderr


def typescript(folder: Path) -> list[str]:
    """Compiled in its folder, where npm has installed what it needs."""
    need("node", "npm")
    here = EXAMPLES / "typescript"
    if not (here / "node_modules").is_dir():
        raise MissingToolError("`npm ci` hasn't run in examples/typescript")
    build(["npm", "run", "--silent", "build"], here)
    return ["node", str(here / "dist" / "main.js"), *options(folder / "trial", "--")]


def go(folder: Path) -> list[str]:
    """Compiled as a GOPATH tree against Debian's libraries: module mode would ask the network."""
    need("go", "protoc-gen-go", "protoc-gen-go-grpc")
    if not (GO_LIBRARIES / "src" / "google.golang.org" / "grpc").is_dir():
        raise MissingToolError("Debian's golang-google-grpc-dev isn't installed")
    here = folder / "go" / "src" / "example.org" / "customs"
    shutil.copytree(EXAMPLES / "go", here, ignore=shutil.ignore_patterns("gen"))
    build(["buf", "generate", "--template", "buf.gen.yaml", str(EXAMPLES.parent)], here)
    build(
        ["go", "build", "-o", str(folder / "client"), "."], here,
        {"GO111MODULE": "off", "GOPATH": f"{folder / 'go'}:{GO_LIBRARIES}", "GOFLAGS": ""},
    )  # fmt: skip
    return [str(folder / "client"), *options(folder / "trial", "-")]


def java(_folder: Path) -> list[str]:
    """Compiled against Debian's libraries."""
    need("javac", "protoc", "grpc_java_plugin")
    jars = ":".join(str(jar) for jar in sorted(JARS.glob("*.jar")) if not _versioned(jar))
    build([str(EXAMPLES / "java" / "compile"), jars], EXAMPLES / "java")
    print("java: compiles; it isn't run, since Debian's Netty (4.1.48) has no ALPN with Java's own TLS")
    return []


BUILDS: Mapping[str, Callable[[Path], list[str]]] = {"typescript": typescript, "go": go, "java": java}


def options(trial: Path, dashes: str) -> list[str]:
    """Address and files of cn's risk engine."""
    pki = trial / "cn" / "pki"
    system = pki / "systems" / "risk-engine"
    values = {"address": f"127.0.0.1:{PORT + 1}", "ca": pki / "ca.pem", "cert": f"{system}.pem", "key": f"{system}.key"}
    return [str(word) for name, value in values.items() for word in (f"{dashes}{name}", value)]


def need(*tools: str) -> None:
    """Raises MissingToolError."""
    for tool in tools:
        if shutil.which(tool, path=_ENVIRONMENT["PATH"]) is None:
            raise MissingToolError(f"{tool} isn't installed")


def build(command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None) -> None:
    """Runs a step; its output is shown when it fails."""
    done = subprocess.run(
        command, cwd=folder, env={**_ENVIRONMENT, **(variables or {})}, capture_output=True, text=True, check=False,
        timeout=_PATIENCE_S,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{command[0]} fails in {folder}:\n{done.stdout}{done.stderr}")


def run(command: Sequence[str], *words: str) -> str:
    """What a client prints; it must succeed."""
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    if done.returncode:
        raise SystemExit(f"{words}: {done.stderr}")
    return done.stdout.strip()


def gateway(*words: object) -> None:
    """Runs the command line of this environment."""
    subprocess.run([str(BIN / "gateway"), *map(str, words)], check=True, stdout=subprocess.DEVNULL)


def _versioned(jar: Path) -> bool:
    return re.search(r"-\d+\.\d[\w.]*$", jar.stem) is not None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
