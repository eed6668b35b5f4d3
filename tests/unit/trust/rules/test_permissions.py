import pytest

from gateway.errors import PermissionDeniedError
from gateway.trust.rules.permissions import Permission, PermissionTable, Principal, PrincipalKind, Role

METHOD = "/gateway.v1.AlertService/PublishAlert"


def system(*roles: Role) -> Principal:
    return Principal(PrincipalKind.SYSTEM, "cn", "risk-desk", frozenset(roles), "ab" * 32)


PEER = Principal(PrincipalKind.PEER, "hk", "", frozenset(), "cd" * 32)


def test_ids_follow_the_spiffe_path() -> None:
    assert system().id == "system/cn/risk-desk"
    assert PEER.id == "gateway/hk"


def test_any_of_the_listed_roles_is_enough() -> None:
    table = PermissionTable({METHOD: Permission(frozenset({Role.PUBLISHER, Role.SUPERVISOR}))})
    table.authorise(system(Role.PUBLISHER), METHOD)
    table.authorise(system(Role.AUDITOR, Role.SUPERVISOR), METHOD)


@pytest.mark.parametrize(
    ("permission", "principal", "message"),
    [
        (Permission(frozenset({Role.PUBLISHER})), system(Role.OFFICER), "needs one of the roles: publisher"),
        (Permission(frozenset({Role.PUBLISHER})), system(), "needs one of the roles: publisher"),
        (Permission(frozenset(Role)), PEER, "partner gateways may not"),
        (Permission(peers=True), system(*Role), "systems may not"),
        (Permission(), system(*Role), "systems may not"),
        (Permission(), PEER, "partner gateways may not"),
    ],
)
def test_whoever_the_row_does_not_name_is_denied(permission: Permission, principal: Principal, message: str) -> None:
    with pytest.raises(PermissionDeniedError, match=message) as caught:
        PermissionTable({METHOD: permission}).authorise(principal, METHOD)
    assert caught.value.metadata == {"method": METHOD}


def test_a_peer_never_passes_by_roles_even_if_it_had_some() -> None:
    disguised = Principal(PrincipalKind.PEER, "hk", "", frozenset(Role), "cd" * 32)
    with pytest.raises(PermissionDeniedError):
        PermissionTable({METHOD: Permission(frozenset(Role))}).authorise(disguised, METHOD)


def test_a_method_without_a_row_is_denied_to_everybody() -> None:
    table = PermissionTable({METHOD: Permission(frozenset(Role), peers=True)})
    for principal in (system(*Role), PEER):
        for method in ("/gateway.v1.AlertService/Unknown", "", METHOD.lower(), METHOD + "/"):
            with pytest.raises(PermissionDeniedError):
                table.authorise(principal, method)


def test_differences_name_both_sides() -> None:
    table = PermissionTable({"/a/B": Permission(peers=True), "/a/C": Permission(peers=True)})
    assert table.differences(["/a/B", "/a/D"]) == (frozenset({"/a/D"}), frozenset({"/a/C"}))
    assert set(table) == {"/a/B", "/a/C"}
    assert table["/a/B"].peers
    assert table["/a/D"] == Permission()


def person(*roles: Role) -> Principal:
    return Principal(PrincipalKind.SYSTEM, "cn", "console", frozenset(roles), "ab" * 32, person="chan", session="s")


def test_a_person_is_named_as_one_through_any_system() -> None:
    chan = person(Role.OFFICER)
    assert (chan.id, chan.actor, chan.caller) == ("person/cn/chan", "person/chan", "system/cn/console")
    assert (system().actor, system().caller) == ("risk-desk", "system/cn/risk-desk")


def test_what_is_every_persons_is_no_systems() -> None:
    table = PermissionTable({METHOD: Permission(persons=True)})
    table.authorise(person(), METHOD)
    for other in (system(*Role), PEER):
        with pytest.raises(PermissionDeniedError):
            table.authorise(other, METHOD)
