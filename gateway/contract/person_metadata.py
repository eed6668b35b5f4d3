"""Names of the metadata that a call in a person's name carries."""

from __future__ import annotations

from typing import Final

PERSON_KEY: Final = "gateway-person"
"""The person's assertion."""

APPROVAL_KEY: Final = "gateway-approval"
"""The approval, JSON in ASCII."""
