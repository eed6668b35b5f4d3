"""Reports of matches and hits: what a partner's alert says reaches the owner of an entry only with its consent."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.contract.messages import to_timestamp
from gateway.errors import InvalidRequestError, NotFoundError, PermissionDeniedError
from gateway.v1 import alert_pb2, match_pb2, party_pb2, screening_pb2, shipment_pb2, watchlist_pb2
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.watchlists.commands.hits import ReportHitCommand
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.service.alert_history import AlertHistory
from gateway.watchlists.service.recent_parties import RecentParties
from tests.support.databases import MakeDatabase
from tests.support.nodes import DAY_MS, PaperNode, exchange, paper_nodes
from tests.support.recording import index, record
from tests.support.shipments import shipment
from tests.unit.watchlists.commands.test_matches import HAN, LIST, RULES, Desk, enter, hits, subject

PROHIBITED = alert_pb2.Handling(
    classification=alert_pb2.CLASSIFICATION_RESTRICTED, onward_transfer=alert_pb2.ONWARD_TRANSFER_PROHIBITED
)
OTHER = "陳大文水果行"
GRANTED, REFUSED = alert_pb2.TRANSFER_CONSENT_GRANTED, alert_pb2.TRANSFER_CONSENT_REFUSED
CONFIRM = match_pb2.MatchConfirmation(purpose="export_control", case_reference="HK-1")


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database, ("cn", "hk", "mo")) as made:
        made[0].policies[LIST] = ListPolicy(four_eyes=False)
        enter(made[0], "company", HAN)
        exchange(*made)
        yield made


@pytest.fixture
def hk(nodes: list[PaperNode], tmp_path: Path) -> Desk:
    return Desk(nodes[1], tmp_path)


def publish_from_mo(nodes: list[PaperNode], **handling: object) -> str:
    """An alert of mo to hk that names what cn lists."""
    rule = alert_pb2.Handling()
    rule.CopyFrom(PROHIBITED)
    if handling:
        rule = alert_pb2.Handling(classification=alert_pb2.CLASSIFICATION_RESTRICTED, **handling)  # type: ignore[arg-type]
    alert_id = nodes[2].publish("hk", subject=subject(HAN), handling=rule)
    exchange(*nodes)
    return alert_id


def ask(nodes: list[PaperNode], alert_id: str, *recipients: str) -> str:
    """hk asks mo; returns the question's id."""
    hk = nodes[1]
    question_id = hk.publisher.new_id()
    deadline = to_timestamp(hk.clock.now + DAY_MS)
    question = alert_pb2.AlertQuestion(
        question_id=question_id, text="May they know?", deadline=deadline, onward_recipients=recipients
    )
    hk.step("mo", alert_id, question=question)
    exchange(*nodes)
    return question_id


def answer(
    nodes: list[PaperNode], alert_id: str, question_id: str, consent: alert_pb2.TransferConsent.ValueType
) -> None:
    said = alert_pb2.AlertAnswer(question_id=question_id, text="See there.", consent=consent)
    nodes[2].step("mo", alert_id, answer=said)
    exchange(*nodes)


def record_at(hk: Desk, *releasable_to: str) -> None:
    """hk records a shipment of what cn lists, which may be told to these."""
    party = party_pb2.Party(role=party_pb2.PARTY_ROLE_EXPORTER, names=[party_pb2.Name(text=HAN)])
    to = shipment_pb2.ReleaseList(nodes=releasable_to)
    record(hk.node, shipment("R-1", parties=[party], releasable_to=to))
    index(hk.node)


class TestAMatchOfAnOwnRecord:
    def test_isnt_reported_to_an_owner_whom_its_list_doesnt_name(self, nodes: list[PaperNode], hk: Desk) -> None:
        hk.rules = dict(RULES)
        record_at(hk, "mo")
        hk.run()
        (match,) = hk.matches("status = open")
        assert match.reason == (
            "not reported: the release list of record R-1 doesn't name cn, which the hit would tell of it"
        )
        with pytest.raises(PermissionDeniedError, match="release list of record R-1") as no:
            hk.decide(match.match_id, confirm=CONFIRM)
        assert "releasable_to" in no.value.way_out
        exchange(*nodes)
        assert hits(nodes[0]) == hits(hk.node) == []

    def test_is_reported_to_one_whom_it_names(self, nodes: list[PaperNode], hk: Desk) -> None:
        hk.rules = dict(RULES)
        record_at(hk, "cn")
        hk.run()
        exchange(*nodes)
        assert len(hits(nodes[0])) == 1


