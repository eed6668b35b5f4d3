"""Shapes of what each command prints with --json, as JSON Schemas; scripts/schemas.py writes them.

Messages come from the contract, results that are dataclasses from these, and facts from the list below. Tests hold
whatever a command prints against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import Descriptor

from gateway.cli.doubts import LineNotice
from gateway.cli.watchlist.reading import NotUnderstood
from gateway.client.recovery import RecoveredFeed
from gateway.errors import Violation
from gateway.evidence.codec.bundle_entries import StepProof
from gateway.evidence.codec.time_stamp import VerifiedTimeStamp
from gateway.evidence.service.audit_verification import AuditCoverage
from gateway.evidence.service.feed_verification import FeedSummary
from gateway.evidence.service.findings import DatabaseFinding
from gateway.evidence.service.report import StepResult
from gateway.feed.tables.restores import Loss
from gateway.formats.lists.rows import BadRow, SkippedRow
from gateway.formats.tables.layout import Problem
from gateway.node.checks.findings import Finding
from gateway.risk.declaration_alerts import ScreenedRows
from gateway.trust.rules.directory import Validity
from gateway.v1 import (
    alert_pb2,
    alert_service_pb2,
    casework_service_pb2,
    evidence_service_pb2,
    figure_service_pb2,
    file_pb2,
    file_service_pb2,
    history_pb2,
    history_service_pb2,
    licence_pb2,
    licence_service_pb2,
    maintenance_pb2,
    match_pb2,
    node_service_pb2,
    notification_service_pb2,
    person_pb2,
    person_service_pb2,
    risk_profile_service_pb2,
    screening_pb2,
    shipment_pb2,
    watchlist_pb2,
    watchlist_service_pb2,
)

MESSAGES = "messages.json"

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number"}
FLAG: Schema = {"type": "boolean"}
TEXTS: Schema = {"type": "array", "items": TEXT}
TIME: Schema = {"type": "string", "format": "date-time"}
NULL: Schema = {"type": "null"}

_PLAIN: Mapping[Any, Schema] = {str: TEXT, int: WHOLE, bool: FLAG, datetime: TIME, float: {"type": "number"}}


def name_of(kind: Descriptor) -> str:
    """The name of a message in the contract, with that of the message around it."""
    return kind.full_name.removeprefix(f"{kind.file.package}.")


def message(kind: Any) -> Schema:
    """The schema of a message, by reference."""
    return {"$ref": f"{MESSAGES}#/$defs/{name_of(kind.DESCRIPTOR)}"}


def array(items: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": items}


def listing(kind: Any) -> Schema:
    """A list of messages."""
    return array(message(kind))


def lines(shape: Schema) -> Schema:
    """JSON lines of one shape."""
    return {"$comment": "JSON lines: each line is this", **shape}


def facts(optional: Mapping[str, Schema] | None = None, /, **members: Schema) -> Schema:
    """An object of these members and no others; `optional` ones may be absent."""
    properties = {**members, **(optional or {})}
    return {"type": "object", "properties": properties, "required": sorted(members), "additionalProperties": False}


def joined(kind: Any, **members: Schema) -> Schema:
    """A message with further members."""
    return {"allOf": [message(kind), {"type": "object", "properties": members, "required": sorted(members)}]}


def mapping(values: Schema) -> Schema:
    """An object whose members have any names."""
    return {"type": "object", "additionalProperties": values}


def either(*shapes: Schema) -> Schema:
    """One of several shapes."""
    return {"anyOf": list(shapes)}


def of(kind: Any) -> Schema:
    """The schema of a type: a dataclass's members are its fields."""
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [each.value for each in kind]}
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return facts(**{field.name: of(hints[field.name]) for field in fields(kind)})
    if get_origin(kind) in (UnionType, Union):
        return either(*map(of, get_args(kind)))
    if kind is NoneType:
        return NULL
    raise TypeError(f"{kind} has no schema")


