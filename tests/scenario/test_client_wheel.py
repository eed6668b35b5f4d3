"""The client as a wheel of its own: built, installed alone with what it requires, and used against a node."""

from __future__ import annotations

import re
import subprocess
import tomllib
import venv
import zipfile
from email.message import Message
from email.parser import Parser
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tests.support.federation import Federation, alert

ROOT = Path(__file__).parents[2]

PUBLISH_AND_READ = """
import sys
from pathlib import Path

from gateway.client import AlertContent, AlertReference, GatewayClient, run_blocking

address, folder, system, content = sys.argv[1:]
files = {
    "ca": Path(folder) / "ca.pem",
    "certificate": Path(folder) / "systems" / f"{system}.pem",
    "key": Path(folder) / "systems" / f"{system}.key",
}


async def work(client):
    published = await client.publish(AlertContent.FromString(Path(content).read_bytes()), ["hk"])
    found = await client.get_alert(AlertReference(publisher=client.node_name, alert_id=published.alert_id))
    print(published.alert_id, found.alert.id, found.alert.content.case_reference)


run_blocking(lambda: GatewayClient.connect(address, **files), work)
print(sorted({name.partition(".")[0] for name, module in sys.modules.items() if hasattr(module, "__file__")}))
print(*(module.__file__ for name, module in sys.modules.items() if name.startswith("gateway")))
"""


def required(metadata: Message) -> set[str]:
    """Names of the distributions that a distribution requires without extras."""
    lines = metadata.get_all("Requires-Dist") or []
    return {re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in lines if "extra ==" not in line}


def with_requirements(names: set[str]) -> dict[str, Distribution]:
    """The distributions here, with all that they require in turn; those for other platforms aren't here."""
    found: dict[str, Distribution] = {}
    waiting = set(names)
    while waiting:
        name = waiting.pop()
        try:
            found[name] = distribution(name)
        except ModuleNotFoundError:
            continue
        waiting |= required(found[name].metadata) - set(found)
    return found


def installed(wheel: Path, environment: Path) -> Path:
    """Installs a wheel into an empty environment with what it requires; returns the interpreter.

    What it requires is linked from this environment, so that no registry is needed.
    """
    venv.create(environment, with_pip=False, system_site_packages=False)
    (packages,) = environment.glob("lib/python3*/site-packages")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(packages)
    (metadata,) = packages.glob("customs_gateway_client-*.dist-info/METADATA")
    for one in with_requirements(required(Parser().parsestr(metadata.read_text(encoding="utf-8")))).values():
        for file in one.files or ():
            target = packages / file
            if ".." not in file.parts and not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(file.locate())
    return environment / "bin" / "python"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("client")
    (wheel,) = WheelBuilder(str(ROOT / "packaging" / "client")).build(directory=str(folder))
    return installed(Path(wheel), folder / "environment")


def run(python: Path, code: str, *arguments: object) -> list[str]:
    # In a folder of its own and without this environment's variables: nothing else may be found.
    done = subprocess.run(
        [python, "-I", "-c", code, *map(str, arguments)],
        cwd=python.parent,
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_the_client_alone_publishes_and_reads_an_alert(federation: Federation, python: Path, tmp_path: Path) -> None:
    federation.start("cn")
    cn = federation["cn"]
    content = tmp_path / "content"
    content.write_bytes(alert().SerializeToString())
    ids, roots, files = run(
        python, PUBLISH_AND_READ, f"127.0.0.1:{cn.local_port}", cn.folder.ca.parent, "publisher", content
    )
    published, read, case_reference = ids.split()
    assert (published, case_reference) == (read, alert().case_reference)
    assert {"gateway", "grpc", "cryptography"} <= set(re.findall(r"\w+", roots))
    assert all(Path(file).is_relative_to(python.parents[1]) for file in files.split())


def test_nothing_of_a_server_is_there(python: Path) -> None:
    names = "sqlalchemy alembic protovalidate cel_expr_python typer rich pydantic structlog stdnum prometheus_client"
    code = f"import importlib.util as u; print([n for n in {names.split()} if u.find_spec(n)])"
    assert run(python, code) == ["[]"]
    listed = "import pkgutil, gateway; print(*sorted(m.name for m in pkgutil.iter_modules(gateway.__path__)))"
    assert run(python, listed) == ["client contract errors files tls translation v1"]


@pytest.mark.drift
def test_the_client_requires_the_versions_that_the_gateway_requires() -> None:
    client, gateway = (
        set(tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["project"]["dependencies"])
        for path in ("packaging/client/pyproject.toml", "pyproject.toml")
    )
    assert client <= gateway


def test_every_module_of_the_wheel_can_be_imported(python: Path) -> None:
    code = (
        "import importlib, pkgutil, gateway\n"
        "names = [m.name for m in pkgutil.walk_packages(gateway.__path__, 'gateway.')]\n"
        "for name in names: importlib.import_module(name)\n"
        "print(len(names))"
    )
    assert int(run(python, code)[0]) > 50
