"""What is said beside a field as one types: of places, codes, substances, purities, containers and identifiers.

A remark refuses nothing. The page asks for it with a script, and has it for who has none whenever the form comes back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.console.form import Form
from gateway.console.views.codes import controlled_goods, element_of, place_of, places, purity_bound, titles_of
from gateway.console.views.words import capitalised, percent_text
from gateway.console.views.written import number_in, values_in
from gateway.contract.identification.identifiers import Scheme, check_identifier, compact
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.translation.notices import noticed
from gateway.translation.substance_names import element_name, substance_title

MOST_CHARS: Final = 64
"""Longest value that is checked."""

MOST_VALUES: Final = 8
"""Values of one field that are checked."""

CODE_DIGITS: Final = 6
"""Of a commodity code, from which it says what goods may stand under it."""


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said of a value beside its field; `kind` is good, warn or quiet."""

    kind: str
    text: str


_SCHEMES: Final[Mapping[str, str]] = {
    "container": Scheme.CONTAINER,
    **{scheme.value: scheme.value for scheme in Scheme},
}


def remark_on(what: str, value: str, *, substance: str = "") -> Remark | None:
    """What to say beside a field; None for an empty value or an unknown kind of field.

    Args:
        what: place, locode (a place by its code alone), code, substance, purity, container or an identifier's scheme.
        substance: whose purity it is.
    """
    value = value.strip()[:MOST_CHARS]
    if not value:
        return None
    if what in _SCHEMES:
        return _on_identifier(_SCHEMES[what], value)
    if what == "purity":
        return _on_purity(value, substance)
    return _REMARKS[what](value) if what in _REMARKS else None


def remark_on_sought(what: str, text: str) -> Remark | None:
    """What to say of values that are looked for, with commas between: of several those that are doubtful."""
    values = values_in(text)[:MOST_VALUES]
    remarks = [(value, _on_sought(what, value)) for value in values]
    if len(remarks) == 1:
        return remarks[0][1]
    doubtful = [(value, remark) for value, remark in remarks if remark is not None and remark.kind == "warn"]
    return Remark("warn", listed(f"{value}: {remark.text}" for value, remark in doubtful)) if doubtful else None


def _on_sought(what: str, value: str) -> Remark | None:
    """Places are also found by their office and territory, and goods by the beginning of their code."""
    remark = remark_on(what, value)
    if what == "place" and place_of(value) is None:
        return None
    if what == "code" and len("".join(filter(str.isdigit, value))) < CODE_DIGITS:
        return None
    return Remark(remark.kind, remark.text) if remark is not None else None


def remarks_of(sent: Form, what_of: Callable[[str], str], *, sought: bool = False) -> dict[str, Remark]:
    """What is said beside the fields of a form that have a value.

    Args:
        what_of: the kind of a field by its name; empty for one that isn't checked.
        sought: fields may have several values, to look for.
    """
    found = {}
    for name in sent:
        what, value = what_of(name), sent.text(name)
        if what == "purity":
            found[name] = remark_on(what, value, substance=sent.text(f"{name.rpartition('-')[0]}-substance"))
        elif what:
            found[name] = remark_on_sought(what, value) if sought else remark_on(what, value)
    return {name: remark for name, remark in found.items() if remark is not None}


def _on_identifier(scheme: str, value: str) -> Remark:
    doubt = check_identifier(scheme, value)
    if doubt is not None:
        return _doubtful(noticed(doubt.message))
    return Remark("good", _("{value}: form and check digit are right.", value=compact(scheme, value)))


def _doubtful(problem: str) -> Remark:
    return Remark("warn", _("{problem}. It can be sent as it is.", problem=capitalised(problem)))


def _on_locode(value: str) -> Remark:
    return _on_place(value) if place_of(value) else _doubtful(_("The gateway doesn't know this UN/LOCODE"))


def _on_place(value: str) -> Remark:
    place = place_of(value)
    if place is None:
        return Remark("warn", _("The gateway doesn't know this place; it is sent as its name."))
    name = dict(places()).get(place.unlocode, place.name)
    return Remark("good", listed((name, place.territory)))


def _on_code(value: str) -> Remark:
    digits = "".join(filter(str.isdigit, value))
    doubt = check_identifier(Scheme.HS, digits)
    if doubt is not None:
        return _doubtful(noticed(doubt.message))
    under = [good for good in controlled_goods() if good.code.startswith(digits[:6]) and len(digits) >= CODE_DIGITS]
    if not under:
        return Remark("quiet", _("No controlled goods are listed under this code."))
    return Remark("warn", _("Controlled goods may stand under it: {names}", names=titles_of(under)[:160]))


def _on_substance(value: str) -> Remark:
    element = element_of(value) or next((good.element for good in controlled_goods() if good.element == value), "")
    if not element:
        return Remark("quiet", _("This isn't one of the controlled substances."))
    return Remark("warn", _("Controlled: {element}", element=element_name(element)))


def _on_purity(value: str, substance: str) -> Remark:
    percent = number_in(value.removesuffix("%"))
    if percent is None:
        return Remark("warn", _("Enter a number, e.g. 20000 or 99.65."))
    if percent > 100:
        return Remark("warn", _("A purity lies between 0 and 100 %."))
    bound = purity_bound(substance)
    if bound is None:
        return Remark("good", percent_text(percent))
    name = substance_title(substance)
    if bound.reached_by(percent):
        text = _("{substance} is controlled from {bound} on: this reaches it.", substance=name, bound=bound.text)
        return Remark("warn", text)
    text = _("{substance} is controlled from {bound} on: this is below it.", substance=name, bound=bound.text)
    return Remark("quiet", text)


_REMARKS: Final[Mapping[str, Callable[[str], Remark]]] = {
    "place": _on_place,
    "locode": _on_locode,
    "code": _on_code,
    "substance": _on_substance,
}
"""By the kind of a field that stands alone."""
