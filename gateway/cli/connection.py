"""Connects commands to a gateway: their common options, and the client made from them.

Options win over environment variables, these over the node's settings file, which a customs system's machine lacks.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Concatenate, ParamSpec, TypeVar

import typer

from gateway.cli.output import Output
from gateway.contract.suggestions import did_you_mean
from gateway.errors import ConfigurationError, OptionError
from gateway.translation.messages import gettext as _
from gateway.translation.messages import listed

if TYPE_CHECKING:
    from gateway.client import GatewayClient
    from gateway.node.settings import Settings

DEFAULT_CONFIG = Path("gateway.toml")
PANEL = _("Connection")

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

ConfigOption = Annotated[
    Path,
    typer.Option(
        "--config", envvar="GATEWAY_CONFIG", help=_("The node's settings, gateway.toml."), rich_help_panel=PANEL
    ),
]
SystemOption = Annotated[
    str,
    typer.Option(
        "--system",
        envvar="GATEWAY_SYSTEM",
        help=_("Local system to connect as: the name of a certificate in pki/systems."),
        rich_help_panel=PANEL,
    ),
]
AddressOption = Annotated[
    str,
    typer.Option(
        "--address", envvar="GATEWAY_ADDRESS", help=_("host:port of the gateway's local port."), rich_help_panel=PANEL
    ),
]
CaOption = Annotated[
    Path | None, typer.Option("--ca", envvar="GATEWAY_CA", help=_("Your authority's CA, PEM."), rich_help_panel=PANEL)
]
CertificateOption = Annotated[
    Path | None,
    typer.Option("--cert", envvar="GATEWAY_CERT", help=_("The system's certificate, PEM."), rich_help_panel=PANEL),
]
KeyOption = Annotated[
    Path | None,
    typer.Option("--key", envvar="GATEWAY_KEY", help=_("The system's private key, PEM."), rich_help_panel=PANEL),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The gateway to connect to, and the system to connect as; by the settings where empty."""

    config: Path = DEFAULT_CONFIG
    system: str = ""
    address: str = ""
    ca: Path | None = None
    cert: Path | None = None
    key: Path | None = None

    def client(self) -> GatewayClient:
        """A client of the gateway; ConfigurationError where gateway or system aren't clear."""
        from gateway.client import GatewayClient  # noqa: PLC0415  # gRPC imports slowly

        if self.address and self.ca and self.cert and self.key:
            return GatewayClient.connect(self.address, ca=self.ca, certificate=self.cert, key=self.key)
        settings = self._settings()
        ca = self.ca or settings.tls.ca
        certificate = self.cert or self._certificate(settings)
        key = self.key or certificate.with_suffix(".key")
        local = reachable(settings.local_bind)
        return GatewayClient.connect(
            self.address or local, ca=ca, certificate=certificate, key=key, local_address=local
        )

    def run(self, work: Callable[[GatewayClient], Awaitable[T]]) -> T:
        """Runs work with a client to its end."""
        from gateway.client import run_blocking  # noqa: PLC0415  # gRPC imports slowly

        return run_blocking(self.client, work)

    def _settings(self) -> Settings:
        if not self.config.exists():
            raise OptionError(
                _("no gateway is named: {config} isn't there", config=self.config),
                way_out=_(
                    "Give --config (or GATEWAY_CONFIG) on a gateway's machine, or --address, --ca, --cert and --key "
                    "elsewhere."
                ),
            )
        return read_settings(self.config)

    def _certificate(self, settings: Settings) -> Path:
        folder = settings.tls.ca.parent / "systems"
        files = sorted(folder.glob("*.pem"))
        if self.system:
            return self._named(folder, [path.stem for path in files])
        if len(files) == 1:
            return files[0]
        names = [f"{path.stem} ({', '.join(settings.systems.get(path.stem, ())) or _('no role')})" for path in files]
        there = (
            _("there are {systems}", systems=listed(names)) if names else _("there is none in {folder}", folder=folder)
        )
        raise OptionError(
            _("no system is named to connect as; {there}", there=there),
            way_out=_("Give --system NAME (or GATEWAY_SYSTEM).") if names else _make_one(),
        )

    def _named(self, folder: Path, known: list[str]) -> Path:
        """The certificate of the named system; OptionError where there is none."""
        if self.system in known:
            return folder / f"{self.system}.pem"
        there = listed(known) or _("none")
        raise OptionError(
            _("{folder} has no certificate of system {system!r}", folder=folder, system=self.system)
            + did_you_mean(self.system, known),
            way_out=_("Give --system one of: {there}.", there=there) if known else _make_one(),
        )


def _make_one() -> str:
    return _("Make one: `gateway pki request --kind system`, then `gateway pki issue`.")


OTHER_VARIABLES = frozenset(
    f"GATEWAY_{name}"
    for name in ("CONFIG", "SYSTEM", "ADDRESS", "CA", "CERT", "KEY", "FEDERATION", "DEBUG", "PASSPHRASE", "SHARED")
)
"""Environment variables that aren't settings of a node."""


def read_settings(config: Path) -> Settings:
    """The node's settings, by `load_settings`; warns of environment variables that have no effect."""
    from gateway.node.settings import load_settings, unknown_variables  # noqa: PLC0415  # imports slowly

    for sentence in unknown_variables(os.environ, OTHER_VARIABLES):
        Output().warning(sentence)
    return load_settings(config)


def serving_settings(config: Path) -> Settings:
    """The settings of a node that starts: a variable that looks like a setting and is none is refused here.

    Raises:
        ConfigurationError: they aren't right, or a variable isn't.
    """
    from gateway.node.settings import load_settings, unknown_variables  # noqa: PLC0415  # imports slowly

    if unknown := unknown_variables(os.environ, OTHER_VARIABLES):
        raise ConfigurationError("; ".join(unknown), way_out=_("Correct the variable's name, or remove it."))
    return load_settings(config)


def reachable(bind: str) -> str:
    """The address of a bound port, seen from this machine."""
    host, _, port = bind.rpartition(":")
    return {"0.0.0.0": f"127.0.0.1:{port}", "[::]": f"[::1]:{port}", "": f"127.0.0.1:{port}"}.get(host, bind)  # noqa: S104


_OPTIONS: dict[str, tuple[object, object]] = {
    "config": (ConfigOption, DEFAULT_CONFIG),
    "system": (SystemOption, ""),
    "address": (AddressOption, ""),
    "ca": (CaOption, None),
    "cert": (CertificateOption, None),
    "key": (KeyOption, None),
}


def connected(command: Callable[Concatenate[Target, P], R]) -> Callable[P, R]:
    """Adds the connection options to a command, below `reports_errors`; its first parameter becomes their `Target`."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        # typer passes ours beside the command's
        ours = {name: kwargs.pop(name) for name in _OPTIONS if name in kwargs}
        return command(Target(**ours), *args, **kwargs)  # type: ignore[arg-type]

    # typer reads annotations as objects
    signature = inspect.signature(command, eval_str=True)
    own = list(signature.parameters.values())[1:]
    added = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, (annotation, default) in _OPTIONS.items()
    ]
    wrapped.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
    wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in (*own, *added)}
    return wrapped
