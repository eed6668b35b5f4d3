"""Section of the settings about witnesses."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from gateway.node.sections.key_settings import KeyPlace
from gateway.node.sections.observed_settings import Section


class WitnessSettings(Section):
    """Cosigning partners' feeds as a witness, and having our feeds cosigned where the directory has a policy."""

    key: KeyPlace | None = Field(
        default=None,
        description="Ed25519 key that cosigns others' feeds, as `keys.log`; none: this node is no witness.",
    )
    second_key: Path | None = Field(default=None, description="ML-DSA-44 key that cosigns them too.")
    every_minutes: int = Field(
        default=60, ge=0, le=10_080, description="Minutes between a witness's two cosignatures on a feed of ours."
    )
