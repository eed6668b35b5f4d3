"""Stores findings, reports matches as the settings say, and records decisions."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gateway.errors import GatewayError, NotFoundError, PermissionDeniedError, StoreUnavailableError
from gateway.feed.service.quotas import Bound, Quotas, Stored, count
from gateway.feed.service.writing.commands import IdempotentCommand
from gateway.feed.service.writing.commits import MATCHES
from gateway.feed.service.writing.transaction import Transaction
from gateway.feed.tables.journal import HeadMovedError
from gateway.history.tables import releases
from gateway.v1 import alert_pb2, match_pb2, screening_pb2, watchlist_pb2, watchlist_service_pb2
from gateway.watchlists.codec import matches as wire
from gateway.watchlists.codec.events import ListKey
from gateway.watchlists.codec.matches import Findings
from gateway.watchlists.commands.hits import listed_entry, report_hit
from gateway.watchlists.commands.proposals import BY_ITSELF, Lists, apply_pending
from gateway.watchlists.commands.screening_reports import end_reports, report_changes
from gateway.watchlists.rules.matches import MatchDecision, MatchStatus, ReportRule, SourceKey, SourceKind, decided
from gateway.watchlists.rules.verdicts import VerdictChange, key_of, verdict_changes
from gateway.watchlists.rules.visibility import NOTHING_HIDDEN, Hidden
from gateway.watchlists.service.match_sources import erased
from gateway.watchlists.service.updates import read_changes
from gateway.watchlists.tables import lists as watchlists
from gateway.watchlists.tables import matches
from gateway.watchlists.tables.matches import MatchRow

log = logging.getLogger(__name__)

AMENDED = "the source was amended: it names no such party any more"
WITHDRAWN = "the source was withdrawn"
ENDED = "the entry has ended"
ENTRY_AMENDED = "the entry was amended: it has no such name or number any more"


class MatchRoom:
    """Room for new matches, by the partner whose alert or entry makes them; own ones need none."""

    def __init__(self, tx: Transaction, quotas: Quotas) -> None:
        self._tx = tx
        self._quotas = quotas
        self._room: dict[str, Bound] = {}
        self._taken: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()

    def take(self, row: MatchRow, match: match_pb2.Match) -> bool:
        """Whether the match may be kept."""
        partner = row.publisher if match.backward else row.place.source.publisher
        if partner in ("", self._tx.own_node):
            return True
        if partner not in self._room:
            self._room[partner] = self._quotas.room(self._tx.conn, partner, Stored.MATCHES, now_ms=self._tx.now_ms)
        room, size = self._room[partner], len(row.hit) + len(row.subject)
        if self._taken[partner] + 1 > room.items or self._bytes[partner] + size > room.bytes:
            self._refused[partner] += 1
            return False
        self._taken[partner] += 1
        self._bytes[partner] += size
        return True

    def count(self) -> None:
        """Counts what was taken, and tells what wasn't."""
        for partner, items in self._taken.items():
            size, now_ms = self._bytes[partner], self._tx.now_ms
            count(self._tx.conn, partner, Stored.MATCHES, items=items, size=size, now_ms=now_ms)
        for partner, items in self._refused.items():
            log.warning("%d matches that %s makes aren't kept: its quota of the day is used up", items, partner)


