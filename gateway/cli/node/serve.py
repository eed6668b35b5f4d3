"""`gateway serve`: runs a node until a signal stops it."""

from __future__ import annotations

from gateway.cli.connection import DEFAULT_CONFIG, ConfigOption, read_settings
from gateway.cli.output import JsonOption, reports_errors


@reports_errors
def serve(*, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Run this node: the peer port for partners, the local port for own systems, links to every partner.

    It stops in order on Ctrl-C or SIGTERM. After a kill or a power cut it starts the same way as always: there is no
    repair step. Before it serves it verifies directory, keys and certificates.
    With --json errors at the start are JSON; the log's form is the setting log_format.

    \b
    Example:
      gateway serve --config /etc/gateway/gateway.toml

    \b
    Exit codes: 0 stopped by a signal, 1 failed, 2 settings, keys or directory aren't right.
    """
    from gateway.node.run import run_node  # noqa: PLC0415  # imports slowly

    run_node(read_settings(config), config)
