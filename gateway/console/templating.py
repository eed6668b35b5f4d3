"""The environment of the console's templates: escaping, translation, filters and what every page may use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from gateway.console.approvals import approval_hint
from gateway.console.current import current_page
from gateway.console.filters import FILTERS, harmless
from gateway.console.form import Form
from gateway.console.languages import NAMES
from gateway.console.views.alerts.field_names import field_name, line_problem, path_words, problem_text
from gateway.console.views.lists.entries import entry_text, given_id
from gateway.console.views.roles import role_texts
from gateway.console.views.words import capitalised
from gateway.translation.labels import label, label_of
from gateway.translation.messages import gettext, listed, ngettext

FOLDER: Final = Path(__file__).parent / "templates"


def new_environment(asset: Callable[[str], str], *, emblem: str = "") -> Environment:
    """The environment; `asset` gives the path of a file of the console, `emblem` is the authority's among them."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=harmless,
        auto_reload=False,
    )
    environment.filters.update(
        FILTERS,
        capitalised=capitalised,
        entry_text=entry_text,
        field_name=field_name,
        given_id=given_id,
        path_words=path_words,
        line_problem=line_problem,
        refused=problem_text,
    )
    environment.filters["inputs_of"] = _inputs_of
    environment.globals.update(
        _=gettext,
        ngettext=ngettext,
        listed=listed,
        label=label,
        label_of=label_of,
        asset=asset,
        emblem=emblem,
        now=lambda: datetime.now(UTC),
        hx=_htmx_permit,
        approval_hint=approval_hint,
        csrf_field=_csrf_field,
        role_texts=role_texts,
        language_names=NAMES,
    )
    return environment


def _inputs_of(name: str, form: Form) -> list[str]:
    """What a form has under a name."""
    return form.all(name)


def _htmx_permit() -> Markup:
    """The attribute that lets htmx act on an element: an injected one doesn't know this page's nonce."""
    return Markup('hx-nonce="{}"').format(current_page().nonce)


def _csrf_field() -> Markup:
    """The hidden field of every form that changes something."""
    return Markup('<input type="hidden" name="csrf" value="{}">').format(current_page().csrf_token)
