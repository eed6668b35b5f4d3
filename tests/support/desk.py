"""A desk at a paper node: its inbox, search index and cases, built by the product's own code in this process."""

from __future__ import annotations

import uuid
from typing import Any

from gateway.casework.commands.cases import AddNoteCommand, AssignCommand
from gateway.casework.projection.rebuild import rebuild_casework
from gateway.casework.service.case_queries import CaseQueries
from gateway.casework.service.inbox import InboxQueries
from gateway.casework.service.related import RelatedAlerts
from gateway.casework.service.search_plan import number_plan
from gateway.casework.service.search_planner import AlertSearchPlanner
from gateway.v1 import alert_pb2
from gateway.v1 import casework_service_pb2 as service
from tests.support.nodes import PaperNode

PERSON = "wong"


class Desk:
    """What a person at a node sees."""

    def __init__(self, node: PaperNode, person: str = PERSON) -> None:
        self.node, self.person = node, person
        self._inbox = InboxQueries(node.database, clock=node.clock, sent_size=lambda _: 0, former=node.former_partners)
        self.cases = CaseQueries(
            node.database,
            clock=node.clock,
            persons=lambda _: {"wong": "Wong", "chan": "Chan"},
            former=node.former_partners,
        )
        self.planner = AlertSearchPlanner(node.database)
        self.related_alerts = RelatedAlerts(
            node.database,
            names=self.planner.matching,
            clock=node.clock,
            sent_size=lambda _: 0,
            former=node.former_partners,
        )

    def settle(self) -> None:
        self.node.settle()
        rebuild_casework(self.node.writer.run, self.node.database)

    def page(self, *, size: int = 0, token: str = "", facets: bool = False, order: int = 0, **filters: Any) -> Any:
        request = service.ListInboxRequest(
            page_size=size,
            page_token=token,
            filter=service.InboxFilter(**filters),
            with_facets=facets,
            order=order,  # type: ignore[arg-type]
        )
        text = request.filter.text
        plan = (number_plan(text) or self.planner.plan(text)) if text.strip() else None
        return self._inbox.list(request, person=self.person, plan=plan)

    def rows(self, *, size: int = 0, **filters: Any) -> list[service.InboxRow]:
        """Rows of all pages."""
        found: list[service.InboxRow] = []
        token = ""
        while True:
            page = self.page(size=size, token=token, **filters)
            found += page.rows
            token = page.next_page_token
            if not token:
                return found

    def ids(self, **filters: Any) -> list[str]:
        return [row.summary.alert.id for row in self.rows(**filters)]

    def found(self, text: str) -> list[str]:
        return self.ids(text=text)

    def related(self, publisher: str, alert_id: str) -> list[tuple[str, list[str]]]:
        request = service.ListRelatedAlertsRequest(alert=reference(publisher, alert_id))
        response = self.related_alerts.of(request)
        return [(one.summary.alert.id, [shared.value for shared in one.shared]) for one in response.alerts]

    def assign(self, assignee: str, *alerts: tuple[str, str], request_id: str = "") -> int:
        request = service.AssignAlertsRequest(
            request_id=request_id or str(uuid.uuid4()),
            alerts=[reference(*alert) for alert in alerts],
            assignee=assignee,
        )
        command = AssignCommand(
            request, person=self.person, principal=f"person/{self.node.name}/{self.person}", knows=knows
        )
        return int(self.node.writer.run(command).changed)

    def note(self, text: str, alert: tuple[str, str]) -> service.CaseNote:
        request = service.AddNoteRequest(request_id=str(uuid.uuid4()), alert=reference(*alert), text=text)
        command = AddNoteCommand(request, person=self.person, principal=f"person/{self.node.name}/{self.person}")
        note: service.CaseNote = self.node.writer.run(command).note
        return note


def knows(_: Any, person: str) -> bool:
    return person in ("wong", "chan")


def reference(publisher: str, alert_id: str) -> alert_pb2.AlertReference:
    return alert_pb2.AlertReference(publisher=publisher, alert_id=alert_id)