class TestAMatchOfAPartnersAlert:
    @pytest.mark.parametrize("without_subject", [False, True])
    def test_isnt_reported_to_a_third_authority_and_says_why(
        self, nodes: list[PaperNode], hk: Desk, without_subject: bool
    ) -> None:
        """Not without the party either: the entry names it."""
        alert_id = publish_from_mo(nodes)
        hk.run()
        (match,) = hk.matches()
        confirm = match_pb2.MatchConfirmation(purpose="export_control", without_subject=without_subject)
        with pytest.raises(
            PermissionDeniedError, match=f"mo doesn't allow alert {alert_id} to be passed on to cn"
        ) as no:
            hk.decide(match.match_id, confirm=confirm)
        assert "gateway alert ask" in no.value.way_out
        exchange(*nodes)
        assert hits(nodes[0]) == hits(hk.node) == []
        assert hk.statuses() == [("company", HAN, "open")]

    def test_isnt_reported_by_itself_either(self, nodes: list[PaperNode], hk: Desk) -> None:
        hk.rules = dict(RULES)
        alert_id = publish_from_mo(nodes)
        hk.run()
        exchange(*nodes)
        assert hits(nodes[0]) == hits(hk.node) == []
        (match,) = hk.matches("status = open")
        assert match.reason.startswith(f"not reported: mo doesn't allow alert {alert_id} to be passed on to cn")

    @pytest.mark.parametrize(
        "handling",
        [
            {"onward_transfer": alert_pb2.ONWARD_TRANSFER_FEDERATION},
            {"onward_transfer": alert_pb2.ONWARD_TRANSFER_LISTED, "onward_recipients": ["cn"]},
        ],
    )
    def test_is_reported_where_the_alerts_handling_allows_it(
        self, nodes: list[PaperNode], hk: Desk, handling: dict[str, object]
    ) -> None:
        hk.rules = dict(RULES)
        publish_from_mo(nodes, **handling)
        hk.run()
        exchange(*nodes)
        assert hits(nodes[0]) == [("hk", "company", [HAN], "")]

    def test_is_reported_to_the_alerts_own_publisher(self, nodes: list[PaperNode], hk: Desk) -> None:
        hk.rules = dict(RULES)
        nodes[0].publish("hk", subject=subject(HAN), handling=PROHIBITED)
        exchange(*nodes)
        hk.run()
        exchange(*nodes)
        assert hits(nodes[0]) == [("hk", "company", [HAN], "")]

    def test_of_an_own_alert_that_derives_from_it_is_held_to_the_same_rule(
        self, nodes: list[PaperNode], hk: Desk
    ) -> None:
        hk.rules = dict(RULES)
        source = alert_pb2.AlertReference(publisher="mo", alert_id=publish_from_mo(nodes))
        hk.node.publish("mo", subject=subject(HAN), derived_from=[source])
        exchange(*nodes)
        hk.run()
        exchange(*nodes)
        assert hits(nodes[0]) == []
        assert [match.reason.partition(":")[0] for match in hk.matches()] == ["not reported", "not reported"]


