"""A partner's file is named onward by its rule, also while what named it isn't projected."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import PermissionDeniedError
from gateway.v1 import alert_pb2
from tests.support.databases import MakeDatabase
from tests.support.nodes import PaperNode, exchange, paper_nodes

PHOTO = alert_pb2.EvidenceDigest(sha256=bytes(32), media_type="image/jpeg", size_bytes=1)


@pytest.fixture
def nodes(tmp_path: Path, make_database: MakeDatabase) -> Iterator[list[PaperNode]]:
    with paper_nodes(tmp_path, make_database) as made:
        yield made


@pytest.mark.parametrize("rebuilding", [False, True])
def test_a_partners_file_isnt_named_to_another(nodes: list[PaperNode], *, rebuilding: bool) -> None:
    cn, hk = nodes
    cn.publish("hk", evidence=[PHOTO])
    exchange(cn, hk)
    if rebuilding:
        with hk.database.write() as conn:
            hk.projector.clear(conn)
    with pytest.raises(PermissionDeniedError, match="the file is from cn"):
        hk.publish("mo", evidence=[PHOTO])
    assert hk.publish("mo")
