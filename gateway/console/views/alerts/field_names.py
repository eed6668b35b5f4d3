"""Names of an alert's fields in the reader's language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from gateway.console.views.words import capitalised
from gateway.errors import GatewayError
from gateway.translation.labels import readable
from gateway.translation.messages import gettext as _
from gateway.translation.refusals import refused
from gateway.v1.alert_service_pb2 import ItemError

FIELDS: Final[Mapping[str, Callable[[], str]]] = {
    "priority": lambda: _("Priority"),
    "typologies": lambda: _("Suspicion"),
    "subject": lambda: _("What it is about"),
    "references": lambda: _("Reference"),
    "equipment": lambda: _("Container"),
    "seals": lambda: _("Seal"),
    "means": lambda: _("Means of transport"),
    "parties": lambda: _("Party"),
    "names": lambda: _("Name"),
    "text": lambda: _("Text"),
    "goods": lambda: _("Goods"),
    "description": lambda: _("Description"),
    "declared_codes": lambda: _("Declared code"),
    "suspected_codes": lambda: _("Suspected code"),
    "net_mass_kg": lambda: _("Net mass, kg"),
    "gross_mass_kg": lambda: _("Gross mass, kg"),
    "route": lambda: _("Route"),
    "rule_hits": lambda: _("Rule"),
    "requested_action": lambda: _("Asked for"),
    "legal_basis": lambda: _("Legal basis"),
    "purpose": lambda: _("Purpose"),
    "case_reference": lambda: _("Case"),
    "handling": lambda: _("Handling"),
    "caveat": lambda: _("Caveat"),
    "reply_by": lambda: _("Reply by"),
    "valid_until": lambda: _("Valid until"),
    "evidence": lambda: _("Evidence"),
    "narratives": lambda: _("Text for officers"),
    "id": lambda: _("Number"),
    "revision": lambda: _("Revision"),
    "publisher": lambda: _("Publisher"),
    "recipient": lambda: _("Recipient"),
    "published_at": lambda: _("Published"),
    "occurred_at": lambda: _("Time"),
    "actor": lambda: _("Who acts"),
    "content": lambda: _("Content"),
    "kind": lambda: _("Kind"),
    "value": lambda: _("Value"),
    "territory": lambda: _("Territory"),
    "e_lock": lambda: _("Electronic lock"),
    "mode": lambda: _("Mode"),
    "registrations": lambda: _("Registration"),
    "scheme": lambda: _("Scheme"),
    "name": lambda: _("Name"),
    "journey": lambda: _("Voyage or flight"),
    "role": lambda: _("Role"),
    "script": lambda: _("Script"),
    "language": lambda: _("Language"),
    "identifiers": lambda: _("Identifier"),
    "expires": lambda: _("Valid until"),
    "addresses": lambda: _("Address"),
    "street": lambda: _("Street"),
    "city": lambda: _("City"),
    "code": lambda: _("Code"),
    "substance": lambda: _("Substance"),
    "element": lambda: _("Element"),
    "purity_percent": lambda: _("Purity, %"),
    "form": lambda: _("Form"),
    "package_count": lambda: _("Packages"),
    "customs_value": lambda: _("Customs value"),
    "currency_code": lambda: _("Currency"),
    "units": lambda: _("Amount"),
    "nanos": lambda: _("Amount, billionths"),
    "origin_territory": lambda: _("Origin"),
    "from": lambda: _("From"),
    "to": lambda: _("To"),
    "unlocode": lambda: _("UN/LOCODE"),
    "customs_office": lambda: _("Customs office"),
    "departure": lambda: _("Departure"),
    "arrival": lambda: _("Arrival"),
    "utc_offset_minutes": lambda: _("Minutes from UTC"),
    "rule_id": lambda: _("Rule"),
    "rule_version": lambda: _("Version"),
    "score": lambda: _("Measured by the rule"),
    "inputs": lambda: _("Input"),
    "explanation": lambda: _("Explanation"),
    "classification": lambda: _("Classification"),
    "onward_transfer": lambda: _("Onward transfer"),
    "onward_recipients": lambda: _("May it be passed on to"),
    "sha256": lambda: _("Digest (SHA-256)"),
    "media_type": lambda: _("Type"),
    "size_bytes": lambda: _("Size, bytes"),
    "file_name": lambda: _("File name"),
    "classes": lambda: _("Classes"),
    "derived_from": lambda: _("Follows from the alert"),
    "alert_id": lambda: _("Number of the alert"),
    "derived_from_answers": lambda: _("Follows from the answer"),
    "node": lambda: _("Authority"),
    "query_id": lambda: _("Number of the question"),
    "notices": lambda: _("Remark of the gateway"),
    "field": lambda: _("Field"),
    "message": lambda: _("Remark"),
    "alert": lambda: _("Alert"),
    "reason": lambda: _("Reason"),
    "question_id": lambda: _("Number of the question"),
    "deadline": lambda: _("Answer by"),
    "consent": lambda: _("Consent to pass it on"),
    "result": lambda: _("Result"),
    "inspected_at": lambda: _("Inspected"),
    "place": lambda: _("Where"),
    "methods": lambda: _("How"),
    "goods_found": lambda: _("Goods found"),
    "remarks": lambda: _("Remarks"),
    "measures": lambda: _("Measure"),
    "mass_confirmed": lambda: _("Mass"),
    "taken_at": lambda: _("Taken"),
    "outcome": lambda: _("Outcome"),
    "finding": lambda: _("Finding"),
    "replaces": lambda: _("In place of"),
    "origin": lambda: _("Feed"),
    "index": lambda: _("Entry"),
    "answers": lambda: _("Answers of partners"),
    "assignee": lambda: _("Assigned to"),
    "audience": lambda: _("Whom it reaches"),
    "birth_dates": lambda: _("Born"),
    "codes": lambda: _("Commodity code"),
    "commodities": lambda: _("Commodity code"),
    "commodity_codes": lambda: _("Commodity code"),
    "containers": lambda: _("Container"),
    "control_code": lambda: _("Control code"),
    "declared_from": lambda: _("Declared from"),
    "declared_until": lambda: _("Declared until"),
    "depth": lambda: _("Steps"),
    "digest": lambda: _("Digest (SHA-256)"),
    "disclose": lambda: _("Publish too"),
    "display_name": lambda: _("Name as colleagues see it"),
    "email": lambda: _("E-mail"),
    "ends_at": lambda: _("Until"),
    "equipment_id": lambda: _("Container"),
    "events": lambda: _("Events"),
    "files": lambda: _("Files"),
    "first_day": lambda: _("First day"),
    "kinds": lambda: _("Kinds"),
    "label": lambda: _("A name for it"),
    "last_day": lambda: _("Last day"),
    "least_count": lambda: _("Withhold numbers below"),
    "licences": lambda: _("Licence"),
    "list": lambda: _("List"),
    "minutes": lambda: _("For how long"),
    "new_password": lambda: _("The new password"),
    "nodes": lambda: _("Partners"),
    "note": lambda: _("Note"),
    "number": lambda: _("Number"),
    "on": lambda: _("Day of the export"),
    "partner": lambda: _("Partner"),
    "partners": lambda: _("Partners"),
    "party_identifiers": lambda: _("Party's number"),
    "party_names": lambda: _("Party's name"),
    "password": lambda: _("Password"),
    "person": lambda: _("Person"),
    "places": lambda: _("Place"),
    "priorities": lambda: _("Priorities"),
    "procedures": lambda: _("Procedure"),
    "prune_reason": lambda: _("Why they are withdrawn"),
    "quantity": lambda: _("Quantity"),
    "recipients": lambda: _("Recipients"),
    "record_id": lambda: _("Record"),
    "record_ids": lambda: _("Records"),
    "reference": lambda: _("Reference"),
    "releasable_to": lambda: _("For partners"),
    "roles": lambda: _("Roles"),
    "seal": lambda: _("Seal"),
    "since": lambda: _("From"),
    "starts_at": lambda: _("From"),
    "substances": lambda: _("Controlled substance"),
    "territories": lambda: _("Territories"),
    "unit": lambda: _("Unit"),
    "until": lambda: _("Until"),
    "valid_from": lambda: _("Valid from"),
    "vessel": lambda: _("Vessel's name"),
    "webhook": lambda: _("Webhook"),
}
"""By name in the contract."""


def field_name(name: str) -> str:
    """A field's name for people; what isn't known is written as the contract has it."""
    return FIELDS[name]() if name in FIELDS else capitalised(readable(name))


_MESSAGES: Final = frozenset(
    {"content", "findings", "closing", "entries", "withdrawals", "criteria", "grounds", "confirm", "dismiss", "rules"}
)
"""Parts of a request that no form has a name for."""


def path_words(path: str) -> str:
    """A field's path for people: `content.goods.customs_value` is "Goods: Customs value"."""
    names = [part.partition("[")[0] for part in path.split(".")]
    return ": ".join(field_name(name) for name in names if name not in _MESSAGES) or field_name(names[-1])


def violation_text(field: str, message: str) -> str:
    """What is wrong with a field of a request: its name, and the rule that it breaks in words."""
    broken = refused(message, path_words=path_words)
    return f"{path_words(field)}: {broken}" if field else broken


def problem_text(sentence: str) -> str:
    """Why the gateway refuses something, in words; a field that the sentence begins with has its name."""
    return refused(sentence, path_words=path_words)


def error_text(error: GatewayError | ItemError) -> str:
    """What the gateway said, of several violations each."""
    violations = getattr(error, "violations", ())
    if not violations:
        return problem_text(error.message)
    return "; ".join(violation_text(each.field, each.message) for each in violations)


_DEFAULT: Final = re.compile(r" \(what the file doesn't say can be given as a default: [a-z_]+\)$")


def line_problem(reason: str) -> str:
    """Why a line of a file isn't taken."""
    problem = problem_text(_DEFAULT.sub("", reason))
    return (
        _("{problem}; the form before can say it for all lines", problem=problem)
        if _DEFAULT.search(reason)
        else problem
    )
