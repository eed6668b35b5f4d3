"""A publication sheet in rows of a name and what it says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from gateway.console.filters import number
from gateway.console.views.words import capitalised, measure_text, substance_text
from gateway.translation.labels import METHOD, PURPOSE, TYPOLOGY, label, label_of
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed
from gateway.translation.rule_sentences import explained
from gateway.v1.alert_pb2 import AlertFinding, CloseOutcome, FindingResult, Priority, RequestedAction
from gateway.v1.figures_pb2 import PublicationSheet
from gateway.v1.goods_pb2 import GoodsItem, RouteLeg

Row = tuple[str, str | Sequence[str]]


def sheet_rows(sheet: PublicationSheet) -> list[Row]:
    """What the sheet says beside its findings; rows without a value are left out by the page."""
    content, closing = sheet.content, sheet.closing
    rows: list[Row] = [
        (_("Published by"), sheet.publisher.upper()),
        (_("Sent to"), listed(node.upper() for node in sheet.recipients)),
        (_("Published on"), sheet.published_on),
        (_("Closed on"), sheet.closed_on),
        (_("Outcome"), capitalised(label_of(CloseOutcome, closing.outcome)) if closing.outcome else ""),
        (_("Typologies"), [capitalised(label(TYPOLOGY, name)) for name in content.typologies]),
        (_("Priority"), label_of(Priority, content.priority).upper() if content.priority else ""),
        (_("Requested action"), capitalised(label_of(RequestedAction, content.requested_action))),
        (_("Purpose"), capitalised(label(PURPOSE, content.purpose))),
        (_("Legal basis"), content.legal_basis),
        (_("Goods"), [text for goods in content.goods if (text := goods_text(goods))]),
        (_("Route"), [text for leg in content.route if (text := _leg(leg))]),
        (_("Rules that fired"), [f"{hit.rule_id} {explained(hit.explanation)}".strip() for hit in content.rule_hits]),
        (_("What it said"), [narrative.text for narrative in content.narratives]),
        (_("Measures of the publisher"), [measure_text(measure) for measure in closing.measures]),
        (_("Remarks at the closing"), closing.remarks),
    ]
    return rows


def finding_rows(finding: AlertFinding) -> list[Row]:
    """A finding."""
    place = " ".join(filter(None, (finding.place.territory, finding.place.unlocode)))
    return [
        (_("Result"), capitalised(label_of(FindingResult, finding.result))),
        (_("Where"), place),
        (_("Methods"), [capitalised(label(METHOD, name)) for name in finding.methods]),
        (_("Goods found"), [text for goods in finding.goods_found if (text := goods_text(goods))]),
        (_("Measures taken"), [measure_text(measure) for measure in finding.measures]),
        (_("Remarks"), finding.remarks),
    ]


def goods_text(goods: GoodsItem) -> str:
    """Goods in a line, as far as the sheet has them."""
    codes = [code.code for code in (*goods.declared_codes, *goods.suspected_codes)]
    mass = _("{mass} kg net", mass=number(goods.net_mass_kg)) if goods.HasField("net_mass_kg") else ""
    parts = (
        goods.description.rstrip(".。"),
        substance_text(goods),
        ", ".join(codes),
        mass,
    )
    return listed(part for part in parts if part)


def _leg(leg: RouteLeg) -> str:
    start, end = (" ".join(filter(None, (p.territory, p.unlocode))) for p in (getattr(leg, "from"), leg.to))
    return f"{start} → {end}" if start and end else start or end


def decision_options(paths: Iterable[str]) -> list[tuple[str, str, str]]:
    """INVESTIGATIVE fields that a supervisor may add, for checkboxes."""
    words = {
        "content.typologies": _("Typologies"),
        "content.narratives": _("What the alert said, in words"),
        "content.rule_hits": _("Rules that fired"),
        "content.goods.suspected_codes": _("Codes that the goods were suspected to be"),
        "content.goods.substance": _("Suspected substance"),
        "findings.goods_found": _("Goods as found"),
        "findings.measures": _("Measures that recipients took, with masses"),
        "findings.remarks": _("Remarks of findings"),
        "closing.measures": _("Measures that the publisher took, with masses"),
        "closing.remarks": _("Remarks at the closing"),
    }
    return [(path, words.get(path, path), "") for path in paths]
