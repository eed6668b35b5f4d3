"""Decides who is told of an event, and by which ways, from the rules of persons and of the authority."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.trust.rules.permissions import Role
from gateway.v1.notification_service_pb2 import Notification as NotificationMessage
from gateway.v1.notification_service_pb2 import (
    NotificationChannel,
    NotificationKind,
    NotificationRule,
    SetNotificationRulesRequest,
)

EMAIL = "email"
"""Way of e-mails."""

WEBHOOK = "webhook/"
"""Begins the names of ways to webhooks, and the ids of webhooks as recipients."""

_ABOUT_ALERTS = frozenset({Role.PUBLISHER, Role.OFFICER, Role.ANALYST, Role.SUPERVISOR, Role.AUDITOR})
_ABOUT_LISTS = _ABOUT_ALERTS - {Role.PUBLISHER}
_OTHERS: Mapping[int, frozenset[Role]] = {
    NotificationKind.NOTIFICATION_KIND_MATCH: _ABOUT_LISTS,
    NotificationKind.NOTIFICATION_KIND_HIT: _ABOUT_LISTS,
    NotificationKind.NOTIFICATION_KIND_HIT_ANSWERED: _ABOUT_LISTS,
    NotificationKind.NOTIFICATION_KIND_VERDICTS_CHANGED: _ABOUT_LISTS,
    NotificationKind.NOTIFICATION_KIND_CONTROLS_CHANGED: _ABOUT_LISTS,
    NotificationKind.NOTIFICATION_KIND_PROPOSAL: frozenset({Role.SUPERVISOR}),
    NotificationKind.NOTIFICATION_KIND_ALARM: frozenset({Role.OPERATOR, Role.SUPERVISOR, Role.AUDITOR}),
    NotificationKind.NOTIFICATION_KIND_BREAK_GLASS: frozenset({Role.SUPERVISOR, Role.AUDITOR}),
}
ROLES_OF_KINDS: Mapping[int, frozenset[Role]] = {
    kind: _OTHERS.get(kind, _ABOUT_ALERTS) for kind in NotificationKind.values() if kind
}
"""Roles that may be told of each kind: those that may read what it is about."""

_DEADLINES = (
    NotificationKind.NOTIFICATION_KIND_DEADLINE_NEAR,
    NotificationKind.NOTIFICATION_KIND_DEADLINE_PASSED,
)
_REPLIES = (
    NotificationKind.NOTIFICATION_KIND_QUESTION,
    NotificationKind.NOTIFICATION_KIND_ANSWER,
    NotificationKind.NOTIFICATION_KIND_FINDING,
    NotificationKind.NOTIFICATION_KIND_FINDING_CHANGED,
    NotificationKind.NOTIFICATION_KIND_FLAG,
)
_DEFAULTS: Mapping[Role, tuple[NotificationKind.ValueType, ...]] = {
    Role.PUBLISHER: (*_REPLIES, *_DEADLINES),
    Role.OFFICER: (
        NotificationKind.NOTIFICATION_KIND_NEW_ALERT,
        *_REPLIES,
        NotificationKind.NOTIFICATION_KIND_AMENDED,
        NotificationKind.NOTIFICATION_KIND_WITHDRAWN,
        NotificationKind.NOTIFICATION_KIND_EXPIRED,
        *_DEADLINES,
        NotificationKind.NOTIFICATION_KIND_ASSIGNED,
        NotificationKind.NOTIFICATION_KIND_HIT,
        NotificationKind.NOTIFICATION_KIND_HIT_ANSWERED,
        NotificationKind.NOTIFICATION_KIND_VERDICTS_CHANGED,
        NotificationKind.NOTIFICATION_KIND_CONTROLS_CHANGED,
    ),
    Role.ANALYST: (
        NotificationKind.NOTIFICATION_KIND_MATCH,
        NotificationKind.NOTIFICATION_KIND_CONTROLS_CHANGED,
        NotificationKind.NOTIFICATION_KIND_VERDICTS_CHANGED,
        NotificationKind.NOTIFICATION_KIND_ASSIGNED,
    ),
    Role.SUPERVISOR: (
        NotificationKind.NOTIFICATION_KIND_DEADLINE_PASSED,
        NotificationKind.NOTIFICATION_KIND_PROPOSAL,
        NotificationKind.NOTIFICATION_KIND_BREAK_GLASS,
        NotificationKind.NOTIFICATION_KIND_ASSIGNED,
        NotificationKind.NOTIFICATION_KIND_HIT_ANSWERED,
    ),
    Role.AUDITOR: (NotificationKind.NOTIFICATION_KIND_BREAK_GLASS,),
    Role.OPERATOR: (NotificationKind.NOTIFICATION_KIND_ALARM,),
}


@dataclass(frozen=True, slots=True)
class Addressee:
    """Somebody who can be told: a person, or a system of the settings.

    Attributes:
        id: `person/cn/li.wei` or `system/cn/duty-desk`.
        email: empty where none is known.
        language: tag of BCP 47; empty for English.
    """

    id: str
    roles: frozenset[Role]
    email: str = ""
    language: str = ""
    is_person: bool = True


@dataclass(frozen=True, slots=True)
class Happening:
    """What has happened, for whoever the rules name.

    Attributes:
        message: what all are told; without position and times of reading.
        visible_to: roles of which one is needed, beyond those of its kind; None: no more are needed.
        not_to: who did it, and need not be told: an id, or its last part.
        only_to: the one person whom it is about; empty: everybody.
        assignee: to whom the alert is assigned; empty for nobody.
        restricted: roles that read `message` as it is, and the message of an alarm for all others; None: all do.
        group: of matches: their entry's key (`rules.gathered`); empty: it is told alone.
    """

    message: NotificationMessage
    visible_to: frozenset[Role] | None = None
    not_to: str = ""
    only_to: str = ""
    assignee: str = ""
    restricted: tuple[frozenset[Role], str] | None = None
    group: str = ""

    def message_for(self, roles: frozenset[Role]) -> NotificationMessage:
        """What somebody with these roles is told."""
        if self.restricted is None or not roles.isdisjoint(self.restricted[0]):
            return self.message
        public = NotificationMessage()
        public.CopyFrom(self.message)
        public.alarm_message = self.restricted[1]
        return public


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules in force.

    Attributes:
        own: by person or system; who isn't in it has the rules by default.
        shared: the authority's.
        webhooks: names of the settings; rules that name others reach nobody.
    """

    own: Mapping[str, SetNotificationRulesRequest] = field(default_factory=dict)
    shared: Sequence[NotificationRule] = ()
    webhooks: Collection[str] = ()

    def rules_of(self, addressee: Addressee) -> Sequence[NotificationRule]:
        """A person's or system's own rules, or those by default, which only persons have."""
        own = self.own.get(addressee.id)
        if own is not None and (own.rules or own.nothing):
            return own.rules
        return default_rules(addressee.roles) if addressee.is_person else ()


