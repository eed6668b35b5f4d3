"""The link graph as a picture, with a list that says the same."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from gateway.console.form import Form
from gateway.console.page import client, form, reader_locale, render
from gateway.console.pages.network.question import DEPTHS, PROBLEM_FIELDS, read_question, show_form
from gateway.console.views.network import KINDS, answer_options, kind_word, network_view
from gateway.errors import InvalidRequestError, NotFoundError
from gateway.translation.messages import gettext as _


async def show_graph(request: Request) -> Response:
    """Asks the gateway, and shows what it found."""
    sent = form(request)
    question = read_question(sent, reader_locale(request).zone)
    if not sent.is_good:
        return await show_form(request, sent)
    try:
        graph = await client(request).link_analysis.graph(grounds=question.grounds, **question.arguments)
    except InvalidRequestError as error:
        sent.add_violations(error, PROBLEM_FIELDS)
        return await show_form(request, sent)
    except NotFoundError:
        sent.problems["what"] = (
            _("It isn't here, or your roles don't let you see it; or an answer that you chose isn't kept any longer.")
            if question.arguments["answers"]
            else _("It isn't here, or your roles don't let you see it.")
        )
        return await show_form(request, sent)
    if not sent.all("kinds"):
        sent.values["kinds"] = list(KINDS)
    return render(
        request,
        "network/graph.html",
        title=_("Network"),
        form=sent,
        question=question,
        view=network_view(graph),
        found=graph,
        answers=answer_options(graph, sent.all("answers")),
        page_number=_page_number(sent),
        depths=[(depth, depth) for depth in DEPTHS],
        kinds=[(name, kind_word(kind), "") for name, kind in KINDS.items()],
    )


def _page_number(sent: Form) -> int:
    """Of a hub's pages: the form of the next one says it."""
    text = sent.text("page_number")
    return int(text) if sent.text("page_token") and text.isdecimal() and len(text) < 6 else 1
