import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from gateway.errors import ConfigurationError
from gateway.trust.codec.permissions import load_permissions, parse_permissions
from gateway.trust.rules.permissions import Approval, Permission, Role

PROTOS = Path(__file__).parents[4] / "protos"
SERVICE_FILES = sorted((PROTOS / "gateway" / "v1").glob("*_service.proto"))


def _services() -> list[ServiceDescriptor]:
    generated = [import_module(f"gateway.v1.{path.stem}_pb2") for path in SERVICE_FILES]
    return [service for module in (*generated, health_pb2, reflection_pb2) for service in _of(module)]


def _of(module) -> list[ServiceDescriptor]:
    return list(module.DESCRIPTOR.services_by_name.values())


def _methods() -> set[str]:
    return {f"/{service.full_name}/{method.name}" for service in _services() for method in service.methods}


def test_every_method_has_a_row_and_no_row_lacks_its_method() -> None:
    assert len(_methods()) > 25
    assert load_permissions().differences(_methods()) == (frozenset(), frozenset())


def _callers_in_comments() -> dict[str, Permission]:
    found = {}
    for path in SERVICE_FILES:
        text = path.read_text("utf-8")
        service = re.search(r"^service (\w+)", text, re.MULTILINE)
        assert service is not None
        for comment, method in re.findall(r"((?:^  //.*\n)+)^  rpc (\w+)", text, re.MULTILINE):
            sentence = re.sub(r"\s*\n\s*//\s*", " ", comment)
            callers = re.search(r"May call: ([^.]*)\.", sentence)
            assert callers, f"{path.name}: {method} doesn't say who may call it"
            permission = replace(_permission(callers[1]), approval=_approval(sentence))
            found[f"/gateway.v1.{service[1]}/{method}"] = permission
    return found


def _permission(callers: str) -> Permission:
    roles = {Role(name) for name in callers.split(", ") if name in set(Role)}
    if roles or "every person" in callers:
        return Permission(frozenset(roles), persons="every person" in callers)
    return Permission(peers="feed's" in callers or "partner" in callers)


def _approval(sentence: str) -> Approval:
    said = re.search(r"(Needs|May need) an approval\.", sentence)
    return {"Needs": Approval.ALWAYS, "May need": Approval.BY_CONTENT}[said[1]] if said else Approval.NEVER


def test_the_contract_says_the_same_as_the_table() -> None:
    table, comments = load_permissions(), _callers_in_comments()
    assert comments == {
        method: replace(table[method], weight=1.0, before_sign_in=False)
        for method in table
        if method.startswith("/gateway.v1.")
    }


def test_partners_reach_the_exchange_and_health_only() -> None:
    table = load_permissions()
    reached = {method.split("/")[1] for method in table if table[method].peers}
    assert reached == {"gateway.v1.ExchangeService", "grpc.health.v1.Health"}


def test_no_system_reaches_the_exchange() -> None:
    table = load_permissions()
    assert not any(table[method].roles for method in table if "ExchangeService" in method)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the table"),
        ("methods = 5", "expected the table"),
        ('[methods]\n"/a.B/C" = { peers = true }\n[other]', "expected the table"),
        ("[methods", "permissions.toml"),
        ('[methods]\n"a.B/C" = { peers = true }', "isn't a full method name"),
        ('[methods]\n"/a.B/*" = { peers = true }', "isn't a full method name"),
        ('[methods]\n"/a.B/C" = true', "expected only"),
        ('[methods]\n"/a.B/C" = { peers = true, weight = 0 }', "`weight` is a number from 1 to 1000"),
        ('[methods]\n"/a.B/C" = { peers = true, weight = true }', "`weight` is a number"),
        ('[methods]\n"/a.B/C" = { peers = true, weight = 1001 }', "`weight` is a number"),
        ('[methods]\n"/a.B/C" = { peer = true }', "expected only"),
        ('[methods]\n"/a.B/C" = { peers = "yes" }', "true or false"),
        ('[methods]\n"/a.B/C" = { roles = "officer" }', "is a list"),
        ('[methods]\n"/a.B/C" = { roles = ["officers"] }', "'officers' isn't a role"),
        ('[methods]\n"/a.B/C" = { roles = [] }', "names nobody"),
        ('[methods]\n"/a.B/C" = { }', "names nobody"),
        ('[methods]\n"/a.B/C" = { persons = false }', "names nobody"),
        ('[methods]\n"/a.B/C" = { persons = 1 }', "true or false"),
        ('[methods]\n"/a.B/C" = { persons = true, approval = "often" }', '`approval` is true, false or "by_content"'),
        ('[methods]\n"/a.B/C" = { peers = true }\n"/a.B/C" = { peers = true }', "permissions.toml"),
    ],
)
def test_a_slip_in_the_file_is_refused_and_named(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        parse_permissions(text)


def test_what_strangers_at_a_console_cause_counts_apart_from_what_is_for_those_who_are_signed_in() -> None:
    table = load_permissions()
    consoles = {
        method.rpartition("/")[2]: table[method]
        for method in table
        if Role.CONSOLE in table[method].roles and method.startswith("/gateway.v1.")
    }
    assert {name for name, row in consoles.items() if not row.before_sign_in} == {"RenewAssertion", "SignOut"}
    with pytest.raises(ConfigurationError, match="`before_sign_in` is true for consoles alone"):
        parse_permissions('[methods]\n"/a.B/C" = { roles = ["officer"], before_sign_in = true }')
