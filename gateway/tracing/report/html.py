"""Makes a report of a trace: one HTML file with the picture and all that it rests on, for a case file.

It needs nothing from elsewhere and runs nothing: no script, no font, no image; its content policy forbids them.
Everything from records and answers is escaped, control characters are shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from html import escape
from typing import Final

from gateway.contract.enum_words import word_of
from gateway.contract.plain_text import printable
from gateway.tracing.report.picture import draw
from gateway.tracing.report.rows import picture_of
from gateway.tracing.report.style import STYLE
from gateway.tracing.report.words import (
    SEVERITIES,
    answer_in_words,
    answers_by_node,
    class_word,
    declared_at,
    kind_in_words,
    leg_name,
    local,
    not_whole,
    procedure_word,
    severities_in_words,
    span_of_events,
    way_in_words,
    zone_of,
)
from gateway.tracing.rules.events import mass_in_words, place_name
from gateway.v1.goods_pb2 import Money, Place, ShipmentReferenceKind
from gateway.v1.history_pb2 import ANSWER_STATUS_COMPLETE, NodeAnswer, QueryGrounds
from gateway.v1.party_pb2 import PartyRole
from gateway.v1.shipment_pb2 import Shipment, ShipmentGoods
from gateway.v1.trace_pb2 import Discrepancy, Trace, TraceLeg

MAX_LANES: Final = 5
"""Lanes that are still wide enough on a page."""

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_Html = str
"""Text that is HTML already: nothing in it came from elsewhere unescaped."""


def render_html(trace: Trace, grounds: QueryGrounds | None = None, *, made_at: datetime | None = None) -> str:
    """The report as one HTML document.

    Args:
        trace: the consignment.
        grounds: on which it was asked for.
        made_at: when the report was made, with its zone; None: not said.
    """
    title = f"Consignment: {way_in_words(trace) or 'nothing found'}"
    sections = [
        _head(trace, grounds, made_at),
        _section("What doesn't add up", _discrepancies(trace)) if trace.legs else "",
        _section("The way", _picture(trace)) if trace.legs else "",
        _section("Records", _legs(trace)) if trace.legs else "",
        _section("Why these records belong together", _links(trace)),
        _section("Goods under export control when they were declared", _controlled(trace)),
        _section("Events", _events(trace)),
        _section("Who answered", _answers(trace)),
        _section("Withheld", _withheld(trace)),
        _section("Signed statements", _statements(trace)),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{_h(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(filter(None, sections))
        + "\n</body>\n</html>\n"
    )


def _h(text: str) -> _Html:
    return escape(printable(text), quote=True)


def _section(title: str, content: _Html) -> _Html:
    return f"<section>\n<h2>{_h(title)}</h2>\n{content}\n</section>" if content else ""


def _table(columns: Sequence[str], rows: Iterable[Sequence[_Html]], widths: Sequence[int] = ()) -> _Html:
    """Rows of cells that are HTML already; nothing where there are no rows. Widths are shares in percent."""
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    if not body:
        return ""
    head = "".join(f'<th scope="col">{_h(column)}</th>' for column in columns)
    shares = "".join(f'<col style="width:{share}%">' for share in widths)
    fixed = ' class="fixed"' if widths else ""
    head = f"<colgroup>{shares}</colgroup>\n<thead><tr>{head}</tr></thead>"
    return f"<table{fixed}>\n{head}\n<tbody>\n{body}\n</tbody>\n</table>"


def _lines(texts: Iterable[str]) -> _Html:
    return "<br>".join(_h(text) for text in texts if text)


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} {zone_of(at)}"


def _head(trace: Trace, grounds: QueryGrounds | None, made_at: datetime | None) -> _Html:
    parts = ["<header>", "<h1>Consignment</h1>"]
    span = span_of_events(trace)
    if span is None:
        parts.append('<p class="way">No record of this consignment was found.</p>')
    else:
        parts.append(f'<p class="way">{_h(way_in_words(trace))}</p>')
        count = len(trace.legs)
        parts.append(
            f"<p>{count} record{'s' if count > 1 else ''}, {_h(_moment(span[0]))} to {_h(_moment(span[1]))}</p>"
        )
        worst = max((each.severity for each in trace.discrepancies), default=None)
        kind = "fine" if worst is None else SEVERITIES.get(worst, "notice")
        parts.append(f'<p class="verdict {kind}">{_h(severities_in_words(trace))}</p>')
    if trace.truncated:
        parts.append('<p class="bad">This is a part: more was found, or was left to ask, than a trace takes in.</p>')
    missing = not_whole(trace)
    if missing:
        parts.append(f'<p class="bad">Not answered whole by {_h(", ".join(missing))}.</p>')
    facts = {
        "Purpose": grounds.purpose if grounds else "",
        "Legal basis": grounds.legal_basis if grounds else "",
        "Case": grounds.case_reference if grounds else "",
        "Rules": trace.rules_version,
        "Controlled goods list": trace.controlled_goods_version,
        "Report made": _moment(made_at) if made_at else "",
    }
    said = "".join(f"<dt>{_h(name)}</dt><dd>{_h(value)}</dd>" for name, value in facts.items() if value)
    return "\n".join([*parts, f"<dl>{said}</dl>" if said else "", "</header>"])


def _picture(trace: Trace) -> _Html:
    return "\n".join(
        f"<figure>\n<figcaption>{_h(day)}</figcaption>\n{svg}\n</figure>"
        for day, svg in draw(picture_of(trace, MAX_LANES))
    )


def _discrepancies(trace: Trace) -> _Html:
    rows = [_discrepancy(each) for each in trace.discrepancies]
    columns = ("Rule", "What", "Records", "Seen", "Thresholds", "Measured")
    return _table(columns, rows, (12, 31, 8, 27, 15, 7)) or "<p>Nothing, by the rules that were applied.</p>"


def _discrepancy(found: Discrepancy) -> tuple[_Html, ...]:
    severity = SEVERITIES.get(found.severity, "notice")
    confidence = f"confidence {found.confidence}" if found.confidence else ""
    version = f"version {found.rule_version}" if found.rule_version else ""
    item = f", item {found.goods_sequence}" if found.goods_sequence else ""
    return (
        f'<b>{_h(found.rule_id)}</b> <span class="badge {severity}">{severity.upper()}</span>'
        f'<br><span class="note">{_lines((version, confidence))}</span>',
        f"<b>{_h(found.name.replace('_', ' '))}</b><br>{_h(found.explanation)}"
        f'<br><span class="note">{_h(found.typology)}</span>',
        _h(", ".join(str(leg + 1) for leg in found.legs) + item),
        _pairs(found.inputs.items()),
        _pairs(found.thresholds.items()),
        _h(f"{found.measured:.6g}") if found.HasField("measured") else "",
    )


def _pairs(items: Iterable[tuple[str, str]]) -> _Html:
    return "<br>".join(f"{_h(name)} = <b>{_h(value or 'none')}</b>" for name, value in sorted(items))


def _legs(trace: Trace) -> _Html:
    columns = ("No.", "Record", "Declared", "Goods", "Parties", "References", "Equipment and means")
    rows = (_leg(number, leg) for number, leg in enumerate(trace.legs, start=1))
    return _table(columns, rows, (4, 16, 11, 18, 19, 18, 14))


def _leg(number: int, leg: TraceLeg) -> tuple[_Html, ...]:
    shipment, record = leg.record.shipment, leg.record
    recorded = f"revision {record.revision}, position {record.position}"
    gross = f"{mass_in_words(shipment.gross_mass_kg)} gross in all" if shipment.HasField("gross_mass_kg") else ""
    value = f"{_money(shipment.total_value)} in all" if shipment.total_value.currency_code else ""
    licences = [f"licence {each.number or '(withheld)'} {each.type}".strip() for each in shipment.licences]
    return (
        str(number),
        f'<b>{_h(procedure_word(leg))}</b><br><span class="id">{_h(leg_name(leg))}</span>'
        f'<br><span class="note">{_h(recorded)}</span>',
        _lines((_moment(declared_at(leg)), place_name(shipment.office))),
        _lines((*(_goods(item) for item in shipment.goods), gross, value, *licences)),
        _lines(_party_lines(shipment)),
        _lines(
            f"{kind_in_words(word_of(ShipmentReferenceKind, each.kind))}: {each.value or '(withheld)'}"
            for each in shipment.references
        ),
        _lines(_equipment_lines(shipment)),
    )


def _goods(item: ShipmentGoods) -> str:
    codes = " / ".join(code.code for code in item.codes)
    masses = [f"{mass_in_words(item.net_mass_kg)} net" if item.HasField("net_mass_kg") else ""]
    purity = f"{item.purity_percent:g} %" if item.HasField("purity_percent") else ""
    value = _money(item.customs_value) if item.customs_value.currency_code else ""
    parts = (item.description or item.substance, item.element, purity, *masses, value)
    return f"{codes} {', '.join(filter(None, parts))}".strip()


def _money(money: Money) -> str:
    return f"{money.currency_code} {money.units:,}" + (f".{abs(money.nanos) // 10_000_000:02}" if money.nanos else "")


def _party_lines(shipment: Shipment) -> Iterator[str]:
    for party in shipment.parties:
        names = " / ".join(name.text for name in party.names if name.text)
        numbers = ", ".join(f"{each.scheme} {each.value}" for each in party.identifiers if each.value)
        said = ", ".join(filter(None, (names, numbers))) or "(withheld)"
        yield f"{word_of(PartyRole, party.role)}: {said}"


def _equipment_lines(shipment: Shipment) -> Iterator[str]:
    for equipment in shipment.equipment:
        sealed = ", ".join(filter(None, (*equipment.seals, equipment.e_lock)))
        yield f"{equipment.id}, sealed {sealed}" if sealed else equipment.id
    for means in shipment.means:
        yield ", ".join(filter(None, (means.name, means.journey, *(each.value for each in means.registrations))))


def _links(trace: Trace) -> _Html:
    rows = (
        (
            f"{number} – {link.leg + 1}",
            _h(kind_in_words(link.kind)),
            f'<span class="id">{_h(link.value)}</span>',
            f"{link.strength:.2f}",
            _h(link.because),
        )
        for number, leg in enumerate(trace.legs, start=1)
        for link in leg.links
    )
    return _table(("Records", "By", "Value", "Strength", "Because"), rows)


def _controlled(trace: Trace) -> _Html:
    rows = (
        (
            f"{number}, item {item.sequence}",
            f'<span class="id">{_h(item.code)}</span>',
            _h(" ".join(filter(None, (item.substance, f"({item.element})" if item.element else "")))),
            _h(item.announcement),
            _h(item.basis),
            _h(item.confidence),
        )
        for number, leg in enumerate(trace.legs, start=1)
        for item in leg.controlled
    )
    return _table(("Record", "Code", "Substance", "Announcement", "Met by", "Confidence"), rows)


def _events(trace: Trace) -> _Html:
    rows = (
        (
            f'<span class="when">{_h(_moment(local(event.at.ToDatetime(UTC), event.utc_offset_minutes)))}</span>',
            _h(_where(event.place)),
            _h(kind_in_words(event.kind)),
            _h(event.text),
            _h(f"{event.node}, record {event.leg + 1}"),
        )
        for event in trace.events
    )
    return _table(("When", "Where", "What", "In words", "Who says so"), rows)


def _where(place: Place) -> str:
    name = place_name(place)
    return name if name == place.territory else ", ".join(filter(None, (name, place.territory)))


def _answers(trace: Trace) -> _Html:
    rows = []
    for node, answers in answers_by_node(trace).items():
        last = answers[-1]
        whole = last.status == ANSWER_STATUS_COMPLETE
        status = _h(answer_in_words(answers))
        rows.append(
            (
                f"<b>{_h(node)}</b>",
                f'<span class="badge fine">{status}</span>' if whole else f'<span class="bad">{status}</span>',
                str(sum(each.count for each in answers)),
                _h(f"{last.as_of_position}") if last.as_of_position else "",
                _h(_moment(last.answered_at.ToDatetime(UTC).replace(tzinfo=UTC)))
                if last.HasField("answered_at")
                else "",
                "<br>".join(f'<span class="id">{_h(each.query_id)}</span>' for each in answers if each.query_id),
                _h(last.reason),
            )
        )
    columns = ("Node", "Status", "Records", "Searched up to position", "Answered", "Queries", "Reason")
    return _table(columns, rows) or "<p>Nobody was asked.</p>"


def _withheld(trace: Trace) -> _Html:
    rows = (
        (str(number), _h(leg_name(leg)), f'<span class="id">{_h(field.path)}</span>', _h(class_word(field)))
        for number, leg in enumerate(trace.legs, start=1)
        for field in leg.record.withheld
    )
    return _table(("No.", "Record", "Field", "Class that the agreement doesn't list"), rows)


def _statements(trace: Trace) -> _Html:
    """The statements as they came: `gateway evidence` exports the answers with them, by the query's id."""
    return "\n".join(_statement(answer) for answer in trace.answers if answer.statement)


def _statement(answer: NodeAnswer) -> _Html:
    digest = sha256(answer.statement).hexdigest()
    said = f"{answer.node}, query {answer.query_id or 'not named'}, SHA-256 {digest}"
    return f"<p>{_h(said)}</p>\n<pre>{_h(answer.statement.decode('utf-8', 'replace'))}</pre>"