ITEM_ERROR: Mapping[str, Schema] = {"reason": TEXT, "message": TEXT, "way_out": TEXT}
OF_SOME_ERRORS: Mapping[str, Schema] = {"metadata": mapping(TEXT), "violations": array(of(Violation))}
NOTICES = array(of(LineNotice))
PUBLISHED_LINE = facts(line=COUNT, alert_id=TEXT)
KEY_RECORD = facts(public_key=TEXT, not_before=TIME, not_after=TIME, revoked_at=either(TIME, NULL))
AGREEMENT = facts(
    id=TEXT,
    sender=TEXT,
    recipient=TEXT,
    message_types=TEXTS,
    purposes=TEXTS,
    field_classes=TEXTS,
    clause=TEXT,
    valid_from=TIME,
    valid_until=TIME,
    hit_reports=FLAG,
    extensions=mapping({}),
)
NODE = facts(
    authority=TEXT,
    endpoints=TEXTS,
    tls_ca_pems=TEXTS,
    tls_server_name=either(TEXT, NULL),
    log_keys=array(KEY_RECORD),
    cosign_keys=array(KEY_RECORD),
    extensions=mapping({}),
)
DIRECTORY = facts(
    format=TEXT,
    federation=TEXT,
    version=COUNT,
    issued_at=TIME,
    expires_at=TIME,
    grace_days=COUNT,
    threshold=COUNT,
    authorities=mapping(facts(node=TEXT, directory_key=TEXT, display_names=mapping(TEXT))),
    nodes=mapping(NODE),
    agreements=array(AGREEMENT),
    revoked_certificates=TEXTS,
    extensions=mapping({}),
)
DRAFT = facts(
    {"revoked": TEXTS, "ends": TEXTS},
    draft=TEXT,
    federation=TEXT,
    version=COUNT,
    threshold=COUNT,
    authorities=TEXTS,
    expires=TIME,
    agreements=array(AGREEMENT),
)
OWNER_REVOCATION = facts(file=TEXT, authority=TEXT, issued=TIME, reason=TEXT, revoked=TEXTS, sha_256=TEXT)
REVOKED_BY_OWNER = facts(
    authority=TEXT,
    issued_at=TIME,
    reason=TEXT,
    sha256=TEXT,
    certificates=TEXTS,
    keys=array(facts(public_key=TEXT, since=TIME)),
)
DIFFERENCE = facts(path=TEXT, before=either(TEXT, NULL), after=either(TEXT, NULL))
RECOVERED = facts(
    feed=TEXT,
    entries_fetched_back=COUNT,
    size_now=COUNT,
    entries_that_still_wait=COUNT,
    entries_applied_without_what_they_follow=COUNT,
    entries_that_nobody_holds_any_more=COUNT,
)
PERIOD: Mapping[str, Schema] = {"valid_from": TIME, "valid_until": TIME, "status": TEXT}
REQUESTED: Mapping[str, Schema] = {"identity": TEXT, "dns_names": TEXTS, "ip_addresses": TEXTS}
SHOWN_FILES = {
    "key": facts({"public_key": TEXT}, file=TEXT, kind=TEXT, encrypted=FLAG),
    "request": facts(file=TEXT, kind=TEXT, **REQUESTED),
    "CA": facts(file=TEXT, kind=TEXT, subject=TEXT, fingerprint=TEXT, **PERIOD),
    "certificate": facts(file=TEXT, kind=TEXT, serial=TEXT, fingerprint=TEXT, **REQUESTED, **PERIOD),
    "verifier key": facts(file=TEXT, kind=TEXT, name=TEXT, type=TEXT, key_id=TEXT, public_key=TEXT),
}
PROVED_ALERT = facts(
    alert=TEXT,
    published_by=TEXT,
    addressed_to=TEXT,
    feed=TEXT,
    entry=COUNT,
    recorded_at=TIME,
    received_at=either(TIME, NULL),
    existed_before=either(TIME, NULL),
    directory_version=COUNT,
    later_events=COUNT,
    steps=array(of(StepProof)),
    time_stamp=either(of(VerifiedTimeStamp), NULL),
    witnesses=either(facts(names=TEXTS, is_enough=FLAG), NULL),
)
PROVED_FORK = facts(
    told=TEXT, publisher=TEXT, feed=TEXT, size=COUNT, held_root=TEXT, received_root=TEXT, directory_version=COUNT
)
PROVED_AUDIT_EXPORT = facts(
    told=TEXT,
    node=TEXT,
    filter=TEXT,
    events=COUNT,
    upto=COUNT,
    head=COUNT,
    head_hash=TEXT,
    signed_at=TIME,
    directory_version=COUNT,
)
PROVED_INCLUSION = facts(
    told=TEXT,
    issuer=TEXT,
    feed=TEXT,
    entry=COUNT,
    size=COUNT,
    key_id=TEXT,
    signed_at=TIME,
    recorded_at=TIME,
    payload_type=TEXT,
    payload_digest=TEXT,
    directory_version=COUNT,
)
PROVED_DENIAL = facts(
    told=TEXT,
    recipient=TEXT,
    feed=TEXT,
    receipted_size=COUNT,
    receipted_at=TIME,
    claimed_size=COUNT,
    claimed_at=TIME,
    directory_version=COUNT,
)

