"""For tests of translation."""

from __future__ import annotations

import pytest

from gateway.translation import messages
from tests.support.shouting import Shouting


@pytest.fixture
def shouting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is translated is shouted."""
    monkeypatch.setattr(messages, "_catalogue", lambda _: Shouting())