class TestAScreenedParty:
    """What an own system screens may come from an alert."""

    def meet(self, nodes: list[PaperNode], hk: Desk, name: str, **listed: object) -> None:
        hk.rules = dict(RULES)
        hk.run()
        party = screening_pb2.ScreeningSubject(reference="D-17", names=[party_pb2.Name(text=name)])
        hk.screener.screen([party], at_ms=hk.node.clock())
        enter(nodes[0], "twin", name, **listed)  # type: ignore[arg-type]
        exchange(*nodes)
        hk.run()
        exchange(*nodes)

    def test_that_an_alert_names_too_isnt_reported_by_itself(self, nodes: list[PaperNode], hk: Desk) -> None:
        publish_from_mo(nodes)
        self.meet(nodes, hk, HAN)
        assert hits(nodes[0]) == []
        (match,) = hk.matches("source = screened")
        assert (match.status, match.reason[:12]) == (match_pb2.MATCH_STATUS_OPEN, "not reported")
        hk.decide(match.match_id, confirm=CONFIRM)
        exchange(*nodes)
        assert hits(nodes[0]) == [("hk", "twin", [HAN], "HK-1")], "an officer decides"

    @pytest.mark.parametrize("how", ["withdrawn", "amended", "forgotten"])
    def test_that_an_alert_named_before_isnt_either(self, nodes: list[PaperNode], hk: Desk, how: str) -> None:
        """The entry comes when the alert is void, names somebody else, or isn't among the newest parties any more."""
        mo, alert_id = nodes[2], publish_from_mo(nodes)
        hk.run()
        if how == "withdrawn":
            mo.step("mo", alert_id, withdrawn=alert_pb2.AlertWithdrawn(revision=1, reason="A mistake"))
        elif how == "amended":
            mo.amend(alert_id, 2, subject=subject(OTHER), handling=PROHIBITED)
        exchange(*nodes)
        hk.run()
        if how == "forgotten":
            hk.screener.recent = RecentParties(most=1)
        self.meet(nodes, hk, HAN)
        assert hits(nodes[0]) == []
        (match,) = hk.matches("source = screened AND id = twin")
        assert "mo doesn't allow" in match.reason

    @pytest.mark.both_databases
    def test_isnt_reported_by_itself_where_there_are_too_many_alerts(self, nodes: list[PaperNode], hk: Desk) -> None:
        hk.search._history = AlertHistory(hk.node.database, most=1)
        for _ in range(2):
            nodes[2].publish("hk", subject=subject(OTHER))
        exchange(*nodes)
        self.meet(nodes, hk, HAN)
        assert hits(nodes[0]) == []
        (match,) = hk.matches("source = screened AND id = twin")
        assert "not every alert of before could be compared" in match.reason

    @pytest.mark.both_databases
    def test_that_an_alert_names_by_a_number_isnt_either(self, nodes: list[PaperNode], hk: Desk) -> None:
        """The alert has name and number, and what was screened the name alone: other writings agree with one entry."""
        numbered = subject(HAN)
        numbered.parties[0].identifiers.add(scheme="uscc", value="91440300MA5EXMPLXX")
        nodes[2].publish("hk", subject=numbered, handling=PROHIBITED)
        exchange(*nodes)
        number = party_pb2.Identifier(scheme="uscc", value="91440300MA5EXMPLXX")
        self.meet(nodes, hk, HAN, identifiers=[number])
        assert {match.hit.explanation.given for match in hk.matches("id = twin")} == {
            "uscc:91440300MA5EXMPLXX",
            HAN,
        }
        assert hits(nodes[0]) == []

    def test_of_another_name_is(self, nodes: list[PaperNode], hk: Desk) -> None:
        publish_from_mo(nodes)
        self.meet(nodes, hk, OTHER)
        assert hits(nodes[0]) == [("hk", "twin", [OTHER], "")]


