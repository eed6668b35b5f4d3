"""`gateway console`: serves the web pages of officers and operators."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import JsonOption, reports_errors
from gateway.errors import ConfigurationError
from gateway.translation.messages import gettext as _

DEFAULT_CONFIG = Path("console.toml")


@reports_errors
def console(
    *,
    config: Annotated[
        Path, typer.Option("--config", envvar="GATEWAY_CONSOLE_CONFIG", help=_("The console's settings."))
    ] = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Serve the web pages on which officers and operators work.

    A process of its own: it is a system of its gateway with the role console, and does nothing but in the name of a
    person who has signed in. It needs the extra `console` of the package.

    \b
    Example:
      gateway console --config /etc/gateway/console.toml

    \b
    Exit codes: 0 stopped by a signal, 1 failed, 2 settings, keys or certificates aren't right.
    """
    try:
        from gateway.console.server.run import run_console  # noqa: PLC0415  # an extra, and imports slowly
        from gateway.console.settings import load_console_settings  # noqa: PLC0415
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("gateway"):
            raise
        raise ConfigurationError(
            _("the package {name} isn't installed", name=error.name),
            way_out="Install the gateway's wheel with the extra: pip install 'WHEEL[console]'.",
        ) from error
    run_console(load_console_settings(config))
