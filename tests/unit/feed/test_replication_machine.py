"""Two nodes and a network that drops, doubles, reorders and crashes; the rules of a feed are the invariants.

The rules, and where they are looked at:

1. never two different checkpoints of one feed at one size: `_release` collects every checkpoint that leaves a node;
   a restored node refuses to publish until it has compared and recovered: `publish`, `restore`;
2. nothing is stored from a batch whose root or signature is wrong: `deliver_damaged`;
3. an acknowledged publish survives a crash, and resent it is the same alert once: `crash`, `resend`;
4. at least once on the wire, exactly once in effect: `duplicate`, `_check_trees`;
5. only the publisher amends and withdraws: `step`, `misbehave`, `_check_answers`;
6. what one side doesn't allow leaves no trace on the other: `misbehave`, `_check_lives`.

And after restores, however many and of both sides, once each side has recovered and all has arrived: both hold the
same feeds; nothing waits; every alert has the same life on both sides; every entry that is due an answer has it once,
and the right one; and no two checkpoints of one size were ever released. Left out are restores after which nobody has
any more what had left its publisher: that feed goes on in a new epoch. Nothing is ever forced otherwise.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.alerts.codec import parse_event
from gateway.alerts.commands.placing import PublishCommand
from gateway.alerts.commands.step_requests import StepRequest
from gateway.alerts.commands.steps import ExpireCommand, StepCommand
from gateway.alerts.tables import copies as alerts
from gateway.contract.ids import FeedOrigin
from gateway.contract.messages import to_timestamp
from gateway.errors import (
    FeedBehindError,
    GatewayError,
    IllegalTransitionError,
    MalformedError,
    MisbehaviourError,
    NotFoundError,
    QuarantinedError,
    RevisionConflictError,
    SequenceError,
    StoreUnavailableError,
)
from gateway.feed.codec import make_entry
from gateway.feed.rules import Outbound
from gateway.feed.service.continuity.recovery import RecoverCommand
from gateway.feed.service.receiver import Refusal
from gateway.feed.service.states import ForceCommand, GiveUpCommand, StateCommand
from gateway.feed.service.writing.command_queue import Outcome
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables import feeds, heads
from gateway.feed.tables.feeds import FeedState
from gateway.tlog.checkpoint import parse_checkpoint_body
from gateway.tlog.note import parse_note
from gateway.v1 import alert_pb2, alert_service_pb2, feed_pb2
from tests.support.machine_node import Machine, MachineNode, Raw
from tests.support.merkle_oracle import root as naive_root
from tests.support.nodes import ManualClock, alert_content

NAMES = ("cn", "hk")
MINUTE_MS = 60_000
PUBLISHERS_STEPS = ("amended", "withdrawn", "closed")
CHANGES_OF_FINDINGS = ("finding_corrected", "finding_withdrawn")
RECIPIENTS_STEPS = ("acknowledged", "flagged", "finding", *CHANGES_OF_FINDINGS)
STEPS = (*PUBLISHERS_STEPS, *RECIPIENTS_STEPS, "question", "answer")
MISDEEDS = ("withdraws", "amends", "closes", "garbage", "unknown type", "foreign name")

names = st.sampled_from(NAMES)
picks = st.integers(min_value=0, max_value=1_000)


def other(name: str) -> str:
    return NAMES[1 - NAMES.index(name)]


@dataclass
class Published:
    """A publish that is durable at its node, whether or not its caller has heard so."""

    request: alert_service_pb2.PublishAlertRequest
    alert_id: str
    index: int


@dataclass
class Wire:
    """What is on the way for one feed, and the stream that sends it, while there is one."""

    origin: FeedOrigin
    outbound: Outbound | None = None
    batches: list[bytes] = field(default_factory=list)
    receipts: list[bytes] = field(default_factory=list)


class Replication(RuleBasedStateMachine):
    """See the module's text."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gateway-machine-"))
        self.clock = ManualClock()
        self.machines = {name: Machine(name, self.folder, self.clock) for name in NAMES}
        self.wires = {name: Wire(self.node(name).origin(other(name))) for name in NAMES}
        self.released: dict[tuple[str, int], bytes] = {}
        self.published: dict[str, list[Published]] = {name: [] for name in NAMES}
        self.recovered: dict[str, dict[str, int]] = {name: {} for name in NAMES}
        self.steps: dict[str, list[tuple[StepRequest, bytes]]] = {name: [] for name in NAMES}
        self.misdeeds: dict[str, list[tuple[int, str]]] = {name: [] for name in NAMES}
        self.backups: dict[str, list[tuple[Path, dict[str, int]]]] = {name: [] for name in NAMES}
        self.watched: dict[str, tuple[int, list[int]]] = {name: (0, []) for name in NAMES}

    def node(self, name: str) -> MachineNode:
        return self.machines[name].node

    # Own systems

    @rule(
        name=names,
        count=st.integers(1, 3),
        short=st.booleans(),
        fault=st.sampled_from(("", "", "", "before", "after")),
    )
    def publish(self, name: str, count: int, short: bool, fault: str) -> None:
        """Several callers at once; their one commit may fail, or only seem to."""
        node = self.node(name)
        validity = MINUTE_MS if short else 30 * 24 * 60 * MINUTE_MS
        requests = [self._request(name, validity) for _ in range(count)]
        self._publish(node, requests, fault)

    @precondition(lambda self: any(self.published.values()))
    @rule(name=names, pick=picks)
    def resend(self, name: str, pick: int) -> None:
        """A caller that didn't hear, or asks again: the same alert, once."""
        if not self.published[name] or self.node(name).state(other(name)) is not FeedState.ACTIVE:
            return
        known = self.published[name][pick % len(self.published[name])]
        self.node(name).writer.answer()
        before = self.node(name).sizes()
        ((result,),) = [outcome.result for _, outcome in self._run_publish(self.node(name), [known.request], "")]
        assert not isinstance(result, GatewayError), result
        assert (result.alert_id, result.entries[0].index) == (known.alert_id, known.index)
        assert self.node(name).sizes() == before

    @precondition(lambda self: any(self.published.values()))
    @rule(name=names, kind=st.sampled_from(STEPS), pick=picks, stale=st.sampled_from((0, 0, 0, 1, -1)))
    def step(self, name: str, kind: str, pick: int, stale: int) -> None:
        """Anybody tries anything; what the tables don't list has no effect."""
        node = self.node(name)
        publisher, alert_id = self._some_alert(pick)
        row = self._row(node, publisher, alert_id)
        request = self._step_request(node, publisher, alert_id, kind, row, stale)
        before = node.sizes()
        try:
            response = self._take(node, request)
        except MalformedError:
            assert kind == "amended", "an alert under another's name"
            assert name != publisher
            assert self._steps_since(node, before) == []
            return
        except (IllegalTransitionError, RevisionConflictError, NotFoundError, FeedBehindError):
            assert self._steps_since(node, before) == []
            return
        assert kind not in PUBLISHERS_STEPS or name == publisher, "rule 5: only the publisher does that"
        assert kind not in RECIPIENTS_STEPS or name != publisher
        self.steps[name].append((request, response))

    @precondition(lambda self: any(self.steps.values()))
    @rule(name=names, pick=picks)
    def resend_step(self, name: str, pick: int) -> None:
        if not self.steps[name]:
            return
        request, response = self.steps[name][pick % len(self.steps[name])]
        self.node(name).writer.answer()
        before = self.node(name).sizes()
        assert self._take(self.node(name), request) == response
        assert self.node(name).sizes() == before

    @rule(name=names, kind=st.sampled_from(MISDEEDS), pick=picks)
    def misbehave(self, name: str, kind: str, pick: int) -> None:
        """A node with a defect or a bad will writes into its own, soundly signed feed."""
        node = self.node(name)
        if node.state(other(name)) is not FeedState.ACTIVE:
            return
        foreign = [one.alert_id for one in self.published[other(name)]]
        alert_id = foreign[pick % len(foreign)] if foreign else str(uuid.uuid4())
        place = node.writer.run(Raw(lambda tx: self._misdeed(tx, node, kind, alert_id)))
        self.misdeeds[name].append((place.index, kind))

    @rule(name=names)
    def time_passes(self, name: str) -> None:
        self.clock.forward(2 * MINUTE_MS)
        node = self.node(name)
        try:
            node.writer.run(ExpireCommand(publisher=node.publisher))
        except FeedBehindError:
            assert node.state(other(name)) is FeedState.BEHIND

    @rule(name=names)
    def project(self, name: str) -> None:
        self.node(name).settle()

    @rule(name=names)
    def watch(self, name: str) -> None:
        """A watcher that goes on from where it was."""
        position, seen = self.watched[name]
        response = self.node(name).queries.changes(position)[0]
        found = [change.position for change in response.changes]
        assert found == sorted(set(found))
        assert all(position < at <= response.position for at in found)
        self.watched[name] = (response.position, seen + found)

    # The network

    @rule(name=names)
    def connect(self, name: str) -> None:
        """Opens the stream of a feed from the position that the recipient gives."""
        wire, sender, recipient = self.wires[name], self.node(name), self.node(other(name))
        self._cut(wire)
        position = feed_pb2.FeedPosition.FromString(recipient.outgoing.position(wire.origin).SerializeToString())
        try:
            feed = sender.outgoing.agree_on_position(wire.origin, position)
        except FeedBehindError:
            held = sender.outgoing.feed(wire.origin)
            assert held is not None
            assert held.size < max(position.size, sender.marked(wire.origin)) or held.waiting
            assert held.state is FeedState.BEHIND
            return
        assert feed.extensible
        wire.outbound = Outbound(position=position.size, head=feed.size)

    @rule(name=names)
    def send(self, name: str) -> None:
        wire, sender = self.wires[name], self.node(name)
        if wire.outbound is None:
            self.connect(name)
        if wire.outbound is None:
            return
        wire.outbound.head_moved(sender.outgoing.size(wire.origin))
        following = wire.outbound.next_range()
        if following is None:
            return
        feed = sender.outgoing.feed(wire.origin)
        assert feed is not None
        batch = sender.outgoing.read_batch(feed, following.first)
        assert batch is not None
        wire.outbound.sent(batch.first_index + len(batch.entries))
        self._release(batch.checkpoint)
        wire.batches.append(batch.SerializeToString())

    @precondition(lambda self: any(wire.batches for wire in self.wires.values()))
    @rule(name=names, pick=picks, copies=st.integers(1, 2), lost=st.sampled_from((False, False, False, True)))
    def deliver(self, name: str, pick: int, copies: int, lost: bool) -> None:
        """Any batch on the way arrives, in any order, perhaps twice; or the recipient dies before it can receipt it."""
        name = self._sending(name)
        wire = self.wires[name]
        batch = wire.batches.pop(pick % len(wire.batches))
        for _ in range(copies):
            self._deliver(name, batch)
        if lost:
            wire.receipts.clear()
            self.crash(other(name))

    @precondition(lambda self: any(wire.batches for wire in self.wires.values()))
    @rule(name=names, pick=picks)
    def duplicate(self, name: str, pick: int) -> None:
        wire = self.wires[self._sending(name)]
        if len(wire.batches) < 8:
            wire.batches.append(wire.batches[pick % len(wire.batches)])

    @precondition(lambda self: any(wire.batches for wire in self.wires.values()))
    @rule(name=names, pick=picks)
    def drop(self, name: str, pick: int) -> None:
        wire = self.wires[self._sending(name)]
        wire.batches.pop(pick % len(wire.batches))

    @precondition(lambda self: any(wire.batches for wire in self.wires.values()))
    @rule(name=names, pick=picks, bit=picks)
    def deliver_damaged(self, name: str, pick: int, bit: int) -> None:
        """A changed bit in what is signed is found, nothing is stored, and the operator looks at it."""
        name = self._sending(name)
        wire, recipient = self.wires[name], self.node(other(name))
        batch = feed_pb2.Batch.FromString(wire.batches[pick % len(wire.batches)])
        place = bit % (8 * 32)
        digest = bytearray(sha256(batch.entries[0].salt + b"?").digest())
        digest[place // 8] ^= 1 << place % 8
        batch.entries[0].CopyFrom(_entry(bytes(digest), self.clock.now))
        recipient.writer.answer()
        before, clean = recipient.sizes(), recipient.state_of(wire.origin)
        try:
            result = recipient.writer.run(recipient.receiver.open_batch(name, batch))
        except (SequenceError, QuarantinedError):
            assert recipient.sizes() == before
            return
        assert isinstance(result, Refusal)
        assert isinstance(result.error, MisbehaviourError)
        assert recipient.sizes() == before
        assert clean is FeedState.ACTIVE
        assert recipient.state_of(wire.origin) is FeedState.QUARANTINED
        with pytest.raises(QuarantinedError):
            recipient.writer.run(recipient.receiver.open_batch(name, batch))
        recipient.writer.run(StateCommand(wire.origin, FeedState.ACTIVE, ""))

    @precondition(lambda self: any(wire.receipts for wire in self.wires.values()))
    @rule(name=names, pick=picks, lose=st.booleans())
    def receipt(self, name: str, pick: int, lose: bool) -> None:
        wire, sender = self.wires[name], self.node(name)
        if not wire.receipts:
            return
        receipt = feed_pb2.Receipt.FromString(wire.receipts.pop(pick % len(wire.receipts)))
        if lose or wire.outbound is None:
            return
        command = sender.outgoing.verify_receipt(wire.origin, receipt)
        try:
            wire.outbound.receipt(receipt.size)
        except MalformedError:  # a receipt of an earlier stream: this one ends
            self._cut(wire)
            return
        sender.writer.run(command)

    @precondition(lambda self: not any(wire.batches for wire in self.wires.values()))
    @rule(name=names)
    def calm(self, name: str) -> None:
        """Nothing goes wrong for a while: everything of one side arrives and is projected."""
        if self.node(name).state(other(name)) is not FeedState.ACTIVE:
            return
        self._drain(name)
        self.node(other(name)).settle()

    @precondition(lambda self: not any(wire.batches for wire in self.wires.values()))
    @rule(name=names)
    def talk(self, name: str) -> None:
        """A calm in which one side says something, the other answers, and the answer arrives."""
        self.publish(name, 1, short=False, fault="")
        for speaking in (name, other(name), name):
            self.calm(speaking)

    # Faults

    @rule(name=names)
    def crash(self, name: str) -> None:
        """The process is killed; what is on its way stays on its way."""
        before, state = self.node(name).sizes(), self.node(name).state(other(name))
        self.machines[name].crash()
        for wire in self.wires.values():
            self._cut(wire)
        self.wires[name].receipts.clear()
        assert self.node(name).sizes() == before
        assert self.node(name).state(other(name)) is state

    @rule(name=names)
    def backup(self, name: str) -> None:
        self.backups[name].append((self.machines[name].backup(), self.node(name).sizes()))

    @precondition(lambda self: any(self.backups.values()))
    @rule(name=names, pick=picks)
    def restore(self, name: str, pick: int) -> None:
        """An older database comes back. What left this node and arrived nowhere is forgotten by everybody."""
        if not self.backups[name]:
            return
        backup, sizes = self.backups[name][pick % len(self.backups[name])]
        wire = self.wires[name]
        own = wire.origin.line
        theirs = self.node(other(name)).sizes()
        if any(self._loses_for_good(line, max(sizes.get(line, 0), theirs.get(line, 0))) for line in self._lines()):
            return  # of one's own, or the only copy of the partner's: that feed goes on in a new epoch (test_releases)
        lost = self.node(name).sizes().get(own, 0) != sizes.get(own, 0)
        self.machines[name].restore(backup)
        for one in self.wires.values():
            self._cut(one)
        wire.batches.clear()
        wire.receipts.clear()
        if lost:
            assert self.node(name).state(other(name)) is FeedState.BEHIND
        self._forget(name)

    @rule(name=names)
    def recover(self, name: str) -> None:
        """`gateway recover`: own entries come back from the partner."""
        wire, node, partner = self.wires[name], self.node(name), self.node(other(name))
        feed = partner.outgoing.feed(wire.origin)
        first = node.sizes().get(wire.origin.line, 0)
        while feed is not None and (batch := partner.outgoing.read_batch(feed, first)):
            first = node.writer.run(RecoverCommand(wire.origin, batch, lambda: node.trust))
        if self._waiting(name) and all(
            partner.sizes().get(one.line, 0) <= node.sizes().get(one.line, 0)
            for one in (wire.origin, wire.origin.reverse)
        ):
            assert node.writer.run(ForceCommand(wire.origin)) == 0
        if node.state(other(name)) is FeedState.BEHIND:
            node.writer.run(GiveUpCommand(wire.origin))

    @precondition(lambda self: any(self.backups.values()))
    @rule(name=names, pick=picks)
    def restore_and_recover(self, name: str, pick: int) -> None:
        """As an operator does it: own entries come back before those of the partner that they follow."""
        self.restore(name, pick)
        self.recover(name)

    # What must hold

    @invariant()
    def the_recipient_holds_a_prefix(self) -> None:
        for name in NAMES:
            line = self.wires[name].origin.line
            theirs = self.node(other(name)).sizes().get(line, 0)
            own = self.node(name).sizes().get(line, 0)
            assert theirs <= own or self.node(name).state(other(name)) is FeedState.BEHIND

    def teardown(self) -> None:
        if not hasattr(self, "machines"):
            return
        try:
            self._let_everything_arrive()
            for name in NAMES:
                self._check_trees(name)
                self._check_publishes(name)
                self._check_answers(name)
                self._check_watch(name)
                self._check_rebuild(name)
            self._check_lives()
        finally:
            for machine in self.machines.values():
                machine.stop()
            shutil.rmtree(self.folder)

    def _let_everything_arrive(self) -> None:
        for _ in range(20):
            before = [(self.node(name).sizes(), self._waiting(name)) for name in NAMES]
            for name in NAMES:
                self._drain(name)
            for name in NAMES:
                self.node(name).settle()
            if before == [(self.node(name).sizes(), self._waiting(name)) for name in NAMES]:
                if not any(map(self._waiting, NAMES)):
                    break
                for name in NAMES:
                    self.recover(name)
        else:
            raise AssertionError("the nodes go on talking")
        for name in NAMES:
            feed = self.node(name).outgoing.feed(self.wires[name].origin)
            assert feed is None or (feed.state, feed.receipted_size) == (FeedState.ACTIVE, feed.size)
            assert not self._waiting(name)

    def _drain(self, name: str) -> None:
        wire = self.wires[name]
        wire.batches.clear()
        wire.receipts.clear()
        self.connect(name)
        if wire.outbound is None:
            self.recover(name)
            self.connect(name)
        if wire.outbound is None:
            assert self._waiting(name), "recovered, but still behind"
            return
        while True:
            self.send(name)
            if not wire.batches:
                return
            self._deliver(name, wire.batches.pop())
            self.receipt(name, 0, False)

    def _check_trees(self, name: str) -> None:
        """The recipient's tree at every size it holds is the publisher's, and both are the RFC's."""
        line = self.wires[name].origin
        (own, own_tree), (theirs, their_tree) = (
            _feed_of(self.node(name), line),
            _feed_of(self.node(other(name)), line),
        )
        assert own == theirs
        leaves = [sha256(b"\x00" + header).digest() for _, header, _ in own]
        assert [index for index, _, _ in own] == list(range(len(own)))
        for size, found in {*own_tree, *their_tree}:
            assert found == naive_root(leaves[:size])

    def _check_publishes(self, name: str) -> None:
        entries, _ = _feed_of(self.node(name), self.wires[name].origin)
        found = {index: event.published.id for index, event in _events(entries) if event.HasField("published")}
        honest = {index: alert_id for index, alert_id in found.items() if index not in dict(self.misdeeds[name])}
        expected = [one.alert_id for one in self.published[name]]
        assert len(expected) == len(set(expected))
        assert all(honest[one.index] == one.alert_id for one in self.published[name])
        assert sorted(honest.values()) == sorted({*expected, *self.recovered[name]})

    def _check_answers(self, name: str) -> None:
        """Every misdeed was answered with a signed no, exactly once, and nothing else but alerts was answered."""
        said, _ = _feed_of(self.node(other(name)), self.wires[other(name)].origin)
        answered: dict[int, list[int]] = {}
        for _, event in _events(said):
            if event.HasField("disposition"):
                for index in range(event.disposition.index, event.disposition.index + event.disposition.count):
                    answered.setdefault(index, []).append(event.disposition.outcome)
        own, _ = _feed_of(self.node(name), self.wires[name].origin)
        told = {index for index, event in _events(own) if event.HasField("disposition")}
        assert told.isdisjoint(answered), "no disposition is about a disposition"
        for index, kind in self.misdeeds[name]:
            outcome = "HELD" if kind == "unknown type" else "REJECTED"
            assert answered.pop(index) == [feed_pb2.DispositionOutcome.Value(f"DISPOSITION_OUTCOME_{outcome}")], kind
        published = {index for index, event in _events(own) if event.HasField("published")}
        honest = {index for index in published if index not in dict(self.misdeeds[name])}
        applied = [feed_pb2.DISPOSITION_OUTCOME_APPLIED]
        assert honest <= set(answered)
        assert all(outcomes == applied for outcomes in answered.values())

    def _check_watch(self, name: str) -> None:
        node = self.node(name)
        everything = _all_changes(node, 0)
        assert everything == [row[0] for row in node.projections()["alert_events"]]
        assert everything == sorted(set(everything))
        position, seen = self.watched[name]
        assert seen + _all_changes(node, position) == everything
        for start in everything[:: max(1, len(everything) // 4)]:
            assert _all_changes(node, start) == [at for at in everything if at > start]

    def _check_rebuild(self, name: str) -> None:
        node = self.node(name)
        live, sizes = node.projections(), node.sizes()
        node.rebuild()
        assert node.projections() == live
        assert node.sizes() == sizes, "a rebuild says nothing twice"

    def _check_lives(self) -> None:
        assert self.node("cn").lives() == self.node("hk").lives()

    # How things are done

    def _lines(self) -> list[str]:
        return [wire.origin.line for wire in self.wires.values()]

    def _loses_for_good(self, line: str, known: int) -> bool:
        """Whether more of a feed was released than anybody would hold."""
        return any(origin == line and size > known for origin, size in self.released)

    def _waiting(self, name: str) -> int:
        """Entries of both directions that a node holds and hasn't in its order."""
        found = [self.node(name).outgoing.feed(wire.origin) for wire in self.wires.values()]
        return sum(feed.waiting for feed in found if feed is not None)

    def _request(self, name: str, validity_ms: int) -> alert_service_pb2.PublishAlertRequest:
        content = alert_content(self.clock.now)
        content.valid_until.CopyFrom(to_timestamp(self.clock.now + validity_ms))
        return alert_service_pb2.PublishAlertRequest(
            request_id=str(uuid.uuid4()), recipients=[other(name)], content=content
        )

    def _run_publish(
        self, node: MachineNode, requests: list[alert_service_pb2.PublishAlertRequest], fault: str
    ) -> list[tuple[str, Outcome]]:
        """Publishes in one group; returns the id that each alert would have if it is new, and what came back."""
        prepared = [node.publisher.prepare(one, "risk-engine") for one in requests]
        node.database.fail_before, node.database.fail_after = fault == "before", fault == "after"
        outcomes = node.writer.run_group([PublishCommand([one], principal="risk-engine") for one in prepared])
        return [(one.alert_id, outcome) for one, outcome in zip(prepared, outcomes, strict=True)]

    def _publish(self, node: MachineNode, requests: list[alert_service_pb2.PublishAlertRequest], fault: str) -> None:
        node.writer.answer()
        size = node.sizes().get(self.wires[node.name].origin.line, 0)
        blocked = node.state(other(node.name)) is FeedState.BEHIND
        outcomes = self._run_publish(node, requests, fault)
        for index, (request, (alert_id, outcome)) in enumerate(zip(requests, outcomes, strict=True), size):
            if fault:
                assert isinstance(outcome.error, StoreUnavailableError)
            else:
                assert outcome.error is None
                (result,) = outcome.result
                assert isinstance(result, FeedBehindError) if blocked else result.entries[0].index == index
            if not blocked and fault != "before":
                self.published[node.name].append(Published(request, alert_id, index))
        kept = 0 if blocked or fault == "before" else len(requests)
        assert node.sizes().get(self.wires[node.name].origin.line, 0) == size + kept

    def _some_alert(self, pick: int) -> tuple[str, str]:
        known = [(name, one.alert_id) for name in NAMES for one in self.published[name]]
        return known[pick % len(known)]

    def _row(self, node: MachineNode, publisher: str, alert_id: str) -> alerts.AlertRow | None:
        with node.database.read() as conn:
            rows = alerts.copies(conn, publisher, alert_id)
        return rows[0] if rows else None

    def _step_request(
        self, node: MachineNode, publisher: str, alert_id: str, kind: str, row: alerts.AlertRow | None, stale: int
    ) -> StepRequest:
        revision = max(1, (row.life.revision if row else 1) + stale)
        asked = [q.question_id for q in row.life.questions if not q.answered] if row else []
        body = _body(kind, revision, self.clock.now, asked[0] if asked else str(uuid.uuid4()))
        if isinstance(body, alert_pb2.Alert):
            body.id, body.publisher = alert_id, publisher
        else:
            body.alert.CopyFrom(alert_pb2.AlertReference(publisher=publisher, alert_id=alert_id))
        if kind in CHANGES_OF_FINDINGS:
            _about_finding(body, node, row)
        return StepRequest(
            request_id=str(uuid.uuid4()),
            message=body,
            publisher=publisher,
            alert_id=alert_id,
            recipient="",
            event=alert_pb2.AlertEvent(**{kind: body}),
            response=alert_service_pb2.AcknowledgeAlertResponse(),
        )

    def _take(self, node: MachineNode, request: StepRequest) -> bytes:
        command = StepCommand(request, publisher=node.publisher, principal="desk", actor="desk")
        response: bytes = node.writer.run(command).SerializeToString()
        return response

    def _steps_since(self, node: MachineNode, before: dict[str, int]) -> list[str]:
        entries, _ = _feed_of(node, node.origin(other(node.name)))
        first = before.get(node.origin(other(node.name)).line, 0)
        kinds = [event.WhichOneof("event") for _, event in _events(entries[first:])]
        return [kind for kind in kinds if kind != "disposition"]

    def _misdeed(self, tx: Transaction, node: MachineNode, kind: str, alert_id: str) -> Any:
        reference = alert_pb2.AlertReference(publisher=other(node.name), alert_id=alert_id)
        event = alert_pb2.AlertEvent(occurred_at=to_timestamp(tx.now_ms))
        match kind:
            case "withdraws":
                event.withdrawn.CopyFrom(alert_pb2.AlertWithdrawn(alert=reference, revision=1, reason="not ours"))
            case "closes":
                event.closed.CopyFrom(alert_pb2.AlertClosed(alert=reference, revision=1, outcome=1))
            case "amends":
                event.amended.CopyFrom(_alert(other(node.name), node.name, alert_id, tx.now_ms))
                event.amended.revision = 2
            case "foreign name":
                event.published.CopyFrom(_alert("mo", other(node.name), str(uuid.uuid4()), tx.now_ms))
        payload = b"\xff\xff\xff" if kind == "garbage" else event.SerializeToString()
        type_name = "WeatherReport" if kind == "unknown type" else "AlertEvent"
        entry = make_entry(type_name, payload, salt=bytes(32), recorded_at_ms=tx.now_ms)
        return tx.append(node.origin(other(node.name)), entry)

    def _release(self, note: bytes) -> None:
        checkpoint = parse_checkpoint_body(parse_note(note).unverified_text)
        held = self.released.setdefault((checkpoint.origin, checkpoint.size), checkpoint.root)
        assert held == checkpoint.root, "rule 1: two checkpoints of one size"

    def _deliver(self, name: str, data: bytes) -> None:
        wire, recipient = self.wires[name], self.node(other(name))
        before = recipient.sizes().get(wire.origin.line, 0)
        try:
            command = recipient.receiver.open_batch(name, feed_pb2.Batch.FromString(data))
            receipt = recipient.writer.run(command)
        except SequenceError:
            assert recipient.sizes().get(wire.origin.line, 0) == before
            self._cut(wire)
            return
        assert isinstance(receipt, feed_pb2.Receipt), receipt
        assert recipient.sizes()[wire.origin.line] == max(before, receipt.size)
        wire.receipts.append(receipt.SerializeToString())

    def _sending(self, name: str) -> str:
        """This sender, or the other one when this one has nothing on its way."""
        return name if self.wires[name].batches else other(name)

    def _cut(self, wire: Wire) -> None:
        wire.outbound = None

    def _forget(self, name: str) -> None:
        """What a restore loses: entries that nobody has any more, and which requests were answered since the backup.

        Two restores in a row can lose what each alone would have kept: nobody is left who could tell. Backups that
        still hold it are of a history that has ended; nobody restores those.
        """
        for one in NAMES:
            line = self.wires[one].origin.line
            own, theirs = (self.node(each).sizes().get(line, 0) for each in (one, other(one)))
            known = max(own, theirs)
            back = {each.alert_id: each.index for each in self.published[one] if each.index >= own}
            self.recovered[one] = {each: at for each, at in (self.recovered[one] | back).items() if at < known}
            self.published[one] = [each for each in self.published[one] if each.index < own]
            self.misdeeds[one] = [(index, kind) for index, kind in self.misdeeds[one] if index < known]
            for each in NAMES:
                self.backups[each] = [taken for taken in self.backups[each] if taken[1].get(line, 0) <= known]
        line, own = self.wires[name].origin.line, self.node(name).sizes().get(self.wires[name].origin.line, 0)
        self.steps[name].clear()
        self.watched[name] = (0, [])
        self.backups[name] = [(path, sizes) for path, sizes in self.backups[name] if sizes.get(line, 0) <= own]


def _about_finding(body: Any, node: MachineNode, row: alerts.AlertRow | None) -> None:
    """Lets a change name the finding that lists show; an entry that says none where there is none."""
    index = row.finding_idx if row is not None and row.finding_feed_id else 900_000
    meant = alert_pb2.FindingReference(origin=node.origin(other(node.name)).line, index=index)
    if isinstance(body, alert_pb2.AlertFindingWithdrawn):
        body.finding.CopyFrom(meant)
    else:
        body.replaces.CopyFrom(meant)
        body.finding.alert.CopyFrom(body.alert)


def _body(kind: str, revision: int, now_ms: int, question_id: str) -> Any:
    match kind:
        case "amended":
            return alert_pb2.Alert(revision=revision + 1, content=alert_content(now_ms))
        case "withdrawn":
            return alert_pb2.AlertWithdrawn(revision=revision, reason="Found to be a mistake.")
        case "closed":
            return alert_pb2.AlertClosed(revision=revision, outcome=alert_pb2.CLOSE_OUTCOME_CONFIRMED)
        case "acknowledged":
            return alert_pb2.AlertAcknowledged(revision=revision)
        case "flagged":
            return alert_pb2.AlertFlagged(
                revision=revision, reason=alert_pb2.FLAG_REASON_NOT_FOUND, explanation="No such container here."
            )
        case "finding":
            return alert_pb2.AlertFinding(
                result=alert_pb2.FINDING_RESULT_CONFIRMED,
                inspected_at=to_timestamp(now_ms),
                remarks="Antimony.",
                revision=revision,
            )
        case "finding_corrected":
            finding = _body("finding", revision, now_ms, question_id)
            finding.remarks = "Antimony, weighed again."
            return alert_pb2.AlertFindingCorrected(finding=finding, reason="Weighed again.")
        case "finding_withdrawn":
            return alert_pb2.AlertFindingWithdrawn(reason="Another container.")
        case "question":
            return alert_pb2.AlertQuestion(
                question_id=str(uuid.uuid4()), text="Which seal?", deadline=to_timestamp(now_ms + MINUTE_MS)
            )
        case _:
            return alert_pb2.AlertAnswer(question_id=question_id, text="Seal 4711.")


def _alert(publisher: str, recipient: str, alert_id: str, now_ms: int) -> alert_pb2.Alert:
    return alert_pb2.Alert(
        id=alert_id,
        revision=1,
        publisher=publisher,
        recipient=recipient,
        published_at=to_timestamp(now_ms),
        content=alert_content(now_ms),
    )


def _entry(digest: bytes, now_ms: int) -> feed_pb2.Entry:
    header = feed_pb2.EntryHeader(format=1, type="AlertEvent", payload_digest=digest, recorded_at_unix_ms=now_ms)
    return feed_pb2.Entry(header=header.SerializeToString(deterministic=True))


_Entries = list[tuple[int, bytes, bytes]]


def _feed_of(node: MachineNode, origin: FeedOrigin) -> tuple[_Entries, set[tuple[int, bytes]]]:
    """Entries (index, header, payload) and checkpoints (size, root) of a feed as stored."""
    with node.database.read() as conn:
        feed = feeds.find(conn, origin)
        if feed is None:
            return [], set()
        entries = [(e.index, e.header, e.payload) for e in feeds.read_entries(conn, feed.id, 0, feed.size + 1)]
        found = [heads.checkpoint_at(conn, feed.id, size) for size in range(1, feed.size + 1)]
    return entries, {(one.size, one.root) for one in found if one is not None}


def _events(entries: _Entries) -> list[tuple[int, alert_pb2.AlertEvent]]:
    found = []
    for index, _, payload in entries:
        try:
            found.append((index, parse_event(payload)))
        except MalformedError:
            continue
    return found


def _all_changes(node: MachineNode, position: int) -> list[int]:
    found: list[int] = []
    while True:
        response = node.queries.changes(position)[0]
        if not response.changes:
            return found
        found += [change.position for change in response.changes]
        position = response.position


DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
"""Looks further and shortens what it finds."""

TestReplication = pytest.mark.slow(Replication.TestCase)
TestReplication.settings = settings(
    max_examples=400 if DEEP else 60,
    stateful_step_count=100 if DEEP else 40,
    phases=tuple(Phase) if DEEP else (Phase.explicit, Phase.reuse, Phase.generate),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
