"""What expires: all that ends is in one order of time with what to do, and calendars can take it (RFC 5545)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from gateway.console.views.calendar_file import calendar_file
from gateway.console.views.expiring import (
    ExpiringThing,
    agreement_ends,
    certificate_ends,
    directory_end,
    in_order,
    key_ends,
    licence_ends,
    list_ends,
)
from gateway.console.views.trusted import SignedDirectory, certificate_use, key_use
from gateway.v1.directory_pb2 import DirectoryStatus
from gateway.v1.licence_pb2 import LicenceContent, LicenceReference, LicenceRevision
from gateway.v1.licence_service_pb2 import ListedLicence
from gateway.v1.node_service_pb2 import CertificateStatus, KeyStatus
from gateway.v1.watchlist_pb2 import WatchlistContent, WatchlistEntry
from gateway.v1.watchlist_service_pb2 import ListedEntry

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def after(days: int) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(NOW + days * DAY)
    return made


def certificate(owner: str, use: str, subject: str, days: int) -> CertificateStatus:
    return CertificateStatus(owner=owner, use=use, subject=subject, not_after=after(days))


def key(node: str, use: str, name: str, days: int, *, revoked: bool = False) -> KeyStatus:
    return KeyStatus(node=node, use=use, vkey=name, not_after=after(days), revoked_at=after(-1) if revoked else None)


def test_certificates_of_the_node_its_systems_and_partners_say_what_to_do() -> None:
    things = list(
        certificate_ends(
            [
                certificate("hk", "gateway", "spiffe://gba.customs.example/gateway/hk", 10),
                certificate("hk", "system", "system/hk/risk-engine", 20),
                certificate("mo", "gateway", "gateway/mo", 30),
                certificate("hk", "ca", "CN=Old CA", 40),
                certificate("hk", "ca", "CN=New CA", 400),
            ],
            "hk",
        )
    )
    assert [(thing.what, thing.days(NOW), thing.command) for thing in things] == [
        ("hk", 10, "gateway pki request --kind gateway"),
        ("risk-engine", 20, "gateway pki request --kind system --name risk-engine"),
        ("mo", 30, ""),
        ("CN=Old CA", 40, ""),
        ("CN=New CA", 400, "gateway directory card"),
    ]
    assert [thing.todo for thing in things][2:4] == ["Tell MO.", "Nothing: another one lasts longer."]
    assert len({thing.key for thing in things}) == len(things)


def test_keys_that_are_revoked_end_no_more_and_the_last_of_each_use_counts() -> None:
    things = list(
        key_ends(
            [
                key("hk", "log", "a", 5),
                key("hk", "log", "b", 50),
                key("hk", "receipts", "c", 50),
                key("mo", "log", "d", 9),
                key("hk", "log", "e", 99, revoked=True),
            ],
            "hk",
        )
    )
    assert [(thing.what, thing.todo.split(":")[0].split(",")[0], thing.command) for thing in things] == [
        ("Signs what is sent", "Nothing", ""),
        ("Signs what is sent", "Make the next keys", "gateway pki next-keys"),
        ("Signs receipts", "Make the next keys", "gateway pki next-keys"),
        ("Signs what is sent", "Tell MO.", ""),
    ]


def test_the_directory_its_agreements_licences_and_lists_end_too() -> None:
    agreement = {"id": "A-1", "sender": "hk", "recipient": "mo", "valid_until": "2026-04-01T00:00:00Z"}
    document = {"agreements": [agreement, agreement | {"sender": "cn", "id": "A-2"}, {"id": "broken"}, 7]}
    signed = SignedDirectory.of(json.dumps(document).encode() + b"\n\n\xe2\x80\x94 x/directory AAAA\n")
    licence = ListedLicence(
        reference=LicenceReference(issuer="hk", number="L/7"),
        newest=LicenceRevision(content=LicenceContent(valid_until="2026-03-04")),
    )
    entries = [
        ListedEntry(
            publisher="hk", entry=WatchlistEntry(list="minerals", content=WatchlistContent(valid_until=after(days)))
        )
        for days in (9, 3)
    ]
    things = in_order(
        [
            directory_end(DirectoryStatus(federation="gba.customs.example", version=4, expires_at=after(60))),
            *agreement_ends(signed.agreements, "hk"),
            *licence_ends([licence]),
            *list_ends(entries, "hk"),
        ],
        NOW,
    )
    assert [(thing.kind, thing.what, thing.days(NOW), thing.path) for thing in things] == [
        ("List", "2 entries of minerals", 3, "/watchlists/of/hk/minerals"),
        ("Licence", "L/7", 3, "/licences/hk/L%2F7"),
        ("Agreement", "A-1", 30, "/operations/directory"),
        ("Directory", "Version 4", 60, "/operations/directory"),
    ]


def test_what_has_ended_long_ago_is_left_out() -> None:
    things = key_ends([key("hk", "log", "a", -31), key("mo", "log", "b", -29)], "hk")
    assert [thing.days(NOW) for thing in in_order(things, NOW)] == [-29]


def test_uses_are_in_words() -> None:
    assert [certificate_use(use) for use in ("gateway", "system", "ca", "new")][-1] == "new"
    assert all(" " in certificate_use(use) for use in ("gateway", "system", "ca"))
    assert (key_use("log"), key_use("receipts"), key_use("new")) == ("Signs what is sent", "Signs receipts", "new")


def thing(**fields: str) -> ExpiringThing:
    return ExpiringThing(**({"key": "k", "kind": "Key", "what": "w", "whose": "HK", "todo": "t"} | fields), at=NOW)


def unfolded(content: bytes) -> list[str]:
    """Lines as RFC 5545, 3.1 has them read."""
    text = content.decode()
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")
    return text.replace("\r\n ", "").split("\r\n")[:-1]


def read_text(value: str) -> str:
    """A text as RFC 5545, 3.3.11 has it read."""
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] in "nN" else found[1], value)


def value_of(lines: Sequence[str], name: str) -> str:
    return next(line.partition(":")[2] for line in lines if line.partition(":")[0] == name)


def test_the_calendar_has_an_event_for_each_end_which_keeps_its_id() -> None:
    things = [thing(), thing(key="other")]
    lines = unfolded(calendar_file(things, title="What expires", node="hk", now=NOW))
    assert lines[:2] == ["BEGIN:VCALENDAR", "VERSION:2.0"]
    assert lines[-1] == "END:VCALENDAR"
    assert lines.count("BEGIN:VEVENT") == lines.count("END:VEVENT") == lines.count("BEGIN:VALARM") == 2
    assert value_of(lines, "DTSTART") == value_of(lines, "DTSTAMP") == "20260301T120000Z"
    ids = [line for line in lines if line.startswith("UID:")]
    again = unfolded(calendar_file(things, title="O que expira", node="hk", now=NOW + DAY))
    assert len(set(ids)) == 2
    assert [line for line in again if line.startswith("UID:")] == ids


@given(st.text(alphabet=st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=200))
def test_any_text_is_folded_and_read_back(text: str) -> None:
    content = calendar_file([thing(what=text, todo=text)], title="t", node="hk", now=NOW)
    assert all(len(line) <= 75 for line in content.split(b"\r\n"))
    shown = "".join(letter for letter in text if letter.isprintable())
    lines = unfolded(content)
    assert read_text(value_of(lines, "SUMMARY")) == f"Key: {shown} (HK)"
    if shown.strip():
        assert read_text(value_of(lines, "DESCRIPTION")) == shown


@pytest.mark.parametrize("text", ["a;b,c\\d", "第一行\n第二行", "x" * 500])
def test_what_calendars_read_as_marks_is_escaped(text: str) -> None:
    lines = unfolded(calendar_file([thing(todo=text)], title="t", node="hk", now=NOW))
    assert read_text(value_of(lines, "DESCRIPTION")) == text
