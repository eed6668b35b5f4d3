"""Says in one sentence why a partner doesn't have something, from the reason that a node gives."""

from __future__ import annotations

from typing import Final

from gateway.translation.labels import label, label_of
from gateway.translation.messages import N_, listed, ngettext
from gateway.translation.messages import gettext as _
from gateway.v1 import node_service_pb2 as pb
from gateway.v1.options_pb2 import DisclosureClass

LINKS: Final = {
    pb.LINK_STATE_CONNECTED: N_("the link works"),
    pb.LINK_STATE_CONNECTING: N_("the partner can't be reached"),
    pb.LINK_STATE_SUSPENDED: N_("the link is suspended"),
    pb.LINK_STATE_QUARANTINED: N_("the feed is in quarantine"),
    pb.LINK_STATE_RECOVERY_REQUIRED: N_("the feed has to be recovered"),
    pb.LINK_STATE_PULLED: N_("the partner fetches by itself"),
    pb.LINK_STATE_CLOSED: N_("the feed is closed"),
    pb.LINK_STATE_ELSEWHERE: N_("another replica holds the link"),
}
"""How a link is, within a sentence."""


def absence_text(absence: pb.Absence, *, time: str = "") -> str:
    """The reason in the reader's language; `time`: when it was receipted, as the reader's place writes it."""
    names = {
        "partner": absence.partner.upper(),
        "owner": absence.publisher.upper(),
        "purpose": label("purpose", absence.purpose),
        "agreement": f"{absence.agreement_id}: {absence.clause.rstrip('.')}",
        "field": absence.field,
        "field_class": label_of(DisclosureClass, absence.disclosure_class),
        "detail": absence.detail,
        "time": time,
    }
    return _reason(absence, names)


_SENTENCES: Final = {
    pb.ABSENCE_REASON_RECEIVED: N_("{partner} has it: it signed for it at {time}."),
    pb.ABSENCE_REASON_NO_AGREEMENT: N_("No agreement in force lets it go to {partner} for the purpose “{purpose}”."),
    pb.ABSENCE_REASON_NO_AGREEMENT_TO_ASK: N_(
        "No agreement in force lets {partner} ask about shipments for the purpose “{purpose}”."
    ),
    pb.ABSENCE_REASON_ONWARD_FORBIDDEN: N_("It holds what another authority doesn't let go on to {partner}: {detail}"),
    pb.ABSENCE_REASON_ENDED: N_("The entry isn't on the list any more."),
    pb.ABSENCE_REASON_HIT_ONLY: N_("If {partner} asks, it learns whether there is a record and no more ({agreement})."),
    pb.ABSENCE_REASON_EMPTY: N_("The field {field} is empty here."),
    pb.ABSENCE_REASON_ERASED: N_("Its content was erased here."),
    pb.ABSENCE_REASON_NOT_OURS: N_("It is {owner}'s, and only {owner} can say whether {partner} has it."),
}


def _reason(absence: pb.Absence, names: dict[str, str]) -> str:
    if absence.reason in _WORDED:
        return _WORDED[absence.reason](absence, names)
    return _(_SENTENCES.get(absence.reason, N_("The gateway gives a reason that this version doesn't know.")), **names)


def _not_addressed(absence: pb.Absence, names: dict[str, str]) -> str:
    if absence.agreement_id:
        return _("It wasn't addressed to {partner}; the agreement would allow it ({agreement}).", **names)
    return _("It wasn't addressed to {partner}.", **names)


def _class_not_agreed(absence: pb.Absence, names: dict[str, str]) -> str:
    if absence.field:
        return _("The field {field} is {field_class}, which {partner} isn't given ({agreement}).", **names)
    return _("It holds {field_class} information, which {partner} isn't given ({agreement}).", **names)


def _waiting(absence: pb.Absence, names: dict[str, str]) -> str:
    names = {**names, "link": _(LINKS.get(absence.link_state, N_("the link hasn't begun")))}
    if absence.detail:
        names["link"] = f"{names['link']}: {absence.detail}"
    if not absence.waiting:
        return _("It hasn't been put into the feed to {partner} yet; {link}.", **names)
    return ngettext(
        "It waits for {partner}'s receipt; {link}.",
        "It waits for {partner}'s receipt, with {number} entries up to it; {link}.",
        absence.waiting,
        **names,
    )


def _not_released(absence: pb.Absence, names: dict[str, str]) -> str:
    if not absence.released_to:
        return _("The record's own release list names nobody, so {partner} isn't shown it.", **names)
    members = listed([node.upper() for node in absence.released_to])
    return _("The record's own release list names {members}, not {partner}.", **names, members=members)


def _told(absence: pb.Absence, names: dict[str, str]) -> str:
    if not absence.withheld:
        return _("{partner} is shown it if it asks: records aren't sent unasked ({agreement}).", **names)
    withheld = listed([label_of(DisclosureClass, one) for one in absence.withheld])
    return _(
        "If {partner} asks, it is shown the record without what is {withheld} ({agreement}).",
        **names,
        withheld=withheld,
    )


_WORDED: Final = {
    pb.ABSENCE_REASON_ON_THE_WAY: _waiting,
    pb.ABSENCE_REASON_NOT_ADDRESSED: _not_addressed,
    pb.ABSENCE_REASON_CLASS_NOT_AGREED: _class_not_agreed,
    pb.ABSENCE_REASON_ON_QUESTION: _told,
    pb.ABSENCE_REASON_NOT_RELEASED: _not_released,
}
