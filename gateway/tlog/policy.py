"""Policies that say whose cosignatures a log's checkpoint needs (C2SP tlog-policy)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.errors import GatewayError, MalformedError, TooLargeError
from gateway.tlog.encoding import decode_decimal, encode_text
from gateway.tlog.note import NoteSignature, SignatureType, Verifier, verify_signature

MAX_POLICY_BYTES: Final = 256 * 1024
"""Largest policy in bytes; a witness with a key of ML-DSA-44 takes some 1,900."""

MAX_WITNESSES: Final = 32
"""Most witnesses of a policy: half of the signatures that a note may have."""

NOBODY: Final = "none"


@dataclass(frozen=True, slots=True)
class WitnessGroup:
    """Members of which `threshold` must have cosigned; names of witnesses and of groups before it."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WitnessPolicy:
    """A policy.

    Attributes:
        witnesses: their keys by their names in the policy.
        quorum: the witness or group that must have cosigned, or `none`.
    """

    witnesses: Mapping[str, Verifier]
    groups: Mapping[str, WitnessGroup]
    quorum: str

    def is_met(self, cosigned: Collection[str]) -> bool:
        """Whether the witnesses of these names are enough."""
        done = {name for name in self.witnesses if name in cosigned}
        for name, group in self.groups.items():
            if sum(member in done for member in group.members) >= group.threshold:
                done.add(name)
        return self.quorum in {*done, NOBODY}

    def verified(self, text: bytes, lines: Iterable[NoteSignature]) -> dict[str, tuple[NoteSignature, int]]:
        """Lines by witness that verify over a checkpoint's text, each with its time in POSIX seconds.

        Lines of other keys are ignored. Of several by one witness the first counts.

        Raises:
            SignatureInvalidError: a line names a witness's key, and isn't its signature.
        """
        by_key = {(key.name, key.key_id): name for name, key in self.witnesses.items()}
        found: dict[str, tuple[NoteSignature, int]] = {}
        for line in lines:
            name = by_key.get((line.name, line.key_id))
            if name is not None:
                timestamp = verify_signature(text, line, self.witnesses[name]).timestamp
                found.setdefault(name, (line, timestamp or 0))
        return found


def parse_policy(text: str) -> WitnessPolicy:
    """Parses a policy; lines that name logs are passed over, since the directory names them.

    Raises:
        TooLargeError: more bytes or witnesses than are read.
        MalformedError: a line isn't of the format, or names what no line before it defines.
    """
    if len(encode_text(text, "witness policy")) > MAX_POLICY_BYTES:
        raise TooLargeError(f"a witness policy has at most {MAX_POLICY_BYTES} bytes")
    witnesses: dict[str, Verifier] = {}
    groups: dict[str, WitnessGroup] = {}
    quorum = ""
    for number, words in _lines(text):
        try:
            match words:
                case ["log", _] | ["log", _, _]:
                    continue
                case ["witness", name, vkey] | ["witness", name, vkey, _]:
                    _require_new(name, witnesses, groups)
                    witnesses[name] = _cosigner(vkey)
                case ["group", name, threshold, *members] if members:
                    _require_new(name, witnesses, groups)
                    groups[name] = _group(threshold, members, {*witnesses, *groups})
                case ["quorum", name] if not quorum:
                    quorum = _known(name, {*witnesses, *groups, NOBODY})
                case _:
                    raise MalformedError("it isn't a witness, a group or the one quorum")
        except GatewayError as error:
            raise MalformedError(f"line {number} of the witness policy: {error.message}") from error
    if len(witnesses) > MAX_WITNESSES:
        raise TooLargeError(f"a witness policy has at most {MAX_WITNESSES} witnesses")
    if not quorum:
        raise MalformedError("the witness policy names no quorum")
    return WitnessPolicy(witnesses, groups, quorum)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        if words and not words[0].startswith("#"):
            yield number, words


def _cosigner(vkey: str) -> Verifier:
    verifier = Verifier.from_vkey(vkey)
    if verifier.algorithm is SignatureType.ED25519:
        raise MalformedError(f"the key {verifier.name} is of type 0x01, which signs no cosignatures")
    return verifier


def _group(threshold: str, members: list[str], known: Collection[str]) -> WitnessGroup:
    if len(set(members)) != len(members):
        raise MalformedError("a group names a member twice")
    for member in members:
        _known(member, known)
    least = {"any": 1, "all": len(members)}.get(threshold)
    if least is None:
        least = decode_decimal(encode_text(threshold, "threshold"), "threshold", len(members))
    if not least:
        raise MalformedError("a group needs at least one of its members")
    return WitnessGroup(least, tuple(members))


def _known(name: str, known: Collection[str]) -> str:
    if name not in known:
        raise MalformedError(f"no line before it defines {name!r}")
    return name


def _require_new(name: str, *taken: Collection[str]) -> None:
    if name == NOBODY or any(name in names for names in taken):
        raise MalformedError(f"the name {name!r} is taken")