PROVED_ANSWER = facts(
    told=TEXT,
    query_id=TEXT,
    asker=TEXT,
    answerer=TEXT,
    asked_at=TIME,
    answered_at=TIME,
    purpose=TEXT,
    legal_basis=TEXT,
    case_reference=TEXT,
    count=COUNT,
    as_of=either(TIME, NULL),
    as_of_position=either(COUNT, NULL),
    more_before=COUNT,
    withheld=COUNT,
    hit=either(FLAG, NULL),
    directory_version=COUNT,
    records=TEXTS,
    said=mapping(TEXT),
)
CONTROL: Mapping[str, Schema] = {"announcement": TEXT, "state": TEXT, "state_text": TEXT, "confidence": TEXT}
SOURCED: Mapping[str, Schema] = {"source": TEXT, "note": TEXT}
CONTROLLED = facts(
    code=TEXT,
    element=TEXT,
    substance=TEXT,
    form=TEXT,
    control_code=TEXT,
    also_covers_other_goods=TEXT,
    **CONTROL,
    **SOURCED,
)
ANNOUNCED = facts(
    part=TEXT,
    measure=TEXT,
    applies_to=TEXTS,
    destinations=TEXTS,
    announced=TEXT,
    effective=TEXT,
    effective_to=either(TEXT, NULL),
    subject=TEXT,
    **CONTROL,
    **SOURCED,
)
EXPORTED_ALERT = facts(
    {"further_bundles": TEXTS}, path=TEXT, files=COUNT, receipted=FLAG, without_receipt=either(TEXTS, NULL)
)
STEP = joined(alert_service_pb2.AcknowledgeAlertResponse, alert=TEXT)