@dataclass(frozen=True, slots=True)
class KeepFindingsCommand:
    """Stores findings and moves the cursors.

    Findings from other cursors have no effect: the search was overtaken, e.g. by a rebuild of the projections.

    Attributes:
        beside: of a replica that doesn't search for all: its findings about parties that own systems gave it to screen,
            which no other replica knows. They leave the cursors alone.
    """

    lists: Lists
    rules: Mapping[tuple[str, str], ReportRule]
    findings: Findings
    quotas: Quotas
    beside: bool = False

    @property
    def weight(self) -> int:
        return max(1, len(self.findings.matches))

    def execute(self, tx: Transaction) -> dict[str, int]:
        cursors = matches.positions(tx.conn)
        if not self.beside and cursors != dict(self.findings.before):
            return cursors
        fresh = _best(self._existing(tx))
        known = matches.by_keys(tx.conn, fresh)
        held = matches.held_of_entries(tx.conn, self.findings.changed)
        ended = self._superseded(tx, fresh, held)
        new, changed = [], list(ended.values())
        room = MatchRoom(tx, self.quotas)
        for key, match in fresh.items():
            row = _row(match, key, self.lists.new_id(), tx.now_ms)
            before = known.get(key)
            if before is None:
                if room.take(row, match):
                    new.append(self._reported(tx, row, fresh))
            elif before.state is MatchStatus.SUPERSEDED:
                changed.append(self._reported(tx, replace(row, match_id=before.match_id), fresh))
            elif before.state is MatchStatus.OPEN and before.match_id not in ended:
                refreshed = _refreshed(before, row)
                if before.reason:  # it couldn't be reported before; consent or an agreement may have come
                    refreshed = self._reported(tx, replace(refreshed, reason=""), fresh)
                changed += [refreshed] if refreshed != before else []
        room.count()
        matches.write(tx.conn, new, changed)
        if new or changed:
            tx.topics.add(MATCHES)
        changes = self._verdict_changes(tx, fresh, [*held, *known.values()], [*new, *changed])
        report_changes(tx, changes, revised=set(self.findings.changed))
        if self.findings.ends_reports:
            end_reports(tx)
        if not self.beside:
            matches.move_positions(tx.conn, self.findings.after)
        return dict(self.findings.after)

    def _existing(self, tx: Transaction) -> list[match_pb2.Match]:
        """Drops findings in erased records."""
        by_source = [(wire.place_of(match.source).source, match) for match in self.findings.matches]
        gone = erased(tx.conn, {source for source, _ in by_source})
        return [match for source, match in by_source if source not in gone]

    def _verdict_changes(
        self,
        tx: Transaction,
        fresh: Mapping[bytes, match_pb2.Match],
        before: Sequence[MatchRow],
        written: Sequence[MatchRow],
    ) -> list[VerdictChange]:
        """Verdicts that a list's change has changed, rather than a source that is new or was amended."""
        amended = {screened.source for screened in self.findings.screened}
        listed = set(self.findings.changed)
        rows = [row for row in before if row.entry in listed]
        rows += [row for row in written if (match := fresh.get(row.key)) is not None and match.backward]
        keys = {key_of(row) for row in rows if row.place.source not in amended}
        if not keys:
            return []
        after = {row.match_id: row for row in (*before, *written)}
        for row in before:  # a person's word stands until the entry that it is about ends
            confirmed = row.state is MatchStatus.CONFIRMED and row.entry in listed
            if confirmed and self._of_entry(tx, row, fresh) == ENDED:
                after.pop(row.match_id, None)
        return verdict_changes(before, after.values(), keys)

    def _superseded(
        self, tx: Transaction, fresh: Mapping[bytes, match_pb2.Match], held: Sequence[MatchRow]
    ) -> dict[str, MatchRow]:
        """Open matches that lost a matching writing; `held`: open and confirmed ones of changed entries."""
        ended: dict[str, MatchRow] = {}
        gone = {screened.source: screened.gone for screened in self.findings.screened}
        for row in matches.open_of_sources(tx.conn, gone):
            if row.key not in fresh:
                ended[row.match_id] = _ended(row, WITHDRAWN if gone[row.place.source] else AMENDED, tx.now_ms)
        for row in held:
            why = self._of_entry(tx, row, fresh) if row.state is MatchStatus.OPEN else ""
            if why and row.match_id not in ended:
                ended[row.match_id] = _ended(row, why, tx.now_ms)
        return ended

    def _of_entry(self, tx: Transaction, row: MatchRow, fresh: Mapping[bytes, match_pb2.Match]) -> str:
        """Why a match with a changed entry no longer holds; else empty."""
        listed = watchlists.find(tx.conn, row.publisher, row.list, [row.entry_id]).get(row.entry_id)
        if listed is None or listed.ended:
            return ENDED
        if row.key in fresh:
            return ""
        change = read_changes(tx.conn, [listed]).get(ListKey(listed.list, listed.entry_id))
        hit = screening_pb2.ScreeningHit.FromString(row.hit)
        content = change.entered.content if change is not None else watchlist_pb2.WatchlistContent()
        return "" if wire.is_listed(hit.explanation.listed, content) else ENTRY_AMENDED

    def _reported(self, tx: Transaction, row: MatchRow, fresh: Mapping[bytes, match_pb2.Match]) -> MatchRow:
        """Confirms a new match if settings, agreement and the source's handling allow it."""
        rule = self.rules.get((row.publisher, row.list))
        if rule is None or row.match_class != watchlist_pb2.MATCH_CLASS_IDENTICAL:
            return row
        refusal = ""
        for without_subject in (False, True):  # the agreement may allow the entry but not the party
            confirmation = match_pb2.MatchConfirmation(purpose=rule.purpose, without_subject=without_subject)
            try:
                sources = self._sources_of(tx, row, fresh)
                reported = _report(tx, self.lists, row, confirmation, sources, actor=BY_ITSELF)
            except (StoreUnavailableError, HeadMovedError):
                raise
            except GatewayError as error:
                refusal = refusal or error.message
                continue
            return replace(
                row,
                status=MatchStatus.CONFIRMED.value,
                hit_id=reported.hit_id,
                decided_by=BY_ITSELF,
                decided_at=tx.now_ms,
                reason=f"reported without the party: {refusal}" if without_subject else "",
            )
        log.warning("match %s isn't reported to %s: %s", row.match_id, row.publisher, refusal)
        return replace(row, reason=f"not reported: {refusal}")

    def _sources_of(
        self, tx: Transaction, row: MatchRow, fresh: Mapping[bytes, match_pb2.Match]
    ) -> list[alert_pb2.AlertReference]:
        """Alerts that a match without a person's decision derives from.

        A record is own knowledge. What an own system gave to be screened may come from an alert: then every alert
        counts in which something matched the same entry, by whichever of its names and numbers, in any revision.

        Raises:
            PermissionDeniedError: not all alerts could be compared.
        """
        if row.place.source.kind is not SourceKind.SCREENED:
            return _alerts_among([row.place.source])
        naming = self.findings.naming.get(row.entry)
        if naming is None or not naming.whole:
            raise PermissionDeniedError("not every alert of before could be compared with the entry")
        same = [match for match in fresh.values() if wire.entry_of(match.hit) == row.entry]
        same += [match_message(known) for known in matches.of_entry(tx.conn, row.entry, SourceKind.ALERT)]
        sources = [wire.place_of(match.source).source for match in same]
        return _alerts_among([*sources, *(SourceKey(SourceKind.ALERT, *alert) for alert in naming.alerts)])


