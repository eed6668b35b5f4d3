"""`gateway serve`: runs a node until a signal stops it."""

from __future__ import annotations

import logging
import os
import tomllib
from pathlib import Path

import typer

from gateway.cli.connection import DEFAULT_CONFIG, ConfigOption, serving_settings
from gateway.cli.output import EXIT_FAILED, JsonOption, exit_code, reports_errors, way_out_of
from gateway.errors import GatewayError, StoreUnavailableError
from gateway.logs import configure_logging
from gateway.translation.messages import gettext as _

log = logging.getLogger(__name__)

FORMAT_VARIABLE = "GATEWAY_LOG_FORMAT"
"""Environment variable of the setting log_format."""


@reports_errors
def serve(*, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """Run this node: the peer port for partners, the local port for own systems, links to every partner.

    It stops in order on Ctrl-C or SIGTERM. After a kill or a power cut it starts the same way as always: there is no
    repair step. Before it serves it verifies directory, keys and certificates.
    With --json errors at the start are JSON; with the setting log_format = "json" they are lines of the log.

    \b
    Example:
      gateway serve --config /etc/gateway/gateway.toml

    \b
    Exit codes: 0 stopped by a signal, 1 failed, 2 settings, keys or directory aren't right.
    """
    from gateway.node.run import run_node  # noqa: PLC0415  # imports slowly

    if _log_format(config) == "json":
        raise typer.Exit(_serve_as_json(config))
    try:
        run_node(serving_settings(config), config)
    except StoreUnavailableError as error:
        raise _ended(error) from None


def _serve_as_json(config: Path) -> int:
    """Serves; every error is a line of the log. Returns the exit code."""
    from gateway.node.run import run_node  # noqa: PLC0415  # imports slowly

    configure_logging("json", "info")
    try:
        run_node(serving_settings(config), config)
    except GatewayError as error:
        if isinstance(error, StoreUnavailableError):
            error = _ended(error)
        facts = {"reason": error.reason, "way_out": way_out_of(error)}
        log.critical("the node has ended: %s", error.message, extra=facts)
        return exit_code(error)
    except KeyboardInterrupt:
        log.warning("the node was interrupted at its start")
        return EXIT_FAILED
    except Exception:
        log.critical("the node has ended by an unexpected error", exc_info=True)
        return EXIT_FAILED
    return 0


def _ended(error: StoreUnavailableError) -> StoreUnavailableError:
    """The same for a node that has ended by it: this one doesn't go on by itself."""
    way_out = f"{way_out_of(error)} {_('Then start the gateway again: this process has ended.')}"
    return StoreUnavailableError(error.message, way_out=way_out)


def _log_format(config: Path) -> str:
    """The log's form before the settings are checked: an error in them is written in it too."""
    try:
        document = tomllib.loads(config.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        document = {}
    return os.environ.get(FORMAT_VARIABLE, str(document.get("log_format", "text")))
