"""Takes from a checkpoint the signatures that verify, for evidence."""

from __future__ import annotations

from gateway.contract.ids import FeedOrigin
from gateway.errors import SignatureInvalidError
from gateway.tlog.checkpoint import parse_checkpoint_body
from gateway.tlog.note import NoteSignature, SignatureType, UnverifiedNote, Verifier, parse_note, verify_signature
from gateway.trust.service.directory_versions import TrustedDirectory


def verified_lines(trust: TrustedDirectory, note: bytes) -> bytes:
    """A feed's checkpoint with those lines alone that a key of its two nodes has signed, one by each kind of key.

    What else a node has put there would make evidence against it refused. A key may be past or revoked.
    """
    parsed = parse_note(note)
    origin = FeedOrigin.parse(parse_checkpoint_body(parsed.unverified_text).origin)
    if not {origin.publisher, origin.recipient} <= trust.directory.signers().keys():
        return note
    kept: dict[tuple[bool, bool], NoteSignature] = {}
    known = (
        *trust.every_log_verifier(origin),
        *trust.every_cosign_verifier(origin.recipient),
        *trust.every_second_verifier(origin),
    )
    by_key = {(verifier.name, verifier.key_id): verifier for verifier in known}
    for line in parsed.signatures:
        verifier = by_key.get((line.name, line.key_id))
        if verifier is not None and _is_signed(parsed.unverified_text, line, verifier):
            kept.setdefault((line.name != origin.line, verifier.algorithm is SignatureType.ML_DSA_44), line)
    in_order = tuple(kept[place] for place in sorted(kept))
    return UnverifiedNote(parsed.unverified_text, in_order).encode() if in_order else note


def _is_signed(text: bytes, line: NoteSignature, verifier: Verifier) -> bool:
    try:
        verify_signature(text, line, verifier)
    except SignatureInvalidError:
        return False
    return True
