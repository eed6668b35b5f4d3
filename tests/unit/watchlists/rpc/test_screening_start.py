"""The screening process waits for its database while it starts, and isn't ended by a session that is lost meanwhile."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from gateway.db.database import Database
from gateway.db.migrate import upgrade
from gateway.node.workers.screening import screening_handlers
from gateway.rpc.workers.worker_process import WorkerProcess
from tests.support.postgres import embedded_server

ROOT = Path(__file__).parents[4]


def test_a_database_that_goes_while_the_index_is_read_doesn_t_end_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with embedded_server() as server:
        with closing(Database(server.url)) as database:
            upgrade(database)
        process = WorkerProcess(
            "screening",
            screening_handlers,
            (server.url, tmp_path / "screening.sqlite3", {}),
            deadlines_s={"screen": 60.0},
        )
        server.stop()
        try:
            ready = process.start()
            with pytest.raises(TimeoutError):
                ready.result(6)
            assert process.pid is not None
            server.start()
            ready.result(60)
            assert process.starts == 1
            assert process.failures() == ()
        finally:
            process.stop()