@dataclass(frozen=True, slots=True)
class DecideMatchCommand(IdempotentCommand[match_pb2.DecideMatchResponse]):
    """Records a decision on a match; a confirmation reports the hit.

    Raises:
        NotFoundError: there is no such match, or its entry has ended.
        IllegalTransitionError: it was decided or superseded before.
        AgreementForbidsError, InvalidRequestError: the agreement forbids the report.
        PermissionDeniedError: the publisher of the alert that names the party doesn't allow the report.
    """

    lists: Lists
    request: match_pb2.DecideMatchRequest
    principal: str
    actor: str
    hidden: Hidden = field(default=NOTHING_HIDDEN)
    weight: int = 1

    @property
    def response_type(self) -> type[match_pb2.DecideMatchResponse]:
        return match_pb2.DecideMatchResponse

    def answer(self, tx: Transaction) -> match_pb2.DecideMatchResponse:
        decision = MatchDecision(self.request.WhichOneof("decision") or "")
        if decision is MatchDecision.CONFIRM:
            apply_pending(tx)
        row = matches.find(tx.conn, self.request.match_id)
        if row is None or (row.publisher, row.list) in self.hidden:
            raise NotFoundError(f"match_id: there is no match {self.request.match_id} here")
        row = replace(
            row,
            status=decided(row.state, decision).value,
            decided_by=self.actor,
            decided_at=tx.now_ms,
            reason=self.request.dismiss.reason,
        )
        response = match_pb2.DecideMatchResponse()
        if decision is MatchDecision.CONFIRM:
            sources = _alerts_among([row.place.source])
            reported = _report(tx, self.lists, row, self.request.confirm, sources, actor=self.actor)
            row = replace(row, hit_id=reported.hit_id)
            response.entry.CopyFrom(reported.entry)
        matches.write(tx.conn, [], [row])
        tx.topics.add(MATCHES)
        response.match.CopyFrom(match_message(row))
        return response


