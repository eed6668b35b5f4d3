"""Styles of the report on a trace: plain, light, and readable on paper without colour.

Names no font that it would have to load.
"""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 2rem auto; padding: 0 1.5rem; max-width: 76rem; color: #1b1f24; background: #fff;
  font: 14px/1.5 system-ui, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.05rem; margin: 2.25rem 0 .5rem; padding-bottom: .25rem; border-bottom: 1px solid #c9ced6; }
p { margin: .25rem 0; }
.way { font-size: 1.1rem; font-weight: 600; }
.verdict { display: inline-block; margin: .5rem 0; padding: .25rem .75rem; border: 1px solid; border-radius: 4px;
  font-weight: 600; }
.note { color: #59636e; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.25rem; margin: 1rem 0 0; }
dt { color: #59636e; }
dd { margin: 0; overflow-wrap: anywhere; }
table { width: 100%; border-collapse: collapse; margin: .5rem 0; }
th, td { padding: .35rem .6rem .35rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #e2e5ea; }
th { color: #59636e; font-weight: 600; white-space: nowrap; border-bottom-color: #c9ced6; }
td { overflow-wrap: anywhere; }
.when { white-space: nowrap; }
table.fixed { table-layout: fixed; }
table.fixed th { white-space: normal; }
code, .id { font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: .92em; }
pre { margin: .25rem 0 1rem; padding: .5rem .75rem; background: #f6f7f9; border: 1px solid #e2e5ea; border-radius: 4px;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: 12px; }
.badge { display: inline-block; padding: 0 .5em; border: 1px solid; border-radius: 3px; font-size: .85em;
  font-weight: 700; white-space: nowrap; }
.high { color: #8f1d14; background: #fdecea; border-color: #d98880; }
.medium { color: #6e4600; background: #fff4dc; border-color: #d9b36a; }
.low { color: #14507a; background: #e8f2fa; border-color: #8db8d8; }
.notice { color: #4a525b; background: #f1f2f4; border-color: #b9c0c8; }
.fine { color: #1b5e31; background: #e9f6ec; border-color: #8fc7a0; }
.bad { color: #8f1d14; font-weight: 600; }
ul { margin: 0; padding-left: 1.1rem; }
figure { margin: 0 0 .5rem; break-inside: avoid; }
figcaption { margin: .75rem 0 .25rem; font-weight: 600; }
svg { display: block; width: 100%; height: auto; font: 12px system-ui, "Segoe UI", "Noto Sans", "Noto Sans CJK SC",
  "PingFang SC", "Microsoft YaHei", sans-serif; }
svg text { fill: #1b1f24; }
svg .lane { fill: #f6f7f9; }
svg .lane1 { fill: #eef4f1; }
svg .lane2 { fill: #f1f1f8; }
svg .lane3 { fill: #f8f4ee; }
svg .lane-title { font-weight: 700; fill: #414a54; }
svg .time { text-anchor: end; fill: #59636e; font-variant-numeric: tabular-nums; }
svg .card { fill: #fff; stroke: #9aa4b0; }
svg .card-head { fill: #33404d; }
svg .card-title { fill: #fff; font-weight: 700; }
svg .record { font-weight: 600; }
svg .controlled { fill: #6b2c83; font-weight: 600; }
svg .withheld { fill: #59636e; font-style: italic; }
svg .event { fill: #3d4650; }
svg .dot { fill: #7b8794; }
svg .way { stroke: #2b5f9e; stroke-width: 2; }
svg .way-start, svg .way-end { fill: #2b5f9e; }
svg .way-label { text-anchor: middle; fill: #2b5f9e; }
svg .mark.high { fill: #fdecea; stroke: #d98880; }
svg .mark.medium { fill: #fff4dc; stroke: #d9b36a; }
svg .mark.low { fill: #e8f2fa; stroke: #8db8d8; }
svg .mark.notice { fill: #f1f2f4; stroke: #b9c0c8; }
svg .mark-text.high { fill: #8f1d14; }
svg .mark-text.medium { fill: #6e4600; }
svg .mark-text.low { fill: #14507a; }
svg .mark-text.notice { fill: #4a525b; }
svg .first { font-weight: 700; }
@page { size: A4 landscape; margin: 14mm; }
@media print {
  body { margin: 0; padding: 0; max-width: none; font-size: 10.5px; }
  h2 { break-after: avoid; }
  tr { break-inside: avoid; }
  svg { max-height: 168mm; }
  .badge, .verdict, svg * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
