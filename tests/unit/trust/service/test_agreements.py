"""What may be sent for which purpose, and what somebody who is refused is told instead."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.errors import AgreementForbidsError, InvalidRequestError
from gateway.trust.rules.directory import Agreement, Directory, FieldClass
from gateway.trust.service.agreements import EVERY_CLASS, Agreements, named, named_with_purposes
from gateway.v1 import alert_pb2, watchlist_pb2
from tests.support.directories import NOW, directory

AT_MS = int(NOW.timestamp() * 1000) + 60_000
ALERT, LISTS = "AlertEvent", "WatchlistEvent"


def parted() -> Directory:
    """From cn to hk: everything for smuggling, nothing personal for export control; lists for smuggling alone."""
    base = directory()
    first = base.agreements[0]
    assert first.id == "cn-hk"
    made = (
        replace(
            first,
            id="cn-hk-export",
            message_types=frozenset({ALERT}),
            purposes=frozenset({"export_control"}),
            field_classes=EVERY_CLASS - {FieldClass.PERSONAL},
            clause="Article 6",
        ),
        replace(
            first,
            id="cn-hk-smuggling",
            message_types=frozenset({ALERT, LISTS}),
            purposes=frozenset({"smuggling"}),
            clause="Article 5",
        ),
    )
    return replace(base, agreements=made)


@pytest.fixture
def agreements() -> Agreements:
    version = parted()
    return Agreements(lambda: version)


def asked(purpose: str, message_type: str = ALERT) -> dict[str, object]:
    return {
        "sender": "cn",
        "recipient": "hk",
        "purpose": purpose,
        "at_ms": AT_MS,
        "message_type": message_type,
    }


def naming_a_party() -> alert_pb2.AlertContent:
    content = alert_pb2.AlertContent()
    content.subject.parties.add().names.add(text="Chan Tai Man")
    return content


def test_the_agreement_that_names_the_purpose_decides_what_may_be_told(agreements: Agreements) -> None:
    content = naming_a_party()
    for _ in range(2):  # an answer that is remembered is that of the same purpose
        agreements.require(content, **asked("smuggling"))  # type: ignore[arg-type]
        with pytest.raises(InvalidRequestError) as refused:
            agreements.require(content, **asked("export_control"))  # type: ignore[arg-type]
        assert {one.field.partition("[")[0] for one in refused.value.violations} == {"subject.parties"}
    agreements.require(alert_pb2.AlertContent(), **asked("export_control"))  # type: ignore[arg-type]
    assert agreements.unrestricted(**asked("smuggling"))  # type: ignore[arg-type]
    assert not agreements.unrestricted(**asked("export_control"))  # type: ignore[arg-type]


def test_a_new_directory_version_decides_from_its_first_moment() -> None:
    versions = [parted()]
    agreements = Agreements(lambda: versions[-1])
    assert agreements.unrestricted(**asked("smuggling"))  # type: ignore[arg-type]
    versions.append(replace(versions[0], version=versions[0].version + 1, agreements=()))
    assert agreements.field_classes(**asked("smuggling")) is None  # type: ignore[arg-type]
    with pytest.raises(AgreementForbidsError):
        agreements.require(alert_pb2.AlertContent(), **asked("smuggling"))  # type: ignore[arg-type]


def test_lists_go_by_purpose_too(agreements: Agreements) -> None:
    content = watchlist_pb2.WatchlistContent()
    agreements.require(content, **asked("smuggling", LISTS))  # type: ignore[arg-type]
    with pytest.raises(AgreementForbidsError, match=r"\(cn-hk-smuggling for smuggling: Article 5\)$"):
        agreements.require(content, **asked("export_control", LISTS))  # type: ignore[arg-type]


def test_who_is_refused_is_told_of_the_agreements_for_other_purposes(agreements: Agreements) -> None:
    with pytest.raises(AgreementForbidsError) as refused:
        agreements.require(alert_pb2.AlertContent(), **asked("taxation"))  # type: ignore[arg-type]
    assert refused.value.message == (
        "no agreement lets cn send AlertEvent to hk for the purpose 'taxation' "
        "(cn-hk-export for export_control: Article 6; cn-hk-smuggling for smuggling: Article 5)"
    )
    with pytest.raises(AgreementForbidsError, match=r"for the purpose 'smuggling', nor for any other$"):
        agreements.require(alert_pb2.AlertContent(), **asked("smuggling", "HistoryQuery"))  # type: ignore[arg-type]


def test_a_refusal_names_no_more_than_somebody_reads() -> None:
    first = directory().agreements[0]
    many: list[Agreement] = [
        replace(first, id=f"A-{number}", purposes=frozenset({f"p{number}"}), clause="C") for number in range(7)
    ]
    assert named(many) == "A-0: C; A-1: C; A-2: C; A-3: C; A-4: C and 2 more"
    wide = replace(first, id="A", purposes=frozenset(f"p{number}" for number in range(9)), clause="C")
    assert named_with_purposes([wide]) == "A for p0, p1, p2, p3, p4 and 4 more: C"
    assert named_with_purposes([replace(wide, purposes=frozenset())]) == "A for nothing: C"