def default_rules(roles: frozenset[Role]) -> list[NotificationRule]:
    """What a person with these roles is told in the console, unless the person says otherwise."""
    kinds = {kind for role in roles for kind in _DEFAULTS.get(role, ())}
    return [NotificationRule(kinds=sorted(kinds))] if kinds else []


def kinds_for(roles: frozenset[Role]) -> list[NotificationKind.ValueType]:
    """Kinds that these roles may be told of."""
    return [NotificationKind.ValueType(kind) for kind, allowed in ROLES_OF_KINDS.items() if allowed & roles]


def ways_of(happening: Happening, addressee: Addressee, book: RuleBook) -> frozenset[str] | None:
    """Ways beside the console by which somebody is told; None: not at all."""
    if not _may_know(happening, addressee):
        return None
    rules = [rule for rule in book.rules_of(addressee) if _applies(rule, happening, addressee)]
    rules += [rule for rule in book.shared if _reaches(rule, happening, addressee)]
    if not rules:
        return None
    by_mail = any(NotificationChannel.NOTIFICATION_CHANNEL_EMAIL in rule.channels for rule in rules)
    return frozenset({EMAIL}) if by_mail and addressee.email else frozenset()


def webhooks_of(happening: Happening, book: RuleBook) -> Iterator[str]:
    """Names of the webhooks that are told."""
    named = {
        rule.audience.webhook
        for rule in book.shared
        if rule.audience.WhichOneof("audience") == "webhook" and _matches(rule, happening)
    }
    yield from sorted(named.intersection(book.webhooks))


def _may_know(happening: Happening, addressee: Addressee) -> bool:
    allowed = ROLES_OF_KINDS.get(happening.message.kind, frozenset())
    if not allowed & addressee.roles or happening.not_to in (addressee.id, addressee.id.rpartition("/")[2]):
        return False
    if happening.only_to and addressee.id != happening.only_to:
        return False
    return happening.visible_to is None or bool(happening.visible_to & addressee.roles)


def _applies(rule: NotificationRule, happening: Happening, addressee: Addressee) -> bool:
    if rule.assigned_to_me and happening.assignee != addressee.id:
        return False
    return _matches(rule, happening)


def _reaches(rule: NotificationRule, happening: Happening, addressee: Addressee) -> bool:
    audience = rule.audience
    match audience.WhichOneof("audience"):
        case "role":
            reached = addressee.is_person and audience.role in addressee.roles
        case "recipient":
            reached = audience.recipient == addressee.id
        case "assignee":
            reached = happening.assignee == addressee.id
        case _:
            reached = False
    return reached and _applies(rule, happening, addressee)


def _matches(rule: NotificationRule, happening: Happening) -> bool:
    message = happening.message
    return (
        message.kind in rule.kinds
        and (not rule.priorities or message.priority in rule.priorities)
        and (not rule.typologies or not set(rule.typologies).isdisjoint(message.typologies))
        and (not rule.partners or message.partner in rule.partners)
    )
