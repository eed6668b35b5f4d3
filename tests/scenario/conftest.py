"""For scenario tests: federations whose feed from cn to hk is pushed, or fetched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.federation import PULLED, Federation, with_logs


@pytest.fixture(params=["push", "pull"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Federation]:
    """Once with links that push, once with hk fetching from cn because only it may open connections between them."""
    yield from with_logs(tmp_path, links=PULLED if request.param == "pull" else {})
