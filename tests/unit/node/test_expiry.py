"""What a node needs is warned of before it ends, and no longer when it has been renewed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.contract.ids import GatewayIdentity
from gateway.feed.service.alarms import CERTIFICATE, DIRECTORY, Alarms
from gateway.node.expiry import ExpiryMonitor, OwnKeys, endings
from gateway.node.trusted_rows import former_member_rows
from gateway.telemetry.metrics import Metrics
from gateway.tls.credentials import TlsFiles, TlsMaterial, load_material
from gateway.trust.pki.issuance import CA_DAYS
from gateway.trust.rules.directory import Directory
from gateway.trust.service.directory_drafts import remove_member
from gateway.trust.service.trial_federation import FEDERATION, MemberSpec, create_federation
from tests.support.directories import NOW, directory

DAY = timedelta(days=1)
NODE = directory().nodes["cn"]
KEYS = OwnKeys(frozenset({NODE.log_keys[0].public_key}), frozenset({NODE.cosign_keys[0].public_key}))
LASTING = replace(directory(days=800), agreements=())


def subjects(version: Directory, now: datetime, keys: OwnKeys | None = KEYS) -> set[tuple[str, str]]:
    found = endings(version, node="cn", material=None, keys=keys, now=now)
    return {(ending.code, ending.subject) for ending in found}


def agreement_until(end: datetime, **changes: object) -> Directory:
    agreement = replace(directory().agreements[0], valid_until=end, **changes)
    return replace(LASTING, agreements=(agreement,))


@pytest.mark.parametrize(
    ("version", "end", "subject"),
    [
        (directory(days=365), NOW + 365 * DAY, (DIRECTORY, "validity")),
        (agreement_until(NOW + 100 * DAY), NOW + 100 * DAY, (DIRECTORY, "agreement cn-hk")),
    ],
)
def test_what_several_authorities_must_renew_is_warned_of_a_month_before(
    version: Directory, end: datetime, subject: tuple[str, str]
) -> None:
    assert subjects(version, end - 31 * DAY) == set()
    assert subjects(version, end - 29 * DAY) == {subject}


def test_a_node_that_is_no_member_any_more_is_told_so_and_its_partners_are_not() -> None:
    left = remove_member(LASTING, "cn", issued_at=NOW + DAY, keys_until=NOW + 15 * DAY)
    (ending,) = endings(left, node="cn", material=None, keys=KEYS, now=NOW + 2 * DAY)
    assert (ending.code, ending.subject) == (DIRECTORY, "member")
    assert ending.message.startswith("cn is no member since version 2 of the directory (2026-01-16): this node goes on")
    assert list(endings(left, node="hk", material=None, keys=None, now=NOW + 2 * DAY)) == []
    (row,) = former_member_rows(left)
    assert (row.node, row.version, row.removed_at.ToDatetime(UTC)) == ("cn", 2, NOW + DAY)
    assert list(former_member_rows(LASTING)) == []


def test_signing_keys_are_warned_of_as_they_count() -> None:
    end = NODE.log_keys[0].not_after
    version = replace(directory(), issued_at=end - 700 * DAY, expires_at=end + 60 * DAY, agreements=())
    assert subjects(version, end - 31 * DAY) == set()
    assert subjects(version, end - 29 * DAY) == {(DIRECTORY, "log key"), (DIRECTORY, "receipts key")}
    assert subjects(version, end - 29 * DAY, OwnKeys(frozenset({bytes(32)}), KEYS.receipts)) == {
        (DIRECTORY, "receipts key")
    }
    revoked = replace(NODE, log_keys=(replace(NODE.log_keys[0], revoked_at=NOW + DAY),))
    assert subjects(replace(LASTING, nodes={"cn": revoked}), NOW) == {(DIRECTORY, "log key")}


def test_an_agreement_that_another_one_follows_is_not_warned_of() -> None:
    end = NOW + 100 * DAY
    version = agreement_until(end)
    following = replace(version.agreements[0], id="next", valid_from=end, valid_until=end + 300 * DAY)
    assert subjects(replace(version, agreements=(*version.agreements, following)), end - DAY) == set()
    narrower = replace(following, purposes=frozenset({"smuggling"}))
    assert subjects(replace(version, agreements=(*version.agreements, narrower)), end - DAY) != set()
    assert subjects(agreement_until(end, sender="mo"), end - DAY) == set(), "no own one"


def test_a_nodes_last_ca_is_warned_of() -> None:
    end = NOW + timedelta(days=CA_DAYS)
    version = replace(LASTING, issued_at=end - 100 * DAY, expires_at=end + 60 * DAY)
    assert subjects(version, end - 29 * DAY, keys=None) == {(CERTIFICATE, f"CA {name}") for name in ("cn", "hk", "mo")}


def test_alarms_come_before_the_end_and_go_when_it_is_put_off(tmp_path: Path) -> None:
    made = create_federation(tmp_path, [MemberSpec("cn")], now=NOW, leaf_days=90)
    folder = made.node("cn")

    def material(now: datetime) -> TlsMaterial:
        files = TlsFiles(certificate=folder.certificate, key=folder.key)
        identity = GatewayIdentity(FEDERATION, "cn")
        return load_material(files, identity=identity, trust_anchors_pem=folder.ca.read_bytes(), now=now)

    alarms, in_force = Alarms(lambda: 0), [directory(days=80)]
    loaded = material(NOW)
    callers: dict[str, datetime] = {}
    read: Callable[[], Directory] = lambda: in_force[0]  # noqa: E731
    monitor = ExpiryMonitor(
        node="cn",
        directory=read,
        material=lambda: loaded,
        keys=lambda: KEYS,
        callers=lambda: callers,
        alarms=alarms,
        metrics=Metrics(),
    )

    def codes(now: datetime) -> list[str]:
        monitor.check(now)
        return sorted(f"{alarm.code} {alarm.subject}" for alarm in alarms.list())

    assert codes(NOW) == []
    assert codes(NOW + 77 * DAY) == ["CERTIFICATE_EXPIRES own", "DIRECTORY validity"]
    in_force[0] = LASTING
    assert codes(NOW + 77 * DAY) == ["CERTIFICATE_EXPIRES own"]
    assert [alarm.message for alarm in alarms.list()] == ["this gateway's certificate ends at 2026-04-15 08:00 UTC"]
    assert codes(NOW + 91 * DAY) == ["CERTIFICATE_EXPIRES own"]
    assert "has ended" in alarms.list()[0].message
    callers["peer/hk"] = NOW + 100 * DAY
    assert codes(NOW + 87 * DAY) == ["CERTIFICATE_EXPIRES own", "CERTIFICATE_EXPIRES peer/hk"]
    callers["peer/hk"] = NOW + 180 * DAY
    assert codes(NOW + 87 * DAY) == ["CERTIFICATE_EXPIRES own"]
