"""A federation whose nodes are witnesses, and a policy that says how many of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from gateway.feed.service.witnessing import WITNESS_POLICY, witness_key_name
from gateway.tlog.note import SignatureType, Verifier
from gateway.trust.pki.keys import create_signing_key
from gateway.trust.service.trial_federation import FEDERATION
from tests.support.federation import NODES, Federation, with_logs


def policy_lines(keys: dict[str, bytes], quorum: str) -> str:
    """A policy of these public keys by node."""
    lines = [
        f"witness {node} {Verifier(witness_key_name(FEDERATION, node), key, SignatureType.COSIGNATURE).to_vkey()}"
        for node, key in keys.items()
    ]
    return "\n".join([*lines, f"group some {quorum} {' '.join(keys)}", "quorum some", ""])


def witnessing(root: Path, *, quorum: str = "any", **options: Any) -> Iterator[Federation]:
    """A federation whose three nodes are witnesses, by a policy of the directory."""
    paths = {node: root / f"{node}-witness.pem" for node in NODES}
    keys = {
        node: create_signing_key(path, name=witness_key_name(FEDERATION, node)).public_key
        for node, path in paths.items()
    }

    lines = "[witness]\nevery_minutes = 0\n[alarms]\nunwitnessed_minutes = 0\n"
    for made in with_logs(root, settings_of=lambda _: lines, **options):
        for node, path in paths.items():
            config = made[node].config
            settings = config.read_text(encoding="utf-8")
            config.write_text(settings.replace("[keys]\n", f'[keys]\nwitness = "{path}"\n'), encoding="utf-8")
        before = made.directory
        policy = {WITNESS_POLICY: policy_lines(keys, quorum)}
        issued_at = before.issued_at + timedelta(seconds=1)
        made.put_directory(replace(before, version=2, issued_at=issued_at, extensions={**before.extensions, **policy}))
        yield made
