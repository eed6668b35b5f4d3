"""Events of the audit log are said in sentences: each method of each service has one, and each reason code words."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import v1
from gateway.translation.audit_acts import LOADS, LOCAL, SENTENCES, SERVICES, SIGN_INS
from gateway.translation.audit_reasons import ERRORS, STEPS, is_code, reason_text
from gateway.translation.audit_sentences import AuditNames, act_text, audit_sentence
from gateway.v1.evidence_service_pb2 import AuditEvent
from gateway.v1.history_pb2 import AnswerStatus

ROOT = Path(__file__).parents[3]
ALERT, OTHER = "01890a5d-ac96-774b-bcce-b302099a8057", "01890a5d-ac96-774b-bcce-b302099a8058"
NAMES = AuditNames({ALERT: "SZ-2026-1050", "person/hk/li.wei": "Li Wei 李伟"}, "hk")
FEED = "gba.customs.example/{}/{}/alerts"


def services() -> Iterator[Any]:
    """Descriptors of all services of the contract."""
    for found in pkgutil.iter_modules(v1.__path__, f"{v1.__name__}."):
        if found.name.endswith("_service_pb2"):
            yield from importlib.import_module(found.name).DESCRIPTOR.services_by_name.values()


def event(method: str, *subjects: str, result: str = "allow", principal: str = "person/hk/li.wei") -> AuditEvent:
    name = method if method in LOCAL.acts else f"/gateway.v1.{method}"
    details = {"subject_ids": ", ".join(subjects)} if subjects else {}
    return AuditEvent(method=name, principal=principal, result=result, details=details)


@pytest.mark.drift
def test_every_method_of_every_service_has_a_sentence_and_no_other() -> None:
    contract = {service.name: {method.name for method in service.methods} for service in services()}
    assert {name: {*acts.acts, *acts.loads} for name, acts in SERVICES.items()} == contract
    assert all(not acts.acts.keys() & acts.loads.keys() for acts in SERVICES.values())
    assert SENTENCES.keys() >= SIGN_INS


@pytest.mark.drift
def test_every_local_operation_has_a_sentence() -> None:
    written = re.compile(r'^(?:[A-Z]+_)?(?:METHOD|OPERATION)\b.*= "([^"/]+|watchlist/expiry)"$', re.MULTILINE)
    files = [file for file in (ROOT / "gateway").rglob("*.py") if file.parent.name not in ("v1", "translation")]
    found = {name for file in files for name in written.findall(file.read_text("utf-8"))}
    assert found == LOCAL.acts.keys()


@pytest.mark.drift
def test_every_reason_code_has_words() -> None:
    declared, recorded = set(), set()
    for file in (ROOT / "gateway").rglob("*.py"):
        text = file.read_text("utf-8")
        declared |= set(re.findall(r'^    reason = "([A-Z_]+)"$', text, flags=re.MULTILINE))
        recorded |= set(re.findall(r'\breason="([A-Z_]+)"', text)) | set(re.findall(r'code="([A-Z_]{4,})"', text))
    assert declared <= ERRORS.keys()
    assert recorded - {"FORM_REFUSED"} <= ERRORS.keys() | STEPS.keys()
    prefix = "ANSWER_STATUS_"
    answers = {f"ANSWER_{name.removeprefix(prefix)}" for name in AnswerStatus.keys()}  # noqa: SIM118  an enum's names
    assert answers - {"ANSWER_UNSPECIFIED", "ANSWER_DENIED"} <= STEPS.keys()


@pytest.mark.parametrize("method", SENTENCES)
def test_a_sentence_is_said_whole(method: str, shouting: None) -> None:
    text = act_text(SENTENCES[method])
    assert text == text.upper()
    assert "{" not in text


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        (event("AlertService/AcknowledgeAlert", ALERT), "acknowledged alert SZ-2026-1050"),
        (event("AlertService/AcknowledgeAlert", OTHER), "acknowledged alert …099a8058"),
        (event("AlertService/AcknowledgeAlert", result="deny"), "not done: acknowledged alert …"),
        (event("NodeService/SuspendLink", FEED.format("hk", "mo")), "suspended the link to MO (Alerts)"),
        (
            event("NodeService/SuspendLink", FEED.format("mo", "hk") + ".2"),
            "suspended the link from MO (Alerts, epoch 2)",
        ),
        (event("HistoryService/SearchShipments", "cn", "hk", OTHER), "searched shipments of CN, this authority"),
        (event("PersonService/ResetPerson", "person/li.wei"), "reset the sign-in of li.wei"),
        (event("PersonService/SignIn", "person/hk/li.wei"), "signed in with a password"),
        (event("WatchlistService/ProposeEntries", "minerals"), "proposed changes of list minerals"),
        (event("WatchlistService/ReportHit", "cn/minerals/a/7"), "reported a hit on entry a/7 of list minerals of CN"),
        (event("FileService/RequestFile", "0" * 64, ALERT), "asked a partner for file …00000000"),
        (event("AlertService/PublishAlerts", *map(str, range(9))), "published several alerts, among them …"),
        (
            event("NodeService/DeclareNewFeeds", *(FEED.format("hk", f"n{number}") for number in range(5))),
            "declared that nothing was published yet on the feed to N0 (Alerts), to N1 (Alerts), to N2 (Alerts) and 2 "
            "more",
        ),
        (event("audit head"), "found another audit log than the one that was signed"),
        (AuditEvent(method="/gateway.v1.NewService/Do", result="allow"), "NewService/Do"),
    ],
)
def test_an_event_is_a_sentence_with_its_subject(event: AuditEvent, sentence: str) -> None:
    assert audit_sentence(event, NAMES) == sentence


@pytest.mark.parametrize(
    ("event", "who"),
    [
        (event("AlertService/GetAlert"), "Li Wei 李伟"),
        (event("AlertService/GetAlert", principal="person/hk/ana"), "ana"),
        (event("PersonService/SignIn", "person/hk/li.wei", principal="system/hk/console"), "Li Wei 李伟"),
        (event("PersonService/SignIn", principal="system/hk/console"), "system console"),
        (event("ExchangeService/Replicate", principal="gateway/mo"), "gateway of MO"),
        (event("purge", principal="gateway/hk"), "this gateway"),
        (event("watchlist/expiry", principal="gateway"), "this gateway"),
        (event("AlertService/GetAlert", principal="unverified:"), "somebody who isn't known"),
        (event("AlertService/GetAlert", principal="unverified:x"), "somebody who isn't known: x"),
    ],
)
def test_who_has_acted_is_named_as_people_do(event: AuditEvent, who: str) -> None:
    assert NAMES.who(event) == who


def test_a_reason_code_is_said_in_words_and_what_somebody_stated_stays() -> None:
    assert reason_text("PERMISSION_DENIED") == "not allowed for this role"
    assert reason_text("APPROVED") == "approved"
    assert reason_text("OF_A_NEWER_GATEWAY") == "OF_A_NEWER_GATEWAY"
    assert (is_code("NOT_FOUND"), is_code("The line is being moved"), is_code("")) == (True, False, False)


def test_what_only_reads_is_a_page_load_and_what_tells_of_somebody_else_is_none() -> None:
    loads = {method.rpartition("/")[2] for method in LOADS}
    assert {"GetAlert", "ListInbox", "WatchAlerts", "ListAuditEvents"} <= loads
    assert not loads & {"SearchShipments", "ReadFile", "ResolvePseudonym", "GetPublicationSheet", "ExportAuditEvents"}
