"""Decides which numbers of a report are shown: small ones could point to a case."""

from __future__ import annotations

from gateway.figures.rules.small_numbers import ALL, NumberTable
from gateway.v1 import risk_profile_pb2 as pb

_PARTS = ("confirmed", "unfounded", "open")


def shown_numbers(
    *, records: int, hits: int, confirmed: int, unfounded: int, least: int, before: pb.RiskProfileReport | None
) -> pb.RiskProfileReport:
    """The numbers that a partner may see; withheld ones are absent.

    Numbers from 1 to below `least` are withheld, with what they could be computed from, as in figures; likewise one
    that differs by so little from `before`, the last report on the same adoption.
    """
    parts = dict(zip(_PARTS, (confirmed, unfounded, hits - confirmed - unfounded), strict=True))
    table = NumberTable({(part,): number for part, number in parts.items()}, least)
    cells = {"hits": (ALL,), "confirmed": ("confirmed",), "unfounded": ("unfounded",)}
    grown = [cell for name, cell in cells.items() if _is_small_step(table.number(*cell), name, before, least)]
    table.withhold(grown)
    report = pb.RiskProfileReport()
    for name, cell in cells.items():
        if cell not in table.withheld:
            setattr(report, name, table.number(*cell))
    if not 0 < records < least and not _is_small_step(records, "records", before, least):
        report.records = records
    return report


def _is_small_step(number: int, name: str, before: pb.RiskProfileReport | None, least: int) -> bool:
    if before is None or not before.HasField(name):  # type: ignore[arg-type]
        return False
    return 0 < abs(number - int(getattr(before, name))) < least