class TestConsent:
    def test_granted_by_the_publisher_lets_the_report_go(self, nodes: list[PaperNode], hk: Desk) -> None:
        alert_id = publish_from_mo(nodes)
        hk.run()
        (match,) = hk.matches()
        answer(nodes, alert_id, ask(nodes, alert_id, "cn"), GRANTED)
        hk.decide(match.match_id, confirm=CONFIRM)
        exchange(*nodes)
        assert hits(nodes[0]) == [("hk", "company", [HAN], "HK-1")]
        (said,) = [
            change
            for change in hk.node.queries.get("mo", alert_id).history
            if change.event.WhichOneof("event") == "answer"
        ]
        assert said.entry.origin.split("/")[1:] == ["mo", "hk", "alerts"], "signed in its publisher's feed"

    @pytest.mark.parametrize("given", ["by an answer", "by the alert's handling"])
    def test_lets_a_report_go_that_the_settings_ask_for(self, nodes: list[PaperNode], hk: Desk, given: str) -> None:
        hk.rules = dict(RULES)
        alert_id = publish_from_mo(nodes)
        hk.run()
        assert [match.reason[:12] for match in hk.matches("status = open")] == ["not reported"]
        if given == "by an answer":
            answer(nodes, alert_id, ask(nodes, alert_id, "cn"), GRANTED)
        else:
            handling = alert_pb2.Handling(
                classification=PROHIBITED.classification, onward_transfer=alert_pb2.ONWARD_TRANSFER_FEDERATION
            )
            nodes[2].amend(alert_id, 2, subject=subject(HAN), handling=handling)
            exchange(*nodes)
        hk.run()
        exchange(*nodes)
        assert hits(nodes[0]) == [("hk", "company", [HAN], "")]
        (match,) = hk.matches()
        assert (match.status, match.reason) == (match_pb2.MATCH_STATUS_CONFIRMED, "")

    def test_counts_for_new_alerts_too(self, nodes: list[PaperNode]) -> None:
        alert_id = publish_from_mo(nodes)
        source = alert_pb2.AlertReference(publisher="mo", alert_id=alert_id)
        with pytest.raises(PermissionDeniedError):
            nodes[1].publish("cn", derived_from=[source])
        answer(nodes, alert_id, ask(nodes, alert_id, "cn"), GRANTED)
        assert nodes[1].publish("cn", derived_from=[source])

    @pytest.mark.parametrize(
        "ending", ["unanswered", "refused", "unknown node", "amended", "refused later", "asked in words"]
    )
    def test_doesnt_count_where_it_wasnt_given_for_this(self, nodes: list[PaperNode], hk: Desk, ending: str) -> None:
        mo, alert_id = nodes[2], publish_from_mo(nodes)
        hk.run()
        (match,) = hk.matches()
        if ending == "asked in words":
            asked = ask(nodes, alert_id)
            answer(nodes, alert_id, asked, alert_pb2.TRANSFER_CONSENT_UNSPECIFIED)
        elif ending == "unknown node":
            with pytest.raises(InvalidRequestError, match="third authority"):
                ask(nodes, alert_id, "xx")
        else:
            asked = ask(nodes, alert_id, "cn")
            if ending != "unanswered":
                answer(nodes, alert_id, asked, REFUSED if ending == "refused" else GRANTED)
            if ending == "amended":
                mo.amend(alert_id, 2, subject=subject(HAN), handling=PROHIBITED, case_reference="MORE")
                exchange(*nodes)
                hk.run()
            if ending == "refused later":
                answer(nodes, alert_id, ask(nodes, alert_id, "cn"), REFUSED)
        with pytest.raises(PermissionDeniedError):
            hk.decide(match.match_id, confirm=CONFIRM)
        exchange(*nodes)
        assert hits(nodes[0]) == []

    def test_is_asked_about_a_partners_alert_and_answered_with_a_decision(self, nodes: list[PaperNode]) -> None:
        hk, mo = nodes[1], nodes[2]
        alert_id = publish_from_mo(nodes)
        asked = ask(nodes, alert_id, "cn")
        with pytest.raises(InvalidRequestError, match="granted or refused"):
            answer(nodes, alert_id, asked, alert_pb2.TRANSFER_CONSENT_UNSPECIFIED)
        plain = ask(nodes, alert_id)
        with pytest.raises(InvalidRequestError, match="doesn't ask"):
            answer(nodes, alert_id, plain, GRANTED)
        for wrong in ("mo", "hk"):
            with pytest.raises(InvalidRequestError, match="third authority"):
                ask(nodes, alert_id, wrong)
        question = alert_pb2.AlertQuestion(
            question_id=mo.publisher.new_id(),
            text="?",
            deadline=to_timestamp(mo.clock.now + DAY_MS),
            onward_recipients=["cn"],
        )
        with pytest.raises(InvalidRequestError, match="own one"):
            mo.step("mo", alert_id, recipient="hk", question=question)
        assert hk.queries.get("mo", alert_id).deliveries[0].open_question_ids == [asked, plain]

    def test_of_the_recipient_itself_is_none(self, nodes: list[PaperNode], hk: Desk) -> None:
        """An answer stands in the publisher's feed or it isn't its answer: hk can't answer its own question."""
        alert_id = publish_from_mo(nodes)
        asked = ask(nodes, alert_id, "cn")
        with pytest.raises(Exception, match="hasn't asked"):
            hk.node.step("mo", alert_id, answer=alert_pb2.AlertAnswer(question_id=asked, text="Yes", consent=GRANTED))


class TestAHitThatASystemReports:
    def report(self, hk: PaperNode, *derived_from: alert_pb2.AlertReference) -> pb.ReportHitResponse:
        request = pb.ReportHitRequest(
            request_id=str(uuid.uuid4()),
            entry=watchlist_pb2.WatchlistReference(publisher="cn", list=LIST, id="company"),
            revision=1,
            match_class=watchlist_pb2.MATCH_CLASS_IDENTICAL,
            score=1,
            subject=party_pb2.Party(names=[party_pb2.Name(text=HAN)]),
            purpose="export_control",
            derived_from=derived_from,
        )
        command = ReportHitCommand(hk.lists, hk.lists.agreements, request, "system/hk/desk", "desk")
        return hk.writer.run(command)  # type: ignore[no-any-return]

    def test_names_the_alert_and_is_held_to_its_rule(self, nodes: list[PaperNode]) -> None:
        alert_id = publish_from_mo(nodes)
        source = alert_pb2.AlertReference(publisher="mo", alert_id=alert_id)
        with pytest.raises(PermissionDeniedError, match=r"^derived_from: mo doesn't allow"):
            self.report(nodes[1], source)
        with pytest.raises(NotFoundError, match=r"^derived_from: "):
            self.report(nodes[1], alert_pb2.AlertReference(publisher="mo", alert_id=str(uuid.uuid4())))
        answer(nodes, alert_id, ask(nodes, alert_id, "cn"), GRANTED)
        assert self.report(nodes[1], source).hit_id
        assert self.report(nodes[1]).hit_id, "what an officer typed"
