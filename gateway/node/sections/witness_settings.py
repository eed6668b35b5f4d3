"""Section of the settings about witnesses."""

from __future__ import annotations

from pydantic import Field

from gateway.node.sections.observed_settings import Section


class WitnessSettings(Section):
    """Having our feeds cosigned by witnesses, where the directory has a policy."""

    every_minutes: int = Field(
        default=60, ge=0, le=10_080, description="Minutes between a witness's two cosignatures on a feed of ours."
    )
