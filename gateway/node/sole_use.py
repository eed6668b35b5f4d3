"""Gives a command a node's data folder and database for itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from gateway.db.url import parse_url
from gateway.node.host.data_lock import locked_data
from gateway.node.settings import Settings


@contextmanager
def sole_use(settings: Settings, *, command: str) -> Iterator[None]:
    """Keeps nodes from running on the data folder and the database while a command works on them.

    Raises:
        ConfigurationError: one runs.
        StoreUnavailableError: the database can't be reached.
    """
    with ExitStack() as held:
        held.enter_context(locked_data(settings))
        if parse_url(settings.effective_database_url).get_backend_name() == "postgresql":
            from gateway.db import replica_session  # noqa: PLC0415  # needs PostgreSQL's driver

            url = settings.effective_database_url
            held.enter_context(replica_session.sole_use(url, node=settings.node, command=command))
        yield
