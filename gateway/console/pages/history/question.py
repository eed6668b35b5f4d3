"""Reads what is looked for, and why, from the form of a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.form import Form
from gateway.console.views.written import code_in, values_in
from gateway.contract.enum_words import UNKNOWN
from gateway.translation.labels import label_of
from gateway.translation.messages import gettext as _
from gateway.v1.history_pb2 import AnswerMode, QueryGrounds, SearchCriteria, SearchIdentifier, SearchReference
from gateway.v1.shipment_pb2 import ShipmentProcedure

GROUNDS: Final = ("purpose", "legal_basis", "case_reference")
SIMPLE: Final = ("references", "containers", "seals", "registrations", "party_names")
FURTHER: Final = ("party_identifiers", "commodity_codes", "substances", "places", "vessel", "journey", "procedures",
                  "declared_from", "declared_until")  # fmt: skip
"""Names of fields."""

GRAPH: Final = ("node_id", "hub", "begin", "what", "depth", "kinds", "answers", "partners", "about")
"""Fields of a link graph from which partners are asked: with them it shows the answers."""

CARRIED: Final = (*GROUNDS, *SIMPLE, *FURTHER, "record_ids", "mode", "nodes", *GRAPH)
"""Fields that pages hand on to the next step."""

CHECKED: Final = {"containers": "container", "commodity_codes": "code", "substances": "substance", "places": "place"}
"""Kinds of values that are checked as one types, by field."""

PROBLEM_FIELDS: Final = {
    "grounds.purpose": "purpose",
    "grounds.legal_basis": "legal_basis",
    "grounds.case_reference": "case_reference",
    **{f"criteria.{name}": name for name in (*SIMPLE, *FURTHER, "record_ids")},
    "criteria": "references",
    "nodes": "nodes",
}
"""Field of the form by path of the request."""


@dataclass(frozen=True, slots=True)
class HistoryQuestion:
    """What is asked.

    Attributes:
        nodes: to ask; none: all.
        hidden: values of the form, to ask on with.
    """

    criteria: SearchCriteria
    grounds: QueryGrounds
    nodes: tuple[str, ...]
    mode: AnswerMode.ValueType
    hidden: dict[str, list[str]]

    @property
    def is_of_graph(self) -> bool:
        """Whether a link graph can show the answers."""
        return not self.hidden.keys().isdisjoint(("node_id", "hub", "what"))


def read_question(form: Form, zone: ZoneInfo) -> HistoryQuestion:
    """The question of a form; what is missing or wrong is noted in it."""
    grounds = read_grounds(form)
    criteria = _criteria(form, zone)
    if form.is_good and criteria == SearchCriteria():
        form.problems["references"] = _("Say what you look for: fill in one field at least.")
    if form.all("partners") and not form.all("nodes"):
        form.problems["nodes"] = _("Choose whom you ask.")
    mode = AnswerMode.ANSWER_MODE_HIT if form.text("mode") == "hit" else AnswerMode.ANSWER_MODE_RECORDS
    hidden = {name: form.all(name) for name in CARRIED if form.all(name)}
    nodes = tuple(dict.fromkeys(form.all("again") or form.all("nodes")))
    return HistoryQuestion(criteria, grounds, nodes, mode, hidden)


def read_grounds(form: Form) -> QueryGrounds:
    """Why somebody asks; what is missing is noted in the form."""
    return QueryGrounds(
        purpose=form.required("purpose", _("Say for which purpose you ask.")),
        legal_basis=form.required("legal_basis", _("Name the law or agreement on which you ask.")),
        case_reference=form.required("case_reference", _("Name your case.")),
    )


def procedure_options() -> list[tuple[str, str, str]]:
    """Procedures for checkboxes."""
    return [
        (name, label_of(ShipmentProcedure, value), "")
        for name, value in ShipmentProcedure.items()
        if value and label_of(ShipmentProcedure, value) != UNKNOWN
    ]


def _criteria(form: Form, zone: ZoneInfo) -> SearchCriteria:
    return SearchCriteria(
        record_ids=form.all("record_ids"),
        references=[SearchReference(value=value) for value in _values(form, "references")],
        containers=[value.upper() for value in _values(form, "containers")],
        seals=_values(form, "seals"),
        registrations=_values(form, "registrations"),
        party_names=_lines(form, "party_names"),
        party_identifiers=[SearchIdentifier(value=value) for value in _values(form, "party_identifiers")],
        commodity_codes=[code_in(value) for value in _values(form, "commodity_codes")],
        substances=_lines(form, "substances"),
        places=[value.upper() for value in _values(form, "places")],
        vessel=form.text("vessel"),
        journey=form.text("journey"),
        procedures=[value for name, value in ShipmentProcedure.items() if name in form.all("procedures")],
        declared_from=_day(form, "declared_from", zone),
        declared_until=_day(form, "declared_until", zone, after=1),
    )


def _lines(form: Form, name: str) -> Sequence[str]:
    """A value on each line."""
    return [line.strip() for text in form.all(name) for line in text.splitlines() if line.strip()]


def _values(form: Form, name: str) -> Sequence[str]:
    return [value for text in form.all(name) for value in values_in(text)]


def _day(form: Form, name: str, zone: ZoneInfo, *, after: int = 0) -> Timestamp | None:
    """The beginning of a day in the reader's zone, or of the next one."""
    day = form.day(name, zone, after=after)
    if day is None:
        return None
    moment = Timestamp()
    moment.FromDatetime(day)
    return moment
