"""Puts the content of an alert into facts: everything that it says."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.cli.history.goods import equipment_line, goods_line, leg_line, means_line, party_line, reference_line
from gateway.cli.output import stacked
from gateway.cli.values import shown_time
from gateway.contract.enum_words import word_of
from gateway.translation.messages import N_, listed
from gateway.translation.messages import gettext as _
from gateway.translation.notices import noticed
from gateway.v1.alert_pb2 import (
    Alert,
    AlertContent,
    Classification,
    EvidenceDigest,
    OnwardTransfer,
    Priority,
    RequestedAction,
    RuleHit,
    Subject,
)
from gateway.v1.options_pb2 import DisclosureClass


def content_facts(alert: Alert) -> Mapping[str, object]:
    """An alert's facts without empty values."""
    content = alert.content
    facts: dict[str, object] = {
        N_("Revision"): alert.revision,
        N_("Published"): shown_time(alert, "published_at"),
        N_("Priority"): word_of(Priority, content.priority).upper(),
        N_("Typologies"): list(content.typologies),
        N_("Asked for"): word_of(RequestedAction, content.requested_action),
        N_("Valid until"): shown_time(content, "valid_until"),
        N_("Reply by"): shown_time(content, "reply_by"),
        N_("Legal basis"): content.legal_basis,
        N_("Purpose"): content.purpose,
        N_("Case"): content.case_reference,
        **_handling_facts(content),
        **_subject_facts(content.subject),
        N_("Goods"): [goods_line(item) for item in content.goods],
        N_("Route"): [leg_line(leg) for leg in content.route],
        N_("Rules"): [_rule_line(rule_hit) for rule_hit in content.rule_hits],
        N_("Evidence"): [evidence_line(evidence) for evidence in content.evidence],
        N_("Notices"): [f"{notice.field}: {noticed(notice.message)}" for notice in alert.notices],
    }
    facts |= {_("Text ({language})", language=narrative.language): narrative.text for narrative in content.narratives}
    listed = {name: stacked(value) if isinstance(value, list) else value for name, value in facts.items()}
    return {name: value for name, value in listed.items() if value not in (None, "")}


def _handling_facts(content: AlertContent) -> dict[str, object]:
    handling = content.handling
    onward = word_of(OnwardTransfer, handling.onward_transfer)
    recipients = ", ".join(handling.onward_recipients)
    return {
        N_("Classification"): word_of(Classification, handling.classification),
        N_("Onward transfer"): f"{onward}: {recipients}" if recipients else onward,
        N_("Caveat"): handling.caveat,
        N_("Derived from"): [f"{source.publisher}/{source.alert_id}" for source in content.derived_from],
        N_("Derived from answers"): [f"{answer.node}/{answer.query_id}" for answer in content.derived_from_answers],
    }


def _subject_facts(subject: Subject) -> dict[str, object]:
    return {
        N_("References"): [reference_line(document) for document in subject.references],
        N_("Equipment"): [equipment_line(unit) for unit in subject.equipment],
        N_("Means"): [means_line(transport) for transport in subject.means],
        N_("Parties"): [party_line(party) for party in subject.parties],
    }


def _rule_line(rule_hit: RuleHit) -> str:
    rule = " ".join(filter(None, (rule_hit.rule_id, rule_hit.rule_version)))
    score = [_("score {score}", score=f"{rule_hit.score:g}")] if rule_hit.HasField("score") else []
    inputs = [f"{path} = {value}" for path, value in sorted(rule_hit.inputs.items())]
    return f"{rule}: {'; '.join([*filter(None, [rule_hit.explanation]), *score, *inputs])}"


def evidence_line(evidence: EvidenceDigest) -> str:
    """A digest of evidence that stays with who names it."""
    size = _("{number} bytes", number=f"{evidence.size_bytes:,}") if evidence.size_bytes else ""
    tells_of = listed([word_of(DisclosureClass, each) for each in evidence.classes])
    about = _("tells of {classes}", classes=tells_of) if tells_of else ""
    said = (evidence.file_name, evidence.description, evidence.media_type, size, about)
    return " ".join(filter(None, (*said, f"sha256 {evidence.sha256.hex()}")))
