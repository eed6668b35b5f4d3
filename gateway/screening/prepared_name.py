"""Prepares a name for comparison by reading it once, in every way its kind allows."""

from __future__ import annotations

from typing import NamedTuple

from gateway.screening.organisations.reading import looks_like_organisation, read_organisation
from gateway.screening.organisations.variant import OrganisationVariant
from gateway.screening.persons.reading import PersonVariant, read_person
from gateway.screening.plain import PlainVariant, read_plain
from gateway.screening.result import NameKind
from gateway.screening.text.normalisation import clean, han_part, has_han

PARTY_KINDS = (NameKind.PERSON, NameKind.ORGANISATION)


class PreparedName(NamedTuple):
    """A name with a variant for each script."""

    text: str
    kind: NameKind
    persons: tuple[PersonVariant, ...]
    organisations: tuple[OrganisationVariant, ...]
    plain: PlainVariant | None


def prepare(text: str, kind: NameKind = NameKind.UNKNOWN) -> PreparedName:
    """Reads a name. An unknown kind is guessed: a legal form or line of business shows an organisation."""
    cleaned = clean(text)
    if kind not in (*PARTY_KINDS, NameKind.UNKNOWN):
        return PreparedName(text, kind, (), (), read_plain(cleaned, kind))
    han = han_part(cleaned) if has_han(cleaned) else ""
    if kind == NameKind.UNKNOWN:
        kind = NameKind.ORGANISATION if looks_like_organisation(cleaned, han) else NameKind.PERSON
    if kind == NameKind.PERSON:
        return PreparedName(text, kind, read_person(cleaned, han), (), None)
    return PreparedName(text, kind, (), read_organisation(cleaned, han), None)