SHAPES: Mapping[str, Schema] = {
    "error": {"$comment": "on standard error, of every command", **facts(error=facts(OF_SOME_ERRORS, **ITEM_ERROR))},
    "status": message(node_service_pb2.GetNodeStatusResponse),
    "init": facts(settings=TEXT, folders=TEXTS),
    "prepare": facts(node=TEXT, folder=TEXT),
    "trial": {
        "$comment": "with --stop the second form",
        "anyOf": [
            array(facts(node=TEXT, for_partners=TEXT, for_own_systems=TEXT, log=TEXT)),
            facts(stopped=TEXTS),
        ],
    },
    "doctor": array(of(Finding)),
    "verify": facts(
        sound=FLAG,
        feeds=array(of(FeedSummary)),
        audit_events=COUNT,
        audit_coverage=either(of(AuditCoverage), NULL),
        records=COUNT,
        answers=COUNT,
        projected=COUNT,
        unchecked=TEXTS,
        findings=array(of(DatabaseFinding)),
    ),
    "rebuild": facts(entries=COUNT, answers_sent=COUNT, recorded_items=COUNT),
    "backup": facts(
        folder=TEXT,
        state_of=TIME,
        feeds=COUNT,
        entries=COUNT,
        shipment_records=COUNT,
        audit_events=COUNT,
        evidence_files=TEXT,
        mib=COUNT,
    ),
    "restore": facts(state_of=TIME, aside=either(TEXT, NULL), losses=array(of(Loss))),
    "recover": either(RECOVERED, facts(feeds=array(of(RecoveredFeed)), restores=listing(node_service_pb2.Restore))),
    "alert publish": {
        "$comment": "of one alert in JSON the first form, of a file of lines the second, with --dry-run JSON lines",
        "anyOf": [
            message(alert_service_pb2.PublishAlertResponse),
            facts(
                {"passed_over": of(ScreenedRows)},
                published=array(PUBLISHED_LINE),
                published_before=array(PUBLISHED_LINE),
                refused=array(facts(OF_SOME_ERRORS, line=COUNT, **ITEM_ERROR)),
                problems=array(of(Problem)),
                notices=NOTICES,
            ),
            facts(line=COUNT, content=message(alert_pb2.AlertContent)),
        ],
    },
    "alert list": {
        "$comment": "with --names the second form",
        "anyOf": [listing(alert_service_pb2.AlertSummary), TEXTS],
    },
    "alert show": message(alert_service_pb2.GetAlertResponse),
    "alert watch": lines(message(alert_service_pb2.AlertChange)),
    "alert ack": STEP,
    "alert flag": joined(alert_service_pb2.FlagAlertResponse, alert=TEXT),
    "alert ask": joined(alert_service_pb2.AskQuestionResponse, alert=TEXT),
    "alert answer": joined(alert_service_pb2.AnswerQuestionResponse, alert=TEXT),
    "alert finding": joined(alert_service_pb2.ReportFindingResponse, alert=TEXT),
    "alert correct-finding": joined(alert_service_pb2.CorrectFindingResponse, alert=TEXT),
    "alert withdraw-finding": joined(alert_service_pb2.WithdrawFindingResponse, alert=TEXT),
    "alert close": joined(alert_service_pb2.CloseAlertResponse, alert=TEXT),
    "alert withdraw": joined(alert_service_pb2.WithdrawAlertResponse, alert=TEXT),
    "alert erase": joined(alert_service_pb2.EraseAlertResponse, alert=TEXT),
    "alert retention": message(alert_service_pb2.RehearseRetentionResponse),
    "alert erased": listing(alert_service_pb2.AlertErasure),
    "alert publication-sheet": message(figure_service_pb2.GetPublicationSheetResponse),
    "alert amend": joined(alert_service_pb2.AmendAlertResponse, alert=TEXT),
    "licence import": either(
        facts(
            published=COUNT,
            amended=COUNT,
            proposed=COUNT,
            proposed_before=COUNT,
            unchanged=COUNT,
            problems=array(of(Problem)),
        ),
        lines(facts(line=COUNT, number=TEXT, content=message(licence_pb2.LicenceContent))),
    ),
    "licence list": listing(licence_service_pb2.ListedLicence),
    "licence show": message(licence_service_pb2.GetLicenceResponse),
    "licence use": message(licence_service_pb2.ReportLicenceUseResponse),
    "licence follow": message(licence_service_pb2.ReportLicenceFollowUpResponse),
    "licence check": message(licence_service_pb2.CheckLicenceResponse),
    "licence publish": joined(licence_service_pb2.PublishLicenceResponse, number=TEXT),
    "licence amend": joined(licence_service_pb2.AmendLicenceResponse, number=TEXT),
    "licence withdraw": joined(licence_service_pb2.WithdrawLicenceResponse, number=TEXT),
    "licence proposals": either(listing(licence_service_pb2.ListedLicenceProposal), TEXTS),
    "risk-profile list": listing(risk_profile_service_pb2.ListedRiskProfile),
    "risk-profile show": message(risk_profile_service_pb2.GetRiskProfileResponse),
    "risk-profile try": message(risk_profile_service_pb2.TryRiskProfileResponse),
    "risk-profile report": message(risk_profile_service_pb2.ReportRiskProfileResponse),
    "risk-profile offer": joined(risk_profile_service_pb2.OfferRiskProfileResponse, profile=TEXT),
    "risk-profile withdraw": joined(risk_profile_service_pb2.WithdrawRiskProfileResponse, profile=TEXT),
    "risk-profile adopt": joined(risk_profile_service_pb2.AdoptRiskProfileResponse, profile=TEXT),
    "risk-profile end": joined(risk_profile_service_pb2.EndRiskProfileResponse, profile=TEXT),
    "risk-profile proposals": either(listing(risk_profile_service_pb2.ListedRiskProfileProposal), TEXTS),
    "risk-profile approve": facts(proposal=TEXT, profile=TEXT),
    "risk-profile reject": facts(proposal=TEXT, profile=TEXT),
    "licence approve": facts(proposal=TEXT, licence=TEXT),
    "licence reject": facts(proposal=TEXT, licence=TEXT),
    "watchlist import": {
        "$comment": "with --dry-run JSON lines of the second form",
        "anyOf": [
            facts(
                list=TEXT,
                proposal_id=TEXT,
                proposed_before=FLAG,
                new=COUNT,
                changed=COUNT,
                unchanged=COUNT,
                withdrawn=COUNT,
                vanished=COUNT,
                refused_count=COUNT,
                refused=array(
                    facts(
                        line=COUNT,
                        id=TEXT,
                        reason=TEXT,
                        message=TEXT,
                        violations=array(of(Violation)),
                    )
                ),
                problems=array(of(BadRow)),
                skipped=array(of(SkippedRow)),
                not_understood=array(of(NotUnderstood)),
                left_out=mapping(COUNT),
                not_pruned=TEXT,
                notices=NOTICES,
            ),
            message(watchlist_pb2.WatchlistEntry),
        ],
    },
    "watchlist export": facts(file=TEXT, written=COUNT, left_out=mapping(COUNT), not_written=mapping(TEXT)),
    "watchlist list": listing(watchlist_service_pb2.ListedEntry),
    "watchlist show": message(watchlist_service_pb2.GetEntryResponse),
    "watchlist proposals": {
        "$comment": "with --names the second form",
        "anyOf": [listing(watchlist_service_pb2.Proposal), TEXTS],
    },
    "watchlist proposal": joined(
        watchlist_service_pb2.PreviewProposalResponse,
        estimate=either(message(watchlist_service_pb2.EstimateMatchesResponse), NULL),
    ),
    "watchlist diff": joined(watchlist_service_pb2.CompareCopyResponse, verdict=TEXT),
    "watchlist watch": lines(
        facts(position=COUNT, full_state=FLAG, begins=FLAG, changes=listing(watchlist_service_pb2.PublishedChange))
    ),
    "watchlist screen": message(screening_pb2.ScreenedSubject),
    "watchlist matches": {
        "$comment": "with --watch JSON lines of the second form, with --by the third",
        "anyOf": [
            listing(match_pb2.Match),
            facts(position=COUNT, matches=listing(match_pb2.Match)),
            listing(match_pb2.MatchGroup),
        ],
    },
    "watchlist changes": {
        "$comment": "with --report the second form",
        "anyOf": [listing(match_pb2.ScreeningReport), message(match_pb2.ScreeningReport)],
    },
    "watchlist confirm": message(match_pb2.DecideMatchResponse),
    "watchlist dismiss": {
        "$comment": "with --alike the second form",
        "anyOf": [message(match_pb2.DecideMatchResponse), message(match_pb2.DismissMatchesResponse)],
    },
    "watchlist report": message(watchlist_service_pb2.ReportHitResponse),
    "watchlist hits": listing(watchlist_service_pb2.ListedHit),
    "watchlist answer": message(watchlist_service_pb2.AnswerHitResponse),
    "watchlist statistics": listing(watchlist_service_pb2.ListStatistics),
    "watchlist propose": joined(watchlist_service_pb2.ProposeEntriesResponse, list=TEXT),
    "watchlist withdraw": joined(watchlist_service_pb2.ProposeEntriesResponse, list=TEXT),
    "watchlist approve": facts(proposal=TEXT, changes=COUNT),
    "watchlist reject": facts(proposal=TEXT, changes=COUNT),
    "history import": {
        "$comment": "with --dry-run JSON lines of the second and third forms",
        "anyOf": [
            facts(
                recorded=COUNT,
                new=COUNT,
                changed=COUNT,
                unchanged=COUNT,
                not_compared=COUNT,
                shipments=COUNT,
                additions=COUNT,
                lines=COUNT,
                position=COUNT,
                indexed=either(FLAG, NULL),
                refused=array(facts(OF_SOME_ERRORS, line=COUNT, record_id=TEXT, **ITEM_ERROR)),
                bad=array(
                    facts(
                        line=COUNT,
                        record_id=TEXT,
                        lines=COUNT,
                        problems=array(facts(line=COUNT, column=TEXT, reason=TEXT)),
                    )
                ),
                notices=NOTICES,
            ),
            message(shipment_pb2.Shipment),
            message(shipment_pb2.ShipmentAddition),
        ],
    },
    "history search": lines(
        {
            "oneOf": [
                facts(record=message(history_pb2.HistoryRecord)),
                facts(answer=message(history_pb2.NodeAnswer)),
                facts(end=message(history_service_pb2.SearchEnd)),
            ]
        }
    ),
    "history trace": message(history_service_pb2.TraceConsignmentResponse),
    "history show": message(history_service_pb2.GetShipmentResponse),
    "history risks": {"type": "array", "items": {"$ref": f"{MESSAGES}#/$defs/RiskHit"}},
    "history rules": message(history_service_pb2.ListRulesResponse),
    "history balance": facts(
        lines=array(
            facts(
                company=TEXT,
                start=TEXT,
                end=TEXT,
                month=TEXT,
                left_kg=NUMBER,
                came_kg=NUMBER,
                under_way_kg=NUMBER,
                unknown=COUNT,
                result=TEXT,
                elsewhere=array(TEXT),
                records=array(TEXT),
            )
        ),
        answers=array(message(history_pb2.NodeAnswer)),
    ),
    "history hold place": message(history_service_pb2.PlaceHoldResponse),
    "history hold release": facts(hold=TEXT),
    "history hold list": listing(history_service_pb2.LegalHold),
    "inbox list": listing(casework_service_pb2.InboxRow),
    "inbox related": listing(casework_service_pb2.RelatedAlert),
    "inbox assign": message(casework_service_pb2.AssignAlertsResponse),
    "inbox note": message(casework_service_pb2.CaseNote),
    "inbox notes": message(casework_service_pb2.GetCaseResponse),
    "law changes": message(history_service_pb2.ListControlChangesResponse),
    "law suggest": facts(
        day=TEXT,
        version=TEXT,
        suggestions=array(
            facts(
                control_code=TEXT,
                substance=TEXT,
                announcement=TEXT,
                element=TEXT,
                codes=TEXTS,
                confidence=TEXT,
                fits=TEXT,
                because=array(facts(kind=TEXT, value=TEXT, words=TEXT)),
                lacking=array(facts(kind=TEXT, value=TEXT)),
            )
        ),
    ),
    "law show": facts(day=TEXT, version=TEXT, goods=array(CONTROLLED), announcements=array(ANNOUNCED)),
    "why alert": message(node_service_pb2.ExplainAbsenceResponse),
    "why entry": message(node_service_pb2.ExplainAbsenceResponse),
    "why record": message(node_service_pb2.ExplainAbsenceResponse),
    "person add": message(person_service_pb2.AddPersonResponse),
    "person list": listing(person_pb2.Person),
    "person show": message(person_service_pb2.GetPersonResponse),
    "person roles": message(person_pb2.Person),
    "person disable": message(person_pb2.Person),
    "person reset": message(person_service_pb2.ResetPersonResponse),
    "person sessions": either(listing(person_pb2.PersonSession), facts(sessions=COUNT)),
    "person rotate-key": message(person_service_pb2.RotateAssertionKeyResponse),
    "person whois": message(person_service_pb2.ResolvePseudonymResponse),
    "file put": message(file_pb2.AttachedFile),
    "file ask": message(file_pb2.AttachedFile),
    "file get": message(file_pb2.AttachedFile),
    "file list": listing(file_pb2.AttachedFile),
    "file erase": message(file_pb2.AttachedFile),
    "file limits": message(file_service_pb2.GetFileLimitsResponse),
    "evidence export": {
        "$comment": "of an alert; the second form of an answer",
        "anyOf": [EXPORTED_ALERT, facts(path=TEXT, files=COUNT, records=COUNT)],
    },
    "evidence verify": facts(
        verified=FLAG,
        steps=array(of(StepResult)),
        evidence=either(
            PROVED_ALERT, PROVED_ANSWER, PROVED_FORK, PROVED_DENIAL, PROVED_AUDIT_EXPORT, PROVED_INCLUSION, NULL
        ),
    ),
    "evidence page": facts(path=TEXT, bytes=COUNT, sha_256=TEXT),
    "evidence consistency": facts(feed=TEXT, older_size=COUNT, newer_size=COUNT),
    "evidence cose-receipt": facts(path=TEXT, feed=TEXT, entry=COUNT, key_id=TEXT),
    "notification list": listing(notification_service_pb2.Notification),
    "notification watch": lines(message(notification_service_pb2.Notification)),
    "notification read": message(notification_service_pb2.MarkNotificationsReadResponse),
    "notification rules": message(notification_service_pb2.GetNotificationRulesResponse),
    "notification follow": listing(notification_service_pb2.NotificationRule),
    "notification unfollow": listing(notification_service_pb2.NotificationRule),
    "notification share": listing(notification_service_pb2.NotificationRule),
    "notification unshare": listing(notification_service_pb2.NotificationRule),
    "notification test": message(notification_service_pb2.TestNotificationDeliveryResponse),
    "notification outbox": message(notification_service_pb2.ListOutboxStateResponse),
    "keys list": listing(node_service_pb2.SigningKey),
    "keys unlock": facts(token=TEXT, state=TEXT),
    "keys generate": facts({"vkey": TEXT}, key=TEXT, public_key=TEXT),
    "link list": listing(node_service_pb2.Link),
    "link suspend": message(node_service_pb2.Link),
    "link resume": message(node_service_pb2.Link),
    "link resolve": message(node_service_pb2.Link),
    "link recover": RECOVERED,
    "link declare-new": facts(partner=TEXT, feeds=TEXTS),
    "maintenance announce": message(maintenance_pb2.AnnouncedMaintenance),
    "maintenance end": message(maintenance_pb2.AnnouncedMaintenance),
    "maintenance list": listing(maintenance_pb2.AnnouncedMaintenance),
    "directory card": facts(card=TEXT, node=TEXT, digest=TEXT),
    "directory draft": DRAFT,
    "directory remove-member": DRAFT,
    "directory renew": DRAFT,
    "directory revoke": DRAFT,
    "directory sign": facts(note=TEXT, version=COUNT, signatures=TEXTS, threshold=COUNT, agreements=array(AGREEMENT)),
    "directory verify": facts(
        federation=TEXT,
        version=COUNT,
        signed_by=TEXTS,
        threshold=COUNT,
        validity=of(Validity),
        expires=TIME,
        anchored=FLAG,
        warnings=TEXTS,
    ),
    "directory revoke-now": OWNER_REVOCATION,
    "directory take-revocation": OWNER_REVOCATION,
    "directory show": facts(
        {"revoked_by_owners": array(REVOKED_BY_OWNER)}, signed_by=TEXTS, validity=of(Validity), directory=DIRECTORY
    ),
    "directory diff": array(DIFFERENCE),
    "directory offered": array(
        facts(version=COUNT, offered_by=TEXT, sha256=TEXT, expires=TIME, differences=array(DIFFERENCE))
    ),
    "directory take": facts(file=TEXT, version=COUNT, offered_by=TEXT, signed_by=TEXTS),
    "pki init-ca": facts(certificate=TEXT, key=TEXT, subject=TEXT, fingerprint=TEXT, valid_until=TIME),
    "pki request": facts(request=TEXT, key=TEXT, **REQUESTED),
    "pki issue": facts(certificate=TEXT, kept_as=TEXT, serial=TEXT, fingerprint=TEXT, valid_until=TIME, **REQUESTED),
    "pki signing-keys": facts(log_key=TEXT, log_public_key=TEXT, receipts_key=TEXT, receipts_vkey=TEXT),
    "pki next-keys": facts(log_key=TEXT, receipts_key=TEXT),
    "pki second-keys": facts(log_key=TEXT, receipts_key=TEXT),
    "pki directory-key": facts(key=TEXT, vkey=TEXT),
    "pki show": array(either(*SHOWN_FILES.values())),
    "audit list": listing(evidence_service_pb2.AuditEvent),
    "audit export": facts(path=TEXT, files=COUNT),
    "audit head": facts(file=TEXT, events=COUNT, signed_at=TIME),
    "file: alert": message(alert_pb2.AlertContent),
    "file: finding": message(alert_pb2.AlertFinding),
    "file: watchlist entry": message(watchlist_pb2.WatchlistEntry),
    "file: shipment": message(shipment_pb2.Shipment),
    "file: addition to a shipment": message(shipment_pb2.ShipmentAddition),
}
"""What each command prints, and files that are read."""
