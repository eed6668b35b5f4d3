"""What import-linter can't see: forbidden calls of allowed modules, and a service that its list lacks."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = (
    *(str(path.relative_to(ROOT)) for path in sorted(ROOT.glob("gateway/*/rules*"))),
    "gateway/contract/identification",
    "gateway/contract/ids.py",
    "gateway/risk/announcements.py",
    "gateway/risk/controlled_goods.py",
    "gateway/risk/validity.py",
    "gateway/tlog",
    "gateway/errors.py",
)

IMPURE_CALLS = frozenset(
    {
        # the clock
        *("now", "utcnow", "today", "time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "localtime"),
        # randomness
        *("random", "randbytes", "urandom", "token_bytes", "uuid1", "uuid3", "uuid4", "uuid5", "uuid6", "uuid7"),
        *("uuid8", "getnode", "generate", "generate_key"),
        # I/O
        *("open", "print", "input", "read_text", "read_bytes", "write_text", "write_bytes", "breakpoint"),
        # ways around imports
        *("__import__", "eval", "exec", "compile"),
    }
)
OWN_PURE_FUNCTIONS = frozenset({"uuid7"})
"""gateway.contract.ids.uuid7 takes time and randomness as parameters."""
PURE_METHODS_OF = frozenset({("re", "compile")})


def impure_calls(source: str) -> Iterator[str]:
    """Names of the calls in a module that read a clock, make randomness or do I/O, each with its line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            base, _, name = called.rpartition(".")
            if name in IMPURE_CALLS and (base, name) not in PURE_METHODS_OF and called not in OWN_PURE_FUNCTIONS:
                yield f"{node.lineno}: {called}()"


def pure_modules() -> Iterator[Path]:
    for entry in PURE:
        path = ROOT / entry
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


@pytest.mark.drift
def test_model_and_tlog_take_time_randomness_and_bytes_as_parameters() -> None:
    found = {str(path.relative_to(ROOT)): list(impure_calls(path.read_text("utf-8"))) for path in pure_modules()}
    assert len(found) > 80
    assert {name: calls for name, calls in found.items() if calls} == {}


@pytest.mark.drift
@pytest.mark.parametrize(
    "source",
    [
        "datetime.datetime.now(UTC)",
        "datetime.now()",
        "date.today()",
        "datetime.utcnow()",
        "uuid.uuid4()",
        "uuid.uuid7()",
        "open('x')",
        "Ed25519PrivateKey.generate()",
        "__import__('os')",
        "def f():\n  return [x for x in g(time.time())]",
    ],
)
def test_forbidden_calls_are_found(source: str) -> None:
    assert len(list(impure_calls(source))) == 1


@pytest.mark.drift
def test_the_contract_on_grpc_lists_every_service() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (forbidden,) = [
        set(contract["forbidden_modules"])
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["name"].startswith("gRPC")
    ]
    services = {f"gateway.v1.{path.stem}_pb2_grpc" for path in ROOT.glob("protos/gateway/v1/*_service.proto")}
    assert services
    assert {name for name in forbidden if name.endswith("_pb2_grpc")} == services


def test_a_node_starts_without_the_vocabularies_of_names() -> None:
    """They take seconds to load: what needs them runs in processes of its own."""
    heavy = ("gateway.screening.prepared_name", "opencc", "pypinyin", "ToJyutping")
    code = f"import sys, gateway.node.assembly.node; print([one for one in {heavy} if one in sys.modules])"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)

    assert said.stdout.strip() == "[]"


def test_a_node_starts_without_the_libraries_of_persons() -> None:
    """Only a node whose settings have [persons] loads them."""
    heavy = ("argon2", "webauthn", "joserfc", "httpx", "authlib", "gateway.persons.rpc")
    code = f"import sys, gateway.node.assembly.node; print([one for one in {heavy} if one in sys.modules])"

    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)

    assert said.stdout.strip() == "[]"


def test_one_class_name_occurs_once_in_the_package() -> None:
    """A reader who searches for a name finds one class; private names and generated code aside."""
    places: dict[str, list[str]] = {}
    package = ROOT / "gateway"
    for path in sorted(package.rglob("*.py")):
        if path.parent.name == "v1":
            continue
        for name in re.findall(r"^class ([A-Za-z]\w*)", path.read_text(), re.MULTILINE):
            places.setdefault(name, []).append(str(path.relative_to(package)))
    assert {name: files for name, files in places.items() if len(files) > 1} == {}
