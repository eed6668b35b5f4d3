"""Writes a migration from the difference between the migrations so far and the tables in gateway/store.

python scripts/migration.py           writes the newest migration again: right as long as it isn't in a release
python scripts/migration.py MESSAGE   adds one

Read what it wrote: a renamed column looks to it like one removed and one added.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

import gateway.trust.tables  # noqa: F401  its table is part of the schema
from gateway.db.database import Database
from gateway.db.schema import metadata

VERSIONS = Path(__file__).parents[1] / "gateway/db/migrations/versions"
FIRST = "Initial schema"


def main(message: str) -> None:
    """Write one migration."""
    existing = sorted(VERSIONS.glob("[0-9]*.py"))
    if not message and existing:
        newest = existing.pop()
        message = newest.read_text(encoding="utf-8").split('"""')[1].rstrip(".")
        newest.unlink()
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/now.sqlite3")
        with database.write() as conn:
            config = Config()
            config.set_main_option("script_location", "gateway.db:migrations")
            config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
            config.attributes.update(connection=conn, target_metadata=metadata)
            command.upgrade(config, "head")
            command.revision(config, message or FIRST, autogenerate=True, rev_id=f"{len(existing) + 1:04}")
        database.close()
    (written,) = set(VERSIONS.glob("[0-9]*.py")) - set(existing)
    lines = written.read_text(encoding="utf-8").splitlines(keepends=True)
    written.write_text("".join(line for line in lines if "# ###" not in line), encoding="utf-8")
    ruff = Path(sys.executable).with_name("ruff")
    for arguments in (["format", "--quiet"], ["check", "--fix", "--quiet"], ["format", "--quiet"]):
        subprocess.run([ruff, *arguments, VERSIONS], check=True)  # noqa: S603


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
