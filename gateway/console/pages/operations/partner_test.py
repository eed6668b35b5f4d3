"""Tests the connection to a partner by a button: that it serves this node, and refuses what it must."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.page import client, page_route, render
from gateway.translation.check_texts import check_text, way_out_text
from gateway.translation.messages import N_
from gateway.translation.messages import gettext as _
from gateway.v1.node_service_pb2 import TestResult

_RESULTS: Final = {
    TestResult.TEST_RESULT_OK: (N_("in order"), "good"),
    TestResult.TEST_RESULT_FAIL: (N_("not in order"), "bad"),
}


async def run(request: Request) -> Response:
    """Tries it now, and shows how each try ended."""
    partner = request.path_params["partner"]
    findings = await client(request).node.test_partner(partner)
    results = [finding.result for finding in findings]
    rows = [
        (
            check_text(finding.check),
            *_word(finding.result),
            check_text(finding.detail),
            way_out_text(finding.way_out) if finding.way_out else "",
        )
        for finding in findings
    ]
    return render(
        request,
        "operations/partner_test.html",
        title=_("Connection test: {partner}", partner=partner.upper()),
        partner=partner,
        rows=rows,
        failed=results.count(TestResult.TEST_RESULT_FAIL),
        unknown=len(results) - results.count(TestResult.TEST_RESULT_FAIL) - results.count(TestResult.TEST_RESULT_OK),
    )


def _word(result: TestResult.ValueType) -> tuple[str, str]:
    name, kind = _RESULTS.get(result, (N_("not tried"), "warn"))
    return _(name), kind


routes = [page_route("/operations/partners/{partner}/test", run, methods=("POST",))]
