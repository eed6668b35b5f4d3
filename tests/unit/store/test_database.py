import threading
from pathlib import Path

from sqlalchemy import text

from gateway.store.database import Database

ROUNDS = 40
THREADS = 8


def test_a_new_file_can_be_opened_by_many_at_once(tmp_path: Path) -> None:
    """SQLite refuses some of those that turn a file to WAL at once without waiting; nobody must notice."""
    modes, errors = list[str](), list[BaseException]()
    for number in range(ROUNDS):
        together = threading.Barrier(THREADS)

        def start(url: str, together: threading.Barrier) -> None:
            database = Database(url)
            together.wait()
            try:
                with database.read() as conn:
                    modes.append(conn.execute(text("PRAGMA journal_mode")).scalar_one())
            except BaseException as error:
                errors.append(error)
            finally:
                database.close()

        arguments = (f"sqlite:///{tmp_path / str(number)}.sqlite3", together)
        threads = [threading.Thread(target=start, args=arguments) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    assert modes == ["wal"] * ROUNDS * THREADS