def _report(
    tx: Transaction,
    lists: Lists,
    row: MatchRow,
    confirmation: match_pb2.MatchConfirmation,
    sources: Sequence[alert_pb2.AlertReference],
    *,
    actor: str,
) -> watchlist_service_pb2.ReportHitResponse:
    """Reports a match as a hit.

    Raises:
        PermissionDeniedError: the match is of an own record that mustn't be released to the entry's owner.
        GatewayError: as of `report_hit`.
    """
    source = row.place.source
    own = source.kind is SourceKind.SHIPMENT and row.publisher != tx.own_node
    if own and releases.unreleased(tx.conn, [source.id], row.publisher):
        raise PermissionDeniedError(
            f"the release list of record {source.id} doesn't name {row.publisher}, which the hit would tell of it",
            metadata={"about": "releasable_to"},
        )
    hit = screening_pb2.ScreeningHit.FromString(row.hit)
    entry = listed_entry(tx.conn, hit.entry, NOTHING_HIDDEN)
    subject = wire.party_of(screening_pb2.ScreeningSubject.FromString(row.subject))
    request = watchlist_service_pb2.ReportHitRequest(
        entry=hit.entry,
        revision=hit.revision,
        match_class=hit.match_class,
        score=hit.score,
        subject=None if confirmation.without_subject else subject,
        purpose=confirmation.purpose,
        case_reference=confirmation.case_reference,
        derived_from=sources,
    )
    return report_hit(tx, lists, lists.agreements, entry, request, actor=actor, source_field="")


def _alerts_among(sources: Iterable[SourceKey]) -> list[alert_pb2.AlertReference]:
    return [
        alert_pb2.AlertReference(publisher=source.publisher, alert_id=source.id)
        for source in dict.fromkeys(sources)
        if source.kind is SourceKind.ALERT
    ]


def match_message(row: MatchRow) -> match_pb2.Match:
    """Converts a row to a message."""
    message = wire.found_match(
        row.place,
        screening_pb2.ScreeningSubject.FromString(row.subject),
        screening_pb2.ScreeningHit.FromString(row.hit),
        backward=bool(row.backward),
    )
    message.match_id = row.match_id
    message.found_at.FromMilliseconds(row.found_at)
    message.status = wire.STATUSES[row.state]
    message.hit_id, message.decided_by, message.reason = row.hit_id, row.decided_by, row.reason
    if row.decided_at:
        message.decided_at.FromMilliseconds(row.decided_at)
    return message


def _best(matches_found: Iterable[match_pb2.Match]) -> dict[bytes, match_pb2.Match]:
    """The best finding by key; the first among equally written parties."""
    best: dict[bytes, match_pb2.Match] = {}
    for match in matches_found:
        before = best.setdefault(wire.match_key(match), match)
        if (match.hit.match_class, -match.hit.score) < (before.hit.match_class, -before.hit.score):
            best[wire.match_key(match)] = match
    return best


def _row(match: match_pb2.Match, key: bytes, match_id: str, now_ms: int) -> MatchRow:
    place, entry = wire.place_of(match.source), wire.entry_of(match.hit)
    return MatchRow(
        match_id=match_id,
        key=key,
        source=place.source.kind.value,
        source_publisher=place.source.publisher,
        source_id=place.source.id,
        source_revision=place.revision,
        field=place.field,
        subject=match.subject.SerializeToString(deterministic=True),
        publisher=entry.publisher,
        list=entry.list,
        entry_id=entry.id,
        match_class=match.hit.match_class,
        hit=match.hit.SerializeToString(deterministic=True),
        found_at=now_ms,
        backward=int(match.backward),
        status=MatchStatus.OPEN.value,
    )


def _refreshed(before: MatchRow, match: MatchRow) -> MatchRow:
    """Updates a match found again; keeps its first time."""
    return replace(
        match,
        match_id=before.match_id,
        found_at=before.found_at,
        backward=before.backward,
        reason=before.reason,
        change=before.change,
    )


def _ended(row: MatchRow, why: str, now_ms: int) -> MatchRow:
    return replace(row, status=MatchStatus.SUPERSEDED.value, decided_by=BY_ITSELF, decided_at=now_ms, reason=why)
