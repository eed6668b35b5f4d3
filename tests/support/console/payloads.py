"""Markup in every text that a partner may fill; the fields come from the contract, so that none is forgotten."""

from __future__ import annotations

from typing import Any, TypeVar

from google.protobuf.message import Message

from gateway.contract.validation import violations
from tests.support.contract_fields import Leaf, is_map, leaves

MessageT = TypeVar("MessageT", bound=Message)

MARK = "data-xss"
"""Attribute that no page of ours has: an element with it was made from a partner's text."""

PAYLOADS = {
    "element": f"<b {MARK}>x</b>",
    "attribute": f'" {MARK} x="',
    "single": f"' {MARK} x='",
    "out of everything": f"\"'></title></textarea></style></script></svg><img {MARK} src=/x onerror=boom()>",
    "template": "{{7*7}}${7*7}{%",
    "link": "javascript:boom()",
    "htmx": f'<a {MARK} hx-get="/sign-out" hx-trigger=load hx-on:load=boom()>',
}
"""What opens an element, leaves an attribute, runs as a template or as a link."""


def hostile(base: MessageT, payload: str) -> tuple[MessageT, list[str]]:
    """A copy of a valid message with the payload in each text that may have it by the contract's rules.

    Each is followed by a number where there is room, so that no two members of a set are alike.

    Returns:
        The message, and the paths of the fields that have the payload.
    """
    message = type(base)()
    message.CopyFrom(base)
    filled = []
    for number, leaf in enumerate(_texts(base)):
        for value in (f"{payload}{number}", payload):
            tried = type(base)()
            tried.CopyFrom(message)
            leaf.set(tried, value)
            if not violations(tried):
                message = tried
                filled.append(leaf.path)
                break
    return message, filled


def _texts(message: Any) -> list[Leaf]:
    """The texts in a message whose lists may be empty."""
    return [leaf for leaf in leaves(message.DESCRIPTOR) if leaf.is_text and _is_there(message, leaf)]


def _is_there(message: Any, leaf: Leaf) -> bool:
    for part in leaf.path.split(".")[:-1]:
        below = getattr(message, part)
        if message.DESCRIPTOR.fields_by_name[part].is_repeated:
            if not below:
                return False
            if is_map(message.DESCRIPTOR.fields_by_name[part]):
                return True
            below = below[0]
        message = below
    return True
