"""Any interleaving of proposals, decisions, imports, ends, crashes, failed commits and lost batches ends well: lists
are what was decided, each partner has what it may have and nothing else, and both sides stand at the same root.

The model is a dictionary: what each entry is after every decision, written without a look at the product's code.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from gateway.contract.ids import Channel, FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import (
    GatewayError,
    IllegalTransitionError,
    NotFoundError,
    PermissionDeniedError,
    RevisionConflictError,
    StoreUnavailableError,
)
from gateway.trust.service.trial_federation import FEDERATION
from gateway.v1 import watchlist_pb2
from gateway.v1 import watchlist_service_pb2 as pb
from gateway.watchlists.commands.imports import (
    EndRowsCommand,
    FinishImportCommand,
    Import,
    ImportRowsCommand,
    count_listed,
    vanished,
)
from gateway.watchlists.commands.proposals import DecideCommand, ExpireListedCommand, ProposeCommand
from gateway.watchlists.rules.policies import ListPolicy
from gateway.watchlists.tables import lists as watchlists
from tests.support.machine_node import Machine, MachineNode
from tests.support.nodes import DAY_MS, ManualClock, exchange, listed_content

OWN, EYES = "minerals", "un-sc"
PARTNERS = ("hk", "mo")
ids = st.sampled_from("ABCDE")
names = st.sampled_from(("Placeholder One", "Placeholder Two", "Placeholder Three"))
partners = st.lists(st.sampled_from(PARTNERS), unique=True)
faults = st.sampled_from(("", "", "", "before", "after"))


@dataclass(frozen=True)
class Known:
    """An entry as the model has it; `until` in milliseconds since 1970, 0 for no end."""

    revision: int
    listed: bool
    name: str = ""
    to: tuple[str, ...] = ()
    until: int = 0


@dataclass(frozen=True)
class Open:
    """A proposal that waits: what it would make of which entry, from which revision."""

    proposal_id: str
    entry_id: str
    based_on: int
    was_listed: bool
    result: Known


class Lists(RuleBasedStateMachine):
    """See the module's text."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-lists-"))
        self.clock = ManualClock()
        self.machines = {name: Machine(name, self.folder, self.clock) for name in ("cn", *PARTNERS)}
        self.model: dict[tuple[str, str], Known] = {}
        self.open: list[Open] = []
        self.followed: dict[tuple[str, str], int] = {}
        self.position = 0

    def node(self, name: str) -> MachineNode:
        node = self.machines[name].node
        node.policies[OWN] = ListPolicy(four_eyes=False)
        return node

    # What own systems do at cn

    @rule(entry=ids, name=names, to=partners, days=st.sampled_from((0, 0, 1)), stale=st.booleans(), fault=faults)
    def put(self, entry: str, name: str, to: list[str], days: int, stale: bool, fault: str) -> None:
        """A new entry or an amendment, which takes effect at once."""
        known = self.model.get((OWN, entry), Known(0, listed=False))
        revision = (known.revision if known.listed else 0) + stale
        until = self.clock.now + days * DAY_MS if days else 0
        request = self._request(OWN, entry, revision, name, to, until)
        if not self._proposed(request, fault, conflict=stale):
            return
        self.model[OWN, entry] = Known(known.revision + 1, True, name, tuple(to), until)

    @rule(entry=ids, stale=st.booleans(), fault=faults)
    def withdraw(self, entry: str, stale: bool, fault: str) -> None:
        known = self.model.get((OWN, entry), Known(0, listed=False))
        request = pb.ProposeEntriesRequest(
            request_id=str(uuid.uuid4()),
            list=OWN,
            withdrawals=[pb.ProposedWithdrawal(id=entry, revision=known.revision + stale or 1, reason="cleared")],
        )
        if self._proposed(request, fault, conflict=stale or not known.listed):
            self.model[OWN, entry] = Known(known.revision, listed=False)

    @rule(entry=st.sampled_from("AB"), name=names, to=partners, fault=faults)
    def propose(self, entry: str, name: str, to: list[str], fault: str) -> None:
        """It waits for a second person."""
        known = self.model.get((EYES, entry), Known(0, listed=False))
        request = self._request(EYES, entry, known.revision if known.listed else 0, name, to, 0)
        response = self._proposed(request, fault, conflict=False)
        if response:
            result = Known(known.revision + 1, True, name, tuple(to))
            self.open.append(Open(response.proposal_id, entry, known.revision, known.listed, result))

    @precondition(lambda self: self.open)
    @rule(pick=st.integers(0, 100), approve=st.sampled_from((True, True, False)), same=st.sampled_from((0, 0, 0, 1)))
    def decide(self, pick: int, approve: bool, same: int) -> None:
        chosen = self.open[pick % len(self.open)]
        actor = "risk-engine" if same else "chief"
        known = self.model.get((EYES, chosen.entry_id), Known(0, listed=False))
        try:
            self._decide(chosen.proposal_id, approve=approve, actor=actor)
        except PermissionDeniedError:
            assert approve
            assert same
            return
        except RevisionConflictError:
            assert approve
            assert known.revision != chosen.based_on
            return
        self.open.remove(chosen)
        assert not (approve and same)
        if approve:
            assert known.revision == chosen.based_on
            self.model[EYES, chosen.entry_id] = chosen.result
        with pytest.raises(IllegalTransitionError):
            self._decide(chosen.proposal_id, approve=True, actor="chief")

    @rule(rows=st.dictionaries(ids, st.tuples(names, partners), max_size=5), prune=st.booleans())
    def bring(self, rows: dict[str, tuple[str, list[str]]], prune: bool) -> None:
        """An import: what is the same changes nothing."""
        cn = self.node("cn")
        cn.settle()
        before = {one: known for (name, one), known in self.model.items() if name == OWN}
        importing = Import(cn.lists, pb.ImportOpening(list=OWN, prune=prune, prune_reason="gone"), "importer")
        count_listed(cn.database, importing)
        asked = [pb.ImportRow(id=one, content=_content(name, to, 0)) for one, (name, to) in rows.items()]
        cn.writer.run(ImportRowsCommand(importing, importing.check(asked))).take(importing)
        gone = sorted(one for one, known in before.items() if known.listed and one not in rows)
        if prune:
            assert sorted(vanished(cn.database, importing)) == gone
            cn.writer.run(EndRowsCommand(importing, gone)).take(importing)
        response = cn.writer.run(FinishImportCommand(importing))
        assert response.vanished == (0 if prune else len(gone))
        same = 0
        for one, (name, to) in rows.items():
            known = before.get(one, Known(0, listed=False))
            if known.listed and (known.name, known.to, known.until) == (name, tuple(to), 0):
                same += 1
            else:
                self.model[OWN, one] = Known(known.revision + 1, True, name, tuple(to))
        assert response.unchanged == same
        assert response.added + response.changed == len(rows) - same
        for one in gone if prune else ():
            self.model[OWN, one] = Known(before[one].revision, listed=False)

    @rule(days=st.sampled_from((0, 2)))
    def time_passes(self, days: int) -> None:
        self.clock.forward(days * DAY_MS)
        cn = self.node("cn")
        cn.settle()
        cn.writer.run(ExpireListedCommand(cn.lists))
        now = self.clock.now
        for key, known in self.model.items():
            if known.listed and 0 < known.until <= now:
                self.model[key] = Known(known.revision, listed=False)

    # What goes wrong

    @rule(name=st.sampled_from(("cn", *PARTNERS)))
    def crash(self, name: str) -> None:
        self.machines[name].crash()

    @rule(name=st.sampled_from(("cn", *PARTNERS)))
    def settle(self, name: str) -> None:
        self.node(name).settle()

    @rule(partner=st.sampled_from(PARTNERS), batches=st.integers(1, 2), back=st.booleans(), receipts=st.booleans())
    def send(self, partner: str, batches: int, back: bool, receipts: bool) -> None:
        """Some batches get through, and perhaps their receipts; then the link is cut."""
        sender, recipient = (self.node(one) for one in ((partner, "cn") if back else ("cn", partner)))
        origin = FeedOrigin(FEDERATION, sender.name, recipient.name, Channel.WATCHLIST)
        if sender.outgoing.feed(origin) is None:
            return
        feed = sender.outgoing.agree_on_position(origin, recipient.outgoing.position(origin))
        first = recipient.outgoing.size(origin)
        for _ in range(batches):
            batch = sender.outgoing.read_batch(feed, first)
            if batch is None:
                return
            receipt = recipient.writer.run(recipient.receiver.open_batch(sender.name, batch))
            if receipts:
                sender.writer.run(sender.outgoing.verify_receipt(origin, receipt))
            first = receipt.size

    @rule()
    def follow(self) -> None:
        """A consumer at hk that keeps what it got, and its position."""
        queries = self.node("hk").list_queries
        while (response := queries.changes(self.position)[0]).changes:
            self.position = response.position
            for published in response.changes:
                change = published.change
                if change.WhichOneof("change") == "entered":
                    self.followed[change.entered.list, change.entered.id] = change.entered.revision
                else:
                    self.followed.pop((change.ended.list, change.ended.id), None)

    # What must hold at the end

    def teardown(self) -> None:
        if not hasattr(self, "machines"):
            return
        try:
            nodes = [self.node(name) for name in self.machines]
            exchange(*nodes)
            expected = {key: known for key, known in self.model.items() if known.listed}
            assert _listed(self.node("cn")) == {key: known.revision for key, known in expected.items()}
            for partner in PARTNERS:
                mine = {key: known.revision for key, known in expected.items() if partner in known.to}
                assert _listed(self.node(partner)).keys() == mine.keys()
                self._check_copy(partner, mine)
            self.follow()
            assert self.followed.keys() == _listed(self.node("hk")).keys()
            for node in nodes:
                self._check_rebuild(node)
        finally:
            for machine in self.machines.values():
                machine.stop()
            shutil.rmtree(self.folder)

    def _check_copy(self, partner: str, mine: dict[tuple[str, str], int]) -> None:
        cn, theirs = self.node("cn"), self.node(partner)
        queries = cn.list_queries
        compared = queries.compare(partner, theirs.outgoing.position(queries.origin(partner)))
        assert compared.identical
        assert (compared.active, compared.missing_count) == (len(mine), 0)
        assert _names(cn, mine) == _names(theirs, mine)

    def _check_rebuild(self, node: MachineNode) -> None:
        live, sizes = node.projections(), node.sizes()
        with node.database.write() as conn:
            node.projector.clear(conn)
        node.settle()
        assert node.projections() == live
        assert node.sizes() == sizes, "nothing is told twice"

    # How things are done

    def _request(
        self, list_name: str, entry: str, revision: int, name: str, to: list[str], until: int
    ) -> pb.ProposeEntriesRequest:
        proposed = pb.ProposedEntry(id=entry, revision=revision, content=_content(name, to, until))
        return pb.ProposeEntriesRequest(request_id=str(uuid.uuid4()), list=list_name, entries=[proposed])

    def _proposed(
        self, request: pb.ProposeEntriesRequest, fault: str, *, conflict: bool
    ) -> pb.ProposeEntriesResponse | None:
        """What came of it: the answer, or None when it had no effect. After a failed commit the caller asks again."""
        cn = self.node("cn")
        cn.lists.check(request)
        command = ProposeCommand(cn.lists, request, "system/cn/risk-engine", "risk-engine")
        cn.database.fail_before, cn.database.fail_after = fault == "before", fault == "after"
        try:
            response: pb.ProposeEntriesResponse = cn.writer.run(command)
        except StoreUnavailableError:
            assert fault
            response = self._again(cn, command, conflict=conflict)
        except (RevisionConflictError, NotFoundError):
            cn.database.fail_before = cn.database.fail_after = False
            assert conflict
            return None
        assert not conflict or response is None
        return response

    def _again(self, cn: MachineNode, command: ProposeCommand, *, conflict: bool) -> Any:
        try:
            return cn.writer.run(command)
        except GatewayError:
            assert conflict
            return None

    def _decide(self, proposal_id: str, *, approve: bool, actor: str) -> None:
        cn = self.node("cn")
        request = pb.DecideProposalRequest(
            request_id=str(uuid.uuid4()), proposal_id=proposal_id, approve=approve, remarks="seen"
        )
        cn.writer.run(DecideCommand(cn.lists, request, f"system/cn/{actor}", actor))


