"""Watchlists: own lists and partners', entries and where they are active, proposals, imports, matches."""

from __future__ import annotations

from typing import Final

from gateway.console.navigation import NavigationEntry
from gateway.console.page import page_route
from gateway.console.pages.watchlists.changes import show_report, show_reports
from gateway.console.pages.watchlists.editing import EDITING
from gateway.console.pages.watchlists.hits import ANSWERING_HIT, show_hits
from gateway.console.pages.watchlists.importing import ask_import, import_file, preview
from gateway.console.pages.watchlists.lists import compare, show_entry, show_list, show_lists
from gateway.console.pages.watchlists.match_groups import dismiss_group, show_group, show_groups
from gateway.console.pages.watchlists.matches import decide_match, show_match, show_matches
from gateway.console.pages.watchlists.proposals import decide, download, show_proposal, show_proposals
from gateway.console.pages.watchlists.withdrawing import WITHDRAWAL
from gateway.translation.messages import gettext as _

READING: Final = frozenset({"officer", "analyst", "supervisor", "auditor", "publisher"})
PROPOSING: Final = frozenset({"publisher", "officer", "supervisor"})
IMPORTING: Final = frozenset({"publisher", "supervisor"})
DECIDING: Final = frozenset({"supervisor"})
JUDGING: Final = frozenset({"officer", "supervisor"})
"""Roles from which the gateway takes what these pages send: changes of lists, and what a match or hit is."""

routes = [
    page_route("/watchlists", show_lists),
    page_route("/watchlists/proposals", show_proposals),
    page_route("/watchlists/proposals/{proposal_id}", show_proposal),
    page_route("/watchlists/proposals/{proposal_id}/file", download),
    page_route("/watchlists/proposals/{proposal_id}", decide, methods=("POST",), roles=DECIDING),
    page_route("/watchlists/matches", show_matches),
    page_route("/watchlists/matches/alike/{by}", show_groups),
    page_route("/watchlists/matches/alike/{by}/{match_id}", show_group),
    page_route("/watchlists/matches/alike/{by}/{match_id}", dismiss_group, methods=("POST",), roles=JUDGING),
    page_route("/watchlists/matches/{match_id}", show_match),
    page_route("/watchlists/matches/{match_id}", decide_match, methods=("POST",), roles=JUDGING),
    page_route("/watchlists/changes", show_reports),
    page_route("/watchlists/changes/{number:int}", show_report),
    page_route("/watchlists/import", ask_import, roles=IMPORTING),
    page_route("/watchlists/import/upload", preview, methods=("POST",), roles=IMPORTING),
    page_route("/watchlists/import/send", import_file, methods=("POST",), roles=IMPORTING),
    page_route("/watchlists/hits", show_hits),
    page_route("/watchlists/hits/{reporter}/{hit_id}", ANSWERING_HIT.ask),
    page_route("/watchlists/hits/{reporter}/{hit_id}", ANSWERING_HIT.take, methods=("POST",), roles=JUDGING),
    *EDITING.routes("/watchlists/new", roles=PROPOSING),
    *EDITING.routes("/watchlists/amend/{list_name}/{entry_id:path}", roles=PROPOSING),
    page_route("/watchlists/compare", compare, methods=("POST",)),
    page_route("/watchlists/of/{publisher}/{list_name}", show_list),
    page_route("/watchlists/entry/{publisher}/{list_name}/{entry_id:path}", show_entry),
    *WITHDRAWAL.routes("/watchlists/withdraw/{list_name}/{entry_id:path}", roles=PROPOSING),
]
navigation = NavigationEntry(path="/watchlists", title=lambda: _("Watchlists"), icon="list", order=30, roles=READING)
