"""What an alert names, as subjects of a screening. Owns which of its fields are screened.

Apart from wire.screening, which loads the vocabularies of names.
"""

from __future__ import annotations

from gateway.v1 import alert_pb2, party_pb2, screening_pb2


def subjects_of(content: alert_pb2.AlertContent) -> dict[str, screening_pb2.ScreeningSubject]:
    """What an alert names, to be screened, by its path in the content; without references, so not to be remembered."""
    subject = content.subject
    found = {
        f"subject.parties[{at}]": screening_pb2.ScreeningSubject(
            names=party.names, identifiers=party.identifiers, addresses=party.addresses
        )
        for at, party in enumerate(subject.parties)
    }
    for at, equipment in enumerate(subject.equipment):
        found[f"subject.equipment[{at}]"] = screening_pb2.ScreeningSubject(containers=[equipment.id])
    for at, means in enumerate(subject.means):
        registrations = [party_pb2.Identifier(scheme=one.scheme, value=one.value) for one in means.registrations]
        found[f"subject.means[{at}]"] = screening_pb2.ScreeningSubject(
            identifiers=registrations,
            vehicles=[one.value for one in means.registrations if one.scheme.endswith("plate")],
            vessels=[means.name] if means.name else [],
        )
    return found