def _content(name: str, to: list[str], until: int) -> watchlist_pb2.WatchlistContent:
    content = listed_content(name, releasable_to=to)
    if until:
        content.valid_until.CopyFrom(to_timestamp(until))
    return content


def _listed(node: MachineNode) -> dict[tuple[str, str], int]:
    with node.database.read() as conn:
        rows = watchlists.page(conn, [], after=None, limit=1_000)
    return {(row.list, row.entry_id): row.revision for row in rows}


def _names(node: MachineNode, keys: dict[tuple[str, str], int]) -> dict[tuple[str, str], str]:
    queries = node.list_queries
    found = {}
    for name, entry_id in keys:
        reference = watchlist_pb2.WatchlistReference(publisher="cn", list=name, id=entry_id)
        found[name, entry_id] = queries.get(reference).entry.content.names[0].text
    return found


def test_what_a_failed_commit_would_have_told_is_told_by_the_next() -> None:
    """Found by the machine: what the writer remembers of a transaction that failed must not count as done."""
    machine = Lists()
    machine.begin()
    machine.settle(name="cn")  # so that what is put is projected, and told, along with its commit
    machine.put(entry="C", name="Placeholder Two", to=["hk", "mo"], days=0, stale=False, fault="before")
    machine.teardown()


DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"

TestLists = pytest.mark.slow(Lists.TestCase)
TestLists.settings = settings(
    max_examples=400 if DEEP else 40,
    stateful_step_count=60 if DEEP else 30,
    phases=tuple(Phase) if DEEP else (Phase.explicit, Phase.reuse, Phase.generate),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
