"""What ends at a node, in order of time: certificates, CAs, keys, the directory, agreements, licences, list entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from google.protobuf.timestamp_pb2 import Timestamp

from gateway.console.filters import bounded
from gateway.console.views.licences import licence_path
from gateway.console.views.trusted import CA, GATEWAY, AgreementEnd, certificate_use, key_use, system_name
from gateway.translation.messages import gettext as _
from gateway.translation.messages import ngettext
from gateway.v1.directory_pb2 import DirectoryStatus
from gateway.v1.licence_service_pb2 import ListedLicence
from gateway.v1.node_service_pb2 import CertificateStatus, KeyStatus
from gateway.v1.watchlist_service_pb2 import ListedEntry

GONE: Final = timedelta(days=30)
"""Time after which what has ended isn't shown any more."""

DIRECTORY: Final = "/operations/directory"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpiringThing:
    """Something that ends, in the current language.

    Attributes:
        key: names it in every language, e.g. for calendars that take it again.
        todo: what to do before it ends, with the command or the page for it.
    """

    key: str
    at: datetime
    kind: str
    what: str
    whose: str
    todo: str
    command: str = ""
    path: str = ""

    def days(self, now: datetime) -> int:
        """Whole days that are left; negative after the end."""
        return (self.at - now).days


def in_order(things: Iterable[ExpiringThing], now: datetime) -> list[ExpiringThing]:
    """What ends first comes first; without what has ended long ago."""
    return sorted((thing for thing in things if thing.at > now - GONE), key=lambda thing: (thing.at, thing.key))


def certificate_ends(certificates: Iterable[CertificateStatus], own: str) -> Iterator[ExpiringThing]:
    """Certificates of this gateway, of callers, and CAs."""
    rows = list(certificates)
    last = _last_of(rows, lambda row: (row.owner, row.use, row.use == CA or row.subject))
    for row in rows:
        name = row.subject if row.use == CA else system_name(row)
        todo, command = _certificate_step(row, own) if _end(row.not_after) == last(row) else _superseded()
        yield ExpiringThing(
            key=f"certificate/{row.owner}/{row.use}/{row.subject}/{row.fingerprint_sha256[:16]}",
            at=_end(row.not_after),
            kind=certificate_use(row.use),
            what=name,
            whose=row.owner.upper(),
            todo=todo,
            command=command,
            path=DIRECTORY if row.use == CA else "/operations/keys",
        )


def key_ends(keys: Iterable[KeyStatus], own: str) -> Iterator[ExpiringThing]:
    """Signing keys that aren't revoked."""
    rows = [row for row in keys if not row.HasField("revoked_at")]
    last = _last_of(rows, lambda row: (row.node, row.use))
    for row in rows:
        todo, command = _key_step(row, own) if _end(row.not_after) == last(row) else _superseded()
        yield ExpiringThing(
            key=f"key/{row.vkey}",
            at=_end(row.not_after),
            kind=_("Signing key"),
            what=key_use(row.use),
            whose=row.node.upper(),
            todo=todo,
            command=command,
            path="/operations/keys",
        )


def directory_end(status: DirectoryStatus) -> ExpiringThing:
    """The version in force."""
    return ExpiringThing(
        key=f"directory/{status.federation}",
        at=_end(status.expires_at),
        kind=_("Directory"),
        what=_("Version {version}", version=status.version),
        whose=status.federation,
        todo=_("Have the next version signed by the authorities, and put it in force."),
        command="gateway directory renew",
        path=DIRECTORY,
    )


def agreement_ends(agreements: Iterable[AgreementEnd], own: str) -> Iterator[ExpiringThing]:
    """Agreements of this node."""
    for agreement in agreements:
        if own in (agreement.sender, agreement.recipient):
            yield ExpiringThing(
                key=f"agreement/{agreement.name}",
                at=agreement.end,
                kind=_("Agreement"),
                what=agreement.name,
                whose=_(
                    "{sender} to {recipient}", sender=agreement.sender.upper(), recipient=agreement.recipient.upper()
                ),
                todo=_("Agree on what follows, and have a version of the directory signed that says it."),
                path=DIRECTORY,
            )


def licence_ends(licences: Iterable[ListedLicence]) -> Iterator[ExpiringThing]:
    """Own licences; each ends with its last day."""
    for listed in licences:
        reference = listed.reference
        yield ExpiringThing(
            key=f"licence/{reference.issuer}/{reference.number}",
            at=_after(date.fromisoformat(listed.newest.content.valid_until)),
            kind=_("Licence"),
            what=reference.number,
            whose=reference.issuer.upper(),
            todo=_("Amend it if it is to last longer."),
            path=licence_path(reference),
        )


def list_ends(entries: Iterable[ListedEntry], own: str) -> Iterator[ExpiringThing]:
    """Own lists, each with the first of its entries that end soon."""
    ends: dict[str, list[datetime]] = {}
    for listed in entries:
        ends.setdefault(listed.entry.list, []).append(_end(listed.entry.content.valid_until))
    for name, times in ends.items():
        yield ExpiringThing(
            key=f"list/{own}/{name}",
            at=min(times),
            kind=_("List"),
            what=ngettext("{number} entry of {list}", "{number} entries of {list}", len(times), list=name),
            whose=own.upper(),
            todo=_("Amend the entries that are to stay."),
            command=f"gateway watchlist list --list {name} --expiring",
            path=f"/watchlists/of/{quote(own, safe='')}/{quote(name, safe='')}",
        )


def _certificate_step(row: CertificateStatus, own: str) -> tuple[str, str]:
    if row.owner != own:
        return _("Tell {node}.", node=row.owner.upper()), ""
    if row.use == CA:
        return _("It takes a new version of the directory: begin early."), "gateway directory card"
    step = _("Issue a new certificate and put it in place; no restart is needed.")
    if row.use == GATEWAY:
        return step, "gateway pki request --kind gateway"
    return step, f"gateway pki request --kind system --name {system_name(row)}"


def _key_step(row: KeyStatus, own: str) -> tuple[str, str]:
    if row.node != own:
        return _("Tell {node}.", node=row.node.upper()), ""
    return _("Make the next keys, and have a version of the directory signed that names them."), "gateway pki next-keys"


def _superseded() -> tuple[str, str]:
    return _("Nothing: another one lasts longer."), ""


def _last_of(rows: Sequence[Any], group: Callable[[Any], object]) -> Callable[[Any], datetime]:
    """For a row, the last end in its group."""
    ends: dict[object, datetime] = {}
    for row in rows:
        ends[group(row)] = max(_end(row.not_after), ends.get(group(row), _end(row.not_after)))
    return lambda row: ends[group(row)]


def _end(time: Timestamp) -> datetime:
    return bounded(time)


def _after(day: date) -> datetime:
    """When a day has ended, in UTC."""
    return datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1)
