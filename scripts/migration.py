"""Adds a migration from the difference between the migrations so far and the tables.

python scripts/migration.py MESSAGE

Read what it wrote, and move the rows by hand: a renamed column looks to it like one removed and one added. A migration
that was published stays as it is, since databases have run it.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command
from alembic.config import Config

from gateway import __version__
from gateway.db.database import Database
from gateway.node.projections import metadata

VERSIONS = Path(__file__).parents[1] / "gateway/db/migrations/versions"


def main(message: str) -> None:
    """Write one migration."""
    if not message:
        sys.exit('Say what the migration does: make migration ARGS="typed progress"')
    existing = sorted(VERSIONS.glob("[0-9]*.py"))
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/now.sqlite3")
        with database.write() as conn:
            config = Config()
            config.set_main_option("script_location", "gateway.db:migrations")
            config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
            config.attributes.update(connection=conn, target_metadata=metadata, version=__version__)
            command.upgrade(config, "head")
            last = int(existing[-1].name.partition("_")[0])
            command.revision(config, message, autogenerate=True, rev_id=f"{last + 1:04}")
        database.close()
    (written,) = set(VERSIONS.glob("[0-9]*.py")) - set(existing)
    lines = written.read_text(encoding="utf-8").splitlines(keepends=True)
    written.write_text("".join(line for line in lines if "# ###" not in line), encoding="utf-8")
    ruff = Path(sys.executable).with_name("ruff")
    for arguments in (["format", "--quiet"], ["check", "--fix", "--quiet"], ["format", "--quiet"]):
        subprocess.run([ruff, *arguments, written], check=True)


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]))
