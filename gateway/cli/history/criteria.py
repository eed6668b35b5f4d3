"""Options for criteria and grounds of a query, and the messages made of them."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta, timezone
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

import typer

from gateway.cli.connection import Target
from gateway.cli.values import timestamp, value_of
from gateway.contract.enum_words import words
from gateway.contract.identification.shipment_keys import is_narrow
from gateway.errors import OptionError
from gateway.translation.messages import gettext as _
from gateway.v1.goods_pb2 import ShipmentReferenceKind
from gateway.v1.history_pb2 import QueryGrounds, SearchCriteria, SearchIdentifier, SearchReference
from gateway.v1.shipment_pb2 import ShipmentProcedure

PANEL = _("Criteria (records fulfil all options, and any value of a repeated one)")
GROUNDS_PANEL = _("Grounds (mandatory, checked against the agreement and audited on both sides)")

DAYS_ZONE = timezone(timedelta(hours=8))
"""Zone of days: that of all three territories."""

P = ParamSpec("P")
R = TypeVar("R")

_SCHEMED = re.compile(r"([a-z][a-z0-9_]{0,47}):(.+)")


def _option(*names: str, help: str, several: bool = True) -> tuple[object, object]:
    made = typer.Option(*names, help=help, rich_help_panel=PANEL)
    return (Annotated[list[str] | None, made], None) if several else (Annotated[str, made], "")


_REFERENCES: Mapping[str, ShipmentReferenceKind.ValueType] = {
    "reference": ShipmentReferenceKind.SHIPMENT_REFERENCE_KIND_UNSPECIFIED,
    "declaration": ShipmentReferenceKind.SHIPMENT_REFERENCE_KIND_DECLARATION,
    "ucr": ShipmentReferenceKind.SHIPMENT_REFERENCE_KIND_UCR,
    "transport_document": ShipmentReferenceKind.SHIPMENT_REFERENCE_KIND_TRANSPORT_DOCUMENT,
    "previous_document": ShipmentReferenceKind.SHIPMENT_REFERENCE_KIND_PREVIOUS_DOCUMENT,
    "licence": ShipmentReferenceKind.SHIPMENT_REFERENCE_KIND_LICENCE,
}

_EXACT: Mapping[str, tuple[object, object]] = {
    "container": _option("--container", help=_("Container number.")),
    "seal": _option("--seal", "--e-lock", help=_("Seal or electronic lock.")),
    "ucr": _option("--ucr", help=_("Unique consignment reference.")),
    "declaration": _option("--declaration", help=_("Declaration number.")),
    "transport_document": _option("--transport-document", help=_("Bill of lading, waybill or road cargo manifest.")),
    "previous_document": _option("--previous-document", help=_("Previous document.")),
    "licence": _option("--licence", help=_("Licence or permit number.")),
    "reference": _option("--reference", help=_("Any of these references, whatever its kind.")),
    "registration": _option(
        "--plate", "--registration", help=_("Vehicle plate of either side, IMO ship number or other registration.")
    ),
    "record": _option("--record", help=_("Key of a record at the node that has it.")),
    "party_id": _option(
        "--party-id", help=_("SCHEME:VALUE, e.g. uscc:91440300715267260G; VALUE alone for any scheme.")
    ),
}
"""Options for traces and holds."""

_MORE: Mapping[str, tuple[object, object]] = {
    "vessel": _option("--vessel", help=_("Vessel name."), several=False),
    "journey": _option("--voyage", "--flight", help=_("Voyage or flight number."), several=False),
    "party": _option("--party-name", "--party", help=_("Party name in any script; found as screening finds names.")),
    "code": _option("--code", help=_("First 4, 6, 8 or 10 digits of a commodity code.")),
    "substance": _option("--substance", help=_("Controlled substance or element, e.g. antimony or Sb.")),
    "place": _option("--place", help=_("UN/LOCODE, customs office code, or territory, e.g. CNSZW, 5345, HK.")),
    "procedure": _option("--procedure", help=f"{', '.join(words(ShipmentProcedure))}."),
}

_TIMES: Mapping[str, tuple[object, object]] = {
    "from_": _option(
        "--from", help=_("Declared then or later: a time with its zone, or a day (UTC+8)."), several=False
    ),
    "until": _option(
        "--until", help=_("Declared before this time, or on this day at the latest (UTC+8)."), several=False
    ),
}

EXACT = tuple(_EXACT)
"""Criteria that name one thing."""

TRACED = (*_EXACT, *_TIMES)
"""The same, and times, to choose a trip."""

ALL = (*_EXACT, *_MORE, *_TIMES)
"""Every criterion of the contract."""

_OPTIONS = {**_EXACT, **_MORE, **_TIMES}


def with_criteria(
    names: Sequence[str],
) -> Callable[[Callable[Concatenate[Target, SearchCriteria, P], R]], Callable[Concatenate[Target, P], R]]:
    """Adds these options to a command, below `connected`; its second parameter becomes their SearchCriteria."""

    def decorate(
        command: Callable[Concatenate[Target, SearchCriteria, P], R],
    ) -> Callable[Concatenate[Target, P], R]:
        def call(target: Target, ours: Mapping[str, Any], *args: P.args, **kwargs: P.kwargs) -> R:
            return command(target, criteria_of(ours), *args, **kwargs)

        options = {name: _OPTIONS[name] for name in names}
        made: Callable[Concatenate[Target, P], R] = _with_options(command, options, call)
        return made

    return decorate


_GROUNDS: Mapping[str, tuple[object, object]] = {
    name: (Annotated[str, typer.Option(option, help=help, rich_help_panel=GROUNDS_PANEL)], "")
    for name, option, help in (
        ("purpose", "--purpose", _("As the agreement names it, e.g. export_control.")),
        ("legal_basis", "--legal-basis", _("Law or agreement on which you ask.")),
        ("case_reference", "--case", _("Your case reference.")),
    )
}


def with_grounds(
    command: Callable[Concatenate[Target, QueryGrounds, P], R],
) -> Callable[Concatenate[Target, P], R]:
    """Adds options for the grounds to a command; its second parameter becomes their QueryGrounds."""

    def call(target: Target, ours: Mapping[str, Any], *args: P.args, **kwargs: P.kwargs) -> R:
        return command(target, grounds_of(ours), *args, **kwargs)

    made: Callable[Concatenate[Target, P], R] = _with_options(command, _GROUNDS, call)
    return made


def _with_options(command: Callable[..., R], options: Mapping[str, tuple[object, object]], call: Any) -> Any:
    @functools.wraps(command)
    def wrapped(target: Target, *args: Any, **kwargs: Any) -> R:
        ours = {name: kwargs.pop(name) for name in options if name in kwargs}
        result: R = call(target, ours, *args, **kwargs)
        return result

    signature = inspect.signature(command, eval_str=True)
    target_parameter, _, *own = signature.parameters.values()
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in options.items()
    ]
    wrapped.__signature__ = signature.replace(  # type: ignore[attr-defined]  # typer reads it
        parameters=[target_parameter, *own, *added]
    )
    return wrapped


def grounds_of(given: Mapping[str, str]) -> QueryGrounds:
    """The grounds; ConfigurationError names all that are missing."""
    options = {"purpose": "--purpose", "legal_basis": "--legal-basis", "case_reference": "--case"}
    missing = [option for name, option in options.items() if not given.get(name, "").strip()]
    if missing:
        raise OptionError(
            _(
                "{missing}: the grounds are incomplete. Give the purpose as the agreement names it (e.g. "
                "export_control), the law or agreement on which you ask, and your case; they are checked and recorded "
                "at every node that is asked",
                missing=", ".join(missing),
            )
        )
    return QueryGrounds(**given)


def criteria_of(given: Mapping[str, Any]) -> SearchCriteria:
    """The criteria from options by their names in ALL; ConfigurationError where none narrows a search."""
    several = {name: given.get(name) or [] for name in _OPTIONS}
    procedures = [value_of(ShipmentProcedure, word, "--procedure") for word in several["procedure"]]
    made = SearchCriteria(
        record_ids=several["record"],
        references=[
            SearchReference(kind=kind, value=value) for name, kind in _REFERENCES.items() for value in several[name]
        ],
        containers=several["container"],
        seals=several["seal"],
        registrations=several["registration"],
        vessel=given.get("vessel", ""),
        journey=given.get("journey", ""),
        party_identifiers=[_identifier(text) for text in several["party_id"]],
        party_names=several["party"],
        commodity_codes=[_code(text) for text in several["code"]],
        substances=several["substance"],
        places=[text.upper() for text in several["place"]],
        procedures=procedures,
    )
    if given.get("from_"):
        made.declared_from.CopyFrom(timestamp(moment(given["from_"], "--from")))
    if given.get("until"):
        made.declared_until.CopyFrom(timestamp(moment(given["until"], "--until", end=True)))
    if not is_narrow(made):
        raise OptionError(
            _(
                "name a criterion, e.g. --container CSQU3054383, --ucr, --declaration, --plate or "
                "--party-id; --place, --procedure, --from and --until only narrow a search"
            )
        )
    return made


def moment(text: str, option: str, *, end: bool = False) -> datetime:
    """A time with its zone, or the beginning or `end` of a day in DAYS_ZONE; ConfigurationError otherwise."""
    try:
        found = datetime.fromisoformat(text)
        if len(text) == len("2026-01-31"):
            day = datetime.combine(found.date(), time(), DAYS_ZONE)
            return (day + timedelta(days=1) if end else day).astimezone(UTC)
        if found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise OptionError(
        _(
            "{option}: {text!r} is neither a day (2026-01-31) nor a time with its zone (2026-01-15T08:00:00+08:00)",
            option=option,
            text=text,
        )
    )


def _identifier(text: str) -> SearchIdentifier:
    match = _SCHEMED.fullmatch(text)
    return SearchIdentifier(scheme=match[1], value=match[2]) if match else SearchIdentifier(value=text)


def _code(text: str) -> str:
    digits = text.replace(".", "").replace(" ", "")
    if not re.fullmatch(r"[0-9]{4}([0-9]{2}){0,3}", digits):
        raise OptionError(_("--code: {text!r} isn't the first 4, 6, 8 or 10 digits of a commodity code", text=text))
    return digits
