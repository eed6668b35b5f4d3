"""Reads and writes the node card, a claim whose digest is compared over another channel."""

from __future__ import annotations

from hashlib import sha256

from gateway.contract.json_document import ObjectReader, dump_json, parse_canonical_json
from gateway.errors import MalformedError
from gateway.trust.codec.directory import FEDERATION, NAME, node_json, read_display_names, read_node, read_verifier_key
from gateway.trust.rules.directory import NodeCard

FORMAT = "customs-gateway-node-card/v1"
MAX_CARD_BYTES = 64 * 1024
"""One node's certificates and keys."""


def encode_card(card: NodeCard) -> bytes:
    """Encodes a card and checks the round trip.

    Raises:
        DocumentInvalidError: all broken rules of the format.
        MalformedError: a part isn't canonical.
    """
    text = dump_json(
        {
            "format": FORMAT,
            "federation": card.federation,
            "name": card.name,
            "node": node_json(card.node),
            "directory_key": card.directory_key,
            "display_names": dict(card.display_names),
        }
    )
    if decode_card(text) != card:
        raise MalformedError("node card: it doesn't read back as it was written; its parts aren't in canonical form")
    return text


def decode_card(text: bytes) -> NodeCard:
    """Parses a card: size first, canonical.

    Raises:
        TooLargeError: more than `MAX_CARD_BYTES`.
        MalformedError: not JSON, or not canonical.
        DocumentInvalidError: all wrong members, with paths.
    """
    reader = ObjectReader(parse_canonical_json(text, what="node card", max_bytes=MAX_CARD_BYTES))
    reader.text("format", FORMAT, FORMAT)
    federation, name = reader.text("federation", *FEDERATION), reader.text("name", *NAME)
    directory_key = read_verifier_key(reader, "directory_key")
    display_names = read_display_names(reader, "display_names")
    node = read_node(reader.nested("node"))
    reader.close()
    reader.finish("node card")
    return NodeCard(federation, name, node, directory_key, display_names)


def card_digest(text: bytes) -> str:
    """SHA-256 in hexadecimal, in groups of eight."""
    digest = sha256(text).hexdigest()
    return " ".join(digest[start : start + 8] for start in range(0, len(digest), 8))
